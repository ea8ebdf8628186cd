"""Derivatives by differences: evaluate f near x, weigh, divide by a power of the step.

Two errors pull against each other. *Truncation* is what the formula leaves out; it falls like hᵖ,
where p is the accuracy of the scheme. *Rounding* is what the computer cannot hold; for an n-th
derivative it rises like ε/hⁿ. Their sum is the U-shaped curve of the first chapter. The complex
step has no rounding error of this kind.

Every function takes a plain callable of NumPy values and keeps the dtype of x: a float32 point
gives a float32 derivative. Integers become float64. The functions work elementwise on arrays,
except `difference_gradient`, which takes one number of many inputs.
"""

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from companion.engines.stencils import Scheme, leading_error, scheme_offsets, whole_weights

__all__ = [
    "Extrapolation",
    "best_step",
    "complex_step",
    "difference",
    "difference_gradient",
    "richardson",
]

Points: TypeAlias = float | Sequence[float] | np.ndarray  # a number, or numbers of any shape
Steps: TypeAlias = Sequence[float] | np.ndarray
Function: TypeAlias = Callable[[Any], Any]  # of a NumPy value


def best_step(
    scheme: Scheme = "central",
    dtype: type | np.dtype = float,
    *,
    order: int = 1,
    scale: Points = 1.0,
) -> float | np.ndarray:
    """The step that balances truncation hᵖ against rounding ε/hⁿ:  h = scale · ε^(1/(n+p)).

    n is the order of the derivative and p the accuracy of the scheme, so forward gives √ε, central
    ε^(1/3), the three-point second derivative ε^(1/4). `scale` is the length over which f changes,
    of any shape; the sharp value is |f / f⁽ⁿ⁺ᵖ⁾|^(1/(n+p)), seldom known. `difference` takes
    max(|x|, 1). The result has the given dtype. Raises ValueError for an unknown scheme or a scale
    that is not positive and finite, TypeError for a dtype that is not real.

    >>> steps = best_step("forward"), best_step("central"), best_step("central", order=2)
    >>> print("  ".join(f"{step:.1e}" for step in steps))
    1.5e-08  6.1e-06  1.2e-04

    Source: W. H. Press et al., "Numerical Recipes", section 5.7.
    """
    dtype = _real_dtype(dtype, "dtype is")
    offsets = scheme_offsets(scheme, order)
    accuracy, _ = leading_error(offsets, order)
    step = np.finfo(dtype).eps ** (1 / (order + accuracy))
    return (_positive(scale, dtype, "scale") * dtype.type(step))[()]


def difference(
    f: Function, x: Points, h: Points | None = None, *, order: int = 1, scheme: Scheme = "central"
) -> float | np.ndarray:
    """The n-th derivative f⁽ⁿ⁾(x) ≈ Σ wᵢ f(x + oᵢ h) / hⁿ.

    `scheme` is "forward", "backward" (accuracy p = 1), "central" (p = 2), or the offsets
    themselves, whole numbers such as (-2, -1, 0, 1, 2). `h` is a number or an array of the shape of
    x; None takes `best_step`. f is called once per offset of non-zero weight. x has any shape; if
    it is an array, f must be elementwise; if it is one number, f may return an array, say of shape
    (m,), and so does `difference`.

    The step is first rounded so that |x| + h is a number of the machine: otherwise x + h lies not
    where the formula believes, by up to ε|x|/2, and dividing by h turns that into an error of the
    size of the rounding error.

    Raises ValueError for x empty or not finite, h not positive or lost beside x (x + h == x), an
    unknown scheme, an order below 1, and an f that changes the shape of x; TypeError for complex
    values.

    >>> f = lambda x: np.log(x) + 5 * x - np.sin(5.0)
    >>> print(f"{difference(f, 2.0):.9f}  {difference(f, 2.0, order=2):.6f}")
    5.500000000  -0.250000

    Source: B. Fornberg (1988), see `stencil`; the rounding of h: W. H. Press et al., "Numerical
    Recipes", section 5.7.
    """
    x = _real(x)
    offsets = scheme_offsets(scheme, order)
    h = _step(h, x, offsets, order)
    weights, denominator = whole_weights(offsets, order)
    terms = [(o, w) for o, w in zip(offsets, weights, strict=True) if w]
    total = sum(w * _value(f, x + o * h, x) for o, w in terms) / denominator
    for _ in range(order):  # not h**order, which could underflow
        total = total / h
    return total[()]


def complex_step(f: Function, x: Points, h: Points = 1e-20) -> float | np.ndarray:
    """The first derivative f′(x) ≈ Im f(x + ih) / h, without a subtraction.

    So h can be tiny, and the error is ε. f must be real-analytic and pass complex numbers
    through: no abs, no comparison that decides on them, no `math` functions. `abs` in the middle of
    f goes unnoticed and gives a wrong answer. x has any shape, f is elementwise on arrays, the
    result has the dtype of x. Raises TypeError when x is complex already or when f returns a real
    value (it dropped the imaginary part), ValueError for x empty or not finite, h not positive, and
    an f that is not real at x, as √x and log x are not below 0.

    >>> print(complex_step(lambda x: np.log(x) + 5 * x - np.sin(5.0), 2.0))
    5.5

    Source: W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real
    functions", SIAM Review 40 (1998).
    """
    x = _real(x)
    h = _positive(h, x.dtype, "h")
    value = f((x + 1j * h)[()])
    if not np.iscomplexobj(value):
        raise TypeError(
            f"f returned {_kind(value)} for a complex argument, so the imaginary part, which "
            "carries the derivative, was dropped; use NumPy functions that take complex numbers "
            "(not math, abs or .real), or call difference"
        )
    value = np.asarray(value)
    _check_shape(value, x)
    _check_real_there(f, x, h, value)
    return (value.imag / h).astype(x.dtype)[()]


class Extrapolation(NamedTuple):
    """From `richardson`: the value, an estimate of its error, and the triangle of estimates."""

    value: Any  #: the best estimate
    error: Any  #: how far off it may be
    table: np.ndarray  #: the triangle


def richardson(
    f: Function,
    x: Points,
    h: Points,
    *,
    levels: int = 6,
    order: int = 1,
    scheme: Scheme = "central",
) -> Extrapolation:
    """The limit h → 0 of `difference`, from h, h/2, h/4, …: each column removes a power of h.

    T[i, 0] is the difference with step h/2ⁱ, and
    T[i, j] = T[i, j−1] + (T[i, j−1] − T[i−1, j−1]) / (2^q − 1), where q is the power that column j
    removes: p, p+2, p+4, … for symmetric offsets, p, p+1, … for others. Start with an h that is
    *large*, the length over which f changes: rounding is then harmless. The value is the entry
    whose neighbours to the left agree with it best, and that disagreement is the error estimate,
    usually far too cautious, though blind to rounding. `table` has shape (levels, levels) + shape
    of f(x), with NaN above the diagonal. Raises what `difference` raises, and ValueError for
    levels < 2.

    >>> value, error, table = richardson(np.exp, 0.0, 1.0)
    >>> print(f"{value:.12f}  plain: {table[-1, 0]:.6f}  error below 1e-9: {error < 1e-9}")
    1.000000000000  plain: 1.000163  error below 1e-9: True

    Source: L. F. Richardson (1911); the choice of the entry: C. J. F. Ridders, "Accurate
    computation of F'(x) and F'(x)F''(x)", Advances in Engineering Software 4 (1982).
    """
    if index(levels) < 2:
        raise ValueError(f"levels = {levels}: extrapolation needs at least 2 steps, h and h/2")
    offsets = scheme_offsets(scheme, order)
    h = _positive(h, _real(x).dtype, "h")
    first = np.stack(
        [difference(f, x, h / 2**i, order=order, scheme=offsets) for i in range(levels)]
    )
    table = np.full((levels, *first.shape), np.nan, first.dtype)
    errors = np.full_like(table, np.inf)
    table[:, 0] = first
    accuracy, _ = leading_error(offsets, order)
    power_gap = 2 if set(offsets) == {-o for o in offsets} else 1
    for j in range(1, levels):
        removed = 2 ** (accuracy + power_gap * (j - 1)) - 1
        left, above = table[j:, j - 1], table[j - 1 : -1, j - 1]
        table[j:, j] = left + (left - above) / removed
        errors[j:, j] = np.maximum(np.abs(table[j:, j] - left), np.abs(table[j:, j] - above))
    errors = np.where(np.isnan(errors), np.inf, errors)  # where a step left the domain of f
    flat_errors = errors.reshape(levels * levels, *first.shape[1:])
    chosen = np.argmin(flat_errors, axis=0)[None]
    value = np.take_along_axis(table.reshape(flat_errors.shape), chosen, axis=0)[0]
    return Extrapolation(value[()], np.take_along_axis(flat_errors, chosen, axis=0)[0][()], table)


def difference_gradient(
    f: Function, x: Points, h: Points | None = None, *, scheme: Scheme = "forward"
) -> np.ndarray:
    """The gradient (∂f/∂x₁, …, ∂f/∂xₙ) of a scalar f, one input at a time.

    It takes n + 1 evaluations of f for "forward", 2n for "central".

    x has any shape, f(x) has shape (), the result has the shape and dtype of x. `h` and `scheme`
    are as in `difference`; by default each input has its own `best_step`. Raises ValueError when f
    does not return one number, and otherwise what `difference` raises.

    >>> f = lambda x: np.log(x[0]) + x[0] * x[1] - np.sin(x[1])
    >>> print(difference_gradient(f, [2.0, 5.0], scheme="central").round(6))
    [5.5      1.716338]
    """
    x = _real(x)
    offsets = scheme_offsets(scheme, 1)
    h = np.broadcast_to(_step(h, x, offsets, 1), x.shape)
    weights, denominator = whole_weights(offsets, 1)
    moved = [(o, w) for o, w in zip(offsets, weights, strict=True) if o and w]
    here = weights[offsets.index(0)] if 0 in offsets else 0  # f(x) serves every input
    start = here * _number(f, x.copy()) if here else x.dtype.type(0)
    result = np.empty_like(x)
    for i in np.ndindex(x.shape):
        total = start
        for offset, weight in moved:
            point = x.copy()
            point[i] = x[i] + offset * h[i]
            total = total + weight * _number(f, point)
        result[i] = total / denominator / h[i]
    return result[()]


def _kind(value):
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def _real_dtype(dtype, what):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return np.dtype(float)
    if dtype.kind != "f":
        raise TypeError(
            f"{what} {dtype}; differences need real numbers, such as float64 or float32"
        )
    return dtype


def _real(x):
    x = np.asarray(x)
    x = x.astype(_real_dtype(x.dtype, "x has dtype"), copy=False)
    if x.size == 0:
        raise ValueError(f"x is empty, shape {x.shape}: there is no point to differentiate at")
    if not np.isfinite(x).all():
        raise ValueError(f"x = {x}: NaN or infinite; a derivative needs a finite point")
    return x


def _positive(number, dtype, name):
    with np.errstate(over="ignore", under="ignore"):
        converted = np.asarray(number).astype(dtype)
    if not (np.isfinite(converted) & (converted > 0)).all():
        raise ValueError(f"{name} = {number}: need a positive, finite number (as {dtype})")
    return converted


def _step(h, x, offsets, order):
    if h is None:
        h = best_step(offsets, x.dtype, order=order, scale=np.maximum(np.abs(x), 1))
    h = _positive(h, x.dtype, "h")
    if h.shape not in ((), x.shape):
        raise ValueError(f"h has shape {h.shape} and x {x.shape}; give one step, or one for each x")
    exact = (np.abs(x) + h) - np.abs(x)
    if not exact.all():
        raise ValueError(
            f"h = {h} is lost beside x = {x}: x + h == x in {x.dtype}; take a larger step"
        )
    return exact


def _value(f, point, x):
    """f(point), elementwise, as an array of the dtype of x."""
    value = f(point[()])
    _check_real(value)
    value = np.asarray(value, dtype=x.dtype)
    _check_shape(value, x)
    return value


def _number(f, point):
    """f(point), one number, in the dtype of the point."""
    value = f(point[()])
    _check_real(value)
    if np.ndim(value):
        raise ValueError(
            f"f returned shape {np.shape(value)}; a gradient needs one number: sum it, "
            "or pick one element as in f(x)[0]"
        )
    return point.dtype.type(value)


def _check_real(value, name="f"):
    if value is None or np.iscomplexobj(value):
        raise TypeError(f"{name} returned {_kind(value)}; a difference needs real numbers")


def _check_real_there(f, x, h, value):
    """Raise ValueError where Im f(x + ih) is large and does not shrink with a tiny h."""
    large = (np.abs(value.imag) > 1e-3 * (1 + np.abs(value.real))) & (h < 1e-6)
    if large.any():
        half = np.asarray(f((x + 0.5j * h)[()])).imag
        if (large & (np.abs(2 * half - value.imag) > 0.5 * np.abs(value.imag))).any():
            raise ValueError(
                f"f(x + ih) has the imaginary part {value.imag} whatever h is, so f is not real at "
                f"x = {x}; the complex step is for functions that are"
            )


def _check_shape(value, x):
    if x.shape and value.shape != x.shape:
        raise ValueError(
            f"f took x of shape {x.shape} to shape {value.shape}, so it is not elementwise; "
            "for a scalar function of many inputs use difference_gradient"
        )
