"""What a fit gives back: a function, its partial derivatives, the unknowns, the history. Chapter 12."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from companion.operators import Partials
from companion.pinn import estimates, profiles
from companion.pinn.arguments import need_kind
from companion.pinn.estimates import Estimate
from companion.pinn.files import read, write
from companion.pinn.problem import RECORDED, Function, Problem
from companion.pinn.profiles import Profile
from companion.pinn.trial import Trial, exact_of
from companion.pinn.unknowns import Field, Unknown

WITNESSES = 16  # points at which a saved solution keeps its values


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
        """One entry of all records; None in those without it. Raises ValueError where none has it."""
        known = {key: None for record in self.records for key in record}
        if self.records and not (isinstance(name, str) and name in {*known, *RECORDED}):
            raise ValueError(f"no record has {name!r}: they have {', '.join(map(str, known))}")
        return [record.get(name) for record in self.records]


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
        """u (n, outputs) at points x (n, d). Raises TypeError for what is none."""
        if not hasattr(x, "requires_grad") or x.ndim != 2 or x.is_complex():
            raise TypeError(
                f"u is called with points, a real tensor (n, {self.problem.domain.dimension}), as "
                f"torch.from_numpy(x), or x[:, None] of one axis; got {x!r}"
            )
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
        """{name: its value, with its standard error} of the unknown numbers.

        Where a condition has the σ of its data: of who believes the equation up to what the training has
        left of it. scatter has the bars of who believes the equation.
        """
        return self._estimates(estimates.standard_errors)

    @cached_property
    def scatter(self) -> dict[str, Estimate]:
        """{name: its value, and how far it would scatter under new noise in the data}.

        For a fit by the weights of the problem. What these weights make of the estimate is not in it:
        an equation that weighs too little bends to the noise.
        """
        return self._estimates(estimates.scatter)

    def _estimates(self, errors_of):
        params, unknowns = self.trial.params(), self.problem.unknowns
        names = [name for name, p in unknowns.items() if isinstance(p, Unknown)]
        errors = errors_of(self.trial, names)
        return {name: Estimate(params[name].item(), errors.get(name)) for name in names}

    def profile(self, name: str, values: Sequence[float], steps: int = 60) -> Profile:
        """How much χ² rises when an unknown is held at each of the values and all else fitted again.

        The bars of `unknowns` trust that χ² is a parabola; a profile does not, and shows where the data
        do not bound an unknown at all: profile(...).interval(3.84) is that of 95 %. steps: of
        Levenberg–Marquardt, at most, for each value. Raises ValueError for what is no unknown number, for
        a value out of its bounds, and where no data have a σ; warns of a fit that has not settled.

        Source: Raue et al., *Structural and practical identifiability analysis* (2009); chapter 17.
        """
        return profiles.profile(self.trial, name, values, steps)

    def save(self, path: str | Path) -> None:
        """Write the parameters and the history; Solution.load(path, problem, network) reads them.

        Raises OSError where it cannot be written; what was there before stays.
        """
        x = self.problem.domain.points(WITNESSES)
        with torch.no_grad():
            u = self(x.to(next(self.parameters())))
        content = {
            "parameters": self.trial.state_dict(),
            "values": [x, u],
            "records": list(self.history.records),
            "stopped": self.history.stopped,
        }
        write(path, content, "solution")

    @classmethod
    def load(cls, path: str | Path, problem: Problem, network: nn.Module) -> "Solution":
        """A saved solution, into this network (in place); no code of the file is run.

        Raises ValueError for a file of another network or other unknowns, and where the function is another
        one than that which was saved: on another domain, in another ansatz, with another activation.
        """
        content = read(path, "solution")
        need_kind("problem", problem, Problem, "a Problem")
        need_kind(
            "network", network, nn.Module, "an nn.Module, the one that was trained, or its like"
        )
        trial = Trial(problem, network)
        try:
            trial.load_state_dict(content["parameters"])
            history = History(content["records"], content["stopped"])
        except (RuntimeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} holds another solution: {error}. Give its own problem and network"
            ) from error
        found = cls(trial, history)
        refuse_another(found, path, *content.get("values", ()))
        return found


def refuse_another(found: Solution, path: str | Path, *values: Tensor) -> None:
    """Raise ValueError unless u has the values (x (n, d), u (n, m)) that were saved with it."""
    if not values:  # of a file that was written without them
        return
    (x, u), like = values, next(found.parameters())
    digits = max(torch.finfo(t.dtype).eps for t in (u, like)) ** 0.5
    try:
        with torch.no_grad():
            now = found(x.to(like)).to(x)
        same = torch.allclose(now, u.to(x), digits, digits * u.abs().max().item(), equal_nan=True)
    except (RuntimeError, ValueError):  # points of another dimension
        same = False
    if not same:
        raise ValueError(
            f"{path} holds another solution: with its parameters u is another function here. Give the "
            "domain, the ansatz or hard conditions, and the network that it was trained with"
        )


def error_points(problem: Problem, n: int = 1000) -> Tensor:
    """Where the error is measured, see relative_error."""
    return problem.domain.points(n, "grid" if problem.domain.dimension <= 3 else "sobol")


def relative_error(u_of: Function, problem: Problem, n: int = 1000) -> float:
    """‖u − u*‖ / ‖u*‖ at about n points of the domain; u* is taken in float64.

    On a grid up to three dimensions; beyond, a grid would have hardly a point inside.
    """
    x = error_points(problem, n)
    like: Any = next(u_of.parameters()) if isinstance(u_of, nn.Module) else x
    with torch.no_grad():
        exact = exact_of(problem)(x)
        return ((u_of(x.to(like)).to(exact) - exact).norm() / exact.norm()).item()
