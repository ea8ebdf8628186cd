"""What a term uses, wants a gradient, and is not trained; what is trained, and no term uses.

Both are found before the first step, and named.
"""

from contextlib import suppress
from functools import partial
from inspect import getclosurevars, signature
from typing import Any

import torch
from torch import Tensor, nn

from companion.operators.graphs import graph_leaves
from companion.pinn.problem import Problem
from companion.pinn.residuals import all_parts, batch_of, every_term
from companion.pinn.state import State
from companion.pinn.trial import Objective, Trial


def hard_values(problem: Problem) -> list[Any]:
    """The functions that the hard conditions are made of."""
    found = [getattr(c, what, None) for c in problem.hard for what in ("values", "slopes")]
    return [f for f in found if callable(f)]


def refuse_strangers(trial: Trial, x: Tensor) -> None:
    """Raise ValueError for a term that uses what wants a gradient and is not trained here.

    With all that is trained taken as constants, no leaf of a term's graph may require a gradient.
    """
    constants, problem = trial.theta(), trial.problem
    for name, at in every_term(problem, x).items():
        with torch.no_grad():
            parts = trial.call(constants, lambda params: all_parts(problem, params, name, at.x))
        with torch.enable_grad():
            rows = trial.at(constants, {name: at}, None, parts)[name][0]
        points = [at.x, *at.given.values()]  # Partials differentiates by them
        own = {constants.data_ptr(), *(x.data_ptr() for x in points)}
        strangers = [leaf for leaf in graph_leaves([rows]) if leaf.data_ptr() not in own]
        if strangers:
            whose = ", ".join(
                sorted(f"{named_leaf(problem, leaf)} {tuple(leaf.shape)}" for leaf in strangers)
            )
            raise ValueError(
                f"{name} uses a parameter that this fit does not train: {whose}. Make it an unknown of "
                "the problem, which the residual asks for by name: unknowns={'k': Unknown(0.2)} for a "
                "number, {'a': Field(network)} for a network; or detach it"
            )


def refuse_constants(trial: Trial, x: Tensor) -> None:
    """Raise ValueError for a term that is the same whatever is trained; under a frozen network one may be."""
    if not any(name.startswith("network.") for name in trial.shapes):
        return
    theta = trial.theta().requires_grad_()
    for name, at in batch_of(trial.problem, x).items():
        with torch.enable_grad():
            rows = trial.at(theta, {name: at})[name][0]
        if not rows.requires_grad:
            raise ValueError(
                f"{name} is the same whatever is trained: does it leave u out, detach or round it, or "
                "does the ansatz leave the network out? Build it from u() and its derivatives"
            )


def warn_of_idle(objective: Objective, state: State) -> None:
    """Say before the first step which unknowns, or that the network, no residual answers to."""
    trial = objective.trial
    generator = torch.Generator().manual_seed(0)
    aside = 0.1 * torch.randn(state.theta.shape, generator=generator).to(state.theta)
    theta = (state.theta + aside).requires_grad_()  # a network may be 0 at first
    with torch.enable_grad():
        found = objective.rows(theta, state.weighted())
        sums = [  # by random factors: of a Jacobian that is not 0 this is not 0
            (rows * torch.rand(rows.shape, generator=generator).to(rows)).sum()
            for rows, _ in found.values()
        ]
        total = torch.stack(sums).sum()
        (slope,) = torch.autograd.grad(total, theta, materialize_grads=True)
    moved = {name: bool((part != 0).any()) for name, part in trial.split(slope).items()}
    idle = [name for name in trial.thetas if not moved.get(f"thetas.{name}", True)]
    for kind in ("network", *(f"fields.{name}" for name in trial.fields)):
        own = [moves for name, moves in moved.items() if name.startswith(f"{kind}.")]
        idle += [kind.removeprefix("fields.")] if own and not any(own) else []
    if idle:
        objective.warn(
            "idle",
            f"no residual answers to {', '.join(idle)}: what is trained of it stays as it is. Is it "
            "detached, turned into a float, multiplied by 0, or rounded?",
        )


def named_leaf(problem: Problem, leaf: Tensor) -> str:
    """What a tensor is called where a function of the problem finds it."""
    functions = [
        problem.residual,
        *(c.of for c in problem.conditions),
        problem.ansatz,
        *hard_values(problem),
        *(f for i in problem.integrals.values() for f in (i.of, i.kernel)),
    ]
    for function in functions:
        for name, value in seen_by(function).items():
            if value is leaf:
                return name
            if isinstance(value, nn.Module):
                for inner, parameter in value.named_parameters():
                    if parameter is leaf:
                        return f"{name}.{inner}"
    return "a tensor"


def seen_by(function: Any) -> dict[str, Any]:
    """{name: value} of what a function sees beside its arguments."""
    found: dict[str, Any] = {}
    if isinstance(function, partial):
        numbered = {f"argument {i + 1}": value for i, value in enumerate(function.args)}
        return {**seen_by(function.func), **numbered, **function.keywords}
    with suppress(TypeError):
        seen = getclosurevars(function)
        found |= {**seen.globals, **seen.nonlocals}
    with suppress(TypeError, ValueError):
        for name, parameter in signature(function).parameters.items():
            found[name] = parameter.default
    if not hasattr(function, "__code__"):  # an object that can be called
        found |= getattr(function, "__dict__", {})
        found |= getattr(function, "_parameters", {})
        found |= getattr(function, "_modules", {})
    return found
