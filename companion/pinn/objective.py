"""What every stage makes small: Σ over the terms of weight · mean |residual|².

Trial is what is trained, Objective its loss, term by term. Chapters 12 to 14.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn


class Trial(nn.Module):
    """What is trained: the network inside the ansatz, and the free numbers θ of the unknowns."""

    def __init__(self, problem, network):
        super().__init__()
        self.problem, self.network = problem, network
        free = {name: nn.Parameter(p.free()) for name, p in problem.unknowns.items()}
        self.thetas = nn.ParameterDict(free)

    def forward(self, x):
        return self.problem.solution(self.network)(x)

    def unknowns(self):
        """{name: value} of the physical parameters."""
        return {n: p.value(self.thetas[n]) for n, p in self.problem.unknowns.items()}


@dataclass(frozen=True)
class Causal:
    """Weights exp(−ε Σ_{earlier} |r|²/n) on the equation: a time counts once the past is right.

    axis: the column of time. Source: Wang, Sankaran & Perdikaris, *Respecting causality* (2022).
    """

    axis: int = 0
    epsilon: float = 1e3

    def weights(self, rows, x):
        """(n, 1), for the residual (n, k) at the points x; no gradient flows through them."""
        order = x[:, self.axis].argsort(stable=True)
        squares = rows.detach().square().sum(1)[order] / len(rows)
        earlier = squares.cumsum(0) - squares
        return torch.exp(-self.epsilon * earlier)[order.argsort(), None]


class Objective:
    """The residuals of a trial at collocation points, weighted, as rows and as one loss."""

    def __init__(self, problem, trial, x, causal=None, method=None):
        self.problem, self.trial, self.x = problem, trial, x
        self.causal, self.method = causal, method
        self.balance: dict[str, float] = {}  # factors on the weights, see rebalance

    def terms(self):
        """{term: (its points, its values, its weight)}, balance included."""
        return {
            name: (x, values, weight * self.balance.get(name, 1.0))
            for name, (x, values, weight) in self.problem.terms(self.x).items()
        }

    def losses(self):
        """{term: weight · mean |residual|²}."""
        unknowns, found = self.trial.unknowns(), {}
        for name, (x, values, weight) in self.terms().items():
            rows = self.problem.rows(name, self.trial, unknowns, x, values, self.method)
            squares = rows.square()
            if self.causal and name == "equation":
                squares = squares * self.causal.weights(rows, x)
            found[name] = weight * squares.sum(1).mean()
        return found

    def losses_and_norms(self):
        """({term: its loss}, {term: ‖∂ loss / ∂ parameters‖}), as floats."""
        losses, parameters, norms = self.losses(), list(self.trial.parameters()), {}
        for name, loss in losses.items():
            parts = torch.autograd.grad(loss, parameters, materialize_grads=True, retain_graph=True)
            norms[name] = math.sqrt(sum(g.square().sum().item() for g in parts))
        return {name: loss.item() for name, loss in losses.items()}, norms

    def rebalance(self, inertia=0.5):
        """Move the weight of each condition towards that which gives it the equation's gradient norm.

        Source: Wang, Teng & Perdikaris, *Understanding and mitigating gradient flow pathologies*
        (2021).
        """
        _, norms = self.losses_and_norms()
        for name, norm in norms.items():
            factor = norms["equation"] / norm if norm else math.nan
            if 0 < factor < math.inf:
                old = self.balance.get(name, 1.0)
                self.balance[name] = old * (inertia + (1 - inertia) * factor)


def relative_error(u_of, problem, n=1000):
    """‖u − u*‖ / ‖u*‖ at about n points of the domain, on a grid; u* is taken in float64."""
    x = problem.domain.points(n, "grid")
    like = next(u_of.parameters())
    with torch.no_grad():
        exact = problem.exact(x)
        return ((u_of(x.to(like)).to(exact) - exact).norm() / exact.norm()).item()
