"""Problems with solutions in closed form: a beam, a cube, heat in space, a stationary flow. The gallery."""

import math

import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn import Box, Condition, Dirichlet, Integral, Problem, Start, Unknown

PI = math.pi


def beam() -> Problem:
    """u⁗ + 1 = 0 on [0, 1], clamped on the left, u = u′ = 0, and free on the right, u″ = u‴ = 0.

    u = −x² (x² − 4x + 6) / 24.

    >>> from companion.pinn import check
    >>> max(check(beam()).values()) < 1e-12
    True

    Source: Lu et al., *DeepXDE* (2021).
    """
    end = torch.ones(1, 1, dtype=torch.float64)
    return Problem(
        Box(x=(0.0, 1.0)),
        lambda u, x: u(0, 0, 0, 0) + 1,
        (
            Condition("moment", end, of=lambda u, x: u(0, 0)),
            Condition("shear", end, of=lambda u, x: u(0, 0, 0)),
        ),
        hard=(Start(0.0, 0.0, axis="x", scale=1.0),),
        exact=lambda x: -(x**2) * (x**2 - 4 * x + 6) / 24,
        order=4,
    )


def poisson_cube(dimension: int = 5, edge_points: int = 100, weight: float = 100.0) -> Problem:
    """−Δu = (π²/4) Σ sin(πxᵢ/2) on [0, 1]ᵈ, u given on the faces; u = Σ sin(πxᵢ/2).

    >>> from companion.pinn import check
    >>> max(check(poisson_cube()).values()) < 1e-10
    True

    Source: E & Yu, *The deep Ritz method* (2018), for the dimension; manufactured.
    """
    box = Box(None, **{f"x{i}": (0.0, 1.0) for i in range(1, dimension + 1)})

    def exact(x: Tensor) -> Tensor:
        return torch.sin(PI * x / 2).sum(1, keepdim=True)

    faces = [
        box.edge(edge_points, "sobol", i, **{name: end})
        for i, name in enumerate(box.names)
        for end in (0.0, 1.0)
    ]
    edge = torch.cat(faces)
    return Problem(
        box,
        lambda u, x: u.laplacian() + (PI / 2) ** 2 * exact(x),
        (Condition("edge", edge, exact(edge), weight=weight),),
        exact=exact,
        order=2,
    )


def heat_space() -> Problem:
    """u_t = Δu / 3π² on t ∈ [0, 1], (x, y, z) ∈ [0, 1]³, u = 0 on the faces, one bump at first.

    u = e^{−t} sin πx sin πy sin πz.

    >>> from companion.pinn import check
    >>> max(check(heat_space()).values()) < 1e-10
    True

    Source: manufactured.
    """

    def exact(x: Tensor) -> Tensor:
        return torch.exp(-x[:, :1]) * torch.sin(PI * x[:, 1:]).prod(1, keepdim=True)

    return Problem(
        Box(t=(0.0, 1.0), x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 1.0)),
        lambda u, x: u(0) - (u(1, 1) + u(2, 2) + u(3, 3)) / (3 * PI**2),
        hard=(
            Start(lambda x: torch.sin(PI * x[:, 1:]).prod(1, keepdim=True)),
            *(Dirichlet(name) for name in "xyz"),
        ),
        exact=exact,
        order=2,
    )


def eigenvalue(guess: float = 1.3) -> Problem:
    """−u″ = λ u on [0, π], u = 0 at both ends, ∫ u² = π/2; the first: u = sin x, λ = 1.

    >>> from companion.pinn import check
    >>> max(check(eigenvalue()).values()) < 1e-10
    True

    Source: Courant & Hilbert, *Methods of mathematical physics* (1953); the norm is an Integral.
    """
    box = Box(x=(0.0, PI))
    end = box.edge(1, x=0.0)
    return Problem(
        box,
        lambda u, x, k: u(0, 0) + k * u(),
        (Condition("size", end, PI / 2, of=lambda u, x, norm: norm),),
        hard=(Dirichlet("x"),),
        exact=torch.sin,
        unknowns={"k": Unknown(guess, truth=1.0)},
        integrals={"norm": Integral(*box.quadrature(32), of=lambda u, y: u() ** 2)},
        order=2,
    )


def kovasznay(reynolds: float = 40.0) -> Problem:
    """(w·∇)w + ∇p = Δw / Re, ∇·w = 0 on x ∈ [−½, 1], y ∈ [−½, 1½]: a flow behind a grid, w = (u, v).

    u = 1 − e^{λx} cos 2πy, v = (λ/2π) e^{λx} sin 2πy, p = ½ (1 − e^{2λx}), where
    λ = Re/2 − √(Re²/4 + 4π²). u and v are given on all faces, p at one corner.

    >>> from companion.pinn import check
    >>> max(check(kovasznay()).values()) < 1e-10
    True

    Source: Kovasznay, *Laminar flow behind a two-dimensional grid* (1948).
    """
    rate = reynolds / 2 - math.sqrt(reynolds**2 / 4 + 4 * PI**2)

    def exact(x: Tensor) -> Tensor:
        along, turn = torch.exp(rate * x[:, :1]), 2 * PI * x[:, 1:]
        u, v = 1 - along * torch.cos(turn), rate / (2 * PI) * along * torch.sin(turn)
        return torch.cat([u, v, (1 - along**2) / 2], 1)

    def residual(w: Partials, x: Tensor) -> Tensor:
        u, v, _ = w().split(1, 1)
        (ux, vx, px), (uy, vy, py) = w(0).split(1, 1), w(1).split(1, 1)
        bend = (w(0, 0) + w(1, 1)) / reynolds
        return torch.cat(
            [u * ux + v * uy + px - bend[:, :1], u * vx + v * vy + py - bend[:, 1:2], ux + vy], 1
        )

    box = Box(x=(-0.5, 1.0), y=(-0.5, 1.5))
    corner = torch.tensor([[-0.5, -0.5]], dtype=torch.float64)
    return Problem(
        box,
        residual,
        (Condition("pressure", corner, exact(corner)[:, 2:], of=lambda w, x: w()[:, 2:]),),
        hard=tuple(Dirichlet(name, lambda x: exact(x)[:, :2], outputs=(0, 1)) for name in "xy"),
        exact=exact,
        outputs=3,
        order=2,
    )
