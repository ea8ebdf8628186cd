"""What is looked at before anything is trained: the declaration, and whether the network fits it.

check(problem) puts the exact solution into the equation, the conditions and the ansatz. fit calls
refuse_misfits, which evaluates everything once at a few points. Chapters 12, 13 and 15.
"""

import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

import torch
from torch import Tensor, nn

from companion.operators import Partials
from companion.pinn.arguments import need_kind, need_number
from companion.pinn.differences import STEP, by_differences, has_graph
from companion.pinn.domain import Box
from companion.pinn.interfaces import refuse_interfaces
from companion.pinn.networks import Centred, Kinks
from companion.pinn.problem import Function, Problem
from companion.pinn.residuals import (
    Points,
    batch_of,
    every_term,
    rows_of,
    term_rows,
)
from companion.pinn.solution import error_points
from companion.pinn.strangers import refuse_constants, refuse_strangers
from companion.pinn.trial import Trial, exact_of
from companion.pinn.unknowns import Field

COARSE = 1e-3  # of an axis that numbers beside each other may be apart
LOOSE = 1e-4  # tolerance of a reference that is differentiated by differences


def check(problem: Problem, n: int = 200, tolerance: float | None = None) -> dict[str, float]:
    """{term: largest |residual|} of the problem on its exact solution; all must be small.

    With an ansatz there is a term of this name: how far what it fixes on the faces of the box lies
    from the exact solution. What nothing fixes, a forgotten condition, is not seen (fit says it); but
    a coefficient that jumps, as at an interface, needs a condition there that ties the flux. A reference that
    torch cannot differentiate, as one made with NumPy, is differentiated by differences, and that is
    said. tolerance: absolute, 1e-10 where it is None; by differences 1e-4, and twice what a residual
    changes when their step is twice as long. Raises ValueError when
    there is no exact solution, or naming each term above the tolerance, and TypeError for what is no
    Problem.

    >>> from companion.pinn import Box, Problem
    >>> line = Problem(Box(x=(0, 1)), lambda u, x: u(0) - 1, exact=lambda x: x)
    >>> check(line)
    {'equation': 0.0}
    """
    other = "(companion.practice.check is what checks an answer to an exercise)"
    need_kind("problem", problem, Problem, f"a Problem {other}")
    if problem.exact is None:
        raise ValueError("check needs Problem(exact=...), a closed form or a reference")
    if tolerance is not None:
        need_number("tolerance", tolerance, least=0)
    x = problem.domain.points(n, "sobol")
    refuse_shape("exact", problem.exact(x), x, problem.outputs)
    few = problem.domain.points(16, "sobol")  # where n may be 1
    strict = tolerance is not None
    problem, tolerance, coarse = differentiable(problem, few, tolerance)
    params = {"u": problem.exact, **truths(problem)}
    refuse_terms(problem, params, few)
    found, doubts = {}, {}
    for name, at in batch_of(problem, x).items():
        rows = term_rows(problem, name, params, at).detach()
        found[name] = rows.abs().max().item()
        if coarse and not strict:
            other = term_rows(problem, name, {**params, "u": coarse}, at).detach()
            doubts[name] = 2 * (rows - other).abs().max().item()
    if problem.form:
        found["ansatz"] = built_in(problem)
    most = {name: tolerance + doubts.get(name, 0.0) for name in found}
    if wrong := {name: size for name, size in found.items() if not size <= most[name]}:
        listed = ", ".join(f"{name} {size:.2g}" for name, size in wrong.items())
        fixed = (
            ". The ansatz fixes other values, or slopes, than the exact solution has on the edge"
        )
        raise ValueError(
            f"the exact solution leaves a residual above {tolerance:g}: {listed}"
            f"{fixed if 'ansatz' in wrong else ''}"
        )
    refuse_interfaces(problem, params)
    return found


def truths(problem: Problem) -> dict[str, Any]:
    """{unknown: its truth, or its guess}."""
    found: dict[str, Any] = {}
    for name, p in problem.unknowns.items():
        if isinstance(p, Field):
            found[name] = p.truth or p.function(problem.domain)
        else:
            value = p.guess if p.truth is None else p.truth
            found[name] = torch.tensor(value, dtype=torch.float64)
    return found


def differentiable(
    problem: Problem, x: Tensor, tolerance: float | None
) -> tuple[Problem, float, Function | None]:
    """The problem with an exact solution that torch differentiates, the tolerance for it, and, where
    that is by differences, the same with a step twice as long."""
    exact = exact_of(problem)
    if has_graph(exact, x):
        return problem, 1e-10 if tolerance is None else tolerance, None
    warnings.warn(
        "the exact solution leaves torch (NumPy, SciPy, detach), so check takes its derivatives by "
        "differences, to some four digits",
        stacklevel=3,
    )
    whole = replace(problem, exact=by_differences(exact, problem.domain))
    coarse = by_differences(exact, problem.domain, 2 * STEP)
    return whole, LOOSE if tolerance is None else tolerance, coarse


def built_in(problem: Problem) -> float:
    """The largest |u − u*| on the faces of the box where u is the same for two networks.

    The two are e^{Σ x̂} and its double, of the columns that a network sees: what they agree on, in u and
    in its derivatives below the order of the equation, is what the ansatz fixes. NaN where the ansatz is.
    """
    box = problem.domain
    centred = Centred(box)

    def stand_in(factor):
        return lambda x: factor * centred(x).sum(1, keepdim=True).exp().expand(-1, problem.outputs)

    x = torch.cat(
        [box.edge(20, None, 0, **{axis: e}) for axis, ends in box.ends().items() for e in ends]
    )
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
    parameters = list(trial.parameters())
    refuse_mixtures(parameters)
    refuse_coarse(problem.domain, parameters[0].dtype)
    x = problem.domain.points(16, "sobol")
    if problem.exact:
        refuse_exact(problem)
    x = x.to(parameters[0])
    with torch.no_grad(), suppress(RuntimeError, ValueError):  # which are said below
        need_kind("what the network gives", network(x), Tensor, "a tensor (n, outputs)")
    try:
        _ = problem.form  # the time scale of a Start is found in the equation
    except RuntimeError as error:
        raise ValueError(f"equation cannot be evaluated at points of {x.dtype}: {error}") from error
    try:
        refuse_kinks(problem, network, x)
        u = trial.params()["u"](x)
    except RuntimeError as error:
        raise ValueError(
            f"expected a network from (n, {problem.domain.dimension}) to (n, {problem.outputs}), or "
            f"to what the ansatz takes; at {len(x)} points it fails: {error}"
        ) from error
    refuse_shape("the solution by this network", u, x, problem.outputs)
    refuse_mixing(network, x)
    refuse_open(problem, network, parameters[0])
    refuse_terms(problem, trial.params(), x)
    refuse_strangers(trial, x)
    refuse_constants(trial, x)


def refuse_exact(problem: Problem) -> None:
    """Raise ValueError for an exact solution by which no relative error can be measured."""
    x = error_points(problem)
    with torch.no_grad():
        u = exact_of(problem)(x)
    refuse_shape("exact", u, x, problem.outputs)
    if not (finite := u.isfinite().all(1)).all():
        place = x[int(finite.int().argmin())].tolist()
        where = ", ".join(f"{name} = {v:g}" for name, v in zip(problem.domain.names, place))
        raise ValueError(
            f"exact is NaN or infinite at {int((~finite).sum())} of {len(x)} points, as at {where}: no "
            "error can be measured. Give it a value there, by torch.where for one, or leave exact out"
        )
    if not u.any():
        raise ValueError(
            "exact is 0 everywhere, and the error is measured as a share of it: leave exact out, and "
            'look at a metric, fit(..., metrics={"size": lambda u: u(x).abs().max()})'
        )


def refuse_open(problem: Problem, network: Function, like: Tensor) -> None:
    """Raise ValueError for a network without the periods and the slopes that its problem leaves to it."""
    box = problem.domain
    for axis, side in {*((name, "low") for name in box.periodic), *box.flat}:
        low, high = box.ends()[axis]
        x = box.edge(16, None, 0, **{axis: low if side == "low" else high}).to(like)
        if axis in box.periodic:
            other = box.edge(16, None, 0, **{axis: high}).to(like)
            wrong, what = network(x) - network(other), "the same at both ends"
        else:
            wrong, what = Partials(network, x)(box.column(axis)), f"flat at the {side} end"
        if not wrong.abs().max() <= 1e3 * torch.finfo(like.dtype).eps * (
            1 + network(x).abs().max()
        ):
            raise ValueError(
                f"the network is not {what} of {axis}, which the hard conditions leave to it: make it for "
                "the domain of the problem, as MLP(problem.domain), not for a box of your own"
            )


def refuse_terms(problem: Problem, params: Mapping[str, Any], x: Tensor) -> None:
    """Raise ValueError for a term that cannot be evaluated at the points x (n, d), pairs each with
    all others, takes more derivatives than Problem(order=…) says, or draws at random.
    """
    for name, at in every_term(problem, x).items():
        u = Partials(params["u"], at.x)
        try:
            rows = rows_of(problem, name, u, params, at)
        except NotImplementedError:  # a derivative is missing, whatever the points
            raise
        except RuntimeError as error:
            raise ValueError(
                f"{name} cannot be evaluated at {len(at.x)} points of {at.x.dtype} on {at.x.device}: "
                f"{error}. It is called at any number of points: make its tensors from them, or bring "
                "them there, values.to(x)"
            ) from error
        refuse_pairs(name, rows, fewer_rows(problem, name, params, at))
        refuse_chance(name, rows, term_rows(problem, name, params, at))
        if u.order > problem.order:
            raise ValueError(
                f"{name} takes derivatives of order {u.order}, but the problem says "
                f"order={problem.order}. Write Problem(..., order={u.order})"
            )


def refuse_chance(name: str, rows: Tensor, again: Tensor) -> None:
    """Raise ValueError if a term is another one at the second call."""
    if not torch.allclose(rows, again, rtol=1e-4, atol=1e-8, equal_nan=True):
        raise ValueError(
            f"two calls of {name} differ: it draws at random. Draw once and let it use what was drawn, "
            "or draw the points, Batches(draw, every=1)"
        )


def fewer_rows(problem: Problem, name: str, params: Mapping[str, Any], at: Points) -> Tensor | None:
    """The residual of a term without the first of its points; None where there is none.

    A condition has its own points, and may hold a tensor with a row for each of them.
    """
    if len(at.x) > 1:
        with suppress(RuntimeError, ValueError):
            return term_rows(problem, name, params, at.take(slice(1, None)))
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
    if strange := {str(p.dtype) for p in parameters} - {"torch.float32", "torch.float64"}:
        raise ValueError(
            f"the network's parameters are {', '.join(sorted(strange))}; expected torch.float64, or "
            "torch.float32: network.double(). A complex solution has two outputs, real and imaginary"
        )
    kinds = sorted({f"{p.dtype} on {p.device}" for p in parameters})
    if len(kinds) > 1:
        raise ValueError(
            f"the network's parameters are {' and '.join(kinds)}; bring all to one place: "
            "network.to(device(), torch.float64)"
        )


def refuse_coarse(box: Box, dtype: torch.dtype) -> None:
    """Raise ValueError for an axis along which numbers of a dtype are too far apart: a date, in seconds."""
    for name, (low, high) in box.ends().items():
        apart = torch.finfo(dtype).eps * max(abs(low), abs(high))
        if apart > COARSE * (high - low):
            raise ValueError(
                f"along {name} numbers of {dtype} are {apart:.2g} apart, and {box} is {high - low:.2g} long: "
                f"measure {name} from {low:g}, {name}=(0.0, {high - low:g})"
            )


def refuse_shape(what: str, u: Tensor, x: Tensor, outputs: int) -> None:
    """Raise TypeError or ValueError unless u is (n, outputs) at the points x (n, d)."""
    if not hasattr(u, "shape"):
        raise TypeError(f"{what} is a function that gives (n, {outputs}); got {u!r}")
    if u.shape != (len(x), outputs):
        raise ValueError(
            f"{what} at {len(x)} points has shape {tuple(u.shape)}, but the problem has {outputs} "
            f"outputs: expected ({len(x)}, {outputs})"
        )
