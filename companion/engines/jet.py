"""Taylor mode: numbers that carry n derivatives, at polynomial cost.

A jet is a truncated power series u₀ + u₁ t + … + uₙ tⁿ. Inside, coefficients are normalised, uₖ =
u⁽ᵏ⁾/k!; the k! is put back in one place, derivatives(). Sources: Griewank & Walther, ch. 13;
McIlroy, *Power series, power serious* (1999), for series that grow on demand; chapter 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import factorial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from companion.engines.dual import fresh_tag, show
from companion.engines.trees import array_only
from companion.engines.values import Number, Value, float64, number, shape, whole, zeros_like
from companion.series import chain_coefficient

if TYPE_CHECKING:
    from companion.engines.kinds import Params, Rule


class Jet(Value):
    """u₀ + u₁ t + … + uₙ tⁿ by its normalised coefficients, floats or arrays of one shape.

    >>> from companion.engines import Jet, exp
    >>> exp(Jet([0.0, 1.0, 0.0, 0.0]))
    Jet([1, 1, 0.5, 0.1666667])

    Two jets combine to the lower of their orders. The coefficients may be Vars or Duals. Raises
    ValueError when there is no coefficient or their shapes differ.
    """

    __slots__ = ("__weakref__", "_next", "_ties", "coefficients", "constant", "order", "tag")
    coefficients: list[Any]
    order: int
    constant: bool
    tag: tuple[int, int]
    _next: Any  # what computes the next coefficient; None when all are known
    _ties: WeakValueDictionary[Rule, Jet] | None

    def __init__(self, coefficients: Iterable[Number]) -> None:
        self.coefficients = [float64(c) for c in coefficients]
        if not self.coefficients:
            raise ValueError(
                "a Jet needs its coefficients, at least the zeroth: Jet([x, 1.0, 0.0])"
            )
        shapes = {shape(c) for c in self.coefficients}
        if len(shapes) > 1:
            raise ValueError(f"the coefficients of a Jet have one shape; got {sorted(shapes)}")
        inner = max(
            (c.tag for c in self.coefficients if isinstance(c, Value) and c.tag), default=None
        )
        self.tag = (1, 0) if inner is None else (inner[0], inner[1] + 1)
        self.order, self.constant = len(self.coefficients) - 1, False
        self._next = self._ties = None

    @property
    def primal(self) -> Any:
        """u₀, the value at t = 0."""
        return self.coefficient(0)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The coefficients."""
        return tuple(self.upto(self.order))

    def rebuild(self, parts: Sequence[Number]) -> Jet:
        """A Jet of the same perturbation with other coefficients."""
        return _jet(list(parts), len(parts) - 1, self.tag)

    def apply(self, rule: Rule, args: Sequence[Number], params: Params) -> Jet:
        """The series of rule(u, …): complete at once, unless an argument is still growing."""
        us = [self.like(a) for a in args]
        growing = [u for u in us if u._next is not None]
        if growing and len(us) == 1 and us[0]._ties and rule in us[0]._ties:
            return us[0]._ties[rule].growing(us[0].order)
        v = _jet([], min(u.order for u in us if not u.constant), self.tag)
        v._next = rule.taylor(us, v, params)
        if not growing:
            v.upto(v.order)
        return v

    def coefficient(self, k: int) -> Any:
        """uₖ, computed if it is not yet known; zero above 0 for a constant."""
        if self.constant and k:
            return zeros_like(self.coefficients[0])
        return self.upto(k)[k]

    def upto(self, k: int) -> list[Any]:
        """The list of coefficients, known up to uₖ at least."""
        known = self.coefficients
        while len(known) <= k:
            known.append(self._next(len(known)))
        if len(known) > self.order:
            self._next = None  # complete; lets go of what it was computed from
        return known

    def chain(self, u: Jet, k: int) -> Any:
        """(1/k) Σ_j j uⱼ cₖ₋ⱼ, where c is this series, the slope."""
        if self.constant:
            return u.coefficient(k) * self.coefficients[0]
        return chain_coefficient(u.upto(k), self.upto(k - 1), k)

    def like(self, a: Number) -> Jet:
        """a as a Jet of this perturbation; anything older is a constant to it."""
        if type(a) is Jet and a.tag == self.tag:
            return a
        constant = _jet([number(a)], self.order, self.tag)
        constant.constant = True
        return constant

    def growing(self, order: int) -> Jet:
        """The same series to a lower order, so marked that what is computed from it waits until it
        is asked for. The order is what will be asked for: a series that is complete lets go.
        """
        view = _jet([], order, self.tag)
        view._next = self.coefficient
        if self._next is not None:
            view._ties = self._ties
        return view

    def remember(self, rule: Rule, v: Jet) -> None:
        """Note that v is rule(self), so that sin, whose slope is cos, whose slope is −sin, meets
        itself again.
        """
        if self._ties is None:
            self._ties = WeakValueDictionary()
        self._ties[rule] = v

    def __repr__(self) -> str:
        return f"Jet([{', '.join(show(c) for c in self.parts)}])"


def _jet(coefficients, order, tag):
    u = object.__new__(Jet)
    u.coefficients, u.order, u.tag, u.constant = coefficients, order, tag, False
    u._next = u._ties = None
    return u


def taylor(f: Callable[[Any], Any], x: Number, v: Number = 1.0, *, order: int) -> list[Any]:
    """[y₀, …, yₙ], the normalised Taylor coefficients of t ↦ f(x + t v) at t = 0.

    yₖ = (1/k!) dᵏ/dtᵏ f(x + t v). x: a number or an array; v: a direction of its shape, or one
    number for all elements. order: n ≥
    0. Raises ValueError for a negative order or a direction of another shape.

    >>> from companion.engines import taylor
    >>> taylor(lambda x: x ** 4, 1.0, order=4)
    [1.0, 4.0, 6.0, 4.0, 1.0]

    Source: chapter 6.
    """
    order = whole(order)
    array_only(x, "taylor")
    x = number(x)
    x = x if isinstance(x, Value) else float64(x)
    v = v if isinstance(v, Value) else float64(v)
    if shape(v) not in ((), shape(x)):
        raise ValueError(f"a direction has the shape of x, {shape(x)}; got shape {shape(v)}")
    v = v + zeros_like(x)
    u = _jet([x, v][: order + 1] + [zeros_like(x)] * (order - 1), order, fresh_tag())
    y = f(u)
    if isinstance(y, (list, tuple)):
        raise TypeError(
            f"f returned a {type(y).__name__} of {len(y)}; return one value, e.g. stack([...])"
        )
    return [u.like(y).coefficient(k) for k in range(order + 1)]


def derivatives(f: Callable[[Any], Any], x: Number, order: int) -> list[Any]:
    """[f(x), f′(x), …, f⁽ⁿ⁾(x)], in one pass; for an array x, f acts element by element.

    >>> from companion.engines import derivatives
    >>> derivatives(lambda x: x ** 4, 0.0, 6)
    [0.0, 0.0, 0.0, 0.0, 24.0, 0.0, 0.0]

    Source: chapter 6.
    """
    return [
        c * float(factorial(k)) if k > 1 else c for k, c in enumerate(taylor(f, x, order=order))
    ]
