"""What a fit gives back: a function, its partial derivatives, the unknowns, the history. Chapter 12."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from companion.operators import Partials
from companion.pinn.files import read, write
from companion.pinn.problem import Field, Function, Problem, Unknown
from companion.pinn.residuals import batch_of
from companion.pinn.trial import Trial, exact_of


@dataclass
class History:
    """What happened: one record for each report, and how the fit ended.

    records: dictionaries with stage, its number, step (counted over all stages), seconds, loss (under
    all weights), one entry for each term, norms (the gradient norm of each term), error (relative L2,
    where the problem has an exact solution), the unknowns and the metrics; under causal weights also
    unweighted, the loss without them, and smallest_weight. stopped: why it ended early, or None.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None

    @property
    def error(self) -> float | Any:
        """The last relative L2 error; None without an exact solution."""
        return self.records[-1].get("error") if self.records else None

    @property
    def unknowns(self) -> dict[str, float]:
        """The last values of the unknowns."""
        return self.records[-1]["unknowns"] if self.records else {}

    def column(self, name: str) -> list[Any]:
        """One entry of all records."""
        return [record.get(name) for record in self.records]


class Estimate(float):
    """A number with its standard error; error is None where no σ of data is known.

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


class Solution(nn.Module):
    """A function u with what is known of it: a call u(x) maps points (n, d) to (n, outputs).

    A module: its parameters are those of the network and the unknowns. partials(x) gives derivatives,
    unknowns the parameters found, history what happened, error the relative L2 error where the problem
    has an exact solution. fit(problem, solution, …) goes on from it. Source: chapter 12.
    """

    def __init__(self, trial: Trial, history: History) -> None:
        super().__init__()
        self.trial, self.history = trial, history

    @property
    def problem(self) -> Problem:
        """What it solves."""
        return self.trial.problem

    @property
    def network(self) -> nn.Module:
        """The network inside the ansatz."""
        return self.trial.network

    def forward(self, x: Tensor) -> Tensor:
        """u (n, outputs) at points x (n, d)."""
        return self.trial.params()["u"](x)

    def partials(self, x: Tensor) -> Partials:
        """u and its partial derivatives at points x (n, d)."""
        return Partials(self, x)

    @property
    def error(self) -> float | Any:
        """‖u − u*‖ / ‖u*‖ over the domain; None without an exact solution."""
        return None if self.problem.exact is None else relative_error(self, self.problem)

    @property
    def fields(self) -> dict[str, Function]:
        """{name: x ↦ its value} of the unknowns that are functions."""
        params, unknowns = self.trial.params(), self.problem.unknowns
        return {name: params[name] for name, p in unknowns.items() if isinstance(p, Field)}

    @cached_property
    def unknowns(self) -> dict[str, Estimate]:
        """{name: its value, with its standard error} of the unknown numbers."""
        params, unknowns = self.trial.params(), self.problem.unknowns
        names = [name for name, p in unknowns.items() if isinstance(p, Unknown)]
        errors = standard_errors(self.trial, names)
        return {name: Estimate(params[name].item(), errors.get(name)) for name in names}

    def save(self, path: str | Path) -> None:
        """Write the parameters and the history; Solution.load(path, problem, network) reads them.

        Raises OSError where it cannot be written; what was there before stays.
        """
        content = {
            "parameters": self.trial.state_dict(),
            "records": list(self.history.records),
            "stopped": self.history.stopped,
        }
        write(path, content, "solution")

    @classmethod
    def load(cls, path: str | Path, problem: Problem, network: nn.Module) -> "Solution":
        """A saved solution, into this network (in place); no code of the file is run.

        Raises ValueError for a file of another network or other unknowns.
        """
        content = read(path, "solution")
        trial = Trial(problem, network)
        try:
            trial.load_state_dict(content["parameters"])
            history = History(content["records"], content["stopped"])
        except (RuntimeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} holds another solution: {error}. Give its own problem and network"
            ) from error
        return cls(trial, history)


def relative_error(u_of: Function, problem: Problem, n: int = 1000) -> float:
    """‖u − u*‖ / ‖u*‖ at about n points of the domain; u* is taken in float64.

    On a grid up to three dimensions; beyond, a grid would have hardly a point inside.
    """
    x = problem.domain.points(n, "grid" if problem.domain.dimension <= 3 else "sobol")
    like: Any = next(u_of.parameters()) if isinstance(u_of, nn.Module) else x
    with torch.no_grad():
        exact = exact_of(problem)(x)
        return ((u_of(x.to(like)).to(exact) - exact).norm() / exact.norm()).item()


def standard_errors(trial: Trial, names: list[str]) -> dict[str, float]:
    """{unknown: its standard error} by linearisation, if a condition has the σ of its data.

    The data count with 1/σ², the equation and all else with 1 over the mean square that is left of
    their rows: H = Σ Jᵀ W J over all that is trained, and the variances stand on the diagonal of H⁻¹.
    """
    measured = {c.name for c in trial.problem.conditions if c.sigma is not None}
    if not names or not measured:
        return {}
    like = next(trial.parameters())
    x = trial.problem.domain.points(256).to(like)
    batch, theta = batch_of(trial.problem, x), trial.theta()
    blocks = []
    for term, at in batch.items():

        def rows(theta: Tensor, term: str = term, at: Any = at) -> Tensor:
            r, weight = trial.at(theta, {term: at}, "taylor")[term]
            left = r.detach().square().mean().clamp(min=1e-20)
            return ((weight if term in measured else 1 / left).sqrt() * r).flatten()

        blocks.append(jacobian(rows, theta))
    j = torch.cat(blocks).double()
    found = dict(zip(trial.shapes, _starts(trial)))
    places = [found[f"thetas.{name}"] for name in names]
    return {
        name: error * abs(slope)
        for name, error, slope in zip(
            names, _deviations(j, places), _value_slopes(trial, names), strict=True
        )
    }


def jacobian(rows: Any, theta: Tensor) -> Tensor:
    """J (N, P) of rows(θ), by as many walks back as there are rows at once."""
    return torch.func.jacrev(rows, chunk_size=64)(theta)


def _starts(trial):
    start = 0
    for shape in trial.shapes.values():
        yield start
        start += shape.numel()


def _deviations(j, places):
    """√ of the diagonal of (JᵀJ)⁻¹ at these places; what nothing determines is infinite.

    The other parameters are many and some are idle: they are projected out by least squares.
    """
    rest = torch.ones(j.shape[1], dtype=torch.bool)
    rest[places] = False
    others, mine = j[:, rest], j[:, places]
    left = mine - others @ torch.linalg.lstsq(others, mine, driver="gelsd").solution
    _, sizes, ways = torch.linalg.svd(left, full_matrices=False)
    known = sizes > 1e-12 * mine.norm()
    variances = (ways[known] / sizes[known, None]).square().sum(0)
    idle = (ways[~known].square() > 1e-6).any(0)  # a part of it is in a way that changes no row
    return torch.where(idle, math.inf, variances.sqrt()).tolist()


def _value_slopes(trial, names):
    """∂value/∂θ of each."""
    found = []
    for name in names:
        theta = trial.thetas[name].detach().double().requires_grad_()
        (slope,) = torch.autograd.grad(trial.problem.unknowns[name].value(theta), theta)
        found.append(slope.item())
    return found
