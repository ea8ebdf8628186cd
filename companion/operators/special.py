"""Rules of the special functions: those of an equation, and those of all their derivatives.

erfc and its relatives obey a differential equation like the rest of the table. Bessel functions,
sinc, lgamma have one that is singular at 0, or none; but f⁽ᵏ⁾ is known in closed form for every k,
as a sum over nodes or from two neighbours, and a series is put into f's own. torch is asked for the
value only: it has no derivative of some of these, and of others a wrong one beside 0.

Sources: *NIST Digital Library of Mathematical Functions*, chapters 5, 7 and 10; Trefethen &
Weideman, *The exponentially convergent trapezoidal rule* (2014), for the sums.
"""

import math
from typing import Any

import torch
from torch import Tensor

from companion import series
from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.recurrences import TENSORS, fused
from companion.operators.rules import aligned, first, pointwise, straight, where
from companion.operators.towers import (
    Derivatives,
    bessel_j0,
    bessel_y0,
    erfcx,
    i0,
    mirrored,
    modified_bessel_k0,
    scaled_i,
    sinc,
    slope_of,
    spherical_bessel_j0,
    tower,
)

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


def _with_corner(rule, plain):
    """e^{−|x|} times an entire function: at 0 what torch's |x| makes of it, elsewhere the rule."""

    def both(x: Series) -> Any:
        corner = x.primal == 0
        at = where(corner, x, 0.0)
        return where(corner, torch.exp(-torch.abs(at)) * plain(at), x.pointwise(rule))

    return both


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

# torch's own values of these are off by up to 9e-7 from 2 to 20, and from where its formula changes.
INEXACT = "bessel_j0 bessel_j1 bessel_y0 bessel_y1".split()
SUMS = "sinc spherical_bessel_j0 erfcx i0 i1 modified_bessel_i0 modified_bessel_i1".split()

RULES.update({VALUES[name]: pointwise(POINTWISE[name]) for name in ("erfc", "erfinv", "ndtri")})
RULES.update({
    f: pointwise(tower(rule, None if name in INEXACT else f, name in SUMS))
    for name, rule in TOWERS.items() for f in (getattr(torch.special, name),)
})  # fmt: skip
RULES.update({
    torch.special.i0e: _with_corner(tower(mirrored(scaled_i(0), 0), torch.special.i0e, True), torch.special.i0),
    torch.special.i1e: _with_corner(tower(mirrored(scaled_i(1), 1), torch.special.i1e, True), torch.special.i1),
    torch.special.ndtr: pointwise(TENSORS["ndtr"]), torch.special.log_ndtr: log_ndtr,
    torch.polygamma: polygamma, torch.mvlgamma: mvlgamma, torch.special.zeta: zeta,
    torch.logit: logit, torch.special.entr: entr, torch.atan2: atan2,
    torch.xlogy: _product_with_log(torch.xlogy, torch.log, 0.0),
    torch.special.xlog1py: _product_with_log(torch.special.xlog1py, torch.log1p, -1.0),
})  # fmt: skip
