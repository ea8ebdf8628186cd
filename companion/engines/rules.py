"""The elementary operations and one derivative rule each: the only table of derivatives in Part I.

A rule is a line. Its kind (linear, bilinear, pointwise) and one fact give forward, reverse and
Taylor mode, see kinds.py. The facts are written with the functions of this very table, so every
derivative can be differentiated again. The functions take floats, arrays, Duals, Vars and Jets, and
give the same sort back. Yours is one line:

>>> from companion.engines import Pointwise, derivative, exp
>>> gauss = Pointwise("gauss", lambda x: np.exp(-x * x), lambda x, v: -2 * x * v)
>>> round(derivative(gauss, order=2)(1.0), 6)                     # (4x² − 2) e^{−x²}
0.735759

What is made of several of them is in composed.py, products.py, arrangements.py and linalg.py.

Conventions at corners (choices, not theorems):

================================ =================================================================
relu, abs, sign at 0             slope 0
maximum, minimum, clip at a tie  ½ for each of the two; max, min: an equal share for all that tie
floor, ceil, trunc, rint, sign   slope 0, at the jumps too
x % y, fmod(x, y) at a multiple  slope 1 in x, minus the quotient in y, as everywhere else
hypot, norm, std at 0            slope 0
sort, cummax with equal elements the first of equals comes first
================================ =================================================================

Where there is no convention there is the limit or NaN: √x at 0 has slope ∞, xˣ −∞, arctan2(0, 0)
NaN.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from companion.engines import numerics
from companion.engines.formulas import docstring
from companion.engines.kinds import TABLE, Bilinear, Linear, Pointwise
from companion.engines.values import Axes, Number, number, plain, shape


def _share(x, y):
    """1 where x > y, 0 where x < y, ½ where they are equal, NaN where one is NaN."""
    x, y = numerics.real(plain(x)), numerics.real(plain(y))
    with np.errstate(invalid="ignore"):  # inf − inf, which the first branch answers
        return np.where(x == y, 0.5, np.heaviside(x - y, 0.5))[()]


def _power_slope(x, n, v):
    """n xⁿ⁻¹, as n v / x wherever that is safe: with v in it, a jet of xⁿ costs order², not order³."""
    size = np.abs(plain(v))
    if np.all((plain(x) != 0) & (size > 1e-290) & (size < np.inf)):
        return n * v / x
    return n * pow(x, n - ((plain(x) != 0) | (plain(n) != 0)))  # not 0 · ∞ where x = n = 0


def _ratio(x, v):
    """x / v, and 0 where v is 0."""
    zero = plain(v) == 0
    return where(zero, 0.0, x / where(zero, 1.0, v))


log: Pointwise  # these are named before they are made
cos: Pointwise
cosh: Pointwise
hypot: Pointwise
floor_divide: Pointwise
trunc: Pointwise
_cumsum: Linear
_einsum: Bilinear
_scatter: Linear
_ERF = 2 / math.sqrt(math.pi)

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
    lambda x, n, v: v * log(where((plain(x) == 0) & (np.real(plain(n)) > 0), 1.0, x)),  # 0ⁿ is flat
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
sigmoid = Pointwise("sigmoid", numerics.sigmoid, lambda x, v: v * (1 - v))
softplus = Pointwise("softplus", numerics.softplus, lambda x, v: sigmoid(x))
relu = Pointwise(
    "relu",
    numerics.relu,
    lambda x, v: numerics.step(plain(x)),
    scalar=lambda x: 0.0 if x <= 0 else x,
)
abs = Pointwise("abs", numerics.absolute, lambda x, v: numerics.sign(plain(x)), scalar=builtins.abs)
maximum = Pointwise(
    "maximum", numerics.larger, lambda x, y, v: _share(x, y), lambda x, y, v: _share(y, x)
)
minimum = Pointwise(
    "minimum", numerics.smaller, lambda x, y, v: _share(y, x), lambda x, y, v: _share(x, y)
)

log2 = Pointwise("log2", np.log2, lambda x, v: reciprocal(x * math.log(2)), scalar=math.log2)
log10 = Pointwise("log10", np.log10, lambda x, v: reciprocal(x * math.log(10)), scalar=math.log10)
exp2 = Pointwise("exp2", np.exp2, lambda x, v: v * math.log(2))
cbrt = Pointwise("cbrt", numerics.cbrt, lambda x, v: reciprocal(3 * v * v))
arcsinh = Pointwise(
    "arcsinh", np.arcsinh, lambda x, v: reciprocal(hypot(x, 1.0)), scalar=math.asinh
)
arccosh = Pointwise("arccosh", np.arccosh, lambda x, v: reciprocal(sqrt(x - 1) * sqrt(x + 1)))
arctanh = Pointwise("arctanh", np.arctanh, lambda x, v: reciprocal(1 - x * x), scalar=math.atanh)
erf = Pointwise("erf", numerics.erf, lambda x, v: exp(-x * x) * _ERF, scalar=math.erf)
erfc = Pointwise("erfc", numerics.erfc, lambda x, v: -exp(-x * x) * _ERF, scalar=math.erfc)
arctan2 = Pointwise(  # the angle of the point (x, y)
    "arctan2",
    numerics.arctan2,
    lambda y, x, v: div(div(x, hypot(x, y)), hypot(x, y)),
    lambda y, x, v: div(div(-y, hypot(x, y)), hypot(x, y)),
)
hypot = Pointwise(
    "hypot", numerics.hypot, lambda x, y, v: _ratio(x, v), lambda x, y, v: _ratio(y, v)
)
logaddexp = Pointwise(
    "logaddexp",
    numerics.logaddexp,
    lambda x, y, v: sigmoid(x - y),
    lambda x, y, v: sigmoid(y - x),
)
remainder = Pointwise(
    "remainder",
    numerics.remainder,
    lambda x, y, v: 1.0,
    lambda x, y, v: -floor_divide(plain(x), plain(y)),
)
fmod = Pointwise(
    "fmod",
    numerics.fmod,
    lambda x, y, v: 1.0,
    lambda x, y, v: -trunc(div(numerics.real(plain(x)), numerics.real(plain(y)))),
)
floor_divide = Pointwise(
    "floor_divide",
    lambda x, y: np.floor_divide(numerics.real(x), numerics.real(y)),
    lambda x, y, v: 0.0,
    lambda x, y, v: 0.0,
)
sign = Pointwise("sign", lambda x: numerics.sign(x), lambda x, v: 0.0)
floor = Pointwise("floor", lambda x: np.floor(numerics.real(x)), lambda x, v: 0.0)
ceil = Pointwise("ceil", lambda x: np.ceil(numerics.real(x)), lambda x, v: 0.0)
trunc = Pointwise("trunc", lambda x: np.trunc(numerics.real(x)), lambda x, v: 0.0)
rint = Pointwise("rint", lambda x: np.rint(numerics.real(x)), lambda x, v: 0.0)

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
    lambda g, i, xs, axis, keepdims: broadcast_to(
        g if axis is None else reshape(g, _kept(xs[0], axis)), shape(xs[0])
    ),
)
_reshape = Linear(
    "reshape", lambda x, to: np.reshape(x, to)[()], lambda g, i, xs, to: reshape(g, shape(xs[0]))
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
    "scatter",
    lambda g, to, key: numerics.scattered(g, to, key),
    lambda g, i, xs, to, key: index(g, key),
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


_cumsum = Linear(
    "cumsum",
    lambda x, axis: np.cumsum(x, axis),
    lambda g, i, xs, axis: _flipped(_cumsum(_flipped(g, axis), axis=axis), axis),
)
_einsum = Bilinear(  # of the forms "ab,bc->ac": every letter of a factor is in another term
    "einsum",
    lambda x, y, spec: np.einsum(spec, x, y, optimize=True)[()],
    lambda g, x, y, spec: _einsum(g, y, spec=_turned(spec, 0)),
    lambda g, x, y, spec: _einsum(x, g, spec=_turned(spec, 1)),
)


def _turned(spec, i):
    """The spec of the adjoint: the output and the i-th factor change places."""
    *factors, out = spec.replace("->", ",").split(",")
    factors[i], out = out, factors[i]
    return f"{factors[0]},{factors[1]}->{out}"


def _flipped(x, axis):
    return index(x, (slice(None),) * axis + (slice(None, None, -1),))


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
    if dims[lead:] == to:
        return sum(g, axis=tuple(range(lead)))
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
    to = _lengths(to)
    return x if shape(x) == to else _reshape(x, to=to)


def transpose(x: Number, axes: Sequence[int] | None = None) -> Any:
    """x with its axes permuted, reversed when axes is None."""
    n = len(shape(x))
    axes = tuple(reversed(range(n))) if axes is None else tuple(_axis(a, n) for a in axes)
    return x if axes == tuple(range(n)) else _transpose(x, axes=axes)


def broadcast_to(x: Number, to: int | Sequence[int]) -> Any:
    """x repeated to the shape `to`, by NumPy's rules."""
    to = _lengths(to)
    return x if shape(x) == to else _broadcast_to(x, to=to)


def _lengths(to):
    """A shape, of which NumPy writes (3,) as 3 as well."""
    return (operator.index(to),) if np.ndim(to) == 0 else tuple(to)


def index(x: Number, key: Any) -> Any:
    """x[key]: integers, slices, None, ..., masks, arrays; repeated indices add up in reverse."""
    return _index(x, key=key)


def concatenate(xs: Sequence[Number], axis: int | None = 0) -> Any:
    """The arrays xs joined along an axis they have, or in a row when axis is None."""
    xs = [number(x) for x in xs]
    if axis is None:
        xs, axis = [reshape(x, -1) for x in xs], 0
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


for _rule in TABLE.values():
    _rule.__doc__ = docstring(_rule.name)
