"""What is looked at before anything is trained: the declaration, and whether the network fits it.

check(problem) puts the exact solution into the equation, the conditions and the ansatz. fit calls
refuse_misfits, which evaluates everything once at a few points. Chapters 12, 13 and 15.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import combinations_with_replacement

import torch
from torch import Tensor, nn

from companion.operators import Partials
from companion.pinn.networks import Kinks
from companion.pinn.objective import Trial, exact_of
from companion.pinn.problem import Function, Problem


def check(problem: Problem, n: int = 200, tolerance: float = 1e-10) -> dict[str, float]:
    """{term: largest |residual|} of the problem on its exact solution; all must be small.

    With an ansatz there is a term of this name: how far what it fixes on the faces of the box lies
    from the exact solution. What nothing fixes, a forgotten condition, is not seen. Raises ValueError
    when there is no exact solution, or naming each term above the tolerance (absolute, float64).

    >>> from companion.pinn import Box, Problem
    >>> line = Problem(Box(x=(0, 1)), lambda u, x: u(0) - 1, exact=lambda x: x)
    >>> check(line)
    {'equation': 0.0}
    """
    if problem.exact is None:
        raise ValueError("check needs Problem(exact=...), a closed form or a reference")
    x = problem.domain.points(n, "sobol")
    refuse_shape("exact", problem.exact(x), x, problem.outputs)
    unknowns = {
        name: torch.tensor(p.guess if p.truth is None else p.truth, dtype=torch.float64)
        for name, p in problem.unknowns.items()
    }
    refuse_terms(problem, problem.exact, unknowns, problem.domain.points(16, "sobol"))
    found = {}
    for name, (at, values, _) in problem.terms(x).items():
        rows = problem.rows(name, problem.exact, unknowns, at, values)
        found[name] = rows.detach().abs().max().item()
    if problem.ansatz:
        found["ansatz"] = built_in(problem)
    if wrong := {name: size for name, size in found.items() if not size <= tolerance}:
        listed = ", ".join(f"{name} {size:.2g}" for name, size in wrong.items())
        fixed = (
            ". The ansatz fixes other values, or slopes, than the exact solution has on the edge"
        )
        raise ValueError(
            f"the exact solution leaves a residual above {tolerance:g}: {listed}"
            f"{fixed if 'ansatz' in wrong else ''}"
        )
    return found


def built_in(problem: Problem) -> float:
    """The largest |u − u*| on the faces of the box where u is the same for two networks.

    The two are e^{Σ x̂} and its double: what they agree on, in u and in its derivatives below the
    order of the equation, is what the ansatz fixes. NaN where the ansatz is.
    """
    box = problem.domain

    def stand_in(factor):
        return lambda x: (
            factor * box.centred(x).sum(1, keepdim=True).exp().expand(-1, problem.outputs)
        )

    x = torch.cat([box.edge(20, **{axis: e}) for axis, ends in box.ends().items() for e in ends])
    one, two = problem.solution(stand_in(1.0)), problem.solution(stand_in(2.0))
    refuse_shape("the ansatz", one(x), x, problem.outputs)
    u, v, exact = Partials(one, x), Partials(two, x), Partials(exact_of(problem), x)
    worst = []
    for order in range(problem.order):
        for axes in combinations_with_replacement(range(box.dimension), order):
            free = (u(*axes) - v(*axes)).abs() > 1e-12
            worst.append((u(*axes) - exact(*axes)).masked_fill(free, 0).abs().max())
    return torch.stack(worst).max().item()


def refuse_misfits(trial: Trial) -> None:
    """Raise ValueError for a network that cannot solve the problem, before anything is trained."""
    problem, network = trial.problem, trial.network
    parameters = list(network.parameters())
    refuse_mixtures(parameters)
    x = problem.domain.points(16, "sobol")
    if problem.exact:
        refuse_shape("exact", problem.exact(x), x, problem.outputs)
    x = x.to(parameters[0])
    try:
        refuse_kinks(problem, network, x)
        u = trial(x)
    except RuntimeError as error:
        raise ValueError(
            f"expected a network from (n, {problem.domain.dimension}) to (n, {problem.outputs}), or "
            f"to what the ansatz takes; at {len(x)} points it fails: {error}"
        ) from error
    refuse_shape("the solution by this network", u, x, problem.outputs)
    refuse_mixing(network, x)
    refuse_terms(problem, trial, trial.unknowns(), x)


def refuse_terms(
    problem: Problem, u_of: Function, unknowns: Mapping[str, Tensor], x: Tensor
) -> None:
    """Raise ValueError for a term that cannot be evaluated at the points x (n, d), pairs each with
    all others, or takes more derivatives than Problem(order=…) says."""
    for name, (at, values, _) in problem.terms(x).items():
        u = Partials(u_of, at)
        try:
            rows = problem.rows_of(name, u, unknowns, at, values)
        except NotImplementedError:  # a derivative is missing, whatever the points
            raise
        except RuntimeError as error:
            raise ValueError(
                f"{name} cannot be evaluated at {len(at)} points of {at.dtype} on {at.device}: "
                f"{error}. It is called at any number of points: make its tensors from them, or bring "
                "them there, values.to(x)"
            ) from error
        refuse_pairs(name, rows, fewer_rows(problem, name, u_of, unknowns, at, values))
        if u.order > problem.order:
            raise ValueError(
                f"{name} takes derivatives of order {u.order}, but the problem says "
                f"order={problem.order}. Write Problem(..., order={u.order})"
            )


def fewer_rows(
    problem: Problem,
    name: str,
    u_of: Function,
    unknowns: Mapping[str, Tensor],
    x: Tensor,
    values: Tensor,
) -> Tensor | None:
    """The residual of a term without the first of its points x (n, d); None where there is none.

    A condition has its own points, and may hold a tensor with a row for each of them.
    """
    if len(x) > 1:
        with suppress(RuntimeError, ValueError):
            return problem.rows(name, u_of, unknowns, x[1:], values[1:])
    return None


def refuse_pairs(name: str, rows: Tensor, fewer: Tensor | None) -> None:
    """Raise ValueError if the columns of rows (n, k) are others at n − 1 points, fewer (n − 1, ·).

    k equations have k columns at any number of points; pairs of points have n, and then n − 1.
    """
    if fewer is None or rows.shape[1] == fewer.shape[1]:
        return
    n, k = rows.shape
    seen = f"shape {(n, k)} at {n} points" if k == n else f"{k} columns at {n} points"
    less = "" if k == n else f" and {fewer.shape[1]} at {len(fewer)}"
    raise ValueError(
        f"{name} has {seen}{less}: a column (n, 1) met a row (n,), and broadcasting made all pairs. "
        "Keep columns: u()[:, :1], not u()[:, 0]"
    )


def refuse_mixing(network: Function, x: Tensor) -> None:
    """Raise ValueError for a network whose rows depend on each other, or that draws at random."""
    u = network(x)
    if not u.isfinite().all():
        return  # the first step will say so, with its term
    if not torch.allclose(u, network(x)):
        raise ValueError("two calls of the network differ, as under Dropout: call network.eval()")
    Partials(network, x).check_rows()


def refuse_kinks(problem: Problem, network: Function, x: Tensor) -> None:
    """Raise ValueError for a network that cannot bend, in an equation of order 2 or more."""
    with Kinks() as kinks:
        network(x)
    if problem.order > 1 and kinks.seen:
        raise ValueError(
            f"{', '.join(sorted(kinks.seen))} is made of straight lines: its second derivative is 0, "
            f"and this problem takes derivatives of order {problem.order}. Use tanh, sin, silu, gelu "
            "or softplus (chapter 13)"
        )


def refuse_mixtures(parameters: Iterable[nn.Parameter]) -> None:
    """Raise ValueError unless all parameters are of one floating type and on one device."""
    kinds = sorted({f"{p.dtype} on {p.device}" for p in parameters})
    if len(kinds) > 1:
        raise ValueError(
            f"the network's parameters are {' and '.join(kinds)}; bring all to one place: "
            "network.to(device(), torch.float64)"
        )


def refuse_shape(what: str, u: Tensor, x: Tensor, outputs: int) -> None:
    """Raise ValueError unless u is (n, outputs) at the points x (n, d)."""
    if u.shape != (len(x), outputs):
        raise ValueError(
            f"{what} at {len(x)} points has shape {tuple(u.shape)}, but the problem has {outputs} "
            f"outputs: expected ({len(x)}, {outputs})"
        )
