"""What an engine value does by operator and by method: x + y, x @ y, x % 1, x.max(axis=0)."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from companion.engines.arrangements import diagonal, ravel, repeat, squeeze, swapaxes, trace
from companion.engines.composed import (
    clip,
    cumprod,
    cumsum,
    max,
    min,
    power,
    prod,
    round,
    std,
    var,
)
from companion.engines.numerics import real
from companion.engines.products import dot
from companion.engines.rules import (
    abs,
    add,
    ceil,
    div,
    floor,
    floor_divide,
    index,
    matmul,
    mean,
    mul,
    neg,
    remainder,
    reshape,
    sub,
    sum,
    transpose,
    trunc,
)
from companion.engines.values import Value, plain

OPERATORS = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "truediv": div,
    "pow": power,
    "matmul": matmul,
    "mod": remainder,
    "floordiv": floor_divide,
    "divmod": lambda x, y: (floor_divide(x, y), remainder(x, y)),
}


def _operators(rule):
    """(x ∘ y, y ∘ x), with two operands and no more, as pow(x, 2, 5) would have."""
    return lambda self, other: rule(self, other), lambda self, other: rule(other, self)


for _name, _rule in OPERATORS.items():
    for _side, _operator in zip(("", "r"), _operators(_rule)):
        setattr(Value, f"__{_side}{_name}__", _operator)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _compare = getattr(operator, _name)
    setattr(
        Value,
        f"__{_name}__",
        lambda self, other, compare=_compare: compare(real(plain(self)), real(plain(other))),
    )


def _several(f):
    """f(x, (2, 3)) as a method that is also written x.f(2, 3)."""
    return lambda self, *dims: f(self, dims[0] if len(dims) == 1 else dims or None)


def astype(x: Value, dtype: Any) -> Value:
    """x itself where it has that dtype, float64 as a rule. Raises TypeError for any other."""
    own = np.asarray(plain(x)).dtype
    if np.dtype(dtype) != own:
        raise TypeError(
            f"{type(x).__name__}.astype({np.dtype(dtype)}): the values of the engines are {own}, and "
            "a cast has no derivative. Cast x.primal, or write floor, round or trunc"
        )
    return x


METHODS: dict[str, Any] = {
    "__neg__": lambda self: neg(self),
    "__pos__": lambda self: self,
    "__abs__": lambda self: abs(self),
    "__getitem__": lambda self, key: index(self, key),
    "__round__": lambda self, digits=0: round(self, digits),
    "__floor__": lambda self: floor(self),
    "__ceil__": lambda self: ceil(self),
    "__trunc__": lambda self: trunc(self),
    "T": property(lambda self: transpose(self), doc="The transpose."),
    "reshape": _several(reshape),
    "transpose": _several(transpose),
    "flatten": ravel,
    "copy": lambda self: self,  # nothing changes in place; and another Var would be another input
    "__copy__": lambda self: self,
    "__deepcopy__": lambda self, memo: self,
    "astype": astype,
    **{f.__name__: f for f in (sum, mean, max, min, prod, var, std, cumsum, cumprod)},
    **{f.__name__: f for f in (ravel, squeeze, swapaxes, repeat, diagonal, trace)},
    **{f.__name__: f for f in (dot, clip, round)},
}
for _name, _method in METHODS.items():
    setattr(Value, _name, _method)
