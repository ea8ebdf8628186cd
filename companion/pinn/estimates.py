"""What the data know of the unknown numbers: error bars by linearisation.

χ² = Σ (data − u)²/σ² + Σ r²/s² over the rows of the data and of all else, where s² is the mean square that
the training has left of a term's rows. Around its minimum χ² is a parabola over all that is trained, of
curvature 2 JᵀJ; profiles.py does without that. Chapter 17.
"""

import math
from typing import Any

import torch
from torch import Tensor

from companion.pinn.linearise import scales_of
from companion.pinn.residuals import Batch, batch_of
from companion.pinn.trial import Trial

POINTS = 256  # of the equation, in χ²


class Estimate(float):
    """A number with its standard error; error is None where no σ of data is known, NaN where rows are.

    >>> Estimate(0.0983, 0.0012)
    0.0983 ± 0.0012
    """

    error: float | None

    def __new__(cls, value: float, error: float | None = None) -> "Estimate":
        found = super().__new__(cls, value)
        found.error = error
        return found

    def __repr__(self) -> str:
        if self.error is None or not 0 < self.error < math.inf:
            return f"{float(self):.6g}" + (" ± ∞" if self.error == math.inf else "")
        digits = max(0, 1 - math.floor(math.log10(self.error)))
        return f"{float(self):.{digits}f} ± {self.error:.{digits}f}"


def measured(trial: Trial) -> set[str]:
    """The conditions that have the σ of their data."""
    return {c.name for c in trial.problem.conditions if c.sigma is not None}


def believed(trial: Trial) -> Batch:
    """The batch whose loss is χ²: the weights of n rows are n/σ² for data, n/s² for all else."""
    batch = fitted(trial)
    with torch.no_grad():
        found = trial.at(trial.theta(), batch)
    for term, (rows, weight) in found.items():
        left = rows.square().mean().clamp(min=1e-20)
        own = weight if term in measured(trial) else 1 / left.view(1, 1)
        batch[term] = batch[term]._replace(weight=len(rows) * own)
    return batch


def fitted(trial: Trial) -> Batch:
    """The batch with the weights of the problem, the equation at points all over the domain."""
    like = next(trial.parameters())
    return batch_of(trial.problem, trial.problem.domain.points(POINTS).to(like))


def standard_errors(trial: Trial, names: list[str]) -> dict[str, float]:
    """{unknown: its standard error}, √ of the diagonal of (JᵀJ)⁻¹; none where no data have a σ.

    It is the bar of who believes the equation up to what the training has left of it.
    """
    if not names or not measured(trial):
        return {}
    responses, idle = responses_of(trial, believed(trial), names)
    return deviations(trial, names, responses, idle)


def scatter(trial: Trial, names: list[str]) -> dict[str, float]:
    """{unknown: how far it would scatter under new noise}, for a fit by the weights of the problem.

    C = H⁻¹ (Jᵀ W Σ W J) H⁻¹ with H = JᵀWJ: W are the weights of the rows in the loss, and Σ has the
    σ² of the data, and nothing for the equation, which is no measurement.
    """
    if not names or not measured(trial):
        return {}
    batch = fitted(trial)
    responses, idle = responses_of(trial, batch, names)
    rows = trial.at(trial.theta(), batch)
    noise = [  # √(W Σ) of the rows: √(w/n) σ
        torch.full((r.numel(),), len(r) ** -0.5 if term in measured(trial) else 0.0).double()
        for term, (r, _) in rows.items()
    ]
    return deviations(trial, names, responses * torch.cat(noise).to(responses), idle)


def responses_of(trial: Trial, batch: Batch, names: list[str]) -> tuple[Tensor, Tensor]:
    """(H⁻¹ JᵀW^½ (k, N) of the unknowns' θ, which of them nothing determines (k,)).

    How each answers to an error in each weighted row, NaN where a row has no slope. The other parameters
    are many, and some are idle: they are projected out by least squares.
    """

    def rows(theta: Tensor) -> Tensor:
        found = trial.at(theta, batch, "taylor")
        scales = scales_of(found)
        return torch.cat([(scales[term] * r).flatten() for term, (r, _) in found.items()])

    j = jacobian(rows, trial.theta()).double()
    if not j.isfinite().all():
        nothing = j.new_full((len(names), len(j)), math.nan)
        return nothing, torch.zeros(len(names), dtype=torch.bool)
    places = [place_of(trial, name) for name in names]
    rest = torch.ones(j.shape[1], dtype=torch.bool)
    rest[places] = False
    others, mine = j[:, rest], j[:, places]
    left = mine - others @ torch.linalg.lstsq(others, mine, driver="gelsd").solution
    turns, sizes, ways = torch.linalg.svd(left, full_matrices=False)
    known = sizes > 1e-12 * mine.norm()
    idle = (ways[~known].square() > 1e-6).any(0)  # a part of it is in a way that changes no row
    return ways[known].T @ (turns[:, known] / sizes[known]).T, idle


def deviations(trial: Trial, names: list[str], responses: Tensor, idle: Tensor) -> dict[str, float]:
    """{unknown: its standard deviation} under errors of size 1 in all rows; ∞ where nothing tells."""
    found = torch.where(idle, math.inf, responses.norm(dim=1)).tolist()
    return {
        name: error * abs(slope)
        for name, error, slope in zip(names, found, _value_slopes(trial, names), strict=True)
    }


def jacobian(rows: Any, theta: Tensor) -> Tensor:
    """J (N, P) of rows(θ), by as many walks back as there are rows at once."""
    return torch.func.jacrev(rows, chunk_size=64)(theta)


def place_of(trial: Trial, name: str) -> int:
    """Where the number of an unknown stands in θ."""
    before = list(trial.shapes).index(f"thetas.{name}")
    return sum(shape.numel() for shape in list(trial.shapes.values())[:before])


def _value_slopes(trial, names):
    """∂value/∂θ of each."""
    found = []
    for name in names:
        theta = trial.thetas[name].detach().double().requires_grad_()
        (slope,) = torch.autograd.grad(trial.problem.unknowns[name].value(theta), theta)
        found.append(slope.item())
    return found
