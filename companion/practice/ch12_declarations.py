"""What a declared Problem must satisfy, whoever declared it. Chapters 12 and 15.

An exact solution passes; a function that is near it in one thing only, an impostor, does not; and where the
boundary is held by an ansatz, it is held for every network, and the network is heard elsewhere.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from companion.pinn import Box, Problem, batch_of, residuals
from companion.practice.answers import trying
from companion.practice.verdicts import demand, place, shown, tensor

Function = Callable[[Tensor], Tensor]

NETWORKS: dict[str, Function] = {  # that nobody trained
    "1 + cos": lambda x: 1 + torch.cos(3 * x.sum(1, keepdim=True)),
    "e^x": lambda x: torch.exp(x.sum(1, keepdim=True) / 4),
    "5": lambda x: 5 + 0 * x[:, :1],
}


def declared(problem: Any, box: Box) -> Problem:
    """The answer, if it is a Problem on that domain."""
    demand(isinstance(problem, Problem), f"a Problem is expected; yours is {shown(problem)}")
    ends, wanted = problem.domain.ends(), box.ends()
    same = list(ends.values()) == list(wanted.values())
    demand(same, f"the domain is {ends}, and {wanted} is asked")
    return problem


def violations(problem: Problem, u: Function, n: int = 64) -> dict[str, float]:
    """{term: largest |residual|} of a function in the place of the network's; 'ansatz' not among them."""
    with trying("putting a function into your declaration"):
        rows = residuals(problem, {"u": u}, batch_of(problem, problem.domain.points(n)))
    return {term: found.abs().max().item() for term, (found, _) in rows.items()}


def solves(problem: Problem, exact: Function, name: str) -> None:
    """Refuse a declaration that refuses its solution."""
    for term, size in violations(problem, exact).items():
        demand(
            size < 1e-8,
            f"{name} is the solution, and leaves a residual of {size:.2g} in your {term}",
        )


def refuses(problem: Problem, impostor: Function, name: str, edge: Tensor) -> None:
    """Refuse a declaration that lets a wrong function pass: by no term, nor by what the ansatz holds."""
    seen = max(violations(problem, impostor).values())
    if problem.form is not None:
        apart = ansatz_at(problem, NETWORKS["5"], edge) - impostor(edge)
        other = ansatz_at(problem, NETWORKS["e^x"], edge) - impostor(edge)
        seen = max(seen, torch.minimum(apart.abs(), other.abs()).max().item())
    demand(seen > 1e-3, f"{name} is no solution, and nothing in your declaration refuses it")


def ansatz_at(problem: Problem, network: Function, points: Tensor) -> Tensor:
    """The values of the declared ansatz, with this network in it: (k, 1)."""
    with trying("your ansatz"):
        values = problem.solution(network)(points)
    return tensor(values, "what your ansatz gives")


def shape_of(came: Tensor, wanted: Tensor) -> str:
    """The words for an ansatz whose values have another shape than is wanted, (k, 1)."""
    return f"your ansatz gives {tuple(came.shape)} at {len(wanted)} points, and {tuple(wanted.shape)} is expected"


def holds(problem: Problem, edge: Tensor, value: Tensor) -> None:
    """Refuse an ansatz that does not hold the values (k, 1) at these points (k, d) for every network."""
    demand(problem.form is not None, "the condition is to be built in: Problem(ansatz=...)")
    for name, network in NETWORKS.items():
        u = ansatz_at(problem, network, edge)
        demand(u.shape == value.shape, shape_of(u, value))
        gap = (u - value).abs()
        worst = gap.argmax()
        at = place(dict(zip(problem.domain.names, edge[worst].tolist())))
        demand(
            gap[worst].item() < 1e-9,
            f"{at}with the network {name} your ansatz gives {shown(u[worst, 0])}, and "
            f"{shown(value[worst, 0])} is asked",
        )


def hears(problem: Problem, exact: Function, inside: Tensor) -> None:
    """Refuse an ansatz in which no network of a moderate size gives the exact solution at points inside.

    u = a + d n, so n = (u - a)/d is what the network would have to be.
    """
    base = ansatz_at(problem, lambda x: 0 * x[:, :1], inside)
    factor = ansatz_at(problem, lambda x: 0 * x[:, :1] + 1, inside) - base
    needed = (exact(inside) - base) / factor
    worst = torch.nan_to_num(needed.abs(), nan=torch.inf).argmax()
    at = place(dict(zip(problem.domain.names, inside[worst].tolist())))
    demand(
        bool(needed.isfinite().all()) and needed.abs().max().item() < 1e3,
        f"{at}your ansatz multiplies the network by {shown(factor[worst, 0])}: it would have to be "
        f"{shown(needed[worst, 0])} there to give the solution",
    )
