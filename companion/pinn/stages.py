"""Adam and L-BFGS as stages of a fit: what torch's optimisers do, one step at a time.

A stage has steps and begin(objective), which gives a stepper: step(number) makes one and returns the
terms of the loss before it; state_dict and load_state_dict carry it over a break. A stepper with a
block of several has steps(number) too, which makes that many at once, and undo().
"""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Protocol

import torch
from torch import Tensor

from companion.pinn.compiled import CompiledAdam
from companion.pinn.objective import Objective


class Stepper(Protocol):
    """What makes the steps of a stage."""

    def step(self, number: int) -> dict[str, Tensor]:
        """One step; returns the terms of the loss before it."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where state_dict() was written."""
        ...


class Stage(Protocol):
    """What fit goes through one after another: Adam, LBFGS, GaussNewton, or one of your own."""

    steps: int

    def begin(self, objective: Objective) -> Stepper:
        """What makes them, for this objective."""
        ...


def need_whole(stage: Stage, **least: int) -> None:
    """Raise ValueError unless these settings of a stage are whole numbers, so much or more."""
    for name, number in least.items():
        value = getattr(stage, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or value < number:
            raise ValueError(f"{name} is a whole number, {number} or more; got {stage!r}")


def need_positive(stage: Stage, name: str) -> None:
    """Raise ValueError unless this setting of a stage is above 0 and finite."""
    if not 0 < getattr(stage, name) < math.inf:
        raise ValueError(f"{name} is a number above 0, and finite; got {stage!r}")


@dataclass(frozen=True)
class Adam(Stage):
    """steps of Adam with rate lr, falling along a cosine to lr/100 if decay.

    compiled: 0, or how many steps are one compiled graph, update included (see pinn.compiled): the
    same result to rounding, several times faster, after a minute or so for the compiler. Reports
    and resampling fall between graphs: let `report` and `resample` be multiples of it. Raises
    ValueError for settings that no step can be made with.

    >>> from companion.pinn import MLP, fit
    >>> from companion.pinn.oscillator import oscillator
    >>> problem = oscillator()
    >>> network, stages = MLP(problem.domain, (10,)), [Adam(100, lr=1e-2)]
    >>> history = fit(problem, network, stages, points=20, report=50, progress=False)
    >>> history.column("step"), history.column("loss")[1] < history.column("loss")[0]
    ([50, 100], True)

    Source: Kingma & Ba, *Adam* (2015); chapter 14.
    """

    steps: int
    lr: float = 1e-3
    decay: bool = True
    compiled: int = 0

    def __post_init__(self) -> None:
        need_whole(self, steps=1, compiled=0)
        need_positive(self, "lr")
        if self.compiled > self.steps:
            raise ValueError(f"compiled is at most the steps of the stage; got {self!r}")

    def begin(self, objective: Objective) -> Stepper:
        """What makes the steps: torch's optimiser, or a compiled graph."""
        if self.compiled:
            return CompiledAdam(self, objective)
        parameters = objective.trial.free().values()
        return _Torch(self, torch.optim.Adam(parameters, lr=self.lr), objective)

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        part = 0.5 * (1 + math.cos(math.pi * step / self.steps)) if self.decay else 1.0
        return self.lr * (0.01 + 0.99 * part)


@dataclass(frozen=True)
class LBFGS(Stage):
    """steps of L-BFGS with the strong Wolfe line search, each of `inner` iterations.

    memory: how many of the last moves the curvature is made of. Raises ValueError for settings that
    no step can be made with.

    >>> from companion.pinn import MLP, fit
    >>> from companion.pinn.oscillator import oscillator
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
        need_whole(self, steps=1, inner=1, memory=1)

    def begin(self, objective: Objective) -> Stepper:
        """The torch optimiser that makes the steps."""
        optimizer = torch.optim.LBFGS(
            objective.trial.free().values(),
            max_iter=self.inner,
            history_size=self.memory,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )
        return _Torch(self, optimizer, objective)

    def rate(self, step: int) -> float:
        """L-BFGS chooses its own."""
        return 1.0


class _Torch:
    """A stage that one of torch's optimisers runs."""

    def __init__(
        self, stage: "Adam | LBFGS", optimizer: torch.optim.Optimizer, objective: Objective
    ) -> None:
        self.stage, self.optimizer, self.objective = stage, optimizer, objective

    def step(self, number: int) -> dict[str, Tensor]:
        """One step; returns the terms of the loss before it."""
        found: dict[str, Tensor] = {}
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.rate(number)

        def closure():
            self.optimizer.zero_grad()
            losses = self.objective.losses()
            loss: Any = sum(losses.values())
            if not found:
                found.update({name: value.detach() for name, value in losses.items()})
            if loss.isfinite():
                loss.backward()
            return loss

        self.optimizer.step(closure)
        return found

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where state_dict() was written."""
        self.optimizer.load_state_dict(state)
