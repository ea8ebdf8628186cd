"""Settings that reach six digits in seconds: a table to start from. Chapters 12 to 18, benchmarks.

>>> from companion.problems.recipes import RECIPES
>>> RECIPES["poisson_interval"].fit(seed=0, steps=40).error < 1e-2
True
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from companion.pinn import MLP, LevenbergMarquardt, Problem, Solution, fit
from companion.problems.oscillator import oscillator
from companion.problems.poisson import poisson_interval, poisson_square
from companion.problems.sir import Epidemic, sir, sir_inverse

SIGMA = 0.01  # noise on I: one percent of the population


def measured(
    seed: int = 0, epidemic: Epidemic | None = None, count: int = 30
) -> tuple[np.ndarray, np.ndarray]:
    """(times, I with noise SIGMA): what sir_inverse is given; the noise comes from the seed."""
    epidemic = epidemic or Epidemic()
    times = np.linspace(0, epidemic.days, count + 1)[1:]
    noise = np.random.default_rng(seed).standard_normal(count)
    return times, epidemic.solve(times)[1] + SIGMA * noise


@dataclass(frozen=True)
class Recipe:
    """One line of the table: problem() and what fit is given; all by LevenbergMarquardt, in float64."""

    problem: Callable[[], Problem]
    widths: tuple[int, ...]
    spread: float
    points: int
    sampler: str = "grid"
    activation: str = "tanh"
    damping: float = 1e-3

    def network(self, problem: Problem, seed: int) -> MLP:
        """The network of this recipe, fresh."""
        return MLP(problem.domain, self.widths, problem.outputs, self.activation, self.spread, seed)

    def fit(self, seed: int, steps: int, **options: Any) -> Solution:
        """The solution after so many steps."""
        problem = self.problem()
        network = self.network(problem, seed)
        given: dict[str, Any] = {"points": self.points, "sampler": self.sampler, "progress": False}
        stages = [LevenbergMarquardt(steps, self.damping)]
        return fit(problem, network, stages, seed=seed, **(given | options))


RECIPES = {
    "oscillator": Recipe(oscillator, (30,), 4.0, 100),
    "oscillator_long": Recipe(lambda: oscillator(10 * math.pi), (60,), 20.0, 200),
    "poisson_interval": Recipe(poisson_interval, (24,), 4.0, 64),
    "poisson_square": Recipe(poisson_square, (20, 20), 1.0, 400),
    "sir": Recipe(sir, (20, 20), 2.0, 200),
    "sir_inverse": Recipe(lambda: sir_inverse(*measured(), SIGMA), (20,), 3.0, 128),
}
