"""What every stage makes small: Σ over the terms of weight · mean |residual|².

Trial is what is trained, Objective its loss, term by term. Chapters 12 to 14.
"""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from companion.pinn.problem import Function, Problem, Terms


class Trial(nn.Module):
    """What is trained: the network inside the ansatz, and the free numbers θ of the unknowns.

    The θ are of the network's dtype, on its device: with a network in float32 they have 7 digits.
    Raises ValueError for a network without parameters, or when all are frozen.
    """

    def __init__(self, problem: Problem, network: nn.Module) -> None:
        super().__init__()
        self.problem, self.network = problem, network
        parameters = list(network.parameters())
        if not parameters:
            raise ValueError("the network has no parameters; are its layers in a plain list?")
        unknowns = problem.unknowns.items()
        thetas = {n: nn.Parameter(p.free().to(parameters[0])) for n, p in unknowns}
        self.thetas = nn.ParameterDict(thetas)
        if not self.free():
            raise ValueError(
                "nothing to train: all parameters of the network are frozen, and the problem has no "
                "unknowns. Free a layer: network.layers[-1].requires_grad_(True)"
            )

    def free(self) -> dict[str, nn.Parameter]:
        """{name: parameter} of all that is trained; one with requires_grad=False is a constant."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def forward(self, x: Tensor) -> Tensor:
        return self.problem.solution(self.network)(x)

    def unknowns(self) -> dict[str, Tensor]:
        """{name: value} of the physical parameters."""
        return {n: p.value(self.thetas[n]) for n, p in self.problem.unknowns.items()}


@dataclass(frozen=True)
class Causal:
    """Weights exp(−ε Σ_{earlier} |r|²/n) on the equation: a time counts once the past is right.

    axis: the column of time. Raises ValueError for an ε below 0, and in fit for a column that is not there.

    >>> times = torch.tensor([[0.0], [1.0], [2.0]])
    >>> Causal(epsilon=3.0).weights(torch.ones(3, 1), times).T
    tensor([[1.0000, 0.3679, 0.1353]])

    Source: Wang, Sankaran & Perdikaris, *Respecting causality* (2022).
    """

    axis: int = 0
    epsilon: float = 1e3

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon < math.inf:
            raise ValueError(f"epsilon is 0 or more, and finite; got {self!r}")

    def weights(self, rows: Tensor, x: Tensor) -> Tensor:
        """(n, 1), for the residual (n, k) at the points x; no gradient flows through them.

        Points of the same time have the same weight.
        """
        times = x[:, self.axis].detach().contiguous()
        order = times.argsort(stable=True)
        squares = rows.detach().square().sum(1)[order] / len(rows)
        earlier = squares.cumsum(0) - squares
        first = torch.searchsorted(times[order], times)  # the first point of the same time
        return torch.exp(-self.epsilon * earlier[first])[:, None]


class Objective:
    """The residuals of a trial at collocation points, weighted, as rows and as one loss."""

    def __init__(
        self,
        problem: Problem,
        trial: Trial,
        x: Tensor,
        causal: Causal | None = None,
        method: str | None = None,
    ) -> None:
        if causal and not 0 <= causal.axis < problem.domain.dimension:
            raise ValueError(
                f"{causal} needs the column of time: {problem.domain} has the columns 0 to "
                f"{problem.domain.dimension - 1}. Write Causal(axis=box.column('t'))"
            )
        self.problem, self.trial, self.x = problem, trial, x
        self.causal, self.method = causal, method
        self.balance: dict[str, float] = {}  # factors on the weights, see rebalance
        self.said: set[str] = set()  # what a stage has warned of; a fit says it once

    def warn(self, subject: str, message: str) -> None:
        """Warn of a subject once in a fit."""
        if subject not in self.said:
            self.said.add(subject)
            warnings.warn(message, stacklevel=2)

    def terms(self) -> Terms:
        """{term: (its points, its values, its weight)}, balance included."""
        return {
            name: (x, values, weight * self.balance.get(name, 1.0))
            for name, (x, values, weight) in self.problem.terms(self.x).items()
        }

    def losses(self) -> dict[str, Tensor]:
        """{term: weight · mean |residual|²}."""
        unknowns, found = self.trial.unknowns(), {}
        for name, (x, values, weight) in self.terms().items():
            rows = self.problem.rows(name, self.trial, unknowns, x, values, self.method)
            squares = rows.square()
            if self.causal and name == "equation":
                squares = squares * self.causal.weights(rows, x)
            found[name] = weight * squares.sum(1).mean()
        return found

    def losses_and_norms(self) -> tuple[dict[str, float], dict[str, float]]:
        """({term: its loss}, {term: ‖∂ loss / ∂ parameters‖}), as floats."""
        losses, parameters, norms = self.losses(), list(self.trial.free().values()), {}
        for name, loss in losses.items():
            parts = torch.autograd.grad(loss, parameters, materialize_grads=True, retain_graph=True)
            norms[name] = math.sqrt(sum(g.square().sum().item() for g in parts))
        return {name: loss.item() for name, loss in losses.items()}, norms

    def rebalance(self, inertia: float = 0.5) -> None:
        """Move the weight of each condition towards that which gives it the equation's gradient norm.

        The idea is that of Wang, Teng & Perdikaris, *Understanding and mitigating gradient flow
        pathologies* (2021); norms that are equal, that of Wang, Sankaran, Wang & Perdikaris, *An
        expert's guide to training physics-informed neural networks* (2023).
        """
        _, norms = self.losses_and_norms()
        for name, norm in norms.items():
            factor = norms["equation"] / norm if norm else math.nan
            if 0 < factor < math.inf:
                old = self.balance.get(name, 1.0)
                self.balance[name] = old * (inertia + (1 - inertia) * factor)


def nearby(tensors: Iterable[Tensor], x: Tensor) -> tuple[list[Tensor], Tensor]:
    """(other tensors, other points of the same box): what a graph must follow, see pinn.compiled."""
    return [1.01 * v + 0.01 for v in tensors], x + 0.01 * (x.flip(0) - x)


def exact_of(problem: Problem) -> Function:
    """The exact solution of a problem. Raises ValueError where it has none."""
    if problem.exact is None:
        raise ValueError("needed is Problem(exact=...), a closed form or a reference")
    return problem.exact


def relative_error(u_of: nn.Module, problem: Problem, n: int = 1000) -> float:
    """‖u − u*‖ / ‖u*‖ at about n points of the domain; u* is taken in float64.

    On a grid up to three dimensions; beyond, a grid would have hardly a point inside.
    """
    x = problem.domain.points(n, "grid" if problem.domain.dimension <= 3 else "sobol")
    like = next(u_of.parameters())
    with torch.no_grad():
        exact = exact_of(problem)(x)
        return ((u_of(x.to(like)).to(exact) - exact).norm() / exact.norm()).item()
