"""What is made of the rules of the table: powers, roundings, and reductions.

Nothing here has a derivative of its own. Each function is a formula in operations of rules.py, so
all engines follow it, to any order. Names and options are NumPy's.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from companion.engines.arrangements import ravel, take_along_axis
from companion.engines.numerics import real
from companion.engines.rules import (
    _axes,
    _axis,
    _cumsum,
    concatenate,
    div,
    exp,
    log,
    logaddexp,
    maximum,
    mean,
    minimum,
    pow,
    reciprocal,
    reshape,
    rint,
    sqrt,
    sum,
    transpose,
    where,
)
from companion.engines.values import Axes, Number, Value, number, plain, shape

# --- element by element -----------------------------------------------------------------------


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


def square(x: Number) -> Any:
    """x².

    >>> from companion.engines import derivative, square
    >>> derivative(square)(3.0)
    6.0
    """
    x = number(x)
    return x * x


def rsqrt(x: Number) -> Any:
    """1/√x.

    >>> from companion.engines import rsqrt
    >>> rsqrt(4.0)
    0.5
    """
    return reciprocal(sqrt(x))


def round(x: Number, decimals: int = 0) -> Any:
    """x rounded to so many decimals, halves to even; flat, so its slope is 0.

    >>> from companion.engines import round
    >>> round(2.5), round(3.14159, 2)
    (2.0, 3.14)
    """
    x, scale = number(x), 10.0 ** builtins.abs(decimals)
    return rint(x * scale) / scale if decimals > 0 else rint(x / scale) * scale


def clip(x: Number, a_min: Number | None = None, a_max: Number | None = None) -> Any:
    """min(max(x, a_min), a_max): x held between two bounds, ½ of the slope where it is at one.

    The bounds may be engine values; None is no bound.

    >>> from companion.engines import clip, derivative
    >>> derivative(lambda x: clip(x, 0.0, 1.0))(np.array([0.5, 1.0, 2.0]))
    array([1. , 0.5, 0. ])
    """
    x = x if a_min is None else maximum(x, a_min)
    return number(x) if a_max is None else minimum(x, a_max)


def logaddexp2(x: Number, y: Number) -> Any:
    """log₂(2ˣ + 2ʸ), without overflow.

    >>> from companion.engines import logaddexp2
    >>> logaddexp2(1.0, 1.0)
    2.0
    """
    return logaddexp(number(x) * math.log(2), number(y) * math.log(2)) / math.log(2)


# --- reductions -------------------------------------------------------------------------------


def max(x: Number, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest element over the given axis or axes; equal ones share the slope equally.

    >>> from companion.engines import grad, max
    >>> grad(max)(np.array([3.0, 1.0, 3.0]))
    array([0.5, 0. , 0.5])
    """
    return _extreme(np.max, x, axis, keepdims)


def min(x: Number, axis: Axes = None, keepdims: bool = False) -> Any:
    """The smallest element over the given axis or axes; equal ones share the slope equally.

    >>> from companion.engines import grad, min
    >>> grad(min)(np.array([3.0, 1.0, 3.0]))
    array([0., 1., 0.])
    """
    return _extreme(np.min, x, axis, keepdims)


def _extreme(best_of, x, axis, keepdims):
    """The best element, as itself plus the mean of (x − best) over all that are equal to it."""
    x, axes = number(x), _axes(x, axis)
    parts = real(plain(x))
    best = best_of(parts, axis=axes, keepdims=True)
    base = np.where(np.isfinite(best), best, 0.0)[()]  # not ∞ − ∞
    ties = np.asarray((parts == best) | np.isnan(parts))
    count = np.sum(ties, axis=axes, keepdims=True)
    found = base + sum(where(ties, x - base, 0.0), axes, keepdims=True) / count
    return found if keepdims else reshape(found, _reduced(x, axes))


def prod(x: Number, axis: Axes = None, keepdims: bool = False) -> Any:
    """Π x over the given axis or axes, by products of halves: right where elements are 0, too.

    >>> from companion.engines import grad, prod
    >>> grad(prod)(np.array([0.0, 2.0, 5.0]))
    array([10.,  0.,  0.])
    """
    x, axes = number(x), _axes(x, axis)
    dims = shape(x)
    axes = tuple(range(len(dims))) if axes is None else axes
    rest = [a for a in range(len(dims)) if a not in axes]
    kept = tuple(1 if a in axes else n for a, n in enumerate(dims))
    flat = reshape(transpose(x, [*axes, *rest]), (-1, *[dims[a] for a in rest])) if dims else x
    if not dims or 0 in dims:
        return number(np.prod(plain(x), axis=axes, keepdims=keepdims))
    while shape(flat)[0] > 1:
        half, odd = divmod(shape(flat)[0], 2)
        pairs = flat[:half] * flat[half : 2 * half]
        flat = concatenate([pairs, flat[2 * half :]]) if odd else pairs
    return reshape(flat, kept if keepdims else _reduced(x, axes))


def cumsum(x: Number, axis: int | None = None) -> Any:
    """xᵢ ↦ Σ_{j≤i} xⱼ along an axis; of all elements in a row when axis is None.

    >>> from companion.engines import cumsum, grad
    >>> grad(lambda x: cumsum(x)[1])(np.ones(3))
    array([1., 1., 0.])
    """
    x, axis = _along(x, axis)
    return _cumsum(x, axis=axis)


def diff(x: Number, n: int = 1, axis: int = -1) -> Any:
    """xᵢ₊₁ − xᵢ along an axis, n times.

    >>> from companion.engines import diff
    >>> diff([1.0, 4.0, 9.0])
    array([3., 5.])
    """
    x = number(x)
    before = (slice(None),) * _axis(axis, len(shape(x)))
    for _ in range(n):
        x = x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]
    return x


def cumprod(x: Number, axis: int | None = None) -> Any:
    """xᵢ ↦ Π_{j≤i} xⱼ along an axis, by doubling: right where elements are 0, too.

    >>> from companion.engines import cumprod, grad
    >>> grad(lambda x: cumprod(x)[2])(np.array([0.0, 2.0, 5.0]))
    array([10.,  0.,  0.])
    """
    x, axis = _along(x, axis)
    n, reach = shape(x)[axis], 1
    cut = lambda a, b: (slice(None),) * axis + (slice(a, b),)
    while reach < n:  # xᵢ is now the product of the last `reach` factors up to i
        x = concatenate([x[cut(0, reach)], x[cut(reach, n)] * x[cut(0, n - reach)]], axis)
        reach *= 2
    return x


def cummax(x: Number, axis: int | None = None) -> Any:
    """xᵢ ↦ max_{j≤i} xⱼ along an axis; the first of equal elements has the slope.

    >>> from companion.engines import cummax, grad, sum
    >>> grad(lambda x: sum(cummax(x)))(np.array([1.0, 3.0, 3.0]))
    array([1., 2., 0.])
    """
    x, axis = _along(x, axis)
    parts = np.moveaxis(real(plain(x)), axis, -1)
    rises = np.ones(parts.shape, dtype=bool)
    highest = np.maximum.accumulate(parts, axis=-1)
    rises[..., 1:] = highest[..., 1:] > highest[..., :-1]
    places = np.maximum.accumulate(np.where(rises, np.arange(parts.shape[-1]), 0), axis=-1)
    return take_along_axis(x, np.moveaxis(places, -1, axis), axis)


def var(x: Number, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """Σ (x − x̄)² / (n − ddof) over the given axis or axes.

    >>> from companion.engines import grad, var
    >>> grad(var)(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    real(plain(number(x)))  # refuses complex numbers, whose variance is another formula
    centred = number(x) - mean(x, axis, keepdims=True)
    if ddof == 0:
        return mean(centred * centred, axis, keepdims)
    count = math.prod(shape(x)) // builtins.max(math.prod(_reduced(x, _axes(x, axis))), 1) - ddof
    if count <= 0:
        raise ValueError(f"var of {count + ddof} numbers needs a smaller ddof; got {ddof}")
    return div(sum(centred * centred, axis, keepdims), count)


def std(x: Number, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """√var; where all elements are equal there is a corner, and the slope is 0.

    >>> from companion.engines import grad, std
    >>> grad(std)(np.array([1.0, 3.0]))
    array([-0.5,  0.5])
    """
    return root(var(x, axis, ddof, keepdims))


def root(x: Number, n: float = 2.0) -> Any:
    """ⁿ√x for x ≥ 0 that was made of squares: slope 0 where x is 0."""
    zero = np.asarray(plain(x)) == 0
    inside = where(zero, 1.0, x)
    return where(zero, 0.0, sqrt(inside) if n == 2 else pow(inside, 1.0 / n))


def logsumexp(x: Number, axis: Axes = None, keepdims: bool = False) -> Any:
    """log Σ eˣ without overflow: the largest element is taken out first."""
    largest = np.max(plain(x), axis=axis, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    total = log(sum(exp(x - largest), axis, keepdims=True)) + largest
    return total if keepdims else reshape(total, shape(sum(x, axis)))


def _reduced(x, axes):
    """The shape of sum(x, axes)."""
    return tuple(n for a, n in enumerate(shape(x)) if axes is not None and a not in axes)


def _along(x, axis):
    """x and an axis from the front; x in a row where there is none."""
    x = number(x)
    return (ravel(x), 0) if axis is None else (x, _axis(axis, len(shape(x))))
