"""Systems in time: van der Pol's oscillator, Lotka and Volterra's, and Lorenz's from readings. The gallery."""

import numpy as np
import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn import Box, Condition, Dirichlet, Problem, Start, Unknown
from companion.problems.solved import by_dop853


def van_der_pol(mu: float = 5.0, end: float = 20.0) -> Problem:
    """y″ − μ (1 − y²) y′ + y = 0 on [0, end], y = 2 and y′ = 0 at first.

    Slow along two branches, fast between them, the more so the larger μ is.

    >>> van_der_pol().exact(torch.zeros(1, 1).double()).tolist()
    [[2.0]]

    Source: van der Pol, *On relaxation-oscillations* (1926).
    """
    both = by_dop853(lambda t, y: [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]], [2.0, 0.0], end)
    return Problem(
        Box(t=(0.0, end)),
        lambda y, t: y(0, 0) - mu * (1 - y() ** 2) * y(0) + y(),
        hard=(Start(2.0, 0.0),),
        exact=lambda t: both(t)[:, :1],
        order=2,
    )


def lotka_volterra(end: float = 40.0) -> Problem:
    """x′ = 1.1 x − 0.4 x y, y′ = 0.1 x y − 0.4 y on [0, end], x = 10 and y = 5 at first.

    Hares x and lynxes y, in thousands, t in years: about four turns in 40.

    >>> lotka_volterra().exact(torch.zeros(1, 1).double()).tolist()
    [[10.0, 5.0]]

    Source: Lotka, *Elements of physical biology* (1925).
    """

    def residual(u: Partials, t: Tensor) -> Tensor:
        x, y = u().split(1, 1)
        dx, dy = u(0).split(1, 1)
        return torch.cat([dx - 1.1 * x + 0.4 * x * y, dy - 0.1 * x * y + 0.4 * y], 1)

    return Problem(
        Box(t=(0.0, end)),
        residual,
        hard=(Start(torch.tensor([[10.0, 5.0]])),),
        exact=by_dop853(
            lambda t, u: [1.1 * u[0] - 0.4 * u[0] * u[1], 0.1 * u[0] * u[1] - 0.4 * u[1]],
            [10.0, 5.0],
            end,
        ),
        outputs=2,
    )


LORENZ = {"sigma": 10.0, "rho": 15.0, "beta": 8 / 3}


def lorenz_inverse(readings: int = 25, weight: float = 100.0) -> Problem:
    """σ, ρ and β of x′ = σ(y − x), y′ = x(ρ − z) − y, z′ = xy − βz from x, y, z at equal times in [0, 3].

    The truth is (10, 15, 8/3), the start (−8, 7, 27), and the readings have no noise.

    >>> sorted(lorenz_inverse().unknowns)
    ['beta', 'rho', 'sigma']

    Source: Lorenz, *Deterministic nonperiodic flow* (1963); Lu et al., *DeepXDE* (2021).
    """
    sigma, rho, beta = LORENZ.values()
    exact = by_dop853(
        lambda t, u: [
            sigma * (u[1] - u[0]),
            u[0] * (rho - u[2]) - u[1],
            u[0] * u[1] - beta * u[2],
        ],
        [-8.0, 7.0, 27.0],
        3.0,
    )
    times = torch.linspace(0, 3, readings + 1, dtype=torch.float64)[1:, None]

    def residual(u: Partials, t: Tensor, sigma: Tensor, rho: Tensor, beta: Tensor) -> Tensor:
        x, y, z = u().split(1, 1)
        dx, dy, dz = u(0).split(1, 1)
        return torch.cat([dx - sigma * (y - x), dy - x * (rho - z) + y, dz - x * y + beta * z], 1)

    return Problem(
        Box(t=(0.0, 3.0)),
        residual,
        (Condition("readings", times, exact(times), weight=weight),),
        hard=(Start(torch.tensor([[-8.0, 7.0, 27.0]])),),
        exact=exact,
        unknowns={
            name: Unknown(5.0 if name != "beta" else 1.0, truth=truth)
            for name, truth in LORENZ.items()
        },
        outputs=3,
    )


def heat_inverse(
    seed: int = 0, readings: int = 100, sigma: float = 0.02, weight: float = 1e6
) -> Problem:
    """D of u_t = D u_xx from noisy readings of u in t, x ∈ [0, 1], u = 0 at the ends, u = sin πx at first.

    The truth is D = 0.1, u = exp(−Dπ²t) sin πx; the noise has the standard deviation σ. weight: of the
    equation, which holds exactly and is not noisy.

    >>> problem = heat_inverse()
    >>> len(problem.conditions[0].points), problem.unknowns["D"].truth
    (100, 0.1)

    Source: chapter 17, for its error bars.
    """
    truth = 0.1
    box = Box(t=(0.0, 1.0), x=(0.0, 1.0))

    def exact(x: Tensor) -> Tensor:
        return torch.exp(-truth * np.pi**2 * x[:, :1]) * torch.sin(np.pi * x[:, 1:])

    points = box.points(readings, "uniform", seed + 1000)
    generator = torch.Generator().manual_seed(seed)
    noise = sigma * torch.randn(readings, 1, generator=generator, dtype=torch.float64)

    return Problem(
        box,
        lambda u, x, D: weight**0.5 * (u(0) - D * u(1, 1)),
        (Condition("readings", points, exact(points) + noise, sigma=sigma),),
        hard=(Start(lambda x: torch.sin(np.pi * x[:, 1:])), Dirichlet("x")),
        exact=exact,
        unknowns={"D": Unknown(0.2, truth=truth)},
        order=2,
    )
