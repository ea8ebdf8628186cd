"""References by classical solvers: systems by DOP853, and partial differential equations on lines.

They leave torch, so check takes their derivatives by differences.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

Rates: TypeAlias = Callable[[float, np.ndarray], np.ndarray | Sequence[float]]  # (t, y) → y′


def by_dop853(rates: Rates, start: Sequence[float], end: float) -> Callable[[Tensor], Tensor]:
    """t (n, 1) → y (n, m), of y′ = rates(t, y) from t = 0, to about 1e-11; solved at the first call.

    >>> turn = by_dop853(lambda t, y: [y[1], -y[0]], [0.0, 1.0], 7.0)
    >>> abs(turn(torch.tensor([[2.0]]).double())[0, 0] - np.sin(2)).item() < 1e-11
    True

    Source: Hairer, Nørsett & Wanner, *Solving ordinary differential equations I* (1993).
    """

    @cache
    def found():
        return solve_ivp(
            rates, (0, end), start, "DOP853", dense_output=True, rtol=1e-12, atol=1e-13
        ).sol

    def evaluate(t: Tensor) -> Tensor:
        values = found()(t[:, 0].detach().cpu().numpy())
        return torch.from_numpy(np.ascontiguousarray(values.T)).to(t)

    return evaluate


def on_a_ring(
    rates: Callable[[np.ndarray, np.ndarray], np.ndarray],
    start: Callable[[np.ndarray], np.ndarray],
    ends: tuple[float, float],
    duration: float,
    n: int = 512,
) -> Callable[[Tensor], Tensor]:
    """(t, x) (k, 2) → u (k, m), of u_t = rates(u, u_xx), periodic in x between the ends.

    start(x) (n,) → (m, n). u and u_xx (m, n) are on n equal steps, u_xx by Fourier's series, and so is u
    between them; DOP853 goes through time at 1e-10.

    >>> heat = on_a_ring(lambda u, bend: bend, lambda x: np.sin(x)[None], (0.0, 2 * np.pi), 1.0, 32)
    >>> round(heat(torch.tensor([[1.0, np.pi / 2]]).double()).item(), 9)                      # e⁻¹
    0.367879441

    Source: Trefethen, *Spectral methods in MATLAB* (2000).
    """
    low, high = ends
    places = low + (high - low) * np.arange(n) / n
    waves = 2 * np.pi * np.fft.rfftfreq(n, (high - low) / n)
    first = start(places)

    def change(_: float, y: np.ndarray) -> np.ndarray:
        u = y.reshape(first.shape)
        return rates(u, np.fft.irfft(-(waves**2) * np.fft.rfft(u), n)).ravel()

    @cache
    def found():
        return solve_ivp(
            change,
            (0, duration),
            first.ravel(),
            "DOP853",
            dense_output=True,
            rtol=1e-10,
            atol=1e-11,
        ).sol

    def evaluate(points: Tensor) -> Tensor:
        t, x = points.detach().cpu().double().numpy().T
        times, back = np.unique(t, return_inverse=True)
        series = np.fft.rfft(found()(times).T.reshape(len(times), *first.shape)) / n
        series[..., 1 : (n + 1) // 2] *= (
            2  # of a real function the negative waves are the conjugates
        )
        turns = np.exp(1j * waves * (x[:, None] - low))
        u = np.einsum("kmw,kw->km", series[back], turns).real
        return torch.from_numpy(u).to(points)

    return evaluate
