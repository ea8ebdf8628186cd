"""Adam and L-BFGS as stages of a fit: what torch's optimisers do, one step at a time.

A stage has steps and begin(objective), which gives a stepper: step(number) makes one and returns the
terms of the loss before it; state_dict and load_state_dict carry it over a break. A stepper with a
block of several has steps(number) too, which makes that many at once, and undo().
"""

import math
from dataclasses import dataclass

import torch

from companion.pinn.compiled import CompiledAdam


@dataclass(frozen=True)
class Adam:
    """steps of Adam with rate lr, falling along a cosine to lr/100 if decay.

    compiled: 0, or how many steps are one compiled graph, update included (see pinn.compiled): the
    same result to rounding, several times faster, after a minute or so for the compiler. Reports
    and resampling fall between graphs: let `report` and `resample` be multiples of it.
    """

    steps: int
    lr: float = 1e-3
    decay: bool = True
    compiled: int = 0

    def __post_init__(self):
        if self.compiled < 0:
            raise ValueError(f"compiled is 0 or the steps of one graph; got {self.compiled}")

    def begin(self, objective):
        """What makes the steps: torch's optimiser, or a compiled graph."""
        if self.compiled:
            return CompiledAdam(self, objective)
        parameters = objective.trial.free().values()
        return _Torch(self, torch.optim.Adam(parameters, lr=self.lr), objective)

    def rate(self, step):
        """The learning rate of a step."""
        part = 0.5 * (1 + math.cos(math.pi * step / self.steps)) if self.decay else 1.0
        return self.lr * (0.01 + 0.99 * part)


@dataclass(frozen=True)
class LBFGS:
    """steps of L-BFGS with the strong Wolfe line search, each of `inner` iterations."""

    steps: int
    inner: int = 10
    memory: int = 50

    def begin(self, objective):
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

    def rate(self, step):
        """L-BFGS chooses its own."""
        return 1.0


class _Torch:
    """A stage that one of torch's optimisers runs."""

    def __init__(self, stage, optimizer, objective):
        self.stage, self.optimizer, self.objective = stage, optimizer, objective

    def step(self, number):
        """One step; returns the terms of the loss before it."""
        found = {}
        for group in self.optimizer.param_groups:
            group["lr"] = self.stage.rate(number)

        def closure():
            self.optimizer.zero_grad()
            losses = self.objective.losses()
            loss = sum(losses.values())
            if not found:
                found.update({name: value.detach() for name, value in losses.items()})
            if loss.isfinite():
                loss.backward()
            return loss

        self.optimizer.step(closure)
        return found

    def state_dict(self):
        """What resuming needs."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state):
        """Take up where state_dict() was written."""
        self.optimizer.load_state_dict(state)
