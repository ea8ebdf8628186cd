"""y″ + y = 0 with y(0) = 0 and y′(0) = 1, whose solution is sin t. Chapters 12 and 14."""

import math

import torch

from companion.pinn import Box, Condition, Problem


def oscillator(end: float = 2 * math.pi, hard: bool = True) -> Problem:
    """y″ + y = 0 on [0, end]; y(0) = 0 and y′(0) = 1 by an ansatz (hard) or as conditions (soft).

    The ansatz y = s + s² n(t), with s = tanh t, has y(0) = 0 and y′(0) = 1 whatever n is, and does
    not grow with t.

    >>> from companion.pinn import check
    >>> check(oscillator())
    {'equation': 0.0, 'ansatz': 0.0}
    >>> check(oscillator(hard=False))
    {'equation': 0.0, 'start': 0.0, 'slope': 0.0}

    Source: chapter 12.
    """
    origin = torch.zeros(1, 1, dtype=torch.float64)
    soft = (
        Condition("start", origin, 0.0),
        Condition("slope", origin, 1.0, of=lambda u, t: u(0)),
    )
    return Problem(
        domain=Box(t=(0.0, end)),
        residual=lambda u, t: u(0, 0) + u(),
        conditions=() if hard else soft,
        ansatz=(lambda t, n: torch.tanh(t) + torch.tanh(t) ** 2 * n) if hard else None,
        exact=torch.sin,
        order=2,
    )
