"""Functions of a truncated power series, and their slopes, coefficient by coefficient, on tensors.

A series is a list of tensors, u[k] = u⁽ᵏ⁾/k!; a list may be shorter than order + 1, and what is
missing is zero. A rule takes (u, order) and returns (v, w), the series of f(u) and of f′(u): v is
what the reader asked for, w is all that the walk back needs. Everything is out of place, so torch
can differentiate it, and each term is one fused multiply-add; beyond that it is companion.series,
which the tests hold it against.

Three equations carry nearly all functions: v′ = w u′ (the chain rule), v′ = (a + b v + c v²) u′
(Riccati: exp, tanh, tan, sigmoid, 1/u), and the pair s′ = c u′, c′ = ∓ s u′ (circular,
hyperbolic). Source: Griewank & Walther, *Evaluating Derivatives*, 2nd ed., table 13.2; chapter 10.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeAlias

import torch
from torch import Tensor

Coefficients: TypeAlias = Sequence[Tensor] | Tensor  # u₀, u₁, …; what is missing is zero
SeriesRule: TypeAlias = Callable[[Coefficients, int], tuple[list[Tensor], list[Tensor]]]
Unary: TypeAlias = Callable[[Tensor], Tensor]


def product(
    u: Coefficients,
    w: Coefficients,
    order: int,
    multiply: Callable[[Tensor, Tensor], Tensor] = torch.mul,
) -> list[Tensor]:
    """(u ⋆ w)ₖ = Σ_j uⱼ wₖ₋ⱼ, for all k up to the order; multiply may be matmul."""
    last = min(order, len(u) + len(w) - 2)
    return [_convolved(u, w, k, multiply) for k in range(last + 1)]


def _convolved(u, w, k, multiply):
    first, last = max(0, k - len(w) + 1), min(k, len(u) - 1)
    total = multiply(u[first], w[k - first])
    for j in range(first + 1, last + 1):
        factors = u[j], w[k - j]
        fused = multiply is torch.mul
        total = torch.addcmul(total, *factors) if fused else total + multiply(*factors)
    return total


def _chained(u, w, k):
    """vₖ = (1/k) Σ_{j≥1} j uⱼ wₖ₋ⱼ."""
    first, last = max(1, k - len(w) + 1), min(k, len(u) - 1)
    total = u[first] * w[k - first] if first == k else u[0].new_zeros(())
    for j in range(first + (first == k), last + 1):
        total = torch.addcmul(total, u[j], w[k - j], value=j / k)
    return total


def integrate(u: Coefficients, w: Coefficients, v0: Tensor, order: int) -> list[Tensor]:
    """v = f(u) from v₀ and the finished series w of f′(u)."""
    last = min(order, len(u) + len(w) - 2)
    return [v0] + [_chained(u, w, k) for k in range(1, last + 1)] if len(u) > 1 else [v0]


def riccati(value: Unary, a: int, b: int, c: int) -> SeriesRule:
    """The rule of a function with v′ = a + b v + c v².

    >>> tanh = riccati(torch.tanh, 1, 0, -1)
    >>> v, w = tanh([torch.tensor(0.0), torch.tensor(1.0)], 3)
    >>> [round(float(t), 4) for t in v]
    [0.0, 1.0, 0.0, -0.3333]
    """

    def rule(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
        v = [value(u[0])]
        w = [_parabola(v[0], a, b, c)]
        for k in range(1, order + 1 if len(u) > 1 else 1):
            v.append(_chained(u, w, k))
            w.append(_slope(v, k, b, c))
        return v, w

    return rule


def _parabola(v0, a, b, c):
    linear = a + b * v0 if b else v0.new_full((), a)
    return torch.addcmul(linear, v0, v0, value=c) if c else linear


def _slope(v, k, b, c):
    """b vₖ + c (v ⋆ v)ₖ, k ≥ 1, each pair of the square once."""
    total = (v[k] if b == 1 else b * v[k]) if b else v[0].new_zeros(())
    for j in range((k + 1) // 2 if c else 0):
        total = torch.addcmul(total, v[j], v[k - j], value=2 * c)
    return torch.addcmul(total, v[k // 2], v[k // 2], value=c) if c and k % 2 == 0 else total


def circular(value: Unary, partner: Unary, sign_value: int, sign_partner: int) -> SeriesRule:
    """The rule of f, whose partner g obeys f′ = sign_value · g and g′ = sign_partner · f."""

    def rule(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
        v, g = [value(u[0])], [partner(u[0])]
        for k in range(1, order + 1 if len(u) > 1 else 1):
            v_k, g_k = _chained(u, g, k), _chained(u, v, k)
            v.append(v_k if sign_value == 1 else -v_k)
            g.append(g_k if sign_partner == 1 else -g_k)
        return v, g if sign_value == 1 else [-t for t in g]

    return rule


def power(r: float) -> SeriesRule:
    """The rule of uʳ, u₀ ≠ 0: u v′ = r v u′."""

    def rule(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
        v = [u[0] ** r]
        inverse = 1 / u[0]
        for k in range(1, order + 1 if len(u) > 1 else 1):
            total = (r - (k - 1)) / k * u[1] * v[k - 1]
            for j in range(2, min(k, len(u) - 1) + 1):
                total = total + (r * j - (k - j)) / k * u[j] * v[k - j]
            v.append(total * inverse)
        reciprocal, _ = RECIPROCAL(u, order)
        return v, [r * t for t in product(v, reciprocal, order)]

    return rule


def from_slope(value: Unary, slope: Callable[[Coefficients, int], list[Tensor]]) -> SeriesRule:
    """The rule of f from its slope, written in series: slope(u, order) is the series of f′(u)."""

    def rule(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
        w = slope(u, order)
        return integrate(u, w, value(u[0]), order), w

    return rule


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


def scaled(u: Coefficients, factor: float) -> list[Tensor]:
    """factor · u."""
    return [factor * t for t in u]


def plus(u: Coefficients, shift: float) -> list[Tensor]:
    """u + shift."""
    return [u[0] + shift, *u[1:]]


def total(u: Coefficients, w: Coefficients) -> list[Tensor]:
    """u + w."""
    long, short = (u, w) if len(u) >= len(w) else (w, u)
    return [*[a + b for a, b in zip(long, short)], *long[len(short) :]]


EXP = riccati(torch.exp, 0, 1, 0)
TANH = riccati(torch.tanh, 1, 0, -1)
SIGMOID = riccati(torch.sigmoid, 0, 1, -1)
RECIPROCAL = riccati(torch.reciprocal, 0, 0, -1)


def _bell(u, order):
    """e^{−u²}."""
    return EXP(scaled(product(u, u, order), -1.0), order)[0]


def _normal(u, order):
    """Φ(u) and φ(u), the normal distribution and its density."""
    density = scaled(_bell(scaled(u, math.sqrt(0.5)), order), 1 / math.sqrt(2 * math.pi))
    return integrate(u, density, torch.special.ndtr(u[0]), order), density


def silu(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
    """v = u σ(u) and w = σ + v − σ v."""
    s, _ = SIGMOID(u, order)
    v = product(u, s, order)
    return v, total(total(s, v), scaled(product(s, v, order), -1.0))


def gelu(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
    """v = u Φ(u) and w = Φ + u φ."""
    distribution, density = _normal(u, order)
    return product(u, distribution, order), total(distribution, product(u, density, order))


def _circle(sign):
    """1 / √(1 + sign u²)."""
    return lambda u, order: power(-0.5)(plus(scaled(product(u, u, order), sign), 1.0), order)[0]


POINTWISE: dict[str, SeriesRule] = {
    "exp": EXP,
    "expm1": from_slope(torch.expm1, lambda u, n: EXP(u, n)[0]),
    "log": from_slope(torch.log, lambda u, n: RECIPROCAL(u, n)[0]),
    "log1p": from_slope(torch.log1p, lambda u, n: RECIPROCAL(plus(u, 1.0), n)[0]),
    "sqrt": power(0.5),
    "rsqrt": power(-0.5),
    "reciprocal": RECIPROCAL,
    "sin": circular(torch.sin, torch.cos, 1, -1),
    "cos": circular(torch.cos, torch.sin, -1, 1),
    "tan": riccati(torch.tan, 1, 0, 1),
    "sinh": circular(torch.sinh, torch.cosh, 1, 1),
    "cosh": circular(torch.cosh, torch.sinh, 1, 1),
    "tanh": TANH,
    "asin": from_slope(torch.asin, _circle(-1.0)),
    "acos": from_slope(torch.acos, lambda u, n: scaled(_circle(-1.0)(u, n), -1.0)),
    "atan": from_slope(torch.atan, lambda u, n: RECIPROCAL(plus(product(u, u, n), 1.0), n)[0]),
    "asinh": from_slope(torch.asinh, _circle(1.0)),
    "sigmoid": SIGMOID,
    "softplus": from_slope(torch.nn.functional.softplus, lambda u, n: SIGMOID(u, n)[0]),
    "silu": silu,
    "gelu": gelu,
    "erf": from_slope(torch.erf, lambda u, n: scaled(_bell(u, n), 2 / math.sqrt(math.pi))),
}
