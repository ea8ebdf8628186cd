"""Sizes far from 1: found before training, and scaled(problem), which takes them away.

A network gives numbers of the size 1, and a stage begins with steps for a loss of the size 1. So a
solution U times as large, and residuals R times as large, are learnt late or never. Chapter 14.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import Any

import torch
from torch import Tensor

from companion.pinn.arguments import asked_by, need_kind
from companion.pinn.problem import Function, Problem
from companion.pinn.residuals import Batch, Points, batch_of, term_rows
from companion.pinn.state import State
from companion.pinn.trial import Objective
from companion.pinn.unknowns import Field, Unknown

FAR = 1e3  # times 1 that a solution may be large, or small
HUGE = 1e8  # the same for a first loss
TINY = 1e-12  # rows that are nothing
SMALL = 1e-6  # a size at which a nonlinear residual shows its lowest power
PROBES = 4  # smooth functions that stand for a network


@dataclass(frozen=True)
class Sizes:
    """Of the network's outputs in a solution (outputs,), and of each term's columns under them (k,)."""

    outputs: Tensor
    terms: dict[str, Tensor]


def sizes_of(problem: Problem, n: int = 64) -> Sizes:
    """How large the outputs of the network are in a solution, and the residuals then.

    Of a network n = U p, with p smooth and of the size 1: U is where the residual's answer to U p is as
    large as what the residual is without it, max |r(0)|. Where that is nothing, U is the size of what
    the conditions ask for; 1 where they ask for nothing too.
    """
    batch, terms = some_points(problem, n), {}
    outputs = outputs_of(problem, batch)
    for term, at in batch.items():
        moved, rest = answer(problem, term, at, outputs)
        size = torch.where(moved > 0, moved, rest.abs().amax(0))
        terms[term] = torch.where(size == 0, 1.0, size)
    return Sizes(outputs, terms)


def answer(problem: Problem, term: str, at: Points, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """(how far a term's columns move from n = 0 to n = U p (k,), its rows at n = 0 (n, k))."""
    rest = rows_at(problem, term, at, 0 * outputs)
    answers = [rows_at(problem, term, at, outputs, seed) for seed in range(PROBES)]
    return torch.stack([(found - rest).abs().amax(0) for found in answers]).amax(0), rest


def pulls(problem: Problem, batch: Batch, outputs: Tensor) -> dict[str, float]:
    """{term, or column of the equation: √weight times how far it moves} of those that n moves at all."""
    found: dict[str, float] = {}
    for term, at in batch.items():
        moved, _ = answer(problem, term, at, outputs)
        sizes = (at.weight.max().sqrt() * moved).tolist()
        if term != "equation" or len(sizes) == 1:
            sizes = [max(sizes)]
        names = [term] if len(sizes) == 1 else [f"{term} {i + 1}" for i in range(len(sizes))]
        found |= {name: size for name, size in zip(names, sizes) if 0 < size < math.inf}
    return found


def some_points(problem: Problem, n: int = 64) -> Batch:
    """n points of the equation, and as many at most of every condition."""
    batch = batch_of(problem, problem.domain.points(n))
    return {term: at.take(slice(0, n)) for term, at in batch.items()}


def outputs_of(problem: Problem, batch: Batch) -> Tensor:
    """U of every output of the network, (outputs,)."""
    units = torch.eye(problem.outputs, dtype=torch.float64)
    return torch.stack([size_of_output(problem, batch, one) for one in units])


def size_of_output(problem: Problem, batch: Batch, one: Tensor) -> Tensor:
    """U of one output, by the first term that asks for anything: the equation, then the conditions."""
    for term, at in batch.items():
        rest = rows_at(problem, term, at, 0 * one)
        if not largest(rest) > 1e-12:
            continue
        found = [rows_at(problem, term, at, SMALL * one, seed) for seed in range(PROBES)]
        moved, seed = max((largest(rows - rest), seed) for seed, rows in enumerate(found))
        more = largest(rows_at(problem, term, at, 2 * SMALL * one, seed) - rest)
        asked = largest(rest[:, touched(found, rest)])
        if 0 < moved < math.inf and more < math.inf and 1e-12 < asked < math.inf:
            power = max(1, round(math.log2(more / moved)))  # 1 of a slope, 2 of a norm ∫ u²
            return torch.tensor(SMALL * (asked / moved) ** (1 / power), dtype=torch.float64)
    return torch.ones((), dtype=torch.float64)


def holds_at_zero(problem: Problem, batch: Batch) -> bool:
    """Whether the rows of every term are nothing where the network is 0."""
    zero = torch.zeros(problem.outputs, dtype=torch.float64)
    return all(largest(rows_at(problem, term, at, zero)) < TINY for term, at in batch.items())


def touched(found: list[Tensor], rest: Tensor) -> Tensor:
    """Which columns of a term an output has anything to do with, (k,)."""
    return torch.stack([(rows != rest).any(0) for rows in found]).any(0)


def rows_at(problem: Problem, term: str, at: Points, outputs: Tensor, seed: int = 0) -> Tensor:
    """The rows of a term where the network is U times a probe, c.f. probe."""
    u = problem.solution(probe(problem, outputs, seed))
    return term_rows(problem, term, {**problem.guesses(), "u": u}, at).detach()


def probe(problem: Problem, outputs: Tensor, seed: int) -> Function:
    """x ↦ U sin(w·x̂ + b), one for each output: smooth, of the size U, and bent as a network at first."""
    generator = torch.Generator().manual_seed(seed)
    d, m = problem.domain.dimension, problem.outputs
    waves = 2 * torch.rand(d, m, generator=generator, dtype=torch.float64) + 0.5
    phases = 6 * torch.rand(m, generator=generator, dtype=torch.float64)
    return lambda x: (
        outputs.to(x) * torch.sin(problem.domain.centred(x) @ waves.to(x) + phases.to(x))
    )


def largest(rows: Tensor) -> float:
    """max |rows|; 0 for none."""
    return rows.abs().max().item() if rows.numel() else 0.0


def scaled(problem: Problem) -> Problem:
    """The same problem with a network of the size 1 and residuals of the size 1, in it alone.

    u stays in its units: it is ansatz(x, U n(x)) for what was ansatz(x, n(x)), the residual is divided
    by its size R, conditions weigh 1/R² of theirs unless their data have a σ, and an unknown without
    bounds is trained as a multiple of its guess. So u″ = −1 on (0, 6000) is learnt as on (0, 6).
    Raises ValueError for a problem whose sizes are no numbers.

    >>> from companion.pinn import Box
    >>> beam = Problem(Box(x=(0.0, 6000.0)), lambda u, x: u(0, 0) + 1, order=2,
    ...                ansatz=lambda x, n: x * (6000 - x) / 6000**2 * n)
    >>> [f"{size:.0e}" for size in sizes_of(scaled(beam)).outputs.tolist()]
    ['1e+00']

    Source: chapter 14.
    """
    need_kind("problem", problem, Problem, "a Problem")
    sizes = sizes_of(problem)
    if wrong := [t for t, s in sizes.terms.items() if not s.isfinite().all()]:
        raise ValueError(
            f"expected sizes that are numbers; those of {', '.join(wrong)} are not. Write the equation in "
            "units in which it is about 1"
        )
    outer, inner, size = problem.form, problem.residual, sizes.terms["equation"]

    def ansatz(x: Tensor, n: Tensor) -> Tensor:
        large = sizes.outputs.to(n) * n
        return large if outer is None else outer(x, large)

    def residual(u: Any, x: Tensor, **named: Any) -> Tensor:
        return inner(u, x, **named) / size.to(x)

    return replace(
        problem,
        residual=like(residual, inner, {**problem.unknowns, **problem.integrals}),
        ansatz=ansatz,
        hard=(),
        conditions=tuple(
            c
            if c.sigma is not None
            else replace(c, weight=c.weight / sizes.terms[c.name].max().item() ** 2)
            for c in problem.conditions
        ),
        unknowns={name: multiple(p) for name, p in problem.unknowns.items()},
    )


def multiple(unknown: Unknown | Field) -> Unknown | Field:
    """An unknown as a multiple of its guess, where nothing bounds it."""
    if isinstance(unknown, Field) or not unknown.guess:
        return unknown
    return replace(unknown, scale=abs(unknown.guess))


def like(function: Callable[..., Any], original: Callable[..., Any], named: Any) -> Any:
    """A function that asks for what another asks for."""
    names = asked_by(original, dict.fromkeys(named))
    parameters = [Parameter(n, Parameter.POSITIONAL_ONLY) for n in ("u", "x")]
    parameters += [Parameter(n, Parameter.KEYWORD_ONLY) for n in names]
    function.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return function


def warn_of_units(objective: Objective, state: State) -> None:
    """Say before the first step that sizes are far from 1 or from each other, and what to do.

    Sizes of the solution, of the first loss, and of the terms of the loss under their weights.
    """
    problem = objective.trial.problem
    losses = objective.losses(state.theta, state.weighted())
    loss = float(sum(value.item() for value in losses.values()))
    if HUGE < loss < math.inf:
        objective.warn(
            "loss",
            f"the loss begins at {loss:.0e}, far from 1: steps and tolerances are made for 1. Train "
            "scaled(problem), or divide the residual by its size",
        )
    try:
        batch = some_points(problem)
        sizes = outputs_of(problem, batch).tolist()
        pulled = pulls(problem, batch, torch.tensor(sizes, dtype=torch.float64))
    except Exception:  # of a problem that takes no probes, nothing is known
        return
    finite = [s for s in sizes if math.isfinite(s)]
    far = [s for s in finite if not 1 / FAR < s < FAR]
    if far or (finite and max(finite) > FAR * min(finite)):
        said = ", ".join(f"{s:.1e}" for s in far or finite)
        objective.warn(
            "units",
            f"the solution seems to be of the size {said}, and a network gives 1: it will be learnt "
            "late or never. Train scaled(problem), the same in other units, or write the problem in "
            "units in which it is about 1",
        )
        return
    light, heavy = (pick(pulled, key=pulled.__getitem__, default="") for pick in (min, max))
    many = FAR if light.startswith("equation") else FAR**2  # of a condition one may want that
    if pulled and pulled[heavy] > many * pulled[light]:
        objective.warn(
            "weights",
            f"the residuals of {light} are of the size {pulled[light]:.1e}, those of {heavy} of "
            f"{pulled[heavy]:.1e}, under their weights: the fit will see {heavy} alone. Train "
            "scaled(problem), or give weights, or a factor in the residual, that bring them together",
        )
    elif problem.exact is None and holds_at_zero(problem, batch):
        objective.warn(
            "zero",
            "where the network is 0 the equation and every condition hold: a fit will find just that. If "
            "it is not what you look for, give a condition, a norm for one, that excludes it",
        )
