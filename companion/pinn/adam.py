"""Adam, a step at a time or many as one compiled program. Chapter 14."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from companion.pinn import compiled
from companion.pinn.arguments import need_kind, need_number, need_whole
from companion.pinn.residuals import Batch
from companion.pinn.stages import At, Losses, Stage
from companion.pinn.trial import Objective

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # those of torch.optim.Adam


@dataclass(frozen=True)
class Adam(Stage):
    """steps of Adam with learning rate lr, falling along a cosine to lr/100 if decay.

    compiled: 0, or how many steps at most are made at once, as one compiled program that the update
    is part of (see pinn.compiled): the same result to rounding, several times faster, after some
    seconds for the compiler. Raises ValueError for settings that no step can be made with.

    >>> from companion.pinn import MLP, fit
    >>> from companion.problems import oscillator
    >>> problem = oscillator()
    >>> network, stages = MLP(problem.domain, (10,)), [Adam(100, lr=1e-2)]
    >>> history = fit(problem, network, stages, points=20, log_interval=50, progress=False).history
    >>> history.column("step"), history.column("loss")[1] < history.column("loss")[0]
    ([50, 100], True)

    Source: Kingma & Ba, *Adam* (2015); chapter 14.
    """

    steps: int
    lr: float = 1e-3
    decay: bool = True
    compiled: int = 0

    def __post_init__(self) -> None:
        need_whole("steps", self.steps, 1, self)
        need_whole("compiled", self.compiled, 0, self)
        need_kind("decay", self.decay, bool, "True or False")
        need_number("lr", self.lr, above=0, got=self)
        if self.compiled > self.steps:
            raise ValueError(f"compiled is at most the steps of the stage; got {self!r}")

    def init(self, objective: Objective, theta: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The moments, m = v = 0."""
        if self.compiled and objective.processes.count > 1:
            raise ValueError(
                f"{self} makes its steps in one program, which hears nothing of the other "
                f"{objective.processes.count - 1} processes: take Adam(..., compiled=0)"
            )
        if self.compiled:
            compiled.refuse_untraceable(objective, one_step(objective, batch), theta, batch)
        return torch.zeros_like(theta), torch.zeros_like(theta)

    def step(self, objective: Objective, at: At, batch: Batch, room: int) -> tuple[At, Losses]:
        """One step; `compiled` of them where there is room."""
        program = None
        if 0 < self.compiled <= room:
            step = one_step(objective, batch)
            program = compiled.program(objective, step, at.theta, batch, self.compiled)
        count = self.compiled if program else 1
        rates = self.rates(at.made, count, at.theta)
        if program:
            theta, *memory, losses = program(at.theta, *at.memory, rates, batch)
            found = dict(zip(batch, losses.unbind(1)))
        else:
            one, slope = objective.gradient(at.theta, batch)
            first, second = at.memory
            theta, *memory = update(at.theta, first, second, slope, rates[0])
            found = {term: loss[None] for term, loss in one.items()}
        return At(theta, tuple(memory), at.made + count), found

    def rates(self, made: int, count: int, like: Tensor) -> Tensor:
        """(lr / (1 − β₁ᵗ), √(1 − β₂ᵗ)) of so many steps: the rate, and moments that began at zero."""
        steps = range(made + 1, made + count + 1)
        found = [(self.rate(t - 1) / (1 - FIRST**t), (1 - SECOND**t) ** 0.5) for t in steps]
        return torch.tensor(found, dtype=torch.float64, device=like.device)

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        part = 0.5 * (1 + math.cos(math.pi * step / self.steps)) if self.decay else 1.0
        return self.lr * (0.01 + 0.99 * part)


def update(
    theta: Tensor, first: Tensor, second: Tensor, slope: Tensor, rates: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """(θ, m, v) after a step: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − η m̂ / (√v̂ + ε)."""
    rate, unbias = rates.unbind()
    first = first + (1 - FIRST) * (slope - first)
    second = SECOND * second + (1 - SECOND) * slope * slope
    return theta - rate * first / (second.sqrt() / unbias + TINY), first, second


def one_step(objective: Objective, batch: Batch) -> compiled.Step:
    """A step of Adam as a function of all that it depends on, by one jet where there are rules."""

    def step(
        theta: Tensor, first: Tensor, second: Tensor, rates: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        at = compiled.with_tensors(batch, tensors)
        try:
            losses, slope = objective.gradient(theta, at, objective.method or "taylor")
        except NotImplementedError:
            losses, slope = objective.gradient(theta, at)
        found = update(theta, first, second, slope, rates[0])
        return *found, torch.stack(list(losses.values()))[None]

    return step
