"""How steep the first layer should be along each axis: a choice by the problem alone. Chapter 14.

A network whose first layer is frozen, and whose last one is all that learns, is a sum of ramps,
u = Σ cₖ a(wₖ·x̂ + bₖ). What least squares leaves of the residual, at points that they have not seen, says
what ramps of such a steepness can do, in a few steps of Levenberg–Marquardt instead of a whole fit.
"""

from functools import cache
from itertools import product
from math import inf, isfinite

import torch

from companion.pinn.arguments import need_kind, need_whole
from companion.pinn.batches import mixed
from companion.pinn.checks import refuse_misfits
from companion.pinn.levenberg_marquardt import LevenbergMarquardt
from companion.pinn.networks import MLP
from companion.pinn.problem import Problem
from companion.pinn.residuals import batch_of
from companion.pinn.stages import At
from companion.pinn.trial import Objective, Trial

SPREADS = tuple(2.0**k for k in range(-1, 7))
LINE, RAMPS = (
    60,
    300,
)  # ramps in one axis, and in more: about those of a network that one would take
POINTS, STEPS = 4, 4  # points for each ramp
LEAST = 1e-10  # of the loss at n = 0: below, ramps that are less steep do as well


def spread_of(problem: Problem, seed: int = 0) -> dict[str, float]:
    """{axis: spread}, powers of 2 from ½ to 64, with which the residual of a problem gets least.

    For MLP(problem.domain, spread=spread_of(problem)). First the same spread is tried along all axes,
    then twice and half as much along each, as long as that is better: some seconds in two axes. Every
    trial is a sum of 300 ramps (60 in one axis), fitted by 4 steps of Levenberg–Marquardt, and judged
    at other points. Where the equation is far from linear, that is a hint, no more: the 4 steps begin
    at n = 0. Raises what a fit would raise for the problem.

    >>> from companion.pinn import Box
    >>> for frequency in (2.0, 20.0):
    ...     line = Box(t=(0.0, 1.0))
    ...     spread_of(Problem(line, lambda u, t: u() - torch.sin(frequency * t)))
    {'t': 1.0}
    {'t': 8.0}

    Source: chapter 14.
    """
    need_kind("problem", problem, Problem, "a Problem")
    need_whole("seed", seed, 0)
    names = problem.domain.names
    left = cache(Ramps(problem, seed).left)
    best = min((dict.fromkeys(names, s) for s in SPREADS), key=lambda s: left(*s.values()))
    better = True
    while better:
        better = False
        for name, factor in product(names, (0.5, 2.0)):
            other = best | {name: factor * best[name]}
            if other[name] in SPREADS and left(*other.values()) < left(*best.values()):
                best, better = other, True
    return best


class Ramps:
    """A sum of frozen ramps as the solution of a problem: what is left of its residual at best."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.box, self.seed = problem.domain, seed
        self.widths = (LINE if self.box.dimension == 1 else RAMPS,)
        network = MLP(self.box, self.widths, problem.outputs, seed=seed)
        self.first = network.layers[0].requires_grad_(False)
        self.objective = Objective(Trial(problem, network))
        refuse_misfits(self.objective.trial)
        n = POINTS * self.widths[0]
        self.seen, self.unseen = (
            batch_of(problem, self.box.points(n, seed=mixed(seed, number))) for number in (0, 1)
        )

    def left(self, *spread: float) -> float:
        """The loss at unseen points, once a sum of ramps with this spread is fitted to the seen ones."""
        along = dict(zip(self.box.names, spread))
        steep = MLP(self.box, self.widths, spread=along, seed=self.seed)
        self.first.load_state_dict(steep.layers[0].state_dict())  # in place: nothing is traced anew
        theta = torch.zeros_like(self.objective.trial.theta())
        stage = LevenbergMarquardt(STEPS, damping=1e-8, acceleration=0)
        at = At(theta, stage.init(self.objective, theta, self.seen), 0)
        for _ in range(STEPS):
            at, _ = stage.step(self.objective, at, self.seen, 1)
        loss, first = (
            sum(term.item() for term in self.objective.losses(at, self.unseen).values())
            for at in (at.theta, theta)
        )
        return max(loss, LEAST * first) if isfinite(loss) else inf
