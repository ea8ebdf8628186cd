"""Reverse mode: the computation writes itself down, and one walk back gives every derivative.

There is no tape object, no closure and no `.grad`. A Var knows the rule that made it and its
inputs; each has an index from one counter, and since nothing can be made before its inputs, that
order is a topological order. Sources: Linnainmaa 1970; Speelpenning 1980; chapters 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from companion.engines.dual import show
from companion.engines.kinds import TABLE, Pointwise
from companion.engines.methods import OPERATORS
from companion.engines.rules import identity, unbroadcast
from companion.engines.trees import is_tree, leaves, rebuilt
from companion.engines.values import Number, Plain, V, Value, float64, number, shape, zeros_like

if TYPE_CHECKING:
    from companion.engines.kinds import Params, Rule

_INDEX = count()
_new = object.__new__
_place = attrgetter("index")
_NONE: Params = {}  # the parameters of a rule that has none


class Var(Value):
    """A value that remembers how it was made: rule, inputs, and its place in the order of creation.

    >>> from companion.engines import Var, gradients, log, sin
    >>> x, y = Var(2.0), Var(5.0)
    >>> gradients(log(x) + x * y - sin(y), [x, y])
    [Var(5.5), Var(1.716338)]

    Holds float64 (a copy of what is passed). A Var of a Dual or Jet is a TypeError: series go
    outside, tapes inside.
    """

    __slots__ = ("__weakref__", "index", "inputs", "params", "rule", "value", "xs")
    index: int
    inputs: tuple[Any, ...]
    xs: tuple[Any, ...]  # the values of the inputs
    params: Params
    rule: Rule | None
    value: Any
    tag: tuple[int, ...] = ()  # older than every perturbation: a Dual or Jet meeting a Var wraps it

    def __init__(self, value: Plain) -> None:
        if type(value) is not float and isinstance(value, Value):
            raise TypeError(
                f"a Var holds plain numbers; got a {type(value).__name__}. A Var is used as it is; "
                f"of a Dual or Jet make the parts Vars, or call grad, which does it for you"
            )
        self.value = float64(value)
        self.rule, self.inputs, self.xs, self.params = None, (), (), _NONE
        self.index = next(_INDEX)

    @property
    def primal(self) -> Any:
        """The value, by the name it has in every engine."""
        return self.value

    def apply(self, rule: Rule, args: Sequence[Number], params: Params) -> Var:
        """Evaluate the rule on the values, and write down rule and inputs."""
        inputs = tuple([a if type(a) is Var else number(a) for a in args])
        xs = tuple([a.value if type(a) is Var else a for a in inputs])
        return _node(rule, inputs, xs, params, rule.evaluate(*xs, **params))

    def __repr__(self) -> str:
        return f"Var({show(self.value)})"


def _node(rule, inputs, xs, params, value):
    node = _new(Var)
    node.value, node.rule, node.inputs, node.xs = value, rule, inputs, xs
    node.params, node.index = params, next(_INDEX)
    return node


def tape(*outputs: Number) -> list[Var]:
    """The Wengert list: all Vars behind the outputs, themselves included, as created.

    >>> from companion.engines import Var, tape
    >>> x = Var(3.0)
    >>> [node.rule.name if node.rule else "input" for node in tape(x * x + 1)]
    ['input', 'mul', 'add']
    """
    return _since(0, *outputs)[0]


def _since(start, *outputs):
    """The Vars behind the outputs from index `start` on, as created; are there older ones?"""
    seen = {y for y in outputs if type(y) is Var}
    found = [y for y in seen if y.index >= start]
    older = len(found) < len(seen)
    for node in found:  # which grows while it is read
        for x in node.inputs:
            if type(x) is Var and x not in seen:
                seen.add(x)
                if x.index < start:
                    older = True
                else:
                    found.append(x)
    found.sort(key=_place)
    return found, older


def _walk_back(nodes, cotangents, inputs, record):
    """The cotangent of every input, from {output: cotangent}; None if no path.

    With `record` the walk is itself on the tape, to be differentiated; else it is on plain arrays.
    """
    kept = set(inputs)
    wanted = _between(nodes, kept)
    known = cotangents.get
    for node in reversed(nodes):
        g, rule = known(node), node.rule
        if g is None or rule is None:
            continue
        if node not in kept:
            del cotangents[node]
        xs, v = (node.inputs, node) if record else (node.xs, node.value)
        for i, x in enumerate(node.inputs):
            if type(x) is Var and x in wanted:
                part = rule.reverse(g, i, xs, v, node.params)
                if type(part) is not float and shape(part) != shape(x.value):
                    part = unbroadcast(part, shape(x.value))
                so_far = known(x)
                cotangents[x] = part if so_far is None else so_far + part
    return [known(x) for x in inputs]


def _between(nodes, start):
    """The nodes that depend on those in `start`: the others are not asked for."""
    wanted = set(start)
    for node in nodes:
        for x in node.inputs:
            if type(x) is Var and x in wanted:
                wanted.add(node)
                break
    return wanted


def gradients(
    outputs: V | float | Sequence[V | float],
    inputs: Var | Sequence[Var],
    seed: Number | Sequence[Number] | None = None,
) -> list[V]:
    """x̄ᵢ = Σ ȳ ∂y/∂xᵢ: the cotangents of the inputs, as Vars on the tape, so that all nests.

    outputs: a Var or a list of Vars. inputs: a Var or a list of Vars, intermediate ones included.
    seed: the cotangent of each output, of its shape (a list for a list); without one the outputs
    must be scalars, and the seed is 1. An input that no output depends on gets zeros. Calling twice
    gives the same answer: nothing is stored.

    Raises TypeError when an input is not a Var, ValueError when a seed is missing or does not fit.

    >>> from companion.engines import Var, gradients
    >>> x = Var(3.0)
    >>> [dx] = gradients(x ** 4, [x])
    >>> gradients(dx, [x])                                          # 12 x²
    [Var(108)]

    Source: chapters 4 and 5. The name and the nesting are those of torch.autograd.grad(...,
    create_graph=True).
    """
    inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    for x in inputs:
        if type(x) is not Var:
            raise TypeError(
                f"gradients are taken at Vars; got {x!r}. "
                f"Write x = Var(...) before computing with it"
            )
    found = _pull(outputs, seed, inputs, record=True)
    cotangents: list[Any] = [x if isinstance(x, Value) else Var(x) for x in found]
    return cotangents


def _pull(outputs, seed, inputs, record, nodes=None):
    outputs, seeds = _paired(outputs, seed)
    if any(isinstance(y, Value) and type(y) is not Var for y in outputs):
        return _pull_series(outputs, seeds, inputs, record)
    cotangents: dict[Var, Any] = {}
    for y, s in zip(outputs, seeds):
        s = _checked_seed(y, s)
        if type(y) is Var:
            known = cotangents.get(y)
            cotangents[y] = s if known is None else known + s
    if nodes is None:
        nodes, _ = _since(min([x.index for x in inputs], default=0), *outputs)
    found = _walk_back(nodes, cotangents, inputs, record)
    return [zeros_like(x) if g is None else g for x, g in zip(inputs, found)]


def _paired(outputs, seed):
    """Lists of outputs and of seeds, of one length."""
    if not isinstance(outputs, (list, tuple)):
        return [number(outputs)], [seed]
    seeds = [None] * len(outputs) if seed is None else seed
    if not isinstance(seeds, (list, tuple)) or len(seeds) != len(outputs):
        raise ValueError(f"{len(outputs)} outputs need a list of as many seeds; got {seed!r}")
    return [number(y) for y in outputs], seeds


def _pull_series(outputs, seeds, inputs, record):
    """Through a Dual or Jet of Vars: the gradients of a series are the series of gradients."""
    if len(outputs) > 1:
        raise TypeError(
            "gradients of several outputs that are Duals or Jets: ask for them one at a time"
        )
    y, seed = outputs[0], seeds[0]
    by_part = [_pull(part, _checked_seed(part, seed), inputs, record) for part in y.parts]
    return [y.rebuild(parts) for parts in zip(*by_part)]


def _checked_seed(y, seed):
    dims = shape(y)
    if seed is None:
        if dims:
            raise ValueError(
                f"the output has shape {dims}, and only a scalar has a gradient. Sum it, "
                f"pass seed= (an array of that shape), or ask for the jacobian"
            )
        return 1.0
    if shape(seed) != dims:
        raise ValueError(f"a seed has the shape of its output, {dims}; got shape {shape(seed)}")
    return seed if isinstance(seed, Value) else float64(seed)


def _watched(x):
    """x as a new Var to differentiate at, and that Var itself.

    Were f differentiated at x itself, an x that f also reaches by another way (a closure) would
    count twice; and a Dual or Jet keeps its perturbation around the Var.
    """
    if type(x) is Var:
        alias = identity(x)
        return alias, alias
    if type(x) is not float and isinstance(x, Value):
        inner, leaf = _watched(x.primal)
        return x.rebuild((inner, *x.parts[1:])), leaf
    leaf = Var(x)
    return leaf, leaf


def vjp(f: Callable[..., Any], *xs: Number) -> tuple[Any, Callable[..., list[Any]]]:
    """(f(x), pullback) where pullback(ȳ) = [x̄₁, x̄₂, …] = ȳᵀ J: vector-Jacobian products.

    Plain arguments give plain results, engine values give engine values. pullback() is seeded with 1.

    >>> from companion.engines import vjp
    >>> y, pullback = vjp(lambda x, y: x * y, 2.0, 5.0)
    >>> pullback(1.0)
    [5.0, 2.0]

    Source: chapter 5.
    """
    if not xs:
        raise TypeError("vjp(f, x, ...) needs the point x as well")
    start = next(_INDEX)
    flat = not any(map(is_tree, xs))
    both = [_watched(a) for a in (xs if flat else [a for x in xs for a in leaves(x)])]
    watched, inputs = [w for w, _ in both], [leaf for _, leaf in both]
    given = iter(watched)
    y = f(*(watched if flat else [rebuilt(x, given) for x in xs]))
    if isinstance(y, (list, tuple, dict)):
        raise TypeError(
            f"f returned a {type(y).__name__} of {len(y)}; return one value, e.g. stack([...])"
        )
    y = number(y)
    nodes, record = _since(start, y) if type(y) is Var else (None, _reaches_before(y, start))

    def pullback(seed: Number | None = None) -> list[Any]:
        found = _pull(y, seed, inputs, record or isinstance(seed, Value), nodes)
        found = found if record else [_copied(g) for g in found]
        each = iter(found)
        return found if flat else [rebuilt(x, each) for x in xs]

    return y if record else _stripped(y), pullback


def _reaches_before(y, start):
    """Whether y goes back beyond `start`: then an outer derivative may wait for what we return."""
    if isinstance(y, Value) and type(y) is not Var:
        return any(_reaches_before(part, start) for part in y.parts)
    return _since(start, y)[1]


def _stripped(y):
    """y without its tape."""
    if type(y) is Var:
        return y.value
    return y.rebuild([_stripped(part) for part in y.parts]) if isinstance(y, Value) else y


def _copied(g):
    """A copy: cotangents may share an array, and a broadcast one cannot be written to."""
    return g.copy() if type(g) is np.ndarray else g


# --- shortcuts: the same records with fewer steps ---------------------------------------------


def _pointwise(rule):
    def apply(x):
        a = x.value
        return _node(rule, (x,), (a,), _NONE, rule.evaluate(a))

    return apply


def _arithmetic(name, rule):
    exact = rule.scalar if name in ("add", "sub", "mul") else None  # floats never raise in these

    def apply(x, y):
        a, b = x.value, y.value if type(y) is Var else y
        if exact and type(a) is float and type(b) is float:
            v = exact(a, b)
        elif type(b) is float or type(b) is np.ndarray:
            v = rule.evaluate(a, b)
        else:
            return rule(x, y)
        node = _new(Var)
        node.value, node.rule, node.params = v, rule, _NONE
        node.inputs, node.xs, node.index = (x, y), (a, b), next(_INDEX)
        return node

    return apply


for _rule in TABLE.values():
    if isinstance(_rule, Pointwise) and len(_rule.slopes) == 1:
        _rule.shortcuts[Var] = _pointwise(_rule)
for _name in ("add", "sub", "mul", "truediv", "matmul"):
    setattr(Var, f"__{_name}__", _arithmetic(_name, OPERATORS[_name]))
