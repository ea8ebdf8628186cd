"""A forgotten condition: the equation holds, all conditions hold, and u may still be another.

An equation of the order k along an axis takes k conditions on the two faces across it. Where fewer are
there, it is tried: polynomials stand for the network, J is what all terms answer to their coefficients
c, and Φ what u answers. A c with |Φ c| = 1 and J c ≈ 0 is a change of u that no term sees. Chapter 12.
"""

import math
from itertools import product

import torch
from torch import Tensor, nn
from torch.func import jacrev

from companion.operators import Partials
from companion.pinn.domain import SIDES, Box
from companion.pinn.linearise import integrated, of_term
from companion.pinn.networks import columns_of
from companion.pinn.problem import Condition, Function, Problem
from companion.pinn.residuals import batch_of, equation_at, points_of, rows_of
from companion.pinn.trial import Objective, Trial
from companion.pinn.units import probe, rows_at, sizes_of
from companion.pinn.unknowns import Unknown

UNSEEN = 1e-3  # of their usual answer, to a change of u as large
DEGREES = {1: 40, 2: 12, 3: 7}  # of the polynomials, by how many axes there are


def missing(problem: Problem) -> str:
    """What is to be said of a condition that is missing; nothing where none is, or none is seen.

    A solution much steeper than the polynomials hides its own freedom. Where a coefficient vanishes on
    a face, as in x u″ + 2 u′ + x u = 0 at 0, fewer conditions are enough, and nothing is said.
    """
    if problem.domain.dimension not in DEGREES:
        return ""
    try:
        few = short(problem)
        freedom = unseen(problem) if few else math.inf
    except Exception:  # of a residual that takes no polynomials, or no jets, nothing is known
        return ""
    if not freedom < UNSEEN:
        return ""
    listed = "; ".join(
        f"along {axis} it is of order {order}, and {held} of {wanted} conditions are there"
        for axis, order, held, wanted in few
    )
    return (
        "the equation and its conditions leave the solution free: it can change by 1 where no term "
        f"changes by more than {freedom:.0e}. Is a condition missing? The equation: {listed}. Add a "
        "Condition, or a hard one"
    )


def short(problem: Problem) -> list[tuple[str, int, int, int]]:
    """(axis, order of the equation along it, conditions there, conditions it takes) where they are few.

    Along one axis alone each output may take as many; in more, a condition on a face counts once.
    """
    box, found = problem.domain, []
    each = problem.outputs if box.dimension == 1 else 1
    for axis, order in enumerate(orders(problem)):
        if not order or box.names[axis] in box.periodic:
            continue
        held = sum(counted(problem, c, axis) for c in problem.conditions)
        if held < order * each and problem.form:
            held += built_in(problem, axis, order)
        if held < order * each:
            found.append((box.names[axis], order, int(held), order * each))
    return found


def orders(problem: Problem) -> tuple[int, ...]:
    """The highest order of a derivative of u that the equation asks for, by axis."""
    params = {**problem.guesses(), "u": solutions(problem)[0]}
    at = equation_at(problem.domain.points(4, "uniform"))
    u = Partials(params["u"], at.x)
    rows_of(problem, "equation", u, params, at)
    return u.orders


def solutions(problem: Problem) -> list[Function]:
    """u with two networks: what they have in common is built in."""
    ones = torch.ones(problem.outputs, dtype=torch.float64)
    return [problem.solution(probe(problem, ones, seed)) for seed in (0, 1)]


def counted(problem: Problem, condition: Condition, axis: int) -> float:
    """How many conditions across an axis one is worth; readings inside a box may be all."""
    at = points_of(condition, torch.zeros((), dtype=torch.float64))
    if problem.domain.dimension == 1:
        ones = torch.ones(problem.outputs, dtype=torch.float64)
        return rows_at(problem, condition.name, at, ones).numel()
    place = problem.domain.centred(at.x)
    on = place.abs() > 1 - 1e-6
    if not on.any(1).all():
        return math.inf
    alone = on[:, axis] & (on.sum(1) == 1)
    return sum(bool((alone & (place[:, axis] * side > 0)).any()) for side in (-1, 1))


def built_in(problem: Problem, axis: int, order: int) -> int:
    """How many of u, ∂u, … below the order have one value on a face, whatever the network is."""
    box = problem.domain
    found = sum((box.names[axis], side) in box.flat for side in SIDES)
    for end in (box.low[axis], box.high[axis]):
        x = box.points(4, "uniform")
        x[:, axis] = end
        first, second = (Partials(u, x) for u in solutions(problem))
        for k in range(order):
            across = [axis] * k
            same = torch.isclose(first(*across), second(*across), rtol=1e-9, atol=1e-9).all(0)
            found += int(same.sum() if box.dimension == 1 else same.any())
    return found


class Polynomials(nn.Module):
    """Σ cⱼ φⱼ(x), (n, m): products of Chebyshev's, of a degree in all; along a period, of waves."""

    def __init__(self, box: Box, degree: int, outputs: int) -> None:
        super().__init__()
        self.box = box
        powers = product(range(degree + 1), repeat=box.dimension)
        self.powers = torch.tensor([each for each in powers if sum(each) <= degree])
        generator = torch.Generator().manual_seed(0)
        decay = 0.5 ** self.powers.sum(1, keepdim=True).double()
        drawn = torch.randn(len(decay), outputs, generator=generator, dtype=torch.float64)
        self.coefficients = nn.Parameter(decay * drawn)

    def forward(self, x: Tensor) -> Tensor:
        tables = [self.along(axis, x)[..., power] for axis, power in enumerate(self.powers.T)]
        return torch.stack(tables).prod(0) @ self.coefficients

    def along(self, axis: int, x: Tensor) -> Tensor:
        """φ₀, φ₁, … of one axis, (n, degree + 1)."""
        name, at = self.box.names[axis], self.box.centred(x)[..., axis : axis + 1]
        degree = int(self.powers.max())
        if name in self.box.periodic:
            waves = [f(math.pi * k * at) for k in range(1, degree) for f in (torch.cos, torch.sin)]
            return torch.cat([torch.ones_like(at), *waves][: degree + 1], -1)
        at = columns_of(self.box, name, at)[0]  # flat where the box is
        found = [torch.ones_like(at), at]
        while len(found) <= degree:
            found.append(2 * at * found[-1] - found[-2])
        return torch.cat(found, -1)


def unseen(problem: Problem) -> float:
    """The least that the terms answer, in units of their usual answer, to a change of u of the size 1."""
    box = problem.domain
    net = Polynomials(box, DEGREES[box.dimension], problem.outputs)
    net.coefficients.data *= sizes_of(problem).outputs
    held = tuple(name for name, p in problem.unknowns.items() if isinstance(p, Unknown))
    objective = Objective(Trial(problem, net, held))
    theta, m = objective.trial.theta(), net.coefficients.numel()
    x = box.points(4 * len(net.powers))
    batch = batch_of(problem, x)
    known = integrated(objective, theta, batch)
    answers = []
    for term, at in batch.items():
        _, j = of_term(objective, term, theta, at, known)
        j = j[:, :, :m] / math.sqrt(len(at.x))
        usual = (j @ theta[:m]).norm(dim=0)
        usual = torch.where(usual > 0, usual, 1.0)  # of a column in which u does not stand
        answers.append((j / usual[None, :, None]).flatten(0, 1))
    phi = jacrev(lambda th: objective.trial.call(th, lambda params: params["u"](x)))(theta)
    phi = phi[:, :, :m].flatten(0, 1) / math.sqrt(len(x))
    change = torch.linalg.qr(phi).R
    answer = torch.cat(answers) * (phi @ theta[:m]).norm()
    told = torch.linalg.solve_triangular(change, answer, upper=True, left=False)
    return torch.linalg.svdvals(told).min().item()
