"""u_t + u u_x = ν u_xx: a wave that steepens into a layer of the width ν. The gallery."""

import math

import numpy as np
import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn import Box, Dirichlet, Problem, Start
from companion.pinn.problem import Function

T, X = 0, 1
VISCOSITY = 0.01 / math.pi


def burgers(viscosity: float = VISCOSITY) -> Problem:
    """u_t + u u_x = ν u_xx on t ∈ [0, 1], x ∈ [−1, 1]; u = −sin πx at first, u = 0 at both ends.

    With ν = 0.01/π the slope at x = 0 reaches −152 at t = 0.51.

    >>> from companion.pinn import check
    >>> check(burgers(0.1))["equation"] < 1e-10
    True

    Source: Raissi, Perdikaris & Karniadakis, *Physics-informed neural networks* (2019).
    """

    def residual(u: Partials, x: Tensor) -> Tensor:
        return u(T) + u() * u(X) - viscosity * u(X, X)

    return Problem(
        Box(t=(0.0, 1.0), x=(-1.0, 1.0)),
        residual,
        hard=(Start(lambda x: -torch.sin(math.pi * x[:, 1:])), Dirichlet("x")),
        exact=cole_hopf(viscosity),
        order=2,
    )


def cole_hopf(viscosity: float, nodes: int = 160) -> Function:
    """(t, x) (n, 2) → u (n, 1): two integrals over the start, by Gauss and Hermite's rule.

    u = −∫ sin π(x − η) w dη / ∫ w dη, w = exp(−cos π(x − η) / (2πν) − η² / (4νt)).

    Source: Cole (1951) and Hopf (1950); Basdevant et al., *Spectral and finite difference solutions of
    the Burgers equation* (1986).
    """
    z, weights = (torch.from_numpy(v) for v in np.polynomial.hermite.hermgauss(nodes))

    def exact(x: Tensor) -> Tensor:
        eta = (4 * viscosity * x[:, :1].clamp(min=1e-30)).sqrt() * z.to(x)
        angle = math.pi * (x[:, 1:] - eta)
        height = torch.exp(-(1 + torch.cos(angle)) / (2 * math.pi * viscosity)) * weights.to(x)
        return -(torch.sin(angle) * height).sum(1, keepdim=True) / height.sum(1, keepdim=True)

    return exact
