"""The U-shaped curve of the errors of a difference quotient: measured, in theory, and its bottom.

Truncation falls with the step and rounding rises (differences.py); what the two leave to be found
is where they meet.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from companion.engines.differences import Steps, _check_real, _positive, _real_dtype
from companion.engines.stencils import Scheme, leading_error, scheme_offsets, stencil

__all__ = ["error_curve", "error_theory", "measured_best", "running_median"]


def error_curve(estimate: Callable[[float], Any], exact: float, hs: Steps) -> np.ndarray:
    """The errors |estimate(h) − exact| for every step in hs, shape (k,), as float64.

    `estimate` is any function of the step: a scheme of `difference`, the complex step, or a formula
    of your own. Raises ValueError for steps that are not positive and finite or not in one row, for
    an exact value that is not finite, and when `estimate` does not return one number.

    >>> from companion.engines import difference
    >>> errors = error_curve(lambda h: difference(np.exp, 0.0, h), exact=1.0, hs=[1e-1, 1e-2])
    >>> print(np.round(errors[0] / errors[1]))
    100.0
    """
    hs = _row(hs, "hs")
    if np.ndim(exact) or not np.isfinite(exact):
        raise ValueError(f"exact = {exact!r}: need the true derivative, one finite number")
    return np.abs(np.array([_number(estimate(h)) for h in hs]) - float(exact))


def _number(found):
    if np.ndim(found):
        raise ValueError(
            f"estimate(h) has shape {np.shape(found)}; need one number: fix x to a single point"
        )
    _check_real(found, "estimate")
    return float(found)


def error_theory(
    hs: Steps,
    value: float,
    derivative: float,
    *,
    order: int = 1,
    scheme: Scheme = "central",
    dtype: type | np.dtype = float,
) -> tuple[np.ndarray, np.ndarray]:
    """What theory expects of `error_curve`: truncation |c f⁽ⁿ⁺ᵖ⁾| hᵖ and rounding ε |f| Σ|wᵢ| / hⁿ.

    `value` is f(x) and `derivative` is f⁽ⁿ⁺ᵖ⁾(x): f″ for forward, f‴ for central, f⁗ for the second
    derivative. The constant c = Σ wᵢ oᵢⁿ⁺ᵖ / (n+p)! comes from the stencil. Rounding is for an f
    with a relative error of ε; it is a bound, and the measured error scatters below it. Returns the
    pair (truncation, rounding), both of shape (k,).

    >>> truncation, rounding = error_theory([1e-6, 1e-5], value=1.0, derivative=1.0)
    >>> print(np.round([truncation[1] / truncation[0], rounding[0] / rounding[1]]))
    [100.  10.]
    """
    hs = _row(hs, "hs")
    eps = float(np.finfo(_real_dtype(dtype, "dtype is")).eps)
    offsets = scheme_offsets(scheme, order)
    accuracy, constant = leading_error(offsets, order)
    sum_of_weights = float(sum(abs(w) for w in stencil(offsets, order)))
    return abs(constant * derivative) * hs**accuracy, eps * abs(value) * sum_of_weights / hs**order


def running_median(hs: Steps, errors: Steps, decades: float = 1.0) -> np.ndarray:
    """For each step, the median error of the steps around it: the curve without its scatter.

    The window reaches half of `decades` to either side; at the ends of hs it is cut, so that the
    median leans inward there. Rounding errors scatter over decades and are now and then zero by
    luck; a median minds neither. Shapes (k,) in and out, in the order of hs. Raises ValueError for
    NaN errors, for hs and errors of different shapes, and for steps that span less than `decades`.

    >>> print(running_median([1e-3, 1e-2, 1e-1], [5, 0, 7], decades=2))
    [2.5 5.  3.5]
    """
    return _medians(hs, errors, decades)[0]


def measured_best(hs: Steps, errors: Steps, decades: float = 1.0) -> tuple[float, float]:
    """The step with the smallest typical error, and that error: the bottom of the `running_median`.

    The smallest single error would be an accident. The bottom is flat, so the step is the middle
    one of those within a tenth of the minimum. Steps nearer than half of `decades` to an end of hs
    are left out: their windows are cut, and with steps of a few units in the last place luck is
    common. Raises what `running_median` raises, and ValueError where no step is left.

    >>> hs = np.logspace(-8, 0, 401)
    >>> h, error = measured_best(hs, hs + 1e-8 / hs)
    >>> print(f"{h:.1e} {error:.1e}")
    1.0e-04 2.4e-04
    """
    typical, whole = _medians(hs, errors, decades)
    if not whole.any():
        raise ValueError(
            f"decades = {decades}: hs has no step with half of it to either side; give more steps, "
            "or fewer decades"
        )
    typical = np.where(whole, typical, np.inf)
    bottom = typical <= 1.1 * typical.min()
    return float(np.median(np.asarray(hs)[bottom])), float(typical.min())


def _medians(hs, errors, decades):
    """The running median, and where its window lies wholly inside the range of hs."""
    places, errors = np.log10(_row(hs, "hs")), np.asarray(errors, dtype=float)
    if places.shape != errors.shape or np.isnan(errors).any():
        raise ValueError(
            f"need one error, not NaN, for each of the {places.size} steps; got {errors}"
        )
    if not 0 < decades <= np.ptp(places):
        raise ValueError(
            f"decades = {decades}: need a positive width, at most {np.ptp(places):.2g}, "
            "the span of hs"
        )
    half, slack = decades / 2, 1e-9  # the spacing of a grid is not exact
    typical = [np.median(errors[np.abs(places - place) <= half + slack]) for place in places]
    to_the_end = np.minimum(places - places.min(), places.max() - places)
    return np.array(typical), to_the_end + slack >= half


def _row(hs, name):
    hs = _positive(hs, float, name)
    if hs.ndim != 1 or not hs.size:
        raise ValueError(
            f"{name} has shape {hs.shape}; need one row of steps, such as np.logspace(-12, 0, 300)"
        )
    return hs
