"""Three equations whose solutions wave: advection, the string, Helmholtz. The gallery."""

import math

import torch
from torch import Tensor

from companion.pinn import Box, Dirichlet, Periodic, Problem, Start

T, X, Y = 0, 1, 2
PI = math.pi


def advection(speed: float = 30.0) -> Problem:
    """u_t + β u_x = 0 on t ∈ [0, 1], x ∈ [0, 2π], periodic; u = sin x at first. u = sin(x − βt).

    With β = 30 there are almost five waves in time, and one in space.

    >>> from companion.pinn import check
    >>> check(advection())["equation"] < 1e-12
    True

    Source: Krishnapriyan et al., *Characterizing possible failure modes in physics-informed neural
    networks* (2021).
    """
    return Problem(
        Box(t=(0.0, 1.0), x=(0.0, 2 * PI)),
        lambda u, x: u(T) + speed * u(X),
        hard=(Start(lambda x: torch.sin(x[:, 1:])), Periodic("x")),
        exact=lambda x: torch.sin(x[:, 1:] - speed * x[:, :1]),
    )


def wave(speed: float = 2.0) -> Problem:
    """u_tt = c² u_xx on t, x ∈ [0, 1], u = 0 at both ends; at first u = sin πx + ½ sin 4πx, at rest.

    u = cos cπt sin πx + ½ cos 4cπt sin 4πx: with c = 2 four turns of the faster part.

    >>> from companion.pinn import check
    >>> check(wave())["equation"] < 1e-10
    True

    Source: Wang, Yu & Perdikaris, *When and why PINNs fail to train: a neural tangent kernel perspective*
    (2022).
    """

    def start(x: Tensor) -> Tensor:
        return torch.sin(PI * x[:, 1:]) + torch.sin(4 * PI * x[:, 1:]) / 2

    def exact(x: Tensor) -> Tensor:
        t, x = PI * x[:, :1], PI * x[:, 1:]
        slow = torch.cos(speed * t) * torch.sin(x)
        return slow + torch.cos(4 * speed * t) * torch.sin(4 * x) / 2

    return Problem(
        Box(t=(0.0, 1.0), x=(0.0, 1.0)),
        lambda u, x: u(T, T) - speed**2 * u(X, X),
        hard=(Start(start, 0.0), Dirichlet("x")),
        exact=exact,
        order=2,
    )


def helmholtz(waves: float = 4 * PI) -> Problem:
    """Δu + k² u = f on [0, 1]², u = 0 on the edge; manufactured: u = sin kx sin ky, so f = −k² u.

    With k = 4π there are two waves along each side.

    >>> from companion.pinn import check
    >>> check(helmholtz())["equation"] < 1e-10
    True

    Source: Lu et al., *DeepXDE: a deep learning library for solving differential equations* (2021).
    """

    def exact(x: Tensor) -> Tensor:
        return torch.sin(waves * x[:, :1]) * torch.sin(waves * x[:, 1:])

    return Problem(
        Box(x=(0.0, 1.0), y=(0.0, 1.0)),
        lambda u, x: u.laplacian() + waves**2 * (u() + exact(x)),
        hard=(Dirichlet("x"), Dirichlet("y")),
        exact=exact,
        order=2,
    )
