"""Forward mode: numbers that carry their own slope.

A dual number is x + ẋ ε with ε² = 0, and for smooth f, f(x + ẋ ε) = f(x) + f′(x) ẋ ε: the tangent
rides along. Sources: Clifford 1873; Wengert 1964; chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from companion.engines.kinds import TABLE, Linear, Pointwise
from companion.engines.methods import OPERATORS
from companion.engines.rules import broadcast_to
from companion.engines.trees import array_only, pairs, rebuilt
from companion.engines.values import Number, Value, float64, number, shape, whole, zeros_like

if TYPE_CHECKING:
    from companion.engines.kinds import Params, Rule

_new = object.__new__
_BY_HAND = (0, 0)
_FRESH = count(2)  # tags of perturbations; 0 and 1 are those of Duals and Jets built by hand


def fresh_tag() -> tuple[int, int]:
    """A tag newer than all before: every call of jvp or taylor perturbs with an ε of its own.

    Were two of them to share one, the inner derivative would count the outer perturbation as its
    own ("perturbation confusion", chapter 3). Tags come from a counter, since neither the depth of
    nesting nor the type tells two perturbations apart.
    """
    return (next(_FRESH), 0)


class Dual(Value):
    """x + ẋ₁ ε₁ + ẋ₂ ε₂ + …: a primal, float or array, and a tangent of its shape per seed.

    >>> from companion.engines import Dual, log, sin
    >>> x, y = Dual(2.0, 1.0, 0.0), Dual(5.0, 0.0, 1.0)  # two seeds: both partial derivatives
    >>> log(x) + x * y - sin(y)
    Dual(11.65207, 5.5, 1.716338)

    Without a tangent it is a constant of one seed. A Dual of a Dual is a new perturbation on top of
    the old one. Raises ValueError when a tangent does not fit the primal, TypeError when the primal
    is not made of numbers.
    """

    __slots__ = ("primal", "tag", "tangents")
    primal: Any
    tangents: tuple[Any, ...]
    tag: tuple[int, int]

    def __init__(self, primal: Number, *tangents: Number) -> None:
        if (
            type(primal) is float and len(tangents) == 1 and type(tangents[0]) is float
        ):  # the common case
            self.primal, self.tangents, self.tag = primal, tangents, _BY_HAND
            return
        self.primal = x = float64(primal)
        seeds = [float64(t) for t in tangents or (0.0,)]
        self.tangents = tuple([t if type(t) is type(x) is float else _fitted(t, x) for t in seeds])
        self.tag = (x.tag[0], x.tag[1] + 1) if isinstance(x, Value) and x.tag else _BY_HAND

    @property
    def tangent(self) -> Any:
        """The tangent ẋ, where there is one seed."""
        if len(self.tangents) != 1:
            raise AttributeError(f"this Dual carries {len(self.tangents)} seeds: use .tangents")
        return self.tangents[0]

    @property
    def parts(self) -> tuple[Any, ...]:
        """The primal and the tangents."""
        return (self.primal, *self.tangents)

    def rebuild(self, parts: Sequence[Number]) -> Dual:
        """A Dual of the same perturbation with other parts."""
        return _dual(parts[0], tuple(parts[1:]), self.tag)

    def apply(self, rule: Rule, args: Sequence[Number], params: Params) -> Dual:
        """f(x + ẋ ε) = f(x) + (the rule's tangent) ε, for each seed."""
        tag, seeds = self.tag, len(self.tangents)
        xs: list[Any] = []
        tangents: list[Any] = []  # of each argument; None of a constant
        for a in args:
            if type(a) is not Dual or a.tag != tag:
                xs.append(number(a))
                tangents.append(None)
            elif len(a.tangents) == seeds:
                xs.append(a.primal)
                tangents.append(a.tangents)
            else:
                raise ValueError(
                    f"Duals with {seeds} and {len(a.tangents)} seeds cannot be combined"
                )
        y = rule(*xs, **params)
        return _dual(y, rule.forward(xs, y, tangents, params), tag)

    def __repr__(self) -> str:
        return f"Dual({', '.join(show(part) for part in self.parts)})"


def _fitted(tangent, primal):
    if shape(tangent) == shape(primal):
        return tangent
    if shape(tangent):
        raise ValueError(
            f"a tangent has the shape of its primal, {shape(primal)}; got shape {shape(tangent)}. "
            f"Several seeds are several arguments: Dual(x, seed1, seed2)"
        )
    return broadcast_to(tangent, shape(primal))


def _dual(primal, tangents, tag):
    d = _new(Dual)
    d.primal, d.tangents, d.tag = primal, tangents, tag
    return d


def show(x: Number) -> str:
    """A number with seven digits, an array as NumPy prints it, an engine value by its own repr."""
    if isinstance(x, Value):
        return repr(x)
    return np.array2string(np.asarray(x), precision=7, separator=", ") if np.ndim(x) else f"{x:.7g}"


def seeded(x: Number, directions: Iterable[Number], tag: tuple[int, int]) -> Dual:
    """x as a Dual of the perturbation `tag`, with one seed for each direction."""
    x = float64(x)
    for v in directions:
        if shape(v) != shape(x):
            raise ValueError(f"a direction has the shape of x, {shape(x)}; got shape {shape(v)}")
    return _dual(x, tuple(float64(v) for v in directions), tag)


def jvp(
    f: Callable[..., Any], x: Number | tuple[Number, ...], v: Number | tuple[Number, ...]
) -> tuple[Any, Any]:
    """(f(x), J v): the Jacobian-vector product, the slope of f at x along v.

    For f of several arguments, x and v are tuples. Each direction has the shape of its argument,
    else ValueError; an argument may be a list or a dict of arrays, and then its direction is one too.

    >>> from companion.engines import jvp, sin
    >>> y, ydot = jvp(lambda x: sin(x) * x, 2.0, 1.0)
    >>> round(ydot, 6)                                     # cos(2) · 2 + sin(2)
    0.077004

    Source: chapters 3 and 5.
    """
    xs: Any = x if isinstance(x, tuple) else (x,)
    vs: Any = v if isinstance(x, tuple) else (v,)
    if len(xs) != len(vs):
        raise ValueError(
            f"jvp needs a direction for each argument: {len(xs)} arguments, {len(vs)} directions"
        )
    tag = fresh_tag()
    moved = iter([seeded(a, [b], tag) for x, v in zip(xs, vs) for a, b in pairs(x, v)])
    y, tangents = split(f(*[rebuilt(x, moved) for x in xs]), tag, 1)
    return y, tangents[0]


def split(y: Number, tag: tuple[int, int], seeds: int) -> tuple[Any, tuple[Any, ...]]:
    """The primal of y and its tangents for one perturbation: zero where y does not have it."""
    if isinstance(y, (list, tuple)):
        raise TypeError(
            f"f returned a {type(y).__name__} of {len(y)}; return one value, e.g. stack([...])"
        )
    if type(y) is Dual and y.tag == tag:
        return y.primal, y.tangents
    y = number(y)
    return y, (zeros_like(y),) * seeds


def derivative(f: Callable[[Any], Any], order: int = 1) -> Callable[[Any], Any]:
    """f⁽ⁿ⁾, as a function: n nested duals. For arrays f must act element by element.

    >>> from companion.engines import derivative, sin
    >>> derivative(sin, order=3)(0.0)                             # −cos 0
    -1.0

    The cost doubles with every order; chapter 6 does better.
    """
    order = whole(order)
    if order == 0:
        return f
    lower = derivative(f, order - 1)

    def slope(x: Any) -> Any:
        array_only(x, "derivative")
        return jvp(lower, x, np.ones(shape(x))[()])[1]

    return slope


def columns(f: Callable[[Any], Any], x: Number) -> tuple[Any, tuple[Any, ...]]:
    """f(x) and the columns ∂f/∂xⱼ of its Jacobian: one evaluation, a seed per element of x."""
    n, tag = math.prod(shape(x)), fresh_tag()
    directions = np.eye(n).reshape((n, *shape(x)))
    return split(f(seeded(x, directions, tag)), tag, n)


# --- shortcuts for the common case, duals over floats: the same rules with fewer steps -----


def _pointwise(rule):
    """f(x + ẋ ε) = f(x) + f′(x) ẋ ε."""
    value = rule.scalar

    def apply(x):
        primal = x.primal
        if type(primal) is not float:
            return x.apply(rule, (x,), {})
        v = value(primal)
        slope = rule.slopes[0](primal, v)
        d = _new(Dual)
        d.primal, d.tag = v, x.tag
        if len(x.tangents) == 1:
            d.tangents = (slope * x.tangents[0],)
        else:
            d.tangents = tuple([slope * t for t in x.tangents])
        return d

    return apply


def _arithmetic(rule):
    """x + y and x − y by part, x y by Leibniz."""
    operate, linear = rule.scalar, isinstance(rule, Linear)

    def apply(x, y):
        if type(y) is not Dual or x.tag is not y.tag or len(x.tangents) != len(y.tangents):
            return rule(x, y)
        a, b = x.primal, y.primal
        if type(a) is not float or type(b) is not float:
            return rule(x, y)
        d = _new(Dual)
        d.primal, d.tag = operate(a, b), x.tag
        if linear:
            d.tangents = tuple(map(operate, x.tangents, y.tangents))
        else:
            d.tangents = tuple([da * b + a * db for da, db in zip(x.tangents, y.tangents)])
        return d

    return apply


def _negation(x):
    """−x by part, for any number of seeds."""
    return _dual(-x.primal, tuple([-t for t in x.tangents]), x.tag)


for _rule in TABLE.values():
    if _rule.scalar and isinstance(_rule, Pointwise) and len(_rule.slopes) == 1:
        _rule.shortcuts[Dual] = _pointwise(_rule)
for _name in ("add", "sub", "mul"):
    setattr(Dual, f"__{_name}__", _arithmetic(OPERATORS[_name]))
Dual.__neg__ = _negation  # type: ignore[method-assign]
