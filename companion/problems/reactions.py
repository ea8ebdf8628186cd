"""Reactions with diffusion on a line: Allen and Cahn's, Gray and Scott's. The gallery."""

import math

import numpy as np
import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn import Box, Condition, Neumann, Periodic, Problem, Start
from companion.problems.solved import on_a_ring

T, X = 0, 1


def allen_cahn(diffusion: float = 1e-4, starts: int = 257, weight: float = 100.0) -> Problem:
    """u_t = D u_xx + 5 (u − u³) on t ∈ [0, 1], x ∈ [−1, 1], periodic; u = x² cos πx at first.

    The start has a kink where the ends meet, and loses it at once; so it is a condition at `starts`
    points, not built in. Then u goes to ±1, with layers of the width √D between.

    >>> round(allen_cahn().exact(torch.tensor([[0.0, 0.5]]).double()).item(), 6)
    0.0

    Source: Raissi, Perdikaris & Karniadakis, *Physics-informed neural networks* (2019).
    """
    box = Box(t=(0.0, 1.0), x=(-1.0, 1.0))
    first = box.edge(starts, t=0.0)
    x = first[:, 1:]

    def residual(u: Partials, x: Tensor) -> Tensor:
        return u(T) - diffusion * u(X, X) - 5 * (u() - u() ** 3)

    return Problem(
        box,
        residual,
        (Condition("start", first, x**2 * torch.cos(math.pi * x), weight=weight),),
        hard=(Periodic("x"),),
        exact=on_a_ring(
            lambda u, bend: diffusion * bend + 5 * (u - u**3),
            lambda x: (x**2 * np.cos(math.pi * x))[None],
            (-1.0, 1.0),
            1.0,
        ),
        order=2,
    )


def gray_scott(end: float = 20.0, feed: float = 0.04, decay: float = 0.1) -> Problem:
    """u_t = ε₁ u_xx + b (1 − u) − u v², v_t = ε₂ v_xx − d v + u v² on x ∈ [−1, 1], flat at both ends.

    ε₁ = 1e-4, ε₂ = 5e-5; at first u = 1 − ½ h, v = ¼ h with the hill
    h = exp(20 (cos πx − 1) / π²), which is flat at both ends.

    >>> [round(w, 6) for w in gray_scott().exact(torch.zeros(1, 2).double())[0].tolist()]
    [0.5, 0.25]

    Source: Gray & Scott, *Autocatalytic reactions in the isothermal, continuous stirred tank reactor*
    (1984).
    """
    slow, slower = 1e-4, 5e-5

    def hill(x, exp, cos):
        return exp(20 * (cos(math.pi * x) - 1) / math.pi**2)

    def start(x: Tensor) -> Tensor:
        h = hill(x[:, 1:], torch.exp, torch.cos)
        return torch.cat([1 - h / 2, h / 4], 1)

    def residual(w: Partials, x: Tensor) -> Tensor:
        u, v = w().split(1, 1)
        ut, vt = w(T).split(1, 1)
        uxx, vxx = w(X, X).split(1, 1)
        made = u * v**2
        return torch.cat(
            [ut - slow * uxx - feed * (1 - u) + made, vt - slower * vxx + decay * v - made], 1
        )

    def rates(w: np.ndarray, bend: np.ndarray) -> np.ndarray:
        made = w[0] * w[1] ** 2
        return np.stack(
            [
                slow * bend[0] + feed * (1 - w[0]) - made,
                slower * bend[1] - decay * w[1] + made,
            ]
        )

    def first(x: np.ndarray) -> np.ndarray:
        h = hill(x, np.exp, np.cos)
        return np.stack([1 - h / 2, h / 4])

    return Problem(
        Box(t=(0.0, end), x=(-1.0, 1.0)),
        residual,
        hard=(Start(start), Neumann("x")),
        exact=on_a_ring(rates, first, (-1.0, 1.0), end, 256),
        outputs=2,
        order=2,
    )
