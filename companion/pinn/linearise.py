"""r(θ + δ) ≈ r + J δ: the residuals of a problem and their Jacobian by all that is trained.

The rows of a residual are one for each point, so J is made point by point, by reverse mode over jets,
all points at once (vmap). torch's operations for that are written down once, and run without Python
between them. What an integral is made of, its part, is the same at all points: rows are r(θ, I(θ)), and
J = ∂r/∂θ + ∂r/∂I · ∂I/∂θ, so that no point repeats a quadrature. Where J would not fit into memory, its
products with vectors are enough. Chapter 14.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.func import vmap
from torch.fx import Graph, GraphModule, Node

from companion import torch_private
from companion.operators.rewritten import tidy
from companion.operators.tracing import Looking, first_line
from companion.pinn.compiled import beside
from companion.pinn.residuals import Batch, Parts, Points, Rows, quadratures
from companion.pinn.trial import Objective, point_rows

Way: TypeAlias = Callable[
    ..., Any
]  # (θ, x, values, tables …) → (r (n, k), J (n, k, P)), or r alone
NAME = "Levenberg–Marquardt"


class Linearised(NamedTuple):
    """The weighted rows r (N,), J = ∂r/∂θ (N, P), and the weights under which they are.

    Where there are several processes, those of the share of this one; the losses are those of all.
    """

    rows: Tensor
    jacobian: Tensor
    scales: dict[str, Tensor]  # {term: √(weight / n), (n, 1)}
    losses: dict[str, Tensor]  # {term: its loss}


def linearised(objective: Objective, theta: Tensor, batch: Batch) -> Linearised:
    """r and J at θ, each row times √(weight / n): |r|² is the loss."""
    found, blocks, batch = {}, {}, objective.processes.share(batch)
    known = integrated(objective, theta, batch)  # the integrals, once for all points
    for term, at in batch.items():
        r, blocks[term] = of_term(objective, term, theta, at, known)
        found[term] = r, at.weight
    rows, scales, losses = weighted(objective, found, batch)
    parts = [
        j.contiguous().mul_(scales[term][:, :, None]).flatten(0, 1) for term, j in blocks.items()
    ]
    jacobian = parts[0] if len(parts) == 1 else torch.cat(parts)  # large, perhaps: no copy of one
    return Linearised(rows, jacobian, scales, losses)


def weighted(
    objective: Objective, found: Rows, batch: Batch
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """The weighted rows (N,), the weights under which they are, and the losses."""
    scales = scales_of(objective.weighted(found, batch))
    rows = {term: scales[term] * r for term, (r, _) in found.items()}
    losses = objective.processes.total(*[r.square().sum() for r in rows.values()])
    return torch.cat([r.flatten() for r in rows.values()]), scales, dict(zip(rows, losses))


def of_term(
    objective: Objective,
    term: str,
    theta: Tensor,
    at: Points,
    known: dict[str, tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor]:
    """r (n, k) of one term and J (n, k, P), from the parts of the integrals and their Jacobians."""
    mine = [known[name] for name in quadratures(objective.trial.problem, [term], theta)]
    inputs = joined(theta, [part for part, _ in mine])
    r, j = ways(objective, term, inputs, at)[0](inputs, *arguments(at))
    return r, chained(j, [slopes for _, slopes in mine])


def integrated(
    objective: Objective, theta: Tensor, batch: Batch
) -> dict[str, tuple[Tensor, Tensor]]:
    """{integral: (its part (q, c), ∂ part / ∂θ (q, c, P))} of those that the batch's terms ask for."""
    problem, found = objective.trial.problem, {}
    for name, at in quadratures(problem, batch, theta).items():
        r, j = ways(objective, name, theta, at)[0](theta, *arguments(at))
        integral = problem.integrals[name]
        found[name] = integral.part(r), integral.part(j)
        objective.kept["part", name] = found[name][0].shape
    return found


def joined(theta: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """(θ, parts) as one vector: all that the rows of a term depend on beside the points."""
    return torch.cat([theta, *[part.flatten() for part in parts]]) if parts else theta


def parted(objective: Objective, term: str, inputs: Tensor) -> tuple[Tensor, Parts]:
    """θ and the parts of a term's integrals, from both in one vector."""
    names = list(quadratures(objective.trial.problem, [term], inputs))
    if not names:
        return inputs, {}
    shapes = [objective.kept["part", name] for name in names]
    sizes = [shape.numel() for shape in shapes]
    theta, *flat = inputs.split([len(inputs) - sum(sizes), *sizes])
    return theta, {name: part.view(shape) for name, part, shape in zip(names, flat, shapes)}


def chained(j: Tensor, slopes: Sequence[Tensor]) -> Tensor:
    """J (n, k, P) by the chain rule, from (∂r/∂θ, ∂r/∂I) side by side and each ∂I/∂θ (q, c, P)."""
    if not slopes:
        return j
    through = torch.cat([slope.flatten(0, 1) for slope in slopes])
    direct, by_part = j.split([j.shape[2] - len(through), len(through)], 2)
    return direct + by_part @ through


def scales_of(found: Rows) -> dict[str, Tensor]:
    """{term: √(weight / n), (n, 1)}."""
    return {
        term: (weight / len(rows)).sqrt().expand(len(rows), 1)
        for term, (rows, weight) in found.items()
    }


def rows_at(objective: Objective, theta: Tensor, batch: Batch, scales: dict[str, Tensor]) -> Tensor:
    """r (N,) at another θ, under the same weights; J is never made."""
    problem, batch = objective.trial.problem, objective.processes.share(batch)
    with torch.no_grad():
        parts: Parts = {}
        for name, at in quadratures(problem, batch, theta).items():
            parts[name] = problem.integrals[name].part(alone_at(objective, name, theta, at, parts))
        rows = {term: alone_at(objective, term, theta, at, parts) for term, at in batch.items()}
    return torch.cat([(scales[term] * r).flatten() for term, r in rows.items()])


def alone_at(objective: Objective, term: str, theta: Tensor, at: Points, parts: Parts) -> Tensor:
    """The rows (n, k) of a term without J: as they were traced, if they were."""
    known = objective.kept.get(key_of(term, at))
    if not known:
        return objective.trial.at(theta, {term: at}, objective.method, parts)[term][0]
    mine = [parts[name] for name in quadratures(objective.trial.problem, [term], theta)]
    return known[1](joined(theta, mine), *arguments(at))


def key_of(term: str, at: Points) -> tuple[str, str, torch.Size]:
    """Where the ways of a term at so many points are kept."""
    return "linearise", term, at.x.shape


def arguments(at: Points) -> list[Tensor]:
    """What a term is a function of, beside θ; each has a row for each point."""
    return [at.x, at.values, *at.given.values()]


def ways(objective: Objective, term: str, inputs: Tensor, at: Points) -> tuple[Way, Way]:
    """How (r, J) of a term is computed at so many points, and r alone; found out at the first call.

    inputs: θ, and after it the parts of its integrals. J is that by all of them.
    """
    key = key_of(term, at)
    if key not in objective.kept:
        tables = list(at.given)

        def of_point(inputs: Tensor, x: Tensor, values: Tensor, *given: Tensor) -> Tensor:
            theta, parts = parted(objective, term, inputs)
            named = dict(zip(tables, given))
            return point_rows(objective.trial, term, theta, parts, x, values, named)

        found = first_way(objective, term, of_point, inputs, at)
        refuse_mixing(found[1], objective, term, inputs, at)
        objective.kept[key] = found
    return objective.kept[key]


def all_at_once(of_point: Way, theta: Tensor, *rows: Tensor) -> tuple[Tensor, Tensor]:
    """(r, J) of a residual that is given at one point."""
    one = partial(torch_private.value_and_jacobian, of_point)
    return vmap(one, (None, *[0] * len(rows)))(theta, *rows)


def one_by_one(of_point: Way, theta: Tensor, *rows: Tensor) -> tuple[Tensor, Tensor]:
    """The same, point after point: for what vmap cannot do."""
    found = [torch_private.value_and_jacobian(of_point, theta, *at) for at in zip(*rows)]
    r, jacobian = zip(*found)
    return torch.stack(r), torch.stack(jacobian)


def first_way(
    objective: Objective, term: str, of_point: Way, theta: Tensor, at: Points
) -> tuple[Way, Way]:
    """(r, J) of a term and r alone, by the first way that torch can go: written down, as it stands,
    or point by point. That it is a slow one is said once.
    """
    whole, inputs = partial(all_at_once, of_point), (theta, *arguments(at))
    try:
        return traced(whole, *inputs)
    except Exception as error:  # torch's, or the user's: the next way tells
        first = error
    try:
        whole(*inputs)
    except NotImplementedError as error:
        raise NotImplementedError(
            f"{error}. {NAME} differentiates {term} by jets, so it needs the rule; Adam and LBFGS do "
            "not"
        ) from error
    except (RuntimeError, ValueError) as error:
        refuse_own_fault(term, of_point, inputs, error)
        first, whole = error, partial(one_by_one, of_point)
        how = "point by point, hundreds of times slower"
    else:
        how = "by Python at each step, about five times slower"
    objective.warn(
        "slow",
        f"{NAME} computes {term} {how}: torch {torch.__version__} fails on the faster way "
        f"({type(first).__name__}: {first_line(first)}). The steps are the same",
    )
    return whole, lambda *at: whole(*at)[0]


def traced(f: Way, *args: Tensor) -> tuple[GraphModule, GraphModule]:
    """f(*args) → (r, J) as two graphs of torch operations: one gives (r, J), the other r alone."""
    whole, part = torch_private.traced(f, args, tidy), Graph()
    copies: dict[Node, Node] = {}
    results: Any = whole.graph.output_node().args[0]
    for node in whole.graph.nodes:
        copies[node] = part.node_copy(node, copies.__getitem__)
        if node is results[0]:  # what follows is the walk back
            break
    part.output(copies[results[0]])
    part.eliminate_dead_code()
    return whole, GraphModule(whole, part)


def refuse_own_fault(term: str, of_point: Way, inputs: Sequence[Tensor], error: Exception) -> None:
    """Raise ValueError if a term looks at values, or cannot be evaluated at a point alone."""
    theta, *rows = inputs
    try:
        with Looking() as looking:
            of_point(theta, *[table[0] for table in rows])
    except (RuntimeError, ValueError) as own:
        raise ValueError(f"{untraceable(term)} torch says: {first_line(own)}") from own
    if looking.seen:
        raise ValueError(f"{untraceable(term)} torch says: {first_line(error)}") from error


def refuse_mixing(alone: Way, objective: Objective, term: str, inputs: Tensor, at: Points) -> None:
    """Raise ValueError unless the residual, point by point, is that of all points at once.

    It is taken at another θ and other points than those of the tracing: near a solution there would
    be rounding alone to be compared.
    """
    moved, at = 1.01 * inputs + 0.01, at._replace(x=beside(at.x))
    theta, parts = parted(objective, term, moved)
    together = objective.trial.at(theta, {term: at}, "taylor", parts)[term][0]
    size = together.nan_to_num(0, 0, 0).abs().max().clamp(min=1e-6).item()
    limit = 10 * torch.finfo(theta.dtype).eps ** 0.5 * size
    r = alone(moved, *arguments(at))
    if not torch.allclose(r, together, rtol=0, atol=limit, equal_nan=True):
        worst = (r - together).nan_to_num().abs().max().item()
        raise ValueError(
            f"{untraceable(term)} Near here it is {size:.1e} among all points, and differs by "
            f"{worst:.1e} when each is alone"
        )


def untraceable(term: str) -> str:
    """What is said of a term that is no function of its own point."""
    return (
        f"{NAME} cannot trace {term} at a single point. Does it look at a value (if …, float(…), "
        ".item(), numpy), or at other points than its own? Write torch.where(...) for a choice, or "
        "take LBFGS. A table with a row for each point of a condition is Condition(..., given={...})."
    )


class Products:
    """J v and Jᵀ w of the weighted rows, by reverse mode over its own graph: no J is kept.

    Where there are several processes, J v and w are rows of this one's share, and Jᵀ w is that of all.
    """

    def __init__(self, objective: Objective, theta: Tensor, batch: Batch) -> None:
        self.processes = objective.processes
        with torch.enable_grad():
            self.theta = theta.detach().requires_grad_()
            found = objective.rows(self.theta, batch)
            self.scales = {t: s.detach() for t, s in scales_of(found).items()}
            weighted = {term: self.scales[term] * r for term, (r, _) in found.items()}
            self.rows = torch.cat([r.flatten() for r in weighted.values()])
            self.probe = torch.zeros_like(self.rows, requires_grad=True)
            (self.linear,) = torch.autograd.grad(
                self.rows, self.theta, self.probe, create_graph=True, materialize_grads=True
            )  # Jᵀ probe: linear in the probe, so its derivative by it is J
        losses = self.processes.total(*[r.detach().square().sum() for r in weighted.values()])
        self.losses = dict(zip(weighted, losses))

    def forward(self, v: Tensor) -> Tensor:
        """J v (N,)."""
        return torch.autograd.grad(
            self.linear, self.probe, v, retain_graph=True, materialize_grads=True
        )[0]

    def transposed(self, w: Tensor) -> Tensor:
        """Jᵀ w (P,)."""
        found = torch.autograd.grad(
            self.rows, self.theta, w, retain_graph=True, materialize_grads=True
        )
        return self.processes.total(*found)[0]
