"""The equations of companion.series on tensors: functions of a truncated power series, and their slopes.

A series is a list of tensors, u[k] = u⁽ᵏ⁾/k!; a list may be shorter than order + 1, and what is
missing is zero. A rule takes (u, order) and returns (v, w), the series of f(u) and of f′(u): v is
what the reader asked for, w is all that the walk back needs. Everything is out of place, so torch
can differentiate it, and each term is one fused multiply-add. Source: Griewank & Walther,
*Evaluating Derivatives*, 2nd ed., table 13.2; chapter 10.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, TypeAlias

import torch
from torch import Tensor

from companion import series
from companion.series import scaled, total

Coefficients: TypeAlias = Sequence[Tensor] | Tensor  # u₀, u₁, …; what is missing is zero
SeriesRule: TypeAlias = Callable[[Coefficients, int], tuple[list[Tensor], list[Tensor]]]


def fused(
    js: Iterable[float], xs: Coefficients, ys: Coefficients, over: int = 1, start: Any = None
) -> Tensor:
    """start + (1/over) Σ j x y, a fused multiply-add for each term."""
    total = start
    for j, x, y in zip(js, xs, ys):
        if total is not None:
            total = torch.addcmul(total, x, y, value=j / over)
        elif j == over:
            total = x * y
        else:  # in one pass over memory
            total = torch.addcmul(x.new_zeros(()), x, y, value=j / over)
    return total


TENSORS = series.Arithmetic(
    {
        **{name: getattr(torch, name) for name in series.EQUATIONS if hasattr(torch, name)},
        "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),  # F's is a line beyond 20
        "ndtr": torch.special.ndtr,
    },
    fused,
    number=lambda like, c: like.new_full((), c),
)
POINTWISE: dict[str, SeriesRule] = {name: TENSORS[name] for name in series.EQUATIONS}


def power(r: float) -> SeriesRule:
    """The rule of uʳ, u₀ ≠ 0."""
    at = series.Arithmetic({"power": lambda x: x**r}, fused, TENSORS.number)
    return series.real_power(r)(at, "power")


def product(
    u: Coefficients,
    w: Coefficients,
    order: int,
    multiply: Callable[[Tensor, Tensor], Tensor] = torch.mul,
) -> list[Tensor]:
    """(u ⋆ w)ₖ = Σ_j uⱼ wₖ₋ⱼ, for all k up to the order; multiply may be matmul."""
    u, w = tuple(u), tuple(w)
    if multiply is torch.mul:
        return TENSORS.product(u, w, order)
    last = min(order, len(u) + len(w) - 2)
    places = [range(max(0, k - len(w) + 1), min(k, len(u) - 1) + 1) for k in range(last + 1)]
    return [
        reduce(torch.add, [multiply(u[j], w[k - j]) for j in js]) for k, js in enumerate(places)
    ]


def composed(
    derivatives: Sequence[float], u: Coefficients, order: int
) -> tuple[list[Tensor], list[Tensor]]:
    """The series of f(u) and of f′(u) from [f, f′, …, f⁽ⁿ⁺¹⁾] at u₀, which are numbers."""
    shift = [torch.zeros_like(u[0]), *u[1:]]
    power, powers = [torch.ones_like(u[0])], []
    for _ in range(order + 1 if len(u) > 1 else 1):
        powers.append(power)
        power = product(power, shift, order)
    zero = [torch.zeros_like(u[0])] * (order + 1 if len(u) > 1 else 1)
    v, w = (
        reduce(
            total,
            [scaled(p, d / math.factorial(k)) for k, (p, d) in enumerate(zip(powers, ds))],
            zero,
        )
        for ds in (derivatives, derivatives[1:])
    )
    return v, w
