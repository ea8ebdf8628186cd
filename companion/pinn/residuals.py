"""residuals(problem, params, batch): the only evaluation of a problem that there is.

    params   {"u": x ↦ u(x), unknown: its value, or the function that it is}
    batch    {term: Points}, the equation's and every condition's
    found    {term: (rows (n, k), weight (n, 1) or (1, 1))}
    parts    {integral: what it is made of, or, along some axes, its values}, see Integral.part

A loss is Σ over the terms of mean over the points of weight · |row|². A network, an exact solution and
a test function go through the same door. Chapters 12 to 14.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn.arguments import asked_by, need_function, need_kind, need_rows
from companion.pinn.integrals import Integral
from companion.pinn.problem import Condition, Problem


class Points(NamedTuple):
    """What one term is evaluated at: points x (n, d), and a row for each of values and of tables."""

    x: Tensor
    values: Tensor  # (n, c); (n, 0) for the equation
    weight: Tensor  # (n, 1) or (1, 1)
    given: dict[str, Tensor]  # {name: (n, ·)}, tables and the points beside these

    def take(self, rows: Any) -> "Points":
        """Some of the points, with their rows."""
        weight = self.weight if len(self.weight) == 1 < len(self.x) else self.weight[rows]
        given = {name: table[rows] for name, table in self.given.items()}
        return Points(self.x[rows], self.values[rows], weight, given)


Batch: TypeAlias = dict[str, Points]  # by term
Rows: TypeAlias = dict[str, tuple[Tensor, Tensor]]  # {term: (rows, weight)}
Parts: TypeAlias = dict[str, Tensor]  # {integral: its part (1, c), (m, c) with a kernel}


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
    need_kind("problem", problem, Problem, "a Problem")
    need_kind("x", x, Tensor, "points, a tensor (n, d), as torch.from_numpy(x)")
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
        {n: table.to(like) for n, table in {**condition.given, **condition.beside}.items()},
    )


def integrals_of(problem: Problem, terms: Iterable[str]) -> dict[str, Integral]:
    """{name: Integral} of those that terms ask for; an integral itself asks for none."""
    found: dict[str, Integral] = {}
    for term in terms:
        if term == "equation":
            found |= asked_by(problem.residual, problem.integrals)
        elif term not in problem.integrals:
            found |= asked_by(condition_of(problem, term).of, problem.integrals)
    return found


def quadratures(problem: Problem, terms: Iterable[str], like: Tensor) -> Batch:
    """{integral: its points} of those that terms ask for, if these are the same everywhere.

    The integrand of an integral is a term like others.
    """
    found = integrals_of(problem, terms)
    return {n: equation_at(i.points.to(like)) for n, i in found.items() if not i.axes}


def parts_of(
    problem: Problem,
    params: Mapping[str, Any],
    terms: Iterable[str],
    like: Tensor,
    method: str | None = None,
) -> Parts:
    """The parts of the integrals that terms ask for; they are the same at all points of all terms."""
    return {
        name: problem.integrals[name].part(term_rows(problem, name, params, at, method))
        for name, at in quadratures(problem, terms, like).items()
    }


def along_axes(
    problem: Problem, params: Mapping[str, Any], term: str, x: Tensor, method: str | None = None
) -> Parts:
    """{integral: (n, c)} of those along some axes that a term asks for, at its points x (n, d)."""
    found: Parts = {}
    for name, integral in integrals_of(problem, [term]).items():
        if integral.axes:

            def rows(y: Tensor, name: str = name) -> Tensor:
                return term_rows(problem, name, params, equation_at(y), method)

            found[name] = integral.value(name, problem.domain, x, rows, numbers_of(params))
    return found


def every_term(problem: Problem, x: Tensor) -> Batch:
    """The batch with the equation at points x, and the integrands of the integrals beside it."""
    batch, moving = batch_of(problem, x), {}
    for name, integral in integrals_of(problem, batch).items():
        if integral.axes:
            moving[name] = equation_at(integral.nodes(problem.domain, x)[0].flatten(0, 1))
    return {**quadratures(problem, batch, x), **moving, **batch}


def all_parts(problem: Problem, params: Mapping[str, Any], term: str, x: Tensor) -> Parts:
    """What the integrals of a term are made of, those along some axes at the points x too."""
    fixed = parts_of(problem, params, [term], x)
    return {**fixed, **along_axes(problem, params, term, x)}


def numbers_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The unknown numbers among what the residuals are functions of."""
    return {name: value for name, value in params.items() if not callable(value)}


def condition_of(problem: Problem, term: str) -> Condition:
    """The condition of a name."""
    return next(c for c in problem.conditions if c.name == term)


def residuals(
    problem: Problem,
    params: Mapping[str, Any],
    batch: Batch,
    method: str | None = None,
    parts: Parts | None = None,
) -> Rows:
    """{term: (rows (n, k), weight)} of a problem, for the functions and numbers in params.

    method: how the Partials are computed. parts: of the integrals, where they are known. Raises
    TypeError or ValueError for rows that are not one for each point.

    >>> from companion.pinn.problem import Box
    >>> decay = Problem(Box(t=(0, 1)), lambda u, t: u(0) + u())
    >>> x = torch.tensor([[0.0], [1.0]]).double()
    >>> found = residuals(decay, {"u": lambda t: torch.exp(-2 * t)}, batch_of(decay, x))
    >>> [round(r, 4) for r in found["equation"][0].flatten().tolist()]              # −e⁻²ᵗ
    [-1.0, -0.1353]
    """
    need_kind("problem", problem, Problem, "a Problem")
    need_kind("params", params, Mapping, 'a dictionary, {"u": function, unknown: value}')
    need_kind("batch", batch, dict, "a dictionary, {term: Points}, as batch_of(problem, x) gives")
    if missing := {"u", *problem.unknowns} - set(params):
        raise ValueError(
            f"params lack {', '.join(sorted(missing))}: residuals(problem, {{name: …}}, …)"
        )
    need_function("u in params", params["u"], "x (n, d) → (n, outputs)")
    terms = ["equation", *(c.name for c in problem.conditions), *problem.integrals]
    if strange := set(batch) - set(terms):
        raise ValueError(f"{', '.join(sorted(strange))}: this problem has {', '.join(terms)}")
    for term, at in batch.items():
        need_kind(f"{term} in batch", at, Points, "Points, as batch_of(problem, x) gives")
    if parts is None and batch:
        like = next(iter(batch.values())).x
        parts = parts_of(problem, params, batch, like, method)
    return {
        term: (term_rows(problem, term, params, at, method, parts), at.weight)
        for term, at in batch.items()
    }


def term_rows(
    problem: Problem,
    term: str,
    params: Mapping[str, Any],
    at: Points,
    method: str | None = None,
    parts: Parts | None = None,
) -> Tensor:
    """The residual (n, k) of one term at its points; of an integral, its integrand (m, c)."""
    u = Partials(params["u"], at.x, method)
    if term == "equation" and method == "taylor" and problem.domain.dimension == 1:
        u(*[0] * problem.order)  # asked for first, one jet serves the lower orders too
    return rows_of(problem, term, u, params, at, parts)


def rows_of(
    problem: Problem,
    term: str,
    u: Partials,
    params: Mapping[str, Any],
    at: Points,
    parts: Parts | None = None,
) -> Tensor:
    """The same, from the Partials u at the points."""
    named: dict[str, Any] = {
        name: Partials(value, at.x, u.method) if callable(value) else value
        for name, value in params.items()
        if name != "u"
    }
    if parts is None:
        parts = parts_of(problem, params, [term], at.x, u.method)
    for name, integral in integrals_of(problem, [term]).items():
        if not integral.axes:
            named[name] = integral.at(name, at.x, parts[name], numbers_of(params))
        elif name in parts:
            named[name] = parts[name]
        else:
            named |= along_axes(problem, params, term, at.x, u.method)
    if term == "equation":
        rows = problem.residual(u, at.x, **asked_by(problem.residual, named))
    elif term in problem.integrals:
        integrand = problem.integrals[term].of
        rows = integrand(u, at.x, **asked_by(integrand, named))
    else:
        condition = condition_of(problem, term)
        named |= at.given
        for name in condition.beside:
            named[name] = Partials(params["u"], at.given[name], u.method)
        rows = condition.residual(u, at.x, at.values, named)
    need_rows(term, rows, len(at.x))
    return rows


def losses_of(found: Rows) -> dict[str, Tensor]:
    """{term: mean over the points of weight · |row|²}."""
    return {term: (weight * rows.square()).sum(1).mean() for term, (rows, weight) in found.items()}
