"""Schemes for differences, in exact fractions: which points, which weights, which error.

A scheme is a name or a list of offsets in units of the step. Everything here depends on the offsets
and the order of the derivative alone, not on f, x or h, so it is computed exactly, once, and
without floating point.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import factorial, lcm
from typing import TypeAlias

import numpy as np

__all__ = ["leading_error", "scheme_offsets", "stencil", "whole_weights"]

Scheme: TypeAlias = (
    str | Sequence[int]
)  # "forward", "backward", "central", or the offsets themselves

SCHEMES = {
    "forward": lambda order: range(0, order + 1),
    "backward": lambda order: range(-order, 1),
    "central": lambda order: range(-((order + 1) // 2), (order + 1) // 2 + 1),
}


def stencil(offsets: Sequence[float | Fraction], order: int = 1) -> tuple[Fraction, ...]:
    """The weights w with f⁽ⁿ⁾(x) ≈ Σ wᵢ f(x + oᵢ h) / hⁿ.

    They are exact for every polynomial of degree below the number of offsets. `offsets` are
    distinct numbers in units of the step, in any order; the weights are exact fractions, in the
    order of the offsets. With `order=0` they interpolate f at x. Raises ValueError for repeated
    offsets, for an offset that is not a finite number, and when there are fewer than n + 1 offsets.

    >>> print(*stencil([-1, 0, 1], order=2))
    1 -2 1
    >>> print(*stencil([-2, -1, 0, 1, 2], order=1))
    1/12 -2/3 0 2/3 -1/12

    Source: B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids",
    Mathematics of Computation 51 (1988).
    """
    order = _order(order, least=0)
    points = [_fraction(offset) for offset in offsets]
    if len(set(points)) < len(points):
        raise ValueError(
            f"the offsets {_listed(points)} repeat a point; each offset may appear once"
        )
    if len(points) <= order:
        raise ValueError(
            f"a derivative of order {order} needs at least {order + 1} offsets; "
            f"got {len(points)}: {_listed(points)}"
        )
    # weights[k][j]: of point j in the k-th derivative at 0, from the points seen so far
    weights = [[Fraction(0)] * len(points) for _ in range(order + 1)]
    weights[0][0] = Fraction(1)
    scale = Fraction(1)  # Π (points[i-1] - points[j]) over j < i-1
    for i in range(1, len(points)):
        new, last = points[i], points[i - 1]
        spread = Fraction(1)  # Π (new - points[j]) over j < i
        for old in points[:i]:
            spread *= new - old
        for k in range(min(i, order), -1, -1):
            below = weights[k - 1] if k else [Fraction(0)] * len(points)
            weights[k][i] = scale / spread * (k * below[i - 1] - last * weights[k][i - 1])
            for j in range(i):
                weights[k][j] = (new * weights[k][j] - k * below[j]) / (new - points[j])
        scale = spread
    return tuple(weights[order])


def scheme_offsets(scheme: Scheme, order: int) -> tuple[int, ...]:
    """The points of a scheme, whole numbers in units of the step.

    The scheme is "forward", "backward", "central", or the offsets themselves.    Raises ValueError
    for an unknown name, offsets that are not whole, and an order below 1.

    >>> print(scheme_offsets("forward", 2), scheme_offsets("central", 2))
    (0, 1, 2) (-1, 0, 1)
    """
    order = _order(order, least=1)
    if not isinstance(scheme, str):
        points = [_fraction(offset) for offset in scheme]
        if any(point.denominator != 1 for point in points):
            raise ValueError(
                f"the offsets {_listed(points)} must be whole numbers; "
                "make the step h smaller instead"
            )
        return tuple(int(point) for point in points)
    if scheme not in SCHEMES:
        raise ValueError(
            f"unknown scheme {scheme!r}: choose 'forward', 'backward' or 'central', "
            "or give the offsets, such as (-2, -1, 0, 1, 2)"
        )
    return tuple(SCHEMES[scheme](order))


@cache
def leading_error(offsets: tuple[int, ...], order: int) -> tuple[int, float]:
    """(p, c) with Σ wᵢ f(x + oᵢ h) / hⁿ − f⁽ⁿ⁾ = c f⁽ⁿ⁺ᵖ⁾ hᵖ + …, from the moments."""
    weights = stencil(offsets, order)
    k = order + 1
    while not (moment := sum(w * o**k for o, w in zip(offsets, weights, strict=True))):
        k += 1
    return k - order, float(moment / factorial(k))


@cache
def whole_weights(offsets: tuple[int, ...], order: int) -> tuple[list[int], int]:
    """The weights as whole numbers over one denominator: as floats they sum to exactly zero."""
    weights = stencil(offsets, order)
    denominator = lcm(*(w.denominator for w in weights))
    return [int(w * denominator) for w in weights], denominator


def _order(order, least):
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or order < least:
        raise ValueError(
            f"order = {order!r}: the order of a derivative is a whole number, at least {least}"
        )
    return int(order)


def _fraction(offset):
    try:
        return Fraction(offset.item() if isinstance(offset, np.generic) else offset)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"offset {offset!r}: need finite real numbers, in units of the step"
        ) from None


def _listed(points):
    return "(" + ", ".join(map(str, points)) + ")"
