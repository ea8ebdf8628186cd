"""Whole steps of Adam as one compiled program: the loss, its gradient and the update.

Every operation of a step is written down, those of the walk back too, and inductor makes one program
of a loop that runs through that list k times, without Python between the operations. θ and the moments
go in as three vectors and come out as three others. What Adam(steps, compiled=k) runs on.
"""

import copy
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.fx import GraphModule

from companion import torch_private
from companion.operators.rewritten import products_as_sums, rewrite
from companion.operators.tracing import Untraced, first_line, refuse_constants, traced
from companion.pinn.residuals import Batch, Points
from companion.pinn.trial import Objective

# (θ, m, v, rates (1, 2), *tensors of a batch) → (θ, m, v, losses (1, terms))
Step: TypeAlias = Callable[..., tuple[Tensor, ...]]

UNTRACEABLE = (
    "the step cannot be written down as one graph: a residual, a condition or the network looks at a "
    "value (if …, float(…), .item(), .tolist(), numpy). Write torch.where(...) for a choice, or take "
    "Adam(..., compiled=0)."
)
STEP, PROGRAM = "the graph of a step of Adam", "the program of steps of Adam"  # in objective.kept


def program(
    objective: Objective, step: Step, theta: Tensor, batch: Batch, count: int
) -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]] | None:
    """(θ, m, v, rates (count, 2), batch) → (θ, m, v, losses (count, terms)); None where torch has none.

    A step is traced once, for batches of the shapes of the first: while the points are of another
    number, as random ones on an L may be, the steps are not compiled. Raises RuntimeError when it
    cannot be compiled.
    """
    if STEP not in objective.kept:  # the fit goes on from a state
        refuse_untraceable(objective, step, theta, batch)
    graph, shapes = objective.kept[STEP]
    if graph is None or shapes != shapes_of(batch):
        return None
    if (PROGRAM, count) not in objective.kept:
        objective.kept[PROGRAM, count] = made(graph, theta, batch, count)
    run = objective.kept[PROGRAM, count]

    def steps(theta: Tensor, first: Tensor, second: Tensor, rates: Tensor, batch: Batch) -> Any:
        with torch.no_grad():
            return run(theta, first, second, rates, *tensors_of(batch))

    return steps


def refuse_untraceable(objective: Objective, step: Step, theta: Tensor, batch: Batch) -> None:
    """Write a step down, and see that the graph goes elsewhere as the step does.

    Where torch fails to for a reason of its own, that is said, and the steps are made singly. Raises
    ValueError when the step looks at a value.
    """
    if STEP in objective.kept:
        return
    zeros = torch.zeros_like(theta), torch.zeros_like(theta)
    inputs = (theta, *zeros, theta.new_tensor([[1e-3, 1.0]]).double(), *tensors_of(batch))
    try:
        graph = traced(step, inputs, UNTRACEABLE)
    except Untraced as error:
        objective.warn(
            "slow",
            "Adam(..., compiled=…) makes its steps singly, several times slower: "
            f"{first_line(error)}. The steps are the same",
        )
        graph = None
    else:
        refuse_constants(graph, step, elsewhere(inputs, batch), UNTRACEABLE)
        rewrite(graph)
        products_as_sums(graph)
    objective.kept[STEP] = graph, shapes_of(batch)


def lifted(graph: GraphModule) -> tuple[GraphModule, list[Tensor]]:
    """The graph with the tensors that it holds as further inputs, and these: a loop may hold none."""
    found = GraphModule(graph, copy.deepcopy(graph.graph))
    last = found.graph.find_nodes(op="placeholder")[-1]
    held: dict[str, Any] = {}
    for node in found.graph.find_nodes(op="get_attr"):
        name = str(node.target)
        if name not in held:
            with found.graph.inserting_after(last):
                last = found.graph.placeholder(f"held_{len(held)}")
            held[name] = last
        node.replace_all_uses_with(held[name])
        found.graph.erase_node(node)
    found.recompile()
    return found, [attrgetter(name)(graph) for name in held]


def made(graph: GraphModule, theta: Tensor, batch: Batch, count: int) -> Callable[..., Any]:
    """count steps in a row as one program. Raises RuntimeError when there can be none."""
    graph, own = lifted(graph)

    def step(
        theta: Tensor,
        first: Tensor,
        second: Tensor,
        rates: Tensor,
        losses: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        """One step by the first rates, which go to the end; its losses come last."""
        *found, now = graph(theta, first, second, rates[:1], *tensors)
        return *found, torch.cat([rates[1:], rates[:1]]), torch.cat([losses[1:], now])

    zeros = torch.zeros_like(theta)
    rates = torch.ones(count, 2, dtype=torch.float64, device=theta.device)
    losses = theta.new_zeros(count, len(batch))
    try:
        with torch.no_grad():
            state = (theta, zeros, zeros.clone(), rates, losses)
            run = torch_private.repeated(step, count, state, [*tensors_of(batch), *own])
    except (RuntimeError, OSError) as error:  # all of inductor's own are the first
        raise RuntimeError(
            "the step was traced but not compiled; compiled=k needs a C++ compiler (g++ or clang, "
            f"or CXX=its path). Or take Adam(..., compiled=0). It says: {type(error).__name__}: "
            f"{first_line(error)}"
        ) from error

    def steps(
        theta: Tensor, first: Tensor, second: Tensor, rates: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        theta, first, second, _, found = run(theta, first, second, rates, losses, *tensors, *own)
        return theta, first, second, found

    return steps


def tensors_of(batch: Batch) -> list[Tensor]:
    """All that a batch is made of, but what has no entries."""
    return [t for at in batch.values() for t in flat(at) if t.numel()]


def with_tensors(batch: Batch, tensors: Sequence[Tensor]) -> Batch:
    """The batch, with tensors_of a batch of the same shapes in place of its own."""
    rest, found = iter(tensors), {}
    for term, at in batch.items():
        x, values, weight, *tables = [next(rest) if t.numel() else t for t in flat(at)]
        found[term] = Points(x, values, weight, dict(zip(at.given, tables)))
    return found


def flat(at: Points) -> list[Tensor]:
    """The tensors of one term."""
    return [at.x, at.values, at.weight, *at.given.values()]


def shapes_of(batch: Batch) -> list[torch.Size]:
    """What a program is made for."""
    return [t.shape for t in tensors_of(batch)]


def elsewhere(inputs: Sequence[Tensor], batch: Batch) -> list[Tensor]:
    """Other values of all, and other points of the same box, where a graph must do as the step does."""
    *state, rates = inputs[:4]
    moved = [1.01 * value + 0.01 for value in state]
    points = [at._replace(x=beside(at.x), weight=1.01 * at.weight) for at in batch.values()]
    return [*moved, rates, *tensors_of(dict(zip(batch, points)))]


def beside(x: Tensor) -> Tensor:
    """Points near x (n, d), in the same box."""
    return x + 0.01 * (x.flip(0) - x)
