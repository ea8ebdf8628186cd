"""What is trained, as one vector θ: the network, the networks of the fields, the unknown numbers.

Trial holds the structure; θ is a value. Objective is the loss as a function of θ and a batch: what
every stage makes small. Chapters 12 to 14.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from companion.pinn.arguments import float_of
from companion.pinn.problem import Function, Problem
from companion.pinn.processes import ALONE, Processes
from companion.pinn.residuals import Batch, Parts, Points, Rows, losses_of, residuals
from companion.pinn.unknowns import Field, Unknown


def shared(module: nn.Module) -> dict[str, str]:
    """{name: first name} of the parameters that several modules share.

    A module that stands under two names is one: torch's functional_call would replace what is in it
    twice, and put back what it had replaced first.
    """
    first: dict[int, str] = {}
    again: dict[str, str] = {}
    for where, part in module.named_modules():
        for name, parameter in part.named_parameters(where, recurse=False):
            if id(parameter) in first:
                again[name] = first[id(parameter)]
            else:
                first[id(parameter)] = name
    return again


class Trial(nn.Module):
    """The network inside the ansatz, and the unknowns, under names; what learns of it is θ (P,).

    The unknown numbers are of the network's dtype, on its device: with a network in float32 they
    have 7 digits. held: the names of those that keep their value. Raises ValueError for a network without
    parameters, or when all are frozen.
    """

    def __init__(self, problem: Problem, network: nn.Module, held: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.problem, self.network = problem, network
        parameters = list(network.parameters())
        if not parameters:
            raise ValueError("the network has no parameters; are its layers in a plain list?")
        if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
            raise ValueError(
                "the network has lazy layers that have not seen a point: call network(x) once before"
            )
        unknowns = problem.unknowns.items()
        self.fields = nn.ModuleDict({n: f.network for n, f in unknowns if isinstance(f, Field)})
        self.thetas = nn.ParameterDict(
            {
                n: nn.Parameter(p.free().to(parameters[0]), requires_grad=n not in held)
                for n, p in unknowns
                if isinstance(p, Unknown)
            }
        )
        free = {name: p for name, p in self.named_parameters() if p.requires_grad}
        if not free:
            raise ValueError(
                "nothing to train: all parameters of the network are frozen, and the problem has no "
                "unknowns. Free a layer: network.layers[-1].requires_grad_(True)"
            )
        self.shapes = {name: p.shape for name, p in free.items()}  # of what learns, in order
        self.also = shared(self)

    def forward(self, batch: Batch, method: str | None = None, parts: Parts | None = None) -> Rows:
        """The residuals at the parameters as they are."""
        return residuals(self.problem, self.params(), batch, method, parts)

    def params(self) -> dict[str, Any]:
        """{"u": the solution, unknown: its value, or its function}, see residuals."""
        found: dict[str, Any] = {"u": self.problem.solution(self.network)}
        for name, unknown in self.problem.unknowns.items():
            if isinstance(unknown, Field):
                found[name] = unknown.function(self.problem.domain)
            else:
                found[name] = unknown.value(self.thetas[name])
        return found

    def theta(self) -> Tensor:
        """θ as the parameters are, a copy."""
        parts = dict(self.named_parameters())
        return torch.cat([parts[name].detach().reshape(-1) for name in self.shapes])

    def split(self, theta: Tensor) -> dict[str, Tensor]:
        """{name: its part of θ}, views."""
        parts = theta.split([shape.numel() for shape in self.shapes.values()])
        return {name: part.view(shape) for part, (name, shape) in zip(parts, self.shapes.items())}

    def everywhere(self, theta: Tensor) -> dict[str, Tensor]:
        """{name: its part of θ}, under each name that a parameter has."""
        parts = self.split(theta)
        return {**parts, **{name: parts[p] for name, p in self.also.items() if p in parts}}

    def load(self, theta: Tensor) -> None:
        """Write θ into the parameters."""
        parameters = dict(self.named_parameters())
        with torch.no_grad():
            for name, part in self.split(theta).items():
                parameters[name].copy_(part)

    def at(
        self,
        theta: Tensor,
        batch: Batch,
        method: str | None = None,
        parts: Parts | None = None,
    ) -> Rows:
        """The residuals as a function of θ; and of the parts of the integrals, where they are given.

        While they are computed the parameters are those of θ, whoever reads them: so a parameter of
        the network that a residual names, or a call of the network, is part of what learns.
        """
        return functional_call(
            self, self.everywhere(theta), (batch, method, parts), tie_weights=False
        )

    def call(self, theta: Tensor, function: Callable[..., Any], *args: Any) -> Any:
        """function(params, …) while the parameters are those of θ."""
        parts = _prefixed(self.everywhere(theta))
        return functional_call(_Called(self, function), parts, args, tie_weights=False)


class _Called(nn.Module):
    """A function of a trial's params, as a module that functional_call can be asked for."""

    def __init__(self, trial, function):
        super().__init__()
        self.trial, self.function = trial, function

    def forward(self, *args):
        return self.function(self.trial.params(), *args)


def _prefixed(parts):
    return {f"trial.{name}": part for name, part in parts.items()}


@dataclass(frozen=True)
class Causal:
    """Weights exp(−ε Σ_{earlier} |r|²/n): a time counts once the past is right.

    axis: the name of the time axis, or its column; it may be left out where the box
    has one axis. Raises ValueError for an ε below 0, and in fit for an axis that is
    not there or not named.

    >>> times = torch.tensor([[0.0], [1.0], [2.0]])
    >>> Causal(epsilon=3.0).weights(torch.ones(3, 1), times).T
    tensor([[1.0000, 0.3679, 0.1353]])

    Source: Wang, Sankaran & Perdikaris, *Respecting causality* (2022).
    """

    axis: str | int | None = None
    epsilon: float = 1e3

    def __post_init__(self) -> None:
        if not 0 <= float_of(self.epsilon) < math.inf:
            raise ValueError(f"epsilon is 0 or more, and finite; got {self!r}")

    def on(self, problem: Problem) -> "Causal":
        """The same with the column of its axis in the domain of a problem."""
        box = problem.domain
        if self.axis is None and box.dimension > 1:
            raise ValueError(
                f"{self} does not say which axis is time: {box} has {', '.join(box.names)}. Write "
                f'Causal("{"t" if "t" in box.names else box.names[0]}")'
            )
        column = box.column(self.axis) if isinstance(self.axis, str) else self.axis
        if column is None:
            column = 0
        if not (isinstance(column, int) and 0 <= column < box.dimension):
            raise ValueError(
                f"{self} needs the axis of time: {box} has the columns 0 to {box.dimension - 1}. "
                f'Write Causal("{box.names[0]}")'
            )
        return Causal(column, self.epsilon)

    def weights(self, rows: Tensor, x: Tensor, processes: Processes = ALONE) -> Tensor:
        """(n, 1), for the residual (n, k) at the points x; no gradient flows through them.

        Points of the same time have the same weight. What is earlier is so among all processes.
        """
        own = x[:, int(self.axis or 0)].detach().contiguous()
        times = processes.gathered(own)
        order = times.argsort(stable=True)
        squares = processes.gathered(rows.detach().square().sum(1) / len(rows))[order]
        earlier = squares.cumsum(0) - squares
        first = torch.searchsorted(times[order], own)  # the first point of the same time
        return torch.exp(-self.epsilon * earlier[first])[:, None]


@dataclass(frozen=True)
class Objective:
    """The residuals of a trial under all weights, as a function of θ and a batch.

    Where there are several processes a batch is that of all: rows and losses are those of this one's
    share of it, gradient and norms those of the whole. kept: what was compiled or traced for it, by
    whoever did; said: what was warned of, once in a fit.
    """

    trial: Trial
    causal: Causal | None = None
    method: str | None = None
    processes: Processes = ALONE
    kept: dict[Any, Any] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)

    def rows(self, theta: Tensor, batch: Batch, method: str | None = None) -> Rows:
        """{term: (rows, weight)}, causal weights included."""
        batch = self.processes.share(batch)
        return self.weighted(self.trial.at(theta, batch, method or self.method), batch)

    def weighted(self, found: Rows, batch: Batch) -> Rows:
        """The rows under causal weights, if there are any."""
        if self.causal is None or "equation" not in found:
            return found
        rows, weight = found["equation"]
        own = weight.sqrt() * rows  # of a row that only fills up a share, nothing
        causal = self.causal.weights(own, batch["equation"].x, self.processes)
        return {**found, "equation": (rows, weight * causal)}

    def losses(self, theta: Tensor, batch: Batch, method: str | None = None) -> dict[str, Tensor]:
        """{term: weight · mean |residual|²}."""
        return losses_of(self.rows(theta, batch, method))

    def gradient(
        self, theta: Tensor, batch: Batch, method: str | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """({term: its loss}, ∂ loss / ∂θ (P,))."""
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            losses = self.losses(leaf, batch, method)
            total = torch.stack(list(losses.values())).sum()
            (slope,) = torch.autograd.grad(total, leaf, materialize_grads=True)
        slope, *values = self.processes.total(slope, *[loss.detach() for loss in losses.values()])
        return dict(zip(losses, values)), slope

    def norms(self, theta: Tensor, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """({term: its loss}, {term: ‖∂ its loss / ∂θ‖})."""
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            losses = self.losses(leaf, batch)
            slopes: list[Tensor] = []
            for loss in losses.values():  # of a frozen network it may depend on nothing
                loss = loss if loss.requires_grad else loss + 0 * leaf.sum()
                slopes += torch.autograd.grad(loss, leaf, materialize_grads=True, retain_graph=True)
        found = self.processes.total(*[loss.detach() for loss in losses.values()], *slopes)
        return dict(zip(losses, found)), {t: s.norm() for t, s in zip(losses, found[len(losses) :])}

    def warn(self, subject: str, message: str) -> None:
        """Warn of a subject once in a fit."""
        if subject not in self.said:
            self.said.add(subject)
            warnings.warn(message, stacklevel=2)


def exact_of(problem: Problem) -> Function:
    """The exact solution of a problem, as tensors. Raises ValueError where it has none."""
    exact = problem.exact
    if exact is None:
        raise ValueError("expected Problem(exact=...), a closed form or a reference")

    def values(x: Tensor) -> Tensor:
        found: Any = exact(x)
        if not hasattr(found, "shape"):
            raise TypeError(f"exact is a function that gives (n, {problem.outputs}); got {found!r}")
        found = torch.as_tensor(found)
        return found if found.is_floating_point() or found.is_complex() else found.to(x)

    return values


def point_rows(
    trial: Trial,
    term: str,
    theta: Tensor,
    parts: Parts,
    x: Tensor,
    values: Tensor,
    given: dict[str, Tensor],
) -> Tensor:
    """The residual (k,) of one term at one point x (d,), as a function of θ and of parts, by jets."""
    one = {name: table[None] for name, table in given.items()}
    batch = {term: Points(x[None], values[None], x.new_ones(1, 1), one)}
    return trial.at(theta, batch, "taylor", parts)[term][0][0]
