"""The elementary operations and one derivative rule each: the only table of derivatives in Part I.

A rule is a line. Its kind (linear, bilinear, pointwise) and one fact give forward, reverse and
Taylor mode, see kinds.py. The facts are written with the functions of this very table, so every
derivative can be differentiated again. The functions take floats, arrays, Duals, Vars and Jets, and
give the same sort back. Yours is one line:

>>> from companion.engines import Pointwise, derivative, exp
>>> gauss = Pointwise("gauss", lambda x: np.exp(-x * x), lambda x, v: -2 * x * v)
>>> round(derivative(gauss, order=2)(1.0), 6)                     # (4x² − 2) e^{−x²}
0.735759

Conventions at corners (choices, not theorems): relu′(0) = 0, abs′(0) = 0, and maximum and minimum
give each argument ½ where the two are equal.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from companion.engines.formulas import docstring
from companion.engines.kinds import TABLE, Bilinear, Linear, Pointwise
from companion.engines.values import UFUNCS, Axes, Number, Value, number, plain, shape

# --- values that NumPy lacks; complex arguments too, so that the complex step can check them -----


def _sigmoid(x):
    small = np.exp(np.where(np.real(x) > 0, -x, x))
    return (np.where(np.real(x) > 0, 1.0, small) / (1 + small))[()]


def _softplus(x):
    positive = np.real(x) > 0
    return (np.where(positive, x, 0.0) + np.log1p(np.exp(np.where(positive, -x, x))))[()]


def _relu(x):
    return np.maximum(x, 0.0) if np.isrealobj(x) else np.where(np.real(x) <= 0, 0.0, x)[()]


def _abs(x):
    return np.where(np.real(x) < 0, -x, x)[()]


def _larger(x, y):
    return np.where(np.isnan(x) | (np.real(x) >= np.real(y)), x, y)[()]


def _smaller(x, y):
    return np.where(np.isnan(x) | (np.real(x) <= np.real(y)), x, y)[()]


def _step(x):
    return float(x > 0) if type(x) is float and x == x else np.heaviside(np.real(x), 0.0)


def _sign(x):
    return float((x > 0) - (x < 0)) if type(x) is float and x == x else np.sign(np.real(x))


def _share(x, y):
    """1 where x > y, 0 where x < y, ½ where they are equal, NaN where one is NaN."""
    x, y = np.real(plain(x)), np.real(plain(y))
    with np.errstate(invalid="ignore"):  # inf − inf, which the first branch answers
        return np.where(x == y, 0.5, np.heaviside(x - y, 0.5))[()]


def _power_slope(x, n, v):
    """n xⁿ⁻¹, as n v / x wherever that is safe: with v in it, a jet of xⁿ costs order², not order³."""
    size = np.abs(plain(v))
    if np.all((plain(x) != 0) & (size > 1e-290) & (size < np.inf)):
        return n * v / x
    return n * pow(x, n - ((plain(x) != 0) | (plain(n) != 0)))  # not 0 · ∞ where x = n = 0


def _scattered(g, to, key):
    out = np.zeros(to, dtype=np.result_type(g, np.float64))
    if all(
        k is None or k is ... or isinstance(k, (int, slice))
        for k in (key if type(key) is tuple else (key,))
    ):
        out[key] = g
    else:
        np.add.at(out, key, g)  # an index may be there twice
    return out[()]


log: Pointwise  # these are named before they are made
cos: Pointwise
cosh: Pointwise
_scatter: Linear

# --- arithmetic -------------------------------------------------------------------------------

add = Linear("add", np.add, lambda g, i, xs: g, scalar=operator.add)
sub = Linear("sub", np.subtract, lambda g, i, xs: -g if i else g, scalar=operator.sub)
neg = Linear("neg", np.negative, lambda g, i, xs: -g, scalar=operator.neg)
mul = Bilinear(
    "mul", np.multiply, lambda g, x, y: g * y, lambda g, x, y: g * x, scalar=operator.mul
)
reciprocal = Pointwise("reciprocal", np.reciprocal, lambda x, v: -v * v, scalar=lambda x: 1.0 / x)
div = Pointwise(
    "div",
    np.divide,
    lambda x, y, v: reciprocal(y),
    lambda x, y, v: -v * reciprocal(y),
    scalar=operator.truediv,
)
pow = Pointwise(  # real exponents, and exponents that are engine values; see power()
    "pow",
    np.float_power,
    _power_slope,
    lambda x, n, v: v * log(where(plain(x) == 0, 1.0, x)),
    scalar=math.pow,
)
identity = Linear("identity", lambda x: x, lambda g, i, xs: g)

# --- pointwise functions ----------------------------------------------------------------------

exp = Pointwise("exp", np.exp, lambda x, v: v, scalar=math.exp)
expm1 = Pointwise("expm1", np.expm1, lambda x, v: exp(x), scalar=math.expm1)
log = Pointwise("log", np.log, lambda x, v: reciprocal(x), scalar=math.log)
log1p = Pointwise("log1p", np.log1p, lambda x, v: reciprocal(1 + x), scalar=math.log1p)
sqrt = Pointwise("sqrt", np.sqrt, lambda x, v: 0.5 * reciprocal(v), scalar=math.sqrt)
sin = Pointwise("sin", np.sin, lambda x, v: cos(x), scalar=math.sin)
cos = Pointwise("cos", np.cos, lambda x, v: -sin(x), scalar=math.cos)
tan = Pointwise("tan", np.tan, lambda x, v: 1 + v * v, scalar=math.tan)
arcsin = Pointwise("arcsin", np.arcsin, lambda x, v: reciprocal(sqrt(1 - x * x)), scalar=math.asin)
arccos = Pointwise("arccos", np.arccos, lambda x, v: -reciprocal(sqrt(1 - x * x)), scalar=math.acos)
arctan = Pointwise("arctan", np.arctan, lambda x, v: reciprocal(1 + x * x), scalar=math.atan)
sinh = Pointwise("sinh", np.sinh, lambda x, v: cosh(x), scalar=math.sinh)
cosh = Pointwise("cosh", np.cosh, lambda x, v: sinh(x), scalar=math.cosh)
tanh = Pointwise("tanh", np.tanh, lambda x, v: 1 - v * v, scalar=math.tanh)
sigmoid = Pointwise("sigmoid", _sigmoid, lambda x, v: v * (1 - v))
softplus = Pointwise("softplus", _softplus, lambda x, v: sigmoid(x))
relu = Pointwise("relu", _relu, lambda x, v: _step(plain(x)), scalar=lambda x: 0.0 if x <= 0 else x)
abs = Pointwise("abs", _abs, lambda x, v: _sign(plain(x)), scalar=builtins.abs)
maximum = Pointwise("maximum", _larger, lambda x, y, v: _share(x, y), lambda x, y, v: _share(y, x))
minimum = Pointwise("minimum", _smaller, lambda x, y, v: _share(y, x), lambda x, y, v: _share(x, y))

# --- products, sums and shapes ----------------------------------------------------------------

matmul = Bilinear(
    "matmul",
    np.matmul,
    lambda g, x, y: _times_transposed(g, x, y),
    lambda g, x, y: _transposed_times(g, x, y),
)
_sum = Linear(
    "sum",
    lambda x, axis, keepdims: np.add.reduce(x, axis=axis, keepdims=keepdims),
    lambda g, i, xs, axis, keepdims: broadcast_to(reshape(g, _kept(xs[0], axis)), shape(xs[0])),
)
_reshape = Linear(
    "reshape", lambda x, to: np.reshape(x, to), lambda g, i, xs, to: reshape(g, shape(xs[0]))
)
_transpose = Linear(
    "transpose",
    lambda x, axes: np.transpose(x, axes),
    lambda g, i, xs, axes: transpose(g, tuple(np.argsort(axes).tolist())),
)
_broadcast_to = (
    Linear(  # its adjoint, a sum, is unbroadcast(), which reverse mode applies to every cotangent
        "broadcast_to", lambda x, to: np.broadcast_to(x, to), lambda g, i, xs, to: g
    )
)
_index = Linear(
    "index",
    lambda x, key: np.asarray(x)[key],
    lambda g, i, xs, key: _scatter(g, to=shape(xs[0]), key=key),
)
_scatter = Linear(
    "scatter", lambda g, to, key: _scattered(g, to, key), lambda g, i, xs, to, key: index(g, key)
)
_concatenate = Linear(
    "concatenate",
    lambda *xs, axis: np.concatenate(xs, axis),
    lambda g, i, xs, axis: index(g, _part(i, xs, axis)),
)
_stack = Linear(
    "stack",
    lambda *xs, axis: np.stack(xs, axis),
    lambda g, i, xs, axis: index(g, (slice(None),) * axis + (i,)),
)
_where = Linear(
    "where",
    lambda x, y, mask: np.where(mask, x, y)[()],  # type: ignore[call-overload]
    lambda g, i, xs, mask: where(mask, 0.0, g) if i else where(mask, g, 0.0),
)


def _times_transposed(g, x, y):
    """v̄ yᵀ, where matmul lets either factor be a vector."""
    match len(shape(x)), len(shape(y)):
        case 2, 2:
            return g @ y.T
        case 1, 1:
            return g * y
        case _, 1:
            return g[..., None] * y
        case 1, _:
            return sum(y * g[..., None, :], axis=-1)
    return g @ _swap(y)


def _transposed_times(g, x, y):
    """xᵀ v̄, where matmul lets either factor be a vector."""
    match len(shape(x)), len(shape(y)):
        case 2, 1 | 2:
            return x.T @ g
        case 1, 1:
            return x * g
        case _, 1:
            return x * g[..., None]
        case 1, _:
            return x[:, None] * g[..., None, :]
    return _swap(x) @ g


def _swap(x):
    axes = list(range(len(shape(x))))
    axes[-2:] = axes[-1], axes[-2]
    return transpose(x, tuple(axes))


def _kept(x, axis):
    """The shape of sum(x, axis, keepdims=True)."""
    dims = shape(x)
    summed = range(len(dims)) if axis is None else axis
    return tuple(1 if a in summed else n for a, n in enumerate(dims))


def _axis(a, n):
    """Which of n axes is meant by a, where −1 is the last."""
    if not -n <= operator.index(a) < n:
        raise ValueError(f"there is no axis {a} among {n}")
    return a % n


def _axes(x, axis):
    """One axis or several as a tuple, counted from the front; None stays."""
    if axis is None:
        return None
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(_axis(a, max(len(shape(x)), 1)) for a in axes)


def _part(i, xs, axis):
    """Where the i-th array lies in concatenate(xs, axis)."""
    start = builtins.sum(shape(x)[axis] for x in xs[:i])
    return (slice(None),) * axis + (slice(start, start + shape(xs[i])[axis]),)


def unbroadcast(g: Number, to: tuple[int, ...]) -> Any:
    """Sum g down to the shape `to`: the only place where broadcasting is undone."""
    dims = shape(g)
    if dims == to:
        return g
    lead = len(dims) - len(to)
    stretched = tuple(
        a for a in range(len(dims)) if a < lead or (to[a - lead] == 1 and dims[a] != 1)
    )
    return reshape(_sum(g, axis=stretched, keepdims=False), to)


# --- the functions that take options ----------------------------------------------------------


def sum(x: Number, axis: Axes = None, keepdims: bool = False) -> Any:
    """Σ x over the given axis or axes, over all of them when axis is None."""
    return _sum(x, axis=_axes(x, axis), keepdims=keepdims)


def mean(x: Number, axis: Axes = None, keepdims: bool = False) -> Any:
    """(1/n) Σ x over the given axis or axes."""
    axes = _axes(x, axis)
    count = math.prod(n for a, n in enumerate(shape(x)) if axes is None or a in axes)
    return div(_sum(x, axis=axes, keepdims=keepdims), count)


def reshape(x: Number, to: int | Sequence[int]) -> Any:
    """The same elements, in the same order, in the shape `to`; one length may be −1."""
    to = (to,) if isinstance(to, int) else tuple(to)
    return x if shape(x) == to else _reshape(x, to=to)


def transpose(x: Number, axes: Sequence[int] | None = None) -> Any:
    """x with its axes permuted, reversed when axes is None."""
    n = len(shape(x))
    axes = tuple(reversed(range(n))) if axes is None else tuple(_axis(a, n) for a in axes)
    return x if axes == tuple(range(n)) else _transpose(x, axes=axes)


def broadcast_to(x: Number, to: Sequence[int]) -> Any:
    """x repeated to the shape `to`, by NumPy's rules."""
    return x if shape(x) == tuple(to) else _broadcast_to(x, to=tuple(to))


def index(x: Number, key: Any) -> Any:
    """x[key]: integers, slices, None, ..., masks, arrays; repeated indices add up in reverse."""
    return _index(x, key=key)


def concatenate(xs: Sequence[Number], axis: int = 0) -> Any:
    """The arrays xs joined along an axis they have."""
    xs = [number(x) for x in xs]
    if not xs or not all(shape(x) for x in xs):
        raise ValueError(
            "concatenate needs one array or more, each with an axis. Join scalars with stack([...])"
        )
    return _concatenate(*xs, axis=_axis(axis, len(shape(xs[0]))))


def stack(xs: Sequence[Number], axis: int = 0) -> Any:
    """The arrays or scalars xs, all of one shape, joined along a new axis."""
    xs = [number(x) for x in xs]
    if not xs:
        raise ValueError("stack needs one array or scalar or more; got none")
    return _stack(*xs, axis=_axis(axis, len(shape(xs[0])) + 1))


def where(condition: Any, x: Number, y: Number) -> Any:
    """x where the condition holds, y elsewhere: a selection; a NaN not selected stays out.

    (In reverse mode the branch not taken still receives the cotangent 0, and 0 · ∞ is NaN: make the
    argument safe as well, `where(x > 0, sqrt(where(x > 0, x, 1.0)), 0.0)`.)
    """
    return _where(x, y, mask=np.asarray(plain(condition), dtype=bool))


def power(x: Number, n: Number) -> Any:
    """xⁿ. Whole n by repeated squaring, right at x = 0 to any order; real n needs x > 0."""
    k = _whole(n)
    if k is None or builtins.abs(k) > 1024:
        return pow(x, n)
    return _whole_power(number(x), k) if k >= 0 else reciprocal(_whole_power(number(x), -k))


def _whole(n):
    """n as an int, if it is a plain whole number; else None."""
    plainly = not isinstance(n, Value) and np.ndim(n) == 0 and np.isrealobj(n)
    return int(n) if plainly and float(n).is_integer() else None


def _whole_power(x, n):
    result = None
    while n:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        x = x * x if n else x
    return where(np.ones(shape(x)), 1.0, x) if result is None else result  # 1 even where x is ∞


def logsumexp(x: Number, axis: Axes = None, keepdims: bool = False) -> Any:
    """log Σ eˣ without overflow: the largest element is taken out first."""
    largest = np.max(plain(x), axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    total = log(sum(exp(x - largest), axis, keepdims=True)) + largest
    return total if keepdims else reshape(total, shape(sum(x, axis)))


# --- operators, and NumPy's names for what stands above ---------------------------------------

UFUNCS.update(
    {
        np.power: power,
        np.absolute: abs,
        np.maximum: maximum,
        np.minimum: minimum,
        np.float_power: power,
    }
)

OPERATORS = {"add": add, "sub": sub, "mul": mul, "truediv": div, "pow": power, "matmul": matmul}
for _name, _rule in OPERATORS.items():
    setattr(Value, f"__{_name}__", lambda self, other, rule=_rule: rule(self, other))
    setattr(Value, f"__r{_name}__", lambda self, other, rule=_rule: rule(other, self))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _compare = getattr(operator, _name)
    setattr(
        Value,
        f"__{_name}__",
        lambda self, other, compare=_compare: compare(plain(self), plain(other)),
    )
METHODS: dict[str, Any] = {
    "__neg__": lambda self: neg(self),
    "__pos__": lambda self: self,
    "__abs__": lambda self: abs(self),
    "__getitem__": lambda self, key: index(self, key),
    "T": property(lambda self: transpose(self), doc="The transpose."),
    **{f.__name__: f for f in (sum, mean, reshape, transpose)},
}
for _name, _method in METHODS.items():
    setattr(Value, _name, _method)
for _rule in TABLE.values():
    _rule.__doc__ = docstring(_rule.name)
