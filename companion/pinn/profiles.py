"""How much χ² rises when an unknown number is held at a value and all else fitted again. Chapter 17.

A profile needs no parabola: it shows an interval that is not symmetric, and a number that the data do
not bound. Each fit goes on from its neighbour's, along the valley of χ².
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from companion.pinn.arguments import need_number, need_whole
from companion.pinn.estimates import believed, measured, place_of
from companion.pinn.levenberg_marquardt import LevenbergMarquardt
from companion.pinn.linearise import linearised, rows_at, scales_of
from companion.pinn.residuals import Batch
from companion.pinn.stages import At
from companion.pinn.trial import Objective, Trial
from companion.pinn.unknowns import Unknown

STIFF = (
    1e12  # times the squares of the data's J, at most those of another term: beyond, digits run out
)
DAMPED = (1e-10, 1e-8, 1e-6, 1e-4, 1e-2)  # times the largest singular value of J
ENOUGH = 1e-4  # of χ²: a step that gains less is the last
SETTLED = 0.01  # of χ²: a last step that still gains more has not arrived
VAIN = 10  # tries in a row that gain nothing are enough


@dataclass(frozen=True)
class Profile:
    """Δχ²(p) = min χ² with one unknown held at p, all else free, less the lowest χ² of all.

    values: p, rising. rise: Δχ² at each. best: the value of the lowest χ².

    >>> parabola = Profile("k", (0.0, 1.0, 2.0, 3.0), (4.0, 1.0, 0.0, 1.0), best=2.0)
    >>> parabola.interval(), parabola.interval(4.0)
    ((1.0, 3.0), (0.0, inf))
    """

    name: str
    values: tuple[float, ...]
    rise: tuple[float, ...]
    best: float

    def interval(self, q: float = 1.0) -> tuple[float, float]:
        """The ends of where Δχ² < q, around the best value; infinite where it does not rise so far.

        q: 1 for the interval of one standard error, 3.84 for that of 95 %. Between two values √Δχ² is
        a straight line, as that of a parabola. Raises ValueError unless q is above 0.
        """
        need_number("q", q, above=0)
        pairs = sorted({self.best: 0.0, **dict(zip(self.values, self.rise))}.items())
        above = [(p, rise) for p, rise in pairs if p >= self.best]
        below = [(p, rise) for p, rise in reversed(pairs) if p <= self.best]
        return _crossing(below, q, -math.inf), _crossing(above, q, math.inf)


def _crossing(pairs, q, otherwise):
    """Where √rise, from one pair to the next, comes to √q."""
    for (p, low), (beyond, high) in pairwise(pairs):
        if high >= q:
            share = (math.sqrt(q) - math.sqrt(low)) / (math.sqrt(high) - math.sqrt(low))
            return p + share * (beyond - p)
    return otherwise


def profile(trial: Trial, name: str, values: Sequence[float], steps: int) -> Profile:
    """Δχ² at each value of an unknown: all else fitted again by Levenberg–Marquardt.

    From the lowest χ² outwards, each fit begins where the one before has ended, moved along the valley.
    What is trained stays as it is.
    """
    unknown = refuse_unprofiled(trial, name)
    need_whole("steps", steps, 1)
    values = numbers_of(name, values)
    free = Objective(trial)
    batch = eased(free, trial.theta(), believed(trial))
    start, least, _ = lowest(free, trial.theta(), batch, steps)
    best = unknown.value(trial.split(start)[f"thetas.{name}"]).item()
    held, found, moving = Held(trial, name), {best: least}, []
    up = sorted(v for v in values if v >= best)
    down = sorted((v for v in values if v < best), reverse=True)
    for side in (up, down):
        theta = start
        for value in side:
            moved = held.moved(free, theta, replace(unknown, guess=value).free(), batch)
            theta, found[value], gain = held.lowest(moved, batch, steps)
            moving += [value] * (gain > SETTLED)
    if moving:
        warnings.warn(
            f"the profile of {name} has not settled at {', '.join(f'{v:g}' for v in sorted(moving))}: χ² "
            f"still falls by more than {SETTLED:g} a step. Take more steps, or values closer together",
            stacklevel=3,
        )
    least, best = min((chi2, value) for value, chi2 in found.items())
    asked = sorted(up + down)
    return Profile(name, tuple(asked), tuple(found[v] - least for v in asked), best)


def numbers_of(name: str, values: Sequence[float]) -> list[float]:
    """Where an unknown is to be held. Raises ValueError unless these are numbers, all finite."""
    try:
        found = [] if isinstance(values, str) else [float(v) for v in values]
    except (TypeError, ValueError, OverflowError):
        found = []
    if not found or not all(math.isfinite(v) for v in found):
        raise ValueError(
            f"a profile needs finite numbers to hold {name} at, profile({name!r}, [0.1, 0.2, 0.3]); got "
            f"{values!r}"
        )
    return found


class Held:
    """A trial in which one unknown number keeps its value: what learns is θ without it."""

    def __init__(self, trial: Trial, name: str) -> None:
        self.trial, self.name = Trial(trial.problem, trial.network, held=(name,)), name
        self.objective = Objective(
            self.trial
        )  # traced once: the number it holds is written in place
        self.place = place_of(trial, name)

    def without(self, theta: Tensor) -> Tensor:
        """θ, or the columns of J, without the number."""
        return torch.cat([theta[..., : self.place], theta[..., self.place + 1 :]], -1)

    def with_number(self, rest: Tensor, number: Tensor) -> Tensor:
        """θ from all else and the number."""
        return torch.cat([rest[: self.place], number[None], rest[self.place :]])

    def moved(self, free: Objective, theta: Tensor, number: Tensor, batch: Batch) -> Tensor:
        """θ with another number, and with what makes up for it to the first order in the rows.

        That is a least-squares step of all else, damped more or less: the one that leaves the lowest χ².
        """
        line = linearised(free, theta, batch)
        step = number.to(theta) - theta[self.place]
        turns, sizes, ways = torch.linalg.svd(self.without(line.jacobian), full_matrices=False)
        wanted = -(turns.T @ line.jacobian[:, self.place]) * step
        tries = []
        for cut in DAMPED:
            rest = ways.T @ (wanted * sizes / (sizes**2 + (cut * sizes[0]) ** 2))
            tries.append(theta + self.with_number(rest, step))
        found = [
            rows_at(free, t, batch, line.scales).square().sum().nan_to_num(math.inf) for t in tries
        ]
        return tries[int(torch.stack(found).argmin())]

    def lowest(self, theta: Tensor, batch: Batch, steps: int) -> tuple[Tensor, float, float]:
        """What `lowest` gives, for all but the number in θ."""
        with torch.no_grad():
            self.trial.thetas[self.name].copy_(theta[self.place])
        rest, chi2, gain = lowest(self.objective, self.without(theta), batch, steps)
        return self.with_number(rest, theta[self.place]), chi2, gain


def refuse_unprofiled(trial: Trial, name: str) -> Unknown:
    """The unknown number of a name. Raises ValueError where there is none, or no data have a σ."""
    unknown = trial.problem.unknowns.get(name) if isinstance(name, str) else None
    if not isinstance(unknown, Unknown):
        numbers = [n for n, p in trial.problem.unknowns.items() if isinstance(p, Unknown)]
        raise ValueError(f"{name!r} is no unknown number: there are {', '.join(numbers) or 'none'}")
    if not measured(trial):
        raise ValueError(
            "a profile is a difference of χ², which needs the σ of the data: Condition(..., sigma=0.1)"
        )
    return unknown


def eased(objective: Objective, theta: Tensor, batch: Batch) -> Batch:
    """The batch with no term so stiff that the data beside it are lost to rounding."""
    data = measured(objective.trial)
    squares = {
        term: linearised(objective, theta, {term: at}).jacobian.square().sum()
        for term, at in batch.items()
    }
    most = STIFF * max(squares[term] for term in data)
    return {
        term: at
        if term in data
        else at._replace(weight=at.weight * (most / squares[term]).clamp(max=1))
        for term, at in batch.items()
    }


def lowest(
    objective: Objective, theta: Tensor, batch: Batch, steps: int
) -> tuple[Tensor, float, float]:
    """(θ, χ² there, what the last step gained) after at most so many tries from θ."""
    stage = LevenbergMarquardt(steps, damping=1e-12, solver="qr")
    with torch.no_grad():
        scales = scales_of(objective.rows(theta, batch))
        chi2 = lambda theta: rows_at(objective, theta, batch, scales).square().sum().item()
        at, least, gain = At(theta, stage.init(objective, theta, batch), 0), chi2(theta), math.inf
        while at.made < steps and gain > ENOUGH:
            at, _ = stage.step(objective, at, batch, 1)
            if (now := chi2(at.theta)) < least:
                least, gain = now, least - now
            elif at.memory["idle"] >= VAIN:
                gain = 0.0
    return at.theta, least, gain
