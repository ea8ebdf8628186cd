"""Whole steps of Adam as one compiled graph: the loss, its gradient and the update.

make_fx writes down every operation of a step, those of the walk back too; k such lists in a row are
one graph, and inductor makes one program of it, without Python between the operations. The state
goes in and comes out: nothing in the graph remembers. What Adam(steps, compiled=k) runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import getitem
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.fx import Graph, GraphModule

from companion import torch_private
from companion.operators.tracing import Untraced, first_line, refuse_constants, traced
from companion.pinn.objective import Objective, Trial, nearby

if TYPE_CHECKING:
    from companion.pinn.stages import Adam

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # those of torch.optim.Adam
OPTIONS = {"cpp_wrapper": True}  # the calls between the kernels are C++ too
UNTRACEABLE = (
    "the step cannot be written down as one graph: a residual, a condition or the network looks at a "
    "value (if …, float(…), .item(), .tolist(), numpy). Write torch.where(...) for a choice, or take "
    "Adam(..., compiled=0)."
)


class CompiledAdam:
    """Adam's stepper for Adam(..., compiled=k): steps(number) makes `block` = k steps, one call.

    step(number) makes one, of the same operations, uncompiled: for the rest of a stage or of the
    steps between two reports that does not fit a block. A step is traced when the fit begins, for
    the terms as they are then, and compiled at the first block: other points, and other weights of
    the terms, come in as data. While the points are of another number than at first, as random ones
    on an L may be, the steps are not compiled.

    Where torch fails to trace a step that looks at no value, all steps are made singly, and that is
    said. Raises ValueError when the step looks at a value, RuntimeError when it cannot be compiled.
    """

    def __init__(self, stage: Adam, objective: Objective) -> None:
        self.stage, self.objective, self.block = stage, objective, stage.compiled
        self.flat = Flat(objective.trial)
        self.names = list(objective.terms())
        self.moments = [torch.zeros_like(self.flat.joined(self.flat.places)) for _ in range(2)]
        self.before, self.shape = self.moments, objective.x.shape
        self.program: Callable[..., Any] | None = None
        self.once = self.traced()
        if self.once is None:
            self.block = 0

    def steps(self, number: int) -> dict[str, Tensor]:
        """`block` steps; returns {term: its values (block,) before each of them}."""
        if self.objective.x.shape != self.shape:
            return self._made(self.eager(), number, self.block)
        if self.program is None:
            once: Any = self.once  # there is one, or there would be no block
            self.program = compiled(in_place(once, self.flat), self.inputs(0, self.block))
        return self._made(self.program, number, self.block)

    def step(self, number: int) -> dict[str, Tensor]:
        """One step; returns the terms of the loss before it."""
        made = self._made(self.eager(), number, 1)
        return {name: values[0] for name, values in made.items()}

    def undo(self) -> None:
        """Set the moments to what they were before the last call of steps."""
        self.moments = self.before

    def eager(self) -> Callable[..., tuple[Tensor]]:
        """As many steps as there are rates, operation by operation."""
        return in_place(adam_step(self.objective, self.flat), self.flat)

    def traced(self) -> GraphModule | None:
        """The graph of one step, which goes elsewhere as the step does."""
        step, inputs = adam_step(self.objective, self.flat), self.step_inputs()
        *state, rates, x, factors = inputs
        (*state, factors), x = nearby([*state, factors], x)
        try:
            graph = traced(step, inputs, UNTRACEABLE)
        except Untraced as error:
            self.objective.warn(
                "slow",
                f"Adam(..., compiled={self.block}) makes its steps singly, several times slower: "
                f"{first_line(error)}. The steps are the same",
            )
            return None
        refuse_constants(graph, step, (*state, rates, x, factors), UNTRACEABLE)
        return graph

    def step_inputs(self) -> tuple[Tensor, ...]:
        """What adam_step takes, as inputs is what in_place(adam_step) takes."""
        return self.flat.joined(self.flat.places), *self.inputs(0, 1)[len(self.flat.places) :]

    def inputs(self, number: int, count: int) -> tuple[Tensor, ...]:
        """What a graph of count steps takes, from step `number` on."""
        x, balance = self.objective.x, self.objective.balance
        rates = [self._rates(number + i) for i in range(count)]
        rates = torch.tensor(rates, dtype=torch.float64).to(x.device)
        factors = x.new_tensor([balance.get(name, 1.0) for name in self.names])
        return *self.flat.places, *self.moments, rates, x, factors

    def _rates(self, number):
        """(lr / (1 − β₁ᵗ), √(1 − β₂ᵗ)): moments that began at zero, and the rate."""
        t = number + 1
        return self.stage.rate(number) / (1 - FIRST**t), (1 - SECOND**t) ** 0.5

    def _made(self, program, number, count):
        self.before = [m.clone() for m in self.moments]
        with torch.no_grad():
            (losses,) = program(*self.inputs(number, count))
        return dict(zip(self.names, losses.unbind(1)))

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs."""
        return {"moments": self.moments}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up where state_dict() was written."""
        self.moments = [m.to(old) for m, old in zip(state["moments"], self.moments)]


class Flat:
    """What a trial trains as one long vector: one kernel updates it."""

    def __init__(self, trial: Trial) -> None:
        named = trial.free()
        self.names, self.places = list(named), [p.detach() for p in named.values()]

    def joined(self, tensors: Iterable[Tensor]) -> Tensor:
        """The tensors, one for each parameter, as a vector."""
        return torch.cat([v.reshape(-1) for v in tensors])

    def parts(self, vector: Tensor) -> list[Tensor]:
        """The tensors again, views of the vector."""
        parts = vector.split([p.numel() for p in self.places])
        return [part.view(p.shape) for part, p in zip(parts, self.places)]


class Losses(nn.Module):
    """The terms of an objective as a function of the points and the weights' factors."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.trial, self.objective = objective.trial, objective

    def forward(self, x: Tensor, balance: Tensor) -> dict[str, Tensor]:
        """{term: its loss}; one jet for all derivatives, where the network has a Taylor rule."""
        try:
            return self._by(self.objective.method or "taylor", x, balance)
        except NotImplementedError:
            return self._by(self.objective.method, x, balance)

    def _by(self, method, x, balance):
        old = self.objective
        new = Objective(old.problem, self.trial, x, old.causal, method)
        new.balance = dict(zip(old.terms(), balance.unbind()))
        return new.losses()


def adam_step(objective: Objective, flat: Flat) -> Callable[..., tuple[Tensor, ...]]:
    """One step of Adam as a function of all that it depends on; nothing is changed in place.

    (parameters, first moments, second moments, rates (1, 2), x, factors of the weights) → the same
    three vectors afterwards, and the terms (1, k) before. The vectors are those of flat.
    """
    losses = Losses(objective)
    names = [f"trial.{name}" for name in flat.names]

    def step(
        old: Tensor, first: Tensor, second: Tensor, rates: Tensor, x: Tensor, factors: Tensor
    ) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            leaves = [p.requires_grad_() for p in flat.parts(old.detach())]
            found = list(functional_call(losses, dict(zip(names, leaves)), (x, factors)).values())
            slopes = torch.autograd.grad(sum(found), leaves, materialize_grads=True)
        g = flat.joined(slopes)
        rate, unbias = rates[0].unbind()
        first = first + (1 - FIRST) * (g - first)
        second = SECOND * second + (1 - SECOND) * g * g
        new = old - rate * first / (second.sqrt() / unbias + TINY)
        return new, first, second, torch.stack([loss.detach() for loss in found])[None]

    return step


def in_place(step: Callable[..., tuple[Tensor, ...]], flat: Flat) -> Callable[..., tuple[Tensor]]:
    """As many steps in a row as there are rates (k, 2): the parameters and the moments are changed.

    (parameters …, first moments, second moments, rates, x, factors) → the terms (k, ·) before each.
    """
    count = len(flat.places)

    def steps(*inputs: Tensor) -> tuple[Tensor]:
        places, moments = inputs[:count], inputs[count : count + 2]
        rates, *data = inputs[count + 2 :]
        vector, found = flat.joined(places), []
        first, second = moments
        for rate in rates.split(1):
            vector, first, second, losses = step(vector, first, second, rate, *data)
            found.append(losses)
        for place, value in zip((*places, *moments), (*flat.parts(vector), first, second)):
            place.copy_(value)
        return (torch.cat(found),)

    return steps


def compiled(function: Callable[..., Any], inputs: Sequence[Tensor]) -> Callable[..., Any]:
    """The function at such inputs as one program. Raises RuntimeError when there can be none."""
    graph = Graph()
    places = tuple(graph.placeholder(f"input_{i}") for i in range(len(inputs)))
    result = graph.call_function(function, places)
    graph.output((graph.call_function(getitem, (result, 0)),))
    try:
        with torch.no_grad():
            module = GraphModule({}, graph)
            return torch_private.program(module, inputs, OPTIONS)
    except (RuntimeError, OSError) as error:  # all of inductor's own are the first
        raise RuntimeError(
            "the step was traced but not compiled; compiled=k needs a C++ compiler (g++ or clang, "
            f"or CXX=its path). Or take Adam(..., compiled=0). It says: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from error
