"""Functions of which all derivatives are known in closed form, as rules: sums over nodes, Bessel's, erfcx.

f(x) = Σ wᵢ cos(sᵢ x) has derivatives that are such sums too, so that sinc, J₀, I₀ are right to any
order at 0 and beside it, where a differential equation divides by x. Far away the equation takes
over. Sources: *NIST Digital Library of Mathematical Functions*, chapters 7 and 10; Trefethen &
Weideman, *The exponentially convergent trapezoidal rule* (2014).
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from companion import series, torch_private
from companion.operators.dispatch import quickly
from companion.operators.recurrences import Coefficients, SeriesRule, fused

Derivatives: TypeAlias = Callable[[Tensor, int], list[Tensor]]  # (x, n) → [f(x), …, f⁽ⁿ⁾(x)]


class Tower(torch.autograd.Function):
    """[f(x), …, f⁽ⁿ⁾(x)] as one tensor, whose own slope is the same one step higher."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, derivatives: Derivatives, n: int) -> Tensor:
        return torch.stack([d.to(x.dtype) for d in derivatives(x.double(), n)])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, ctx.derivatives, ctx.n = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (x,) = ctx.saved_tensors
        higher = towered(x, ctx.derivatives, ctx.n + 1)[1:]
        return (cotangents[0] * higher).sum(0), None, None


towered = quickly(Tower)


def tower(
    derivatives: Derivatives, value: Callable | None = None, sums: bool = False
) -> SeriesRule:
    """The rule of f from all its derivatives: f(u) = Σ_j f⁽ʲ⁾(u₀) (u − u₀)ʲ / j!.

    value: torch's f, where it is exact. sums: whether all of them are computed by functions that
    torch differentiates to any order, so that forward mode may look on.

    >>> from companion.operators import Jet
    >>> wave = tower(lambda x, n: [torch.sin(x + k * math.pi / 2) for k in range(n + 1)])
    >>> v, w = wave([torch.tensor(0.0), torch.tensor(1.0)], 3)
    >>> [round(float(t), 4) for t in v]
    [0.0, 1.0, 0.0, -0.1667]
    """
    whole = derivatives if value is None else with_value(value, derivatives)

    def rule(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
        order = order if len(u) > 1 else 0
        if not torch_private.forward_mode():
            found = towered(u[0], whole, order + 1).unbind()
        elif sums:
            found = derivatives(
                u[0], order + 1
            )  # torch loses outer tangents in the jvp of a Function
        else:
            raise NotImplementedError(
                "forward mode (torch.func.jvp, jacfwd) over a series of this special function: its "
                "derivatives are known to reverse mode alone. Take torch.func.vjp or jacrev"
            )
        powers = _powers(u, order)
        return _inserted(found, powers, order), _inserted(found[1:], powers, order)

    return rule


def _powers(u, order):
    """[{k: the coefficient of tᵏ in (u − u₀)ʲ} for j = 1 … order], k ≥ j."""
    first = {k: u[k] for k in range(1, min(order, len(u) - 1) + 1)}
    powers = [first]
    while len(powers) < order:
        last, power = powers[-1], {}
        for k in range(len(powers) + 1, order + 1):
            pairs = [(c, last[k - i]) for i, c in first.items() if k - i in last]
            if pairs:
                power[k] = _sum(pairs)
        powers.append(power)
    return powers


def _sum(pairs):
    """Σ a b."""
    return fused([1] * len(pairs), [a for a, _ in pairs], [b for _, b in pairs])


def _inserted(found, powers, order):
    """Σ_j f⁽ʲ⁾ / j! times the j-th power, coefficient by coefficient."""
    v = [found[0]]
    for k in range(1, order + 1):
        terms = [(found[j] / math.factorial(j), p[k]) for j, p in enumerate(powers, 1) if k in p]
        v.append(_sum(terms))
    return v


# Sums over nodes: f(x) = Σ wᵢ cos(sᵢ x), or sin, cosh, sinh; so its derivatives are sums as well.

REACH = 40.0  # as far as the nodes below are exact to rounding, for (scaled) arguments
CYCLE = {"cos": (1, -1), "sin": (1, -1), "cosh": (1, 1), "sinh": (1, 1)}
PARTNER = {"cos": "sin", "sin": "cos", "cosh": "sinh", "sinh": "cosh"}


@lru_cache
def _circle(count=48):
    """sin θ at the midpoints of count parts of a quarter of a circle: the mean over them is exact."""
    return np.sin(np.pi / 2 * (np.arange(count) + 0.5) / count)


@lru_cache
def _legendre(count=48):
    """Gauss's nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def _waves(x, n, kind, nodes, weights):
    """[Σ wᵢ f(sᵢ x), its derivatives …] for f = cos, sin, cosh or sinh."""
    s, w = (torch.as_tensor(a, dtype=x.dtype, device=x.device) for a in (nodes, weights))
    at = x[..., None] * s
    wave, partner = getattr(torch, kind)(at), getattr(torch, PARTNER[kind])(at)
    flips = {"cos": (1, -1, -1, 1), "sin": (1, 1, -1, -1)}.get(kind, (1, 1, 1, 1))
    return [flips[k % 4] * ((partner if k % 2 else wave) @ (w * s**k)) for k in range(n + 1)]


def _near(x, near, far):
    """near(x) within REACH, far(x) beyond, each asked where it is right only."""
    inside = x.abs() <= REACH
    near = near(torch.where(inside, x, 0.0))
    far = far(torch.where(inside, 2 * REACH, x))
    return [torch.where(inside, a, b) for a, b in zip(near, far)]


def sinc(x: Tensor, n: int) -> list[Tensor]:
    """sin πx / πx = ∫₀¹ cos(πxs) ds; far from 0 from z f⁽ᵏ⁾ + k f⁽ᵏ⁻¹⁾ = sin⁽ᵏ⁾ z."""

    def far(z):
        found = [torch.sin(z) / z]
        for k in range(1, n + 1):
            found.append((torch.sin(z + k * math.pi / 2) - k * found[-1]) / z)
        return found

    found = _near(math.pi * x, lambda z: _waves(z, n, "cos", *_legendre()), far)
    return [d * math.pi**k for k, d in enumerate(found)]


def spherical_bessel_j0(x: Tensor, n: int) -> list[Tensor]:
    """sin x / x."""
    return [d / math.pi**k for k, d in enumerate(sinc(x / math.pi, n))]


def _cylinder(x, n, value, slope, sign):
    """[f, f′, …] from x f″ + f′ = sign x f: the derivatives of it, one by one."""
    found = [value, slope]
    for k in range(n - 1):
        total = sign * x * found[k] - (k + 1) * found[k + 1]
        total = total + sign * k * found[k - 1] if k else total
        found.append(total / x)
    return found[: n + 1]


def bessel_j0(x: Tensor, n: int) -> list[Tensor]:
    """J₀, the mean of cos(x sin θ)."""
    j0, j1 = torch.special.bessel_j0, torch.special.bessel_j1
    nodes = _circle()
    return _near(
        x,
        lambda x: _waves(x, n, "cos", nodes, np.full_like(nodes, 1 / len(nodes))),
        lambda x: _cylinder(x, n, j0(x), -j1(x), -1),
    )


def i0(x: Tensor, n: int) -> list[Tensor]:
    """I₀, the mean of cosh(x sin θ)."""
    nodes = _circle()
    return _near(
        x,
        lambda x: _waves(x, n, "cosh", nodes, np.full_like(nodes, 1 / len(nodes))),
        lambda x: _cylinder(x, n, torch.special.i0(x), torch.special.i1(x), 1),
    )


def bessel_y0(x: Tensor, n: int) -> list[Tensor]:
    """Y₀, x > 0: Struve's H₀ less 2/π ∫₀^∞ e^{−xs} / √(1 + s²) ds; beside 0 and far away by _cylinder."""
    y0, y1 = torch.special.bessel_y0, torch.special.bessel_y1
    beside = lambda x: _cylinder(x, n, y0(x), -y1(x), -1)

    def near(x):
        nodes, weights = _legendre()
        struve = _waves(x, n, "sin", np.cos(np.pi / 2 * nodes), weights)
        s, w = (torch.as_tensor(a, dtype=x.dtype, device=x.device) for a in _half_line())
        s = 2 * s / x[..., None]
        decaying = torch.exp(-x[..., None] * s) / torch.sqrt(1 + s * s) * w
        tail = [(decaying * (-s) ** k).sum(-1) * 4 / (math.pi * x) for k in range(n + 1)]
        return [a - b for a, b in zip(struve, tail)]

    small = x <= 1.5
    inner = _near(torch.where(small, 2.0, x), near, beside)
    return [torch.where(small, a, b) for a, b in zip(beside(torch.where(small, x, 1.0)), inner)]


def modified_bessel_k0(x: Tensor, n: int) -> list[Tensor]:
    """K₀, x > 0."""
    k0, k1 = torch.special.modified_bessel_k0, torch.special.modified_bessel_k1
    return _cylinder(x, n, k0(x), -k1(x), 1)


def slope_of(derivatives: Derivatives, sign: int = 1) -> Derivatives:
    """The derivatives of sign · f′: J₁ = −J₀′, I₁ = I₀′."""
    return lambda x, n: [sign * d for d in derivatives(x, n + 1)[1:]]


def scaled_i(order: int) -> Derivatives:
    """e^{−x} I(x), x ≥ 0, of order 0 or 1: a mean of e^{x (cos θ − 1)}; far away its series in 1/x."""

    def near(x, n):
        nodes = np.concatenate([_circle(), -_circle()])
        weights = nodes**order / len(nodes)
        s, w = (torch.as_tensor(a, dtype=x.dtype, device=x.device) for a in (nodes - 1, weights))
        wave = torch.exp(x[..., None] * s)
        return [wave @ (w * s**k) for k in range(n + 1)]

    def far(x, n):
        found = [torch.zeros_like(x) for _ in range(n + 1)]
        term = 1 / torch.sqrt(2 * math.pi * x)
        for m in range(40):
            part = term
            for k in range(n + 1):
                found[k] = found[k] + part
                part = part * (-0.5 - m - k) / x
            term = term * ((2 * m + 1) ** 2 - 4 * order**2) / (8 * (m + 1)) / x
        return found

    return lambda x, n: _near(x, lambda x: near(x, n), lambda x: far(x, n))


def with_value(f: Callable[[Tensor], Tensor], derivatives: Derivatives) -> Derivatives:
    """The same derivatives, and the value as torch computes it."""
    return lambda x, n: [f(x), *derivatives(x, n)[1:]]


def mirrored(right: Derivatives, parity: int) -> Derivatives:
    """The derivatives of f with f(−x) = parity f(x) from those at |x|."""

    def derivatives(x: Tensor, n: int) -> list[Tensor]:
        sign = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
        found = right(x.abs(), n)
        return [d if k % 2 == parity else sign * d for k, d in enumerate(found)]

    return derivatives


def erfcx(x: Tensor, n: int) -> list[Tensor]:
    """e^{x²} erfc x = 2/√π ∫₀^∞ e^{−t² − 2xt} dt for x ≥ 0, and 2 e^{x²} − erfcx(−x) for x < 0."""
    found = _erfcx(x.abs(), n)
    double = [2 * torch.exp(x * x)]
    for k in range(n):
        double.append(2 * x * double[-1] + (2 * k * double[-2] if k else 0))
    return [
        torch.where(x < 0, twice - (-1) ** k * d, d)
        for k, (d, twice) in enumerate(zip(found, double))
    ]


def _erfcx(x, n):
    s, w = (torch.as_tensor(a, dtype=x.dtype, device=x.device) for a in _half_line())
    r = 1 / (1 + x)
    wave = torch.exp(-((r[..., None] * s) ** 2) - 2 * (1 - r)[..., None] * s)
    return [series.TWO_OVER_ROOT_PI * (-2 * r) ** k * r * (wave @ (w * s**k)) for k in range(n + 1)]


@lru_cache
def _half_line(step=1 / 16):
    """Nodes s = e^{u − e^{−u}} and weights on (0, ∞), for what decays like e^{−s}."""
    u = np.arange(-4, 4.5, step)
    s = np.exp(u - np.exp(-u))
    return s, step * s * (1 + np.exp(-u))
