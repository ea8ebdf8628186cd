"""Whole steps of Adam as one compiled graph: the loss, its gradient and the update.

make_fx writes down every operation of a step, those of the walk back too; k such lists in a row are
one graph, and inductor makes one program of it, without Python between the operations. The state
goes in and comes out: nothing in the graph remembers. What Adam(steps, compiled=k) runs on.
"""

from operator import getitem

import torch
from torch import nn
from torch.func import functional_call
from torch.fx import Graph, GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from companion.pinn.objective import Objective

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # those of torch.optim.Adam
OPTIONS = {"cpp_wrapper": True}  # the calls between the kernels are C++ too


class CompiledAdam:
    """Adam's stepper for Adam(..., compiled=k): steps(number) makes `block` = k steps, one call.

    step(number) makes one, of the same operations, uncompiled: for the rest of a stage or of the
    steps between two reports that does not fill a block. The graph is made at the first block, for
    the points, terms and parameters as they are then: other points of the same number, and other
    weights of the terms, come in as data.

    Raises ValueError when the step cannot be traced, RuntimeError when it cannot be compiled.
    """

    def __init__(self, stage, objective):
        self.stage, self.objective, self.block = stage, objective, stage.compiled
        self.flat = Flat(objective.trial)
        self.names = list(objective.terms())
        self.moments = [torch.zeros_like(v) for v in self.flat.joined(self.flat.places) * 2]
        self.before, self.program = self.moments, None

    def steps(self, number):
        """`block` steps; returns {term: its values (block,) before each of them}."""
        if self.program is None:
            self.program = self.compiled()
        return self._made(self.program, number, self.block)

    def step(self, number):
        """One step; returns the terms of the loss before it."""
        made = self._made(in_place(adam_step(self.objective, self.flat), self.flat), number, 1)
        return {name: values[0] for name, values in made.items()}

    def undo(self):
        """Set the moments to what they were before the last call of steps."""
        self.moments = self.before

    def compiled(self):
        """The program of `block` steps: one is traced, repeated, and compiled."""
        once = traced(adam_step(self.objective, self.flat), self.step_inputs())
        return compiled(in_place(once, self.flat), self.inputs(0, self.block))

    def step_inputs(self):
        """What adam_step takes, as inputs is what in_place(adam_step) takes."""
        return *self.flat.joined(self.flat.places), *self.inputs(0, 1)[len(self.flat.places) :]

    def inputs(self, number, count):
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

    def state_dict(self):
        """What resuming needs."""
        return {"moments": self.moments}

    def load_state_dict(self, state):
        """Take up where state_dict() was written."""
        self.moments = [m.to(old) for m, old in zip(state["moments"], self.moments)]


class Flat:
    """The parameters of a module as long vectors, one for each dtype: one kernel updates each."""

    def __init__(self, module):
        named = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self.names, self.places = list(named), [p.detach() for p in named.values()]
        self.groups = {}
        for i, p in enumerate(self.places):
            self.groups.setdefault((p.dtype, p.device), []).append(i)

    def joined(self, tensors):
        """The tensors, one for each parameter, as vectors."""
        return [torch.cat([tensors[i].reshape(-1) for i in g]) for g in self.groups.values()]

    def parts(self, vectors):
        """The tensors again, views of the vectors."""
        found = {}
        for group, vector in zip(self.groups.values(), vectors):
            sizes = [self.places[i].numel() for i in group]
            for i, part in zip(group, vector.split(sizes)):
                found[i] = part.view(self.places[i].shape)
        return [found[i] for i in range(len(self.places))]


class Losses(nn.Module):
    """The terms of an objective as a function of the points and the weights' factors."""

    def __init__(self, objective):
        super().__init__()
        self.trial, self.objective = objective.trial, objective

    def forward(self, x, balance):
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


def adam_step(objective, flat):
    """One step of Adam as a function of all that it depends on; nothing is changed in place.

    (parameters …, first moments …, second moments …, rates (1, 2), x, factors of the weights) → the
    same three lists afterwards, and the terms (1, k) before. The lists are those of flat.
    """
    losses, groups = Losses(objective), len(flat.groups)
    names = [f"trial.{name}" for name in flat.names]

    def step(*inputs):
        *state, rates, x, factors = inputs
        old, first, second = (state[i * groups : (i + 1) * groups] for i in range(3))
        with torch.enable_grad():
            leaves = [p.requires_grad_() for p in flat.parts([p.detach() for p in old])]
            found = list(functional_call(losses, dict(zip(names, leaves)), (x, factors)).values())
            slopes = torch.autograd.grad(sum(found), leaves, materialize_grads=True)
        slopes = flat.joined(slopes)
        rate, unbias = rates[0].unbind()
        first = [m + (1 - FIRST) * (g - m) for m, g in zip(first, slopes)]
        second = [SECOND * v + (1 - SECOND) * g * g for v, g in zip(second, slopes)]
        moved = zip(old, first, second)
        new = [p - rate * m / (v.sqrt() / unbias + TINY) for p, m, v in moved]
        return *new, *first, *second, torch.stack([loss.detach() for loss in found])[None]

    return step


def in_place(step, flat):
    """As many steps in a row as there are rates (k, 2): the parameters and the moments are changed.

    (parameters …, first moments …, second moments …, rates, x, factors) → the terms (k, ·) before each.
    """
    count, groups = len(flat.places), len(flat.groups)

    def steps(*inputs):
        places, moments = inputs[:count], inputs[count : count + 2 * groups]
        rates, *data = inputs[count + 2 * groups :]
        state, found = [*flat.joined(places), *moments], []
        for rate in rates.split(1):
            *state, losses = step(*state, rate, *data)
            found.append(losses)
        for place, value in zip((*places, *moments), (*flat.parts(state), *state[groups:])):
            place.copy_(value)
        return (torch.cat(found),)

    return steps


def traced(function, inputs):
    """The operations of function at these inputs, as a graph of torch.fx.

    Raises ValueError when what is done depends on the values, which a graph cannot say.
    """
    try:
        with torch.no_grad():
            return make_fx(function)(*[value.clone() for value in inputs])
    except RuntimeError as error:
        raise ValueError(
            "the step cannot be written down as one graph: a residual, a condition or the network "
            "looks at a value (if …, float(…), .item(), numpy). Write torch.where(...) for a "
            f"choice, or take Adam(..., compiled=0). torch says: {first_line(error)}"
        ) from error


def compiled(function, inputs):
    """The function at such inputs as one program. Raises RuntimeError when there can be none."""
    graph = Graph()
    places = tuple(graph.placeholder(f"input_{i}") for i in range(len(inputs)))
    result = graph.call_function(function, places)
    graph.output((graph.call_function(getitem, (result, 0)),))
    try:
        with torch.no_grad():
            module = GraphModule({}, graph)
            return torch._inductor.compile(module, list(inputs), options=OPTIONS)
    except (RuntimeError, OSError) as error:  # all of inductor's own are the first
        raise RuntimeError(
            "the step was traced but not compiled; compiled=k needs a C++ compiler (g++ or clang, "
            f"or CXX=its path). Or take Adam(..., compiled=0). It says: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from error


def first_line(error):
    """The first line of an error that says something."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
