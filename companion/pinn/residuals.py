"""residuals(problem, params, batch): the only evaluation of a problem that there is.

    params   {"u": x ↦ u(x), unknown: its value, or the function that it is}
    batch    {term: Points}, the equation's and every condition's
    found    {term: (rows (n, k), weight (n, 1) or (1, 1))}

A loss is Σ over the terms of mean over the points of weight · |row|². A network, an exact solution and
a test function go through the same door. Chapters 12 to 14.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn.arguments import asked_by, need_kind
from companion.pinn.problem import Condition, Problem


class Points(NamedTuple):
    """What one term is evaluated at: points x (n, d), and a row for each of values and of tables."""

    x: Tensor
    values: Tensor  # (n, c); (n, 0) for the equation
    weight: Tensor  # (n, 1) or (1, 1)
    given: dict[str, Tensor]  # {name: (n, ·)}

    def take(self, rows: Any) -> "Points":
        """Some of the points, with their rows."""
        weight = self.weight if len(self.weight) == 1 < len(self.x) else self.weight[rows]
        given = {name: table[rows] for name, table in self.given.items()}
        return Points(self.x[rows], self.values[rows], weight, given)


Batch: TypeAlias = dict[str, Points]  # by term
Rows: TypeAlias = dict[str, tuple[Tensor, Tensor]]  # {term: (rows, weight)}


def equation_at(x: Tensor) -> Points:
    """The equation's part of a batch: its points x (n, d), each of weight 1."""
    return Points(x, x[:, :0], x.new_ones(1, 1), {})


def batch_of(problem: Problem, x: Tensor) -> Batch:
    """The batch with the equation at x (n, d) and every condition at its own points, of x's type.

    >>> from companion.pinn.problem import Box
    >>> start = Condition("start", torch.zeros(1, 1), 1.0)
    >>> decay = Problem(Box(t=(0, 1)), lambda u, t: u(0) + u(), (start,))
    >>> {term: len(at.x) for term, at in batch_of(decay, decay.domain.points(8)).items()}
    {'equation': 8, 'start': 1}
    """
    if x.ndim != 2 or x.shape[1] != problem.domain.dimension:
        raise ValueError(
            f"expected points (n, {problem.domain.dimension}) of {problem.domain}; got {tuple(x.shape)}"
        )
    return {"equation": equation_at(x)} | {c.name: points_of(c, x) for c in problem.conditions}


def points_of(condition: Condition, like: Tensor) -> Points:
    """A condition's part of a batch, of the type and on the device of a tensor."""
    values, weight = torch.as_tensor(condition.values), torch.as_tensor(condition.weight)
    n = len(condition.points)
    return Points(
        condition.points.to(like),
        (values if values.ndim else values.expand(n, 1)).to(like),
        (weight if weight.ndim else weight.reshape(1, 1)).to(like),
        {name: table.to(like) for name, table in condition.given.items()},
    )


def residuals(
    problem: Problem, params: Mapping[str, Any], batch: Batch, method: str | None = None
) -> Rows:
    """{term: (rows (n, k), weight)} of a problem, for the functions and numbers in params.

    method: how the Partials are computed. Raises TypeError or ValueError for rows that are not one
    for each point.

    >>> from companion.pinn.problem import Box
    >>> decay = Problem(Box(t=(0, 1)), lambda u, t: u(0) + u())
    >>> x = torch.tensor([[0.0], [1.0]]).double()
    >>> found = residuals(decay, {"u": lambda t: torch.exp(-2 * t)}, batch_of(decay, x))
    >>> [round(r, 4) for r in found["equation"][0].flatten().tolist()]              # −e⁻²ᵗ
    [-1.0, -0.1353]
    """
    need_kind("params", params, Mapping, 'a dictionary, {"u": function, unknown: value}')
    need_kind("batch", batch, dict, "a dictionary, {term: Points}, as batch_of(problem, x) gives")
    if missing := {"u", *problem.unknowns} - set(params):
        raise ValueError(
            f"params lack {', '.join(sorted(missing))}: residuals(problem, {{name: …}}, …)"
        )
    terms = ["equation", *(c.name for c in problem.conditions)]
    if strange := set(batch) - set(terms):
        raise ValueError(f"{', '.join(sorted(strange))}: this problem has {', '.join(terms)}")
    return {
        term: (term_rows(problem, term, params, at, method), at.weight)
        for term, at in batch.items()
    }


def term_rows(
    problem: Problem,
    term: str,
    params: Mapping[str, Any],
    at: Points,
    method: str | None = None,
) -> Tensor:
    """The residual (n, k) of one term at its points."""
    u = Partials(params["u"], at.x, method)
    if term == "equation" and method == "taylor" and problem.domain.dimension == 1:
        u(*[0] * problem.order)  # asked for first, one jet serves the lower orders too
    return rows_of(problem, term, u, params, at)


def rows_of(
    problem: Problem, term: str, u: Partials, params: Mapping[str, Any], at: Points
) -> Tensor:
    """The same, from the Partials u at the points."""
    named = {
        name: Partials(value, at.x, u.method) if callable(value) else value
        for name, value in params.items()
        if name != "u"
    }
    if term == "equation":
        rows = problem.residual(u, at.x, **asked_by(problem.residual, named))
    else:
        condition = next(c for c in problem.conditions if c.name == term)
        rows = condition.residual(u, at.x, at.values, {**named, **at.given})
    if not isinstance(rows, torch.Tensor):
        raise TypeError(f"{term} returns a tensor (n, k); got {type(rows).__name__}")
    if rows.ndim != 2 or len(rows) != len(at.x):
        raise ValueError(
            f"{term} returns one row for each point, ({len(at.x)}, k); got {tuple(rows.shape)}. "
            "Join several equations with torch.cat([...], 1)"
        )
    if rows.is_complex():
        raise TypeError(
            f"{term} has complex rows: give the real and the imaginary part a column each, "
            "torch.cat([r.real, r.imag], 1)"
        )
    return rows


def losses_of(found: Rows) -> dict[str, Tensor]:
    """{term: mean over the points of weight · |row|²}."""
    return {term: (weight * rows.square()).sum(1).mean() for term, (rows, weight) in found.items()}
