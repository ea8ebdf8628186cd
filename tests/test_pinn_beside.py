"""Conditions that compare u with u at other points: a period, a jump of the flux, a delay."""

import dataclasses
import math

import pytest
import torch

from companion.pinn import (
    MLP,
    Adam,
    Box,
    Condition,
    LevenbergMarquardt,
    Problem,
    Unknown,
    batch_of,
    check,
    fit,
)
from companion.pinn.linearise import Products, linearised
from tests.fits import column, objective, train

LOOP = Box(x=(0.0, 2 * math.pi))
ROD = Box(x=(0.0, 1.0))
JUMP, ASIDE = 0.4, 1e-9  # where the material changes; beside it is so far away
LEFT, RIGHT = 1.0, 5.0  # the conductivities


def periodic(**change):
    """u″ − u = −2 sin x, u and u′ the same at both ends: u = sin x."""
    ends = {
        "of": lambda u, x, far: torch.cat([u() - far(), u(0) - far(0)], 1),
        "beside": {"far": column(2 * math.pi)},
    }
    both = Condition("period", column(0.0), **(ends | change))
    return Problem(
        LOOP, lambda u, x: u(0, 0) - u() + 2 * torch.sin(x), (both,), exact=torch.sin, order=2
    )


def conductivity(x):
    return torch.where(x < JUMP, LEFT, RIGHT)


def rod_temperature(x):
    """−(k u′)′ = 1, u(0) = u(1) = 0: k u′ = q − x on both sides, and u is continuous."""
    area = lambda k, a, b: ((b - a) / k, (b**2 - a**2) / (2 * k))  # ∫ 1/k and ∫ x/k
    (one, x_one), (two, x_two) = area(LEFT, 0.0, JUMP), area(RIGHT, JUMP, 1.0)
    q = (x_one + x_two) / (one + two)
    left = (q * x - x**2 / 2) / LEFT
    right = (q * (x - 1) - (x**2 - 1) / 2) / RIGHT
    return torch.where(x < JUMP, left, right)


class Kinked(torch.nn.Module):
    """n₁ + |x − jump| n₂ of a smooth network: its slope may jump there."""

    def __init__(self, widths=(10,)):
        super().__init__()
        self.smooth = MLP(ROD, widths, outputs=2, spread=2.0)

    def forward(self, x):
        n = self.smooth(x)
        return n[:, :1] + torch.where(x < JUMP, JUMP - x, x - JUMP) * n[:, 1:]


def rod():
    """A rod of two materials: −(k u′)′ = 1 on both sides.

    At the jump itself the equation says nothing: that k u′ is the same on both sides is a condition.
    """
    flux = Condition(
        "flux",
        column(JUMP),
        of=lambda u, x, left, right: LEFT * left(0) - RIGHT * right(0),
        beside={"left": column(JUMP - ASIDE), "right": column(JUMP + ASIDE)},
    )
    return Problem(
        ROD,
        lambda u, x: conductivity(x) * u(0, 0) + 1,
        (flux,),
        ansatz=lambda x, n: x * (1 - x) * n,
        exact=rod_temperature,
        order=2,
    )


@pytest.mark.parametrize("problem", [periodic, rod])
def test_check_puts_the_exact_solution_on_both_sides(problem):
    assert check(problem(), tolerance=1e-8)
    other = lambda x: 2 * x + problem().exact(x)  # a line has no second derivative
    with pytest.raises(ValueError, match=r"leaves a residual above 1e-08: .*(period|flux) \d"):
        check(dataclasses.replace(problem(), exact=other, ansatz=None), tolerance=1e-8)


def test_a_period_closes():
    net = MLP(LOOP, (12,), spread=2.0)
    _, solution = train([LevenbergMarquardt(40)], periodic(), net, points=40)
    assert solution.error < 1e-3
    start, end = (solution.partials(column(x)) for x in (0.0, 2 * math.pi))
    assert start(0).item() == pytest.approx(end(0).item(), abs=1e-4)


def test_the_flux_goes_on_where_the_material_changes():
    _, solution = train([LevenbergMarquardt(60)], rod(), Kinked(), points=40)
    assert solution.error < 1e-4
    slopes = [solution.partials(column(JUMP + side))(0).item() for side in (-1e-6, 1e-6)]
    assert slopes[0] == pytest.approx(RIGHT / LEFT * slopes[1], rel=1e-3)


def test_the_jacobian_sees_all_the_points():
    problem = rod()
    goal = objective(problem, Kinked((4,)))
    theta, batch = goal.trial.theta(), batch_of(problem, problem.domain.points(5))

    def rows(theta):
        found = goal.trial.at(theta, batch, "taylor")
        return torch.cat([(r / len(r) ** 0.5).flatten() for r, _ in found.values()])

    whole = torch.func.jacrev(rows)(theta)
    line = linearised(goal, theta, batch)
    assert torch.allclose(line.jacobian, whole, atol=1e-10)
    slope = Products(goal, theta, batch).transposed(line.rows)
    assert torch.allclose(slope, line.rows @ whole, atol=1e-10)
    assert torch.allclose(2 * slope, goal.gradient(theta, batch)[1], atol=1e-10)


def test_several_points_each_with_its_own_beside_and_in_mini_batches():
    """u(x + 1) = 2 u(x): u = 2ˣ."""
    box = Box(x=(0.0, 3.0))
    at = torch.linspace(0, 2, 9).double()[:, None]
    twice = Condition("twice", at, of=lambda u, x, on: on() - 2 * u(), beside={"on": at + 1})
    start = Condition("start", column(0.0), 1.0)
    rate = math.log(2)
    problem = Problem(
        box, lambda u, x: u(0, 0) - rate * u(0), (twice, start), exact=lambda x: 2**x, order=2
    )
    assert check(problem)
    assert batch_of(problem, box.points(4))["twice"].take(slice(2, 4)).given["on"].tolist() == [
        [1.5],
        [1.75],
    ]
    _, solution = train([LevenbergMarquardt(40)], problem, MLP(box, (8,)), points=20)
    assert solution.error < 1e-3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"beside": {"far": column(0.0, 1.0)}}, r"and far \(2, 1\) beside them; expected one for"),
        (
            {"beside": {"far": column(7.0)}},
            "far beside condition 'period' has 1 of 1 points outside",
        ),
        ({"beside": {}}, "by name: missing a required argument: 'far'"),
        ({"beside": {"far": column(math.inf)}}, "has 1 of 1 far that are NaN or infinite"),
        ({"given": {"far": column(1.0)}}, "beside and given have far both"),
    ],
)
def test_what_cannot_be_beside_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        periodic(**change)


def test_a_name_stands_for_one_thing():
    problem = periodic()
    with pytest.raises(ValueError, match="far is beside it and unknown at once"):
        dataclasses.replace(problem, unknowns={"far": Unknown(1.0)})
    with pytest.raises(TypeError, match=r"beside is a dictionary, .name: points.; got 3"):
        periodic(beside=3)


def test_a_parameter_of_nobody_is_still_seen():
    stray = torch.ones(1, requires_grad=True)
    problem = periodic(of=lambda u, x, far: u() - stray * far())
    with pytest.raises(
        ValueError, match="period uses a parameter that this fit does not train: str"
    ):
        fit(problem, MLP(LOOP, (4,)), [Adam(1)], progress=False)
