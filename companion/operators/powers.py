"""Powers: xⁿ, where either may be a series, right at x = 0 to every order.

At x = 0 the recurrence of uʳ divides by zero. What stands there instead follows from the first term
of the series: 0 below the order n, a power at a whole n, and infinite beyond any other. Sources:
Griewank & Walther, table 13.2; chapters 6 and 10.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.recurrences import SeriesRule, power, product
from companion.operators.rules import where


def pow(x: Operand, n: Operand) -> Any:
    """xⁿ: whole numbers n by repeated squaring, others and tensors by recurrence or e^{n log x}."""
    if isinstance(n, np.ndarray):
        n = x.constant(n)
    if isinstance(n, (Series, torch.Tensor)) or not isinstance(x, Series):
        return _exponential(x, n)
    if float(n).is_integer():
        return _whole_power(x, int(n)) if n >= 0 else torch.reciprocal(_whole_power(x, -int(n)))
    return _beside_zero(x, n, lambda away: away.pointwise(power(float(n))))


def _beside_zero(x, n, rule):
    """rule(x), a series of xⁿ where x ≠ 0; at x = 0 what stands in at_zero."""
    exponent = n.primal.detach() if isinstance(n, Series) else n
    if isinstance(exponent, torch.Tensor):
        dtype = torch.result_type(x.primal, exponent)
        x = x.to(dtype).expand(torch.broadcast_shapes(x.shape, exponent.shape))
    zero = x.primal == 0
    away = rule(where(zero, torch.ones_like(x.primal), x))
    if isinstance(exponent, torch.Tensor):
        exponent = exponent.to(away.device, away.dtype)
        here = x.to(away.dtype).in_the_open(at_zero(exponent, isinstance(n, Series)))
    else:
        here = x.pointwise(fraction_at_zero(exponent))
    return where(zero, here, away)


def fraction_at_zero(n: float) -> SeriesRule:
    """The rule of uⁿ where u₀ = 0, for a number n that is not whole: 0 below n, infinite beyond."""

    def term(k: int, r: float, first: Tensor, infinite: Tensor) -> Tensor:
        if k < r:
            return torch.zeros_like(first)
        falling = math.prod(r - j for j in range(k))
        return math.copysign(1, falling) * infinite * first**k

    def rule(u: Any, order: int) -> tuple[list[Tensor], list[Tensor]]:
        first, count = (u[1], order + 1) if len(u) > 1 else (torch.ones_like(u[0]), 1)
        first = first.expand_as(u[0])
        # elsewhere nothing is asked of this rule, and zeros walk back as zeros
        infinite = torch.where(u[0] == 0, math.inf, 0.0).to(u[0].dtype)
        series = lambda r: [term(k, r, first, infinite) for k in range(count)]
        return series(n), [n * t for t in series(n - 1)]

    return rule


def at_zero(n: Operand, varies: bool = False) -> SeriesRule:
    """The rule of uⁿ where u₀ = 0; of an n that varies with t no coefficient beyond n is finite.

    (u₁ t + …)ⁿ begins with tⁿ. So coefficients below n are zero; a whole n has a power, and for
    any other those beyond are infinite, with the sign of n (n − 1) ….
    """

    def rule(u: Any, order: int) -> tuple[list[Tensor], list[Tensor]]:
        beyond = torch.where(u[0] == 0, torch.nan if varies else torch.inf, 0.0).to(u[0].dtype)
        u = [torch.zeros_like(u[0]), *u[1:]]
        count = order + 1 if len(u) > 1 else 1
        powers = [[torch.ones_like(u[0]), *[torch.zeros_like(u[0])] * (count - 1)]]
        for _ in range(order + 1):
            found = product(powers[-1], u, count - 1)
            powers.append(found + [torch.zeros_like(u[0])] * (count - len(found)))
        first = u[1] if len(u) > 1 else u[0]
        series = lambda r: [_term(k, r, powers, first, beyond) for k in range(count)]
        return series(n), [n * t for t in series(n - 1)]

    def _term(k, r, powers, first, beyond):
        falling = math.prod([r - j for j in range(k)], start=torch.ones_like(r))
        beyond = falling.sign() * beyond * first**k if not varies else first * beyond
        total = torch.where(k < r, torch.zeros_like(first), beyond)
        if not varies:
            for m in range(min(k, len(powers) - 1) + 1):
                total = torch.where(r == m, powers[m][k], total)
            return total
        return torch.where(r == k, powers[k][k], total) if k < len(powers) else total

    return rule


def _exponential(x, n):
    """xⁿ, where not both are numbers."""
    if isinstance(x, Series):
        return _beside_zero(x, n, lambda away: _signed(away, n))
    x = n.constant(x)
    zero = x == 0  # 0ⁿ is 0 for all n > 0, and torch gives it no slope at n = 0
    return where(zero, x ** n.primal.detach(), _signed(torch.where(zero, torch.ones_like(x), x), n))


def _signed(x, n):
    """±e^{n log |x|}, the sign that of x₀ⁿ; NaN where x₀ < 0 and n varies or is not whole."""
    base = x.primal if isinstance(x, Series) else x
    value = base ** (n.primal if isinstance(n, Series) else n)
    x = x if base.is_floating_point() or base.is_complex() else x.to(value.dtype)
    if isinstance(n, Series):  # where x₀ < 0 only the value is a number
        found: Any = torch.exp(n * torch.log(x)).to(value.dtype)  # type: ignore[operator]
        return found.like(torch.cat([value.expand(found.shape)[None], found.rows[1:]]))
    sign = torch.where(value < 0, -1.0, 1.0).masked_fill(torch.isnan(value), math.nan)
    found = torch.exp(n * torch.log(torch.abs(x)))
    return (found * sign.to(value.dtype)).to(value.dtype)


def _whole_power(x, n):
    result = torch.ones_like(x) if n == 0 else None
    while n:
        if n & 1:
            result = x if result is None else result * x
        n >>= 1
        x = x * x if n else x
    return result


RULES.update({torch.pow: pow, torch.Tensor.__rpow__: lambda x, y: pow(y, x)})
