"""What a stage is, and L-BFGS: a step from one θ to the next, nothing changed in place.

A stage has steps, init(objective, theta, batch) → memory and step(objective, at, batch, room) → At,
losses: at.theta after one step (or as many as it makes at once, at most room of them), what it
remembers, and {term: its losses before each}. One of your own needs no more. It may have finished(memory),
asked at a report why no further step is of use, and stuck(memory), asked at the end of the fit what there
is to warn of; both return words, or None.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor

from companion.pinn.arguments import need_whole
from companion.pinn.residuals import Batch
from companion.pinn.trial import Objective

Losses: TypeAlias = dict[str, Tensor]  # {term: (steps made,)}, before each


class At(NamedTuple):
    """Where a stage is: θ, what it remembers (tensors, numbers, lists, dictionaries), its steps made."""

    theta: Tensor
    memory: Any
    made: int


class Stage(Protocol):
    """What fit goes through one after another: Adam, LBFGS, LevenbergMarquardt, or one of your own."""

    steps: int

    def init(self, objective: Objective, theta: Tensor, batch: Batch) -> Any:
        """What it remembers before its first step; raises what cannot work."""
        ...

    def step(self, objective: Objective, at: At, batch: Batch, room: int) -> tuple[At, Losses]:
        """One step, or several, at most room; and the losses before each."""
        ...


@dataclass(frozen=True)
class LBFGS(Stage):
    """steps of L-BFGS with the strong Wolfe line search, each of `inner` iterations.

    memory: how many of the last moves the curvature is made of. Raises ValueError for settings that
    no step can be made with. The line search is torch's and looks at values: on a GPU it waits.

    >>> from companion.pinn import MLP, Adam, fit
    >>> from companion.problems import oscillator
    >>> problem = oscillator()
    >>> network, stages = MLP(problem.domain, (10,)), [Adam(50, lr=1e-2), LBFGS(10)]
    >>> fit(problem, network, stages, points=20, progress=False).error < 0.05
    True

    Source: Liu & Nocedal, *On the limited memory BFGS method* (1989); chapter 14.
    """

    steps: int
    inner: int = 10
    memory: int = 50

    def __post_init__(self) -> None:
        for name in ("steps", "inner", "memory"):
            need_whole(name, getattr(self, name), 1, self)

    def init(self, objective: Objective, theta: Tensor, batch: Batch) -> dict[str, Any]:
        """The curvature that is known: none."""
        return {}

    def step(self, objective: Objective, at: At, batch: Batch, room: int) -> tuple[At, Losses]:
        """One step of torch's optimiser, on a copy of θ and of what it remembers."""
        theta = at.theta.clone().requires_grad_()
        first: Losses = {}
        optimizer = torch.optim.LBFGS(
            [theta],
            lr=1.0,
            max_iter=self.inner,
            history_size=self.memory,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )
        optimizer.state[theta].update(copied(at.memory))

        def closure():
            losses, theta.grad = objective.gradient(theta, batch)
            if not first:
                first.update({term: loss[None] for term, loss in losses.items()})
            return torch.stack(list(losses.values())).sum()

        optimizer.step(closure)
        memory = dict(optimizer.state[theta])
        return At(theta.detach(), memory, at.made + 1), first


def copied(memory: Any) -> Any:
    """What a stage remembers, with tensors and lists of its own."""
    if isinstance(memory, torch.Tensor):
        return memory.clone()
    if isinstance(memory, dict):
        return {name: copied(value) for name, value in memory.items()}
    return [copied(value) for value in memory] if isinstance(memory, list) else memory
