"""Rules of the special functions: those of an equation, and those of all their derivatives.

erfc and its relatives obey a differential equation like the rest of the table. Bessel functions,
sinc, lgamma have one that is singular at 0, or none; but f⁽ᵏ⁾ is known in closed form for every k,
as a sum over nodes or from two neighbours, and a series is put into f's own. torch is asked for the
value only: it has no derivative of some of these, and of others a wrong one beside 0.

Sources: *NIST Digital Library of Mathematical Functions*, chapters 5, 7 and 10; Trefethen &
Weideman, *The exponentially convergent trapezoidal rule* (2014), for the sums.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from companion import series, torch_private
from companion.operators.dispatch import RULES, Operand, Series, quickly_bound
from companion.operators.recurrences import TENSORS, Coefficients, SeriesRule, fused
from companion.operators.rules import aligned, first, pointwise, straight, where

Derivatives: TypeAlias = Callable[[Tensor, int], list[Tensor]]  # (x, n) → [f(x), …, f⁽ⁿ⁾(x)]


# --- from an equation -----------------------------------------------------------------------------


def _inverse(factor, square):
    """v′ = factor · e^{square v²} u′, of the inverse of a normal distribution."""

    def bound(arithmetic, name):
        def rule(u, order):
            v = [arithmetic.values[name](u[0])]
            p = [square * v[0] * v[0]]
            w = [factor * torch.exp(p[0])]
            for k in range(1, order + 1 if len(u) > 1 else 1):
                v.append(arithmetic.chained(u, w, k))
                p.append(square * arithmetic.convolved(v, v, k))
                w.append(arithmetic.chained(p, w, k))
            return v, w

        return rule

    return bound


def _bell(factor):
    """factor · e^{−u²}."""
    return lambda a, u, n: series.scaled(
        a["exp"](series.scaled(a.product(u, u, n), -1), n)[0], factor
    )


def _logistic(a, u, n):
    """1 / (u − u²)."""
    return a["reciprocal"](series.total(u, series.scaled(a.product(u, u, n), -1)), n)[0]


EQUATIONS = {
    "erfc": series.from_slope(_bell(-series.TWO_OVER_ROOT_PI)),
    "erfinv": _inverse(1 / series.TWO_OVER_ROOT_PI, 1.0),
    "ndtri": _inverse(1 / series.DENSITY_AT_0, 0.5),
    "logit": series.from_slope(_logistic),
}
VALUES = {name: getattr(torch.special, name) for name in EQUATIONS}
EXTENDED = series.Arithmetic({**TENSORS.values, **VALUES}, fused, TENSORS.number)
POINTWISE = {name: equation(EXTENDED, name) for name, equation in EQUATIONS.items()}


# --- from all derivatives -------------------------------------------------------------------------


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
        higher = Tower.apply(x, ctx.derivatives, ctx.n + 1)[1:]
        return (cotangents[0] * higher).sum(0), None, None


quickly_bound(Tower)


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
            found = Tower.apply(u[0], whole, order + 1).unbind()
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


def _scaled_i(order):
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


def _even(right, parity):
    """The derivatives of f with f(−x) = parity f(x) from those at |x|."""

    def derivatives(x: Tensor, n: int) -> list[Tensor]:
        sign = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
        found = right(x.abs(), n)
        return [d if k % 2 == parity else sign * d for k, d in enumerate(found)]

    return derivatives


def _with_corner(rule, plain):
    """e^{−|x|} times an entire function: at 0 what torch's |x| makes of it, elsewhere the rule."""

    def both(x: Series) -> Any:
        corner = x.primal == 0
        at = where(corner, x, 0.0)
        return where(corner, torch.exp(-torch.abs(at)) * plain(at), x.pointwise(rule))

    return both


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


# --- from zeta ------------------------------------------------------------------------------------


def _polygamma(k, x):
    """ψ⁽ᵏ⁾, k ≥ 1, from Hurwitz's zeta: torch's own of k = 1 has nine digits."""
    return (-1) ** (k + 1) * math.factorial(k) * torch.special.zeta(x.new_tensor(k + 1.0), x)


def digamma(x: Tensor, n: int) -> list[Tensor]:
    """ψ = (log Γ)′."""
    return [torch.digamma(x), *[_polygamma(k, x) for k in range(1, n + 1)]]


def lgamma(x: Tensor, n: int) -> list[Tensor]:
    """log |Γ|."""
    return [torch.lgamma(x), *digamma(x, n - 1)] if n else [torch.lgamma(x)]


def polygamma(n: Any, x: Any) -> Any:
    """ψ⁽ⁿ⁾(x)."""
    n, x = (x, n) if isinstance(n, Series) else (n, x)  # x.polygamma(n)
    above = lambda x, m: digamma(x, n + m)[n:]
    return x.pointwise(tower(above))


def mvlgamma(x: Any, p: int) -> Any:
    """log Γ_p(x) = Σ log Γ(x − j/2) + p (p − 1) log(π) / 4."""
    return sum(torch.lgamma(x - j / 2) for j in range(p)) + p * (p - 1) * math.log(math.pi) / 4


def zeta(s: Operand, x: Operand) -> Any:
    """Hurwitz's ζ(s, x) by x; there is no derivative by s in torch, nor here."""
    if isinstance(s, Series):
        raise NotImplementedError(
            "zeta of a series as its first argument, the exponent: no derivative is known to torch. "
            "Only the second may vary"
        )
    s = x.constant(s).to(x.dtype).expand(torch.broadcast_shapes(x.constant(s).shape, x.shape))

    def derivatives(at: Tensor, n: int) -> list[Tensor]:
        found, factor = [], torch.ones_like(at)
        for k in range(n + 1):
            found.append(factor * torch.special.zeta((s + k).to(at.dtype), at))
            factor = -factor * (s + k)
        return found

    return x.expand(s.shape).pointwise(tower(derivatives))


# --- composed -------------------------------------------------------------------------------------


def log_ndtr(x: Any) -> Any:
    """log Φ; far to the left as log(erfcx(−x/√2) / 2) − x²/2."""
    left = x.primal < 1
    z, right = where(left, x, 0.0), where(left, 1.0, x)
    tail = torch.log(torch.special.erfcx(z * -math.sqrt(0.5)) / 2) - z * z / 2
    return _valued(
        where(left, tail, torch.log(torch.special.ndtr(right))), torch.special.log_ndtr(x.primal)
    )


def _valued(x, value):
    """x, its value to the last digit that of torch."""
    off = value.detach() - x.primal.detach()
    return x + off.masked_fill(~off.isfinite(), 0.0)


def logit(x: Series, eps: float | None = None) -> Any:
    """log(x / (1 − x)), of x cut to [eps, 1 − eps] if it is given."""
    if eps is None:
        return x.pointwise(POINTWISE["logit"])
    cut = lambda x: torch.logit(x, eps)
    with torch.enable_grad():
        at = x.primal.detach().clone().requires_grad_()
        flat = torch.autograd.grad(cut(at).sum(), at)[0] == 0
    return where(flat, cut(x.primal), where(flat, 0.5, x).pointwise(POINTWISE["logit"]))


def _product_with_log(function, log, out):
    """x log(y), 0 where x is 0 and the logarithm is not finite; there torch has the slopes."""

    def rule(*factors: Any) -> Any:
        kind = first(*factors)
        x, y = (a if isinstance(a, Series) else kind.constant(a) for a in factors)
        x0, y0 = (a.primal if isinstance(a, Series) else a for a in (x, y))
        outside = (x0 == 0) & (y0 <= out)
        pick: Any = torch.where  # of a series or a tensor
        inside = pick(outside, 0.0, x) * log(pick(outside, 1.0, y))
        at = straight(function)(pick(outside, x, 0.0), pick(outside, y, 1.0))
        return where(outside, at, inside)

    return rule


def entr(x: Any) -> Any:
    """−x log x; at 0 and below what torch has."""
    inside = x.primal > 0
    at = where(inside, x, 1.0)
    return where(inside, -at * torch.log(at), straight(torch.special.entr)(where(inside, 1.0, x)))


def atan2(y: Operand, x: Operand) -> Any:
    """The angle of (x, y): arctan y/x, or −arctan x/y where y is larger; at (0, 0) torch's."""
    kind, rows = aligned(y, x)
    y, x = map(kind.like, rows)
    nowhere = (y.primal == 0) & (x.primal == 0)
    flat = (y.primal.abs() <= x.primal.abs()) & ~nowhere
    steep = ~flat & ~nowhere
    low = torch.atan(where(flat, y, 0.0) / where(flat, x, 1.0))
    high = -torch.atan(where(steep, x, 0.0) / where(steep, y, 1.0))
    smooth = _valued(where(flat, low, high), torch.atan2(y.primal, x.primal))
    return where(
        nowhere, straight(torch.atan2)(where(nowhere, y, 0.0), where(nowhere, x, 1.0)), smooth
    )


TOWERS: dict[str, Derivatives] = {
    "sinc": sinc, "spherical_bessel_j0": spherical_bessel_j0, "erfcx": erfcx,
    "i0": i0, "i1": slope_of(i0), "modified_bessel_i0": i0, "modified_bessel_i1": slope_of(i0),
    "bessel_j0": bessel_j0, "bessel_j1": slope_of(bessel_j0, -1),
    "bessel_y0": bessel_y0, "bessel_y1": slope_of(bessel_y0, -1),
    "modified_bessel_k0": modified_bessel_k0, "modified_bessel_k1": slope_of(modified_bessel_k0, -1),
    "digamma": digamma, "gammaln": lgamma,
}  # fmt: skip

# torch's own values of these are off by up to 5e-6 from 2 to 20, and from where its formula changes.
INEXACT = "bessel_j0 bessel_j1 bessel_y0 bessel_y1".split()
SUMS = "sinc spherical_bessel_j0 erfcx i0 i1 modified_bessel_i0 modified_bessel_i1".split()

RULES.update({VALUES[name]: pointwise(POINTWISE[name]) for name in ("erfc", "erfinv", "ndtri")})
RULES.update({
    f: pointwise(tower(rule, None if name in INEXACT else f, name in SUMS))
    for name, rule in TOWERS.items() for f in (getattr(torch.special, name),)
})  # fmt: skip
RULES.update({
    torch.special.i0e: _with_corner(tower(_even(_scaled_i(0), 0), torch.special.i0e, True), torch.special.i0),
    torch.special.i1e: _with_corner(tower(_even(_scaled_i(1), 1), torch.special.i1e, True), torch.special.i1),
    torch.special.ndtr: pointwise(TENSORS["ndtr"]), torch.special.log_ndtr: log_ndtr,
    torch.polygamma: polygamma, torch.mvlgamma: mvlgamma, torch.special.zeta: zeta,
    torch.logit: logit, torch.special.entr: entr, torch.atan2: atan2,
    torch.xlogy: _product_with_log(torch.xlogy, torch.log, 0.0),
    torch.special.xlog1py: _product_with_log(torch.special.xlog1py, torch.log1p, -1.0),
})  # fmt: skip
