"""Short fits for the tests of companion.pinn."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from companion.pinn import MLP, Adam, Box, Causal, Condition, Problem, Solution, Unknown, fit, run
from companion.pinn.trial import Objective, Trial
from companion.problems import Epidemic, oscillator, sir_inverse

LINE = Box(t=(0.0, 1.0))


def column(*values: float) -> Tensor:
    """(n, 1), in float64."""
    return torch.tensor(values, dtype=torch.float64)[:, None]


def train(
    stages: Sequence[Any],
    problem: Problem | None = None,
    net: nn.Module | None = None,
    net_seed: int = 0,
    **rest: Any,
) -> tuple[nn.Module, Solution]:
    """(the network, the solution) of a fit at 16 points, of the soft oscillator if nothing is said."""
    problem = problem or oscillator(hard=False)
    net = net or MLP(problem.domain, (8,), outputs=problem.outputs, seed=net_seed)
    return net, fit(problem, net, stages, **({"points": 16, "progress": False} | rest))


def bits(net: nn.Module) -> Tensor:
    """All parameters, as one vector."""
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def objective(
    problem: Problem, net: nn.Module | None = None, causal: Causal | None = None
) -> Objective:
    """The loss of a problem as a function of θ."""
    net = net or MLP(problem.domain, (6,), outputs=problem.outputs, seed=2)
    return Objective(Trial(problem, net), causal and causal.on(problem))


def decay() -> Problem:
    """u′ = −rate · u on [0, 2], rate unknown, from values of e^{−t}."""
    t = torch.linspace(0, 2, 5).double()[:, None]
    return Problem(
        Box(t=(0.0, 2.0)),
        lambda u, t, rate: u(0) + rate * u(),
        (Condition("data", t, torch.exp(-t), weight=7.0),),
        unknowns={"rate": Unknown(0.5, low=0.0)},
    )


def inverse(count: int = 41) -> Problem:
    """β and γ of an epidemic from exact data."""
    times = np.linspace(0, 160, count)
    return sir_inverse(times, Epidemic().solve(times)[1], 0.01)


class Constant(nn.Module):
    """u = a, whatever the point."""

    def __init__(self, a: float = 0.0) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.full((1, 1), a, dtype=torch.float64))

    def forward(self, t: Tensor) -> Tensor:
        return self.a + 0 * t[:, :1]


class Powers(nn.Module):
    """Σ aₖ (t − 1)ᵏ: right to rounding where a small network is right to 1e-4."""

    def __init__(self, degree: int = 12) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(degree, dtype=torch.float64))

    def forward(self, t: Tensor) -> Tensor:
        return (t - 1) ** torch.arange(len(self.a)).to(t) @ self.a[:, None]


def least_squares(
    jacobian: np.ndarray, rows: np.ndarray, damping: float, size: Any = 1.0
) -> np.ndarray:
    """argmin |J δ − r|² + μ |D δ|², by NumPy."""
    below = math.sqrt(damping) * np.eye(jacobian.shape[1]) * size
    tall = np.concatenate([jacobian, below])
    right = np.concatenate([rows, np.zeros(jacobian.shape[1])])
    return np.linalg.lstsq(tall, right, rcond=None)[0]


def points_of(
    batches: Any, steps: int, problem: Problem | None = None, stage: Any = None
) -> list[Tensor]:
    """The points of the equation before each step."""
    problem = problem or oscillator()
    seen = []
    for event in run(problem, MLP(problem.domain, (4,)), [stage or Adam(steps)], batches):
        seen.append(event.state.batch["equation"].x)
    return seen
