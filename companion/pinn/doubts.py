"""What fit doubts: u asked for where nothing holds it, a coefficient that jumps where nothing ties the
flux, and an equation that holds at its points alone.

The first two are seen before the first step, the last after the last one. Chapters 12 and 14.
"""

import torch
from torch import Tensor

from companion.pinn.estimates import measured
from companion.pinn.interfaces import TIE, untied
from companion.pinn.problem import Problem
from companion.pinn.residuals import batch_of, equation_at, term_rows
from companion.pinn.state import State
from companion.pinn.trial import Objective
from companion.pinn.units import probe, sizes_of

ASIDE = 0.02  # of half an axis: a difference quotient at a face may take so much
MORE, MUCH = 100, 0.1  # times the residual at the points; times the size that it can have
MORE_DATA, MUCH_DATA = 10, 2e-3  # the same, where it has more weight than the noise of data


def warn_of_beyond(objective: Objective, state: State, n: int = 64) -> None:
    """Say which terms depend on the network outside the box, as at t − 1 before the time 1.

    Their rows are those of another network, which is 1 more outside. A period is no outside.
    """
    trial = objective.trial
    trial.load(state.theta)
    problem, params, asked = trial.problem, trial.params(), []
    box = problem.domain
    held = torch.tensor([name in box.periodic for name in box.names])

    def beyond(y: Tensor) -> Tensor:
        outside = ((box.centred(y.detach()).abs() > 1 + ASIDE) & ~held.to(y.device)).any(1)
        asked.append(bool(outside.any()))
        u: Tensor = trial.network(y)
        return u + outside[:, None].to(u)

    other = {**params, "u": problem.solution(beyond)}
    for term, at in batch_of(problem, box.points(n).to(state.theta)).items():
        asked.clear()
        moved = term_rows(problem, term, other, at).detach()
        if any(asked) and not torch.allclose(
            moved, term_rows(problem, term, params, at).detach(), equal_nan=True
        ):
            objective.warn(
                "beyond",
                f"{term} depends on u outside {box}, where no equation and no condition holds it. Say "
                "what u is there, torch.where(t < 1, before, u.f(t - 1)), or make the box larger",
            )


def warn_of_untied(objective: Objective) -> None:
    """Say before the first step that a coefficient jumps where nothing ties the flux.

    Smooth functions stand for the solution: a jump is of the coefficient where two of them have it.
    """
    problem = objective.trial.problem
    sizes = torch.ones(problem.outputs, dtype=torch.float64)

    def seen(seed: int) -> set[tuple[str, float]]:
        u = problem.solution(probe(problem, sizes, seed))
        found = untied(problem, {**problem.guesses(), "u": u})
        return {(name, float(f"{place:.4g}")) for name, place in found}

    try:
        jumps = seen(0) and seen(0) & seen(1)
    except Exception:  # of a problem that takes no probes, nothing is known
        return
    if jumps:
        name, place = min(jumps)
        objective.warn(
            "untied",
            f"the coefficient of the second derivative jumps at {name} = {place:g}, and no condition "
            f"stands there: {TIE}",
        )


def warn_of_unseen(objective: Objective, state: State, n: int = 256) -> None:
    """Say after the last step that the equation is far from holding at points that were not trained.

    Far: a tenth of what its residual can be. Where data have a σ, less, if it has more weight than their
    noise, for which the unknowns then go astray.
    """
    trial, problem = objective.trial, objective.trial.problem
    x, own = problem.domain.points(n, "uniform", seed=1).to(state.theta), state.batch["equation"]
    with torch.no_grad():
        at_its_own, at_others = (
            trial.at(state.theta, {"equation": at}, objective.method)["equation"][0]
            .square().mean(0).sqrt()
            for at in (own, equation_at(x))
        )  # fmt: skip
    more, heavy = at_others > MORE * at_its_own, torch.zeros_like(at_others, dtype=torch.bool)
    if measured(trial):
        heavy = own.weight.mean() * at_others.square() > 1
        heavy &= at_others > MORE_DATA * at_its_own
    if not (more | heavy).any():
        return
    size = size_of_equation(problem).to(at_others)
    unseen = more & (at_others > MUCH * size) | heavy & (at_others > MUCH_DATA * size)
    if unseen.any():
        worst = int(torch.where(unseen, at_others, 0).argmax())
        objective.warn(
            "unseen",
            f"the equation holds at the points of this fit alone: its residual is {at_its_own[worst]:.1e} "
            f"there, and {at_others[worst]:.1e} at others. Take more points, others now and then, "
            "fit(..., resample=10), or points=refined(...)",
        )


def size_of_equation(problem: Problem) -> Tensor:
    """How large its residual can be; ∞ of a problem that takes no probes."""
    try:
        return sizes_of(problem).terms["equation"]
    except Exception:  # the user's, of any kind
        return torch.tensor(torch.inf)
