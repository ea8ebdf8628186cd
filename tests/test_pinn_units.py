"""Sizes far from 1: said before training, and taken away by scaled."""

import math
import re
import warnings
from dataclasses import replace

import pytest
import torch

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Condition,
    Dirichlet,
    Field,
    LevenbergMarquardt,
    Problem,
    Start,
    Unknown,
    batch_of,
    check,
    fit,
    scaled,
)
from companion.pinn.units import sizes_of
from companion.problems import (
    oscillator,
    poisson_interval,
    poisson_lshape,
    poisson_square,
    sir,
)
from companion.problems.recipes import RECIPES
from tests.fits import LINE, column, inverse, objective, train


def beam(length=6000.0, hard=False, factor=1.0):
    """u″ = −1 on (0, length), u = 0 at both ends: u = x (length − x) / 2."""
    box = Box(x=(0.0, length))
    ends = Condition("ends", column(0.0, length))
    return Problem(
        box,
        lambda u, x: factor * (u(0, 0) + 1),
        () if hard else (ends,),
        ansatz=(lambda x, n: x * (length - x) / length**2 * n) if hard else None,
        order=2,
        exact=lambda x: x * (length - x) / 2,
    )


@pytest.mark.parametrize("length", [6000.0, 6.0, 6e-3])
@pytest.mark.parametrize("hard", [False, True])
def test_a_scaled_beam_is_learnt_whatever_its_length(length, hard):
    problem = scaled(beam(length, hard))
    net = MLP(problem.domain, (20,))
    solution = fit(problem, net, [LevenbergMarquardt(60)], points=100, progress=False)
    assert solution.error < 1e-5
    x = problem.domain.points(9)
    assert torch.allclose(solution(x), x * (length - x) / 2, rtol=1e-2, atol=1e-3 * length**2)


@pytest.mark.parametrize("stages", [[LBFGS(40)], [Adam(300, 1e-2), LBFGS(20)]])
def test_the_other_stages_learn_it_too(stages):
    problem = scaled(beam())
    assert fit(problem, MLP(problem.domain, (20,)), stages, progress=False).error < 1e-2


def test_the_size_that_is_found_is_that_of_the_solution():
    for length in (60.0, 6000.0):
        (size,) = sizes_of(beam(length)).outputs.tolist()
        assert 0.02 < size / (length**2 / 8) < 50
        assert [0.02 < s < 50 for s in sizes_of(scaled(beam(length))).outputs.tolist()] == [True]


def test_the_sizes_do_not_depend_on_a_factor_of_the_equation():
    one, other = (sizes_of(beam(factor=factor)).outputs for factor in (1.0, 1e5))
    assert torch.allclose(one, other, rtol=1e-2)


def test_it_is_the_same_problem_with_the_same_solution():
    problem = beam()
    assert check(problem).keys() <= check(scaled(problem)).keys()
    twice = scaled(scaled(problem))
    assert torch.allclose(sizes_of(twice).outputs, sizes_of(scaled(problem)).outputs, rtol=0.5)


def test_it_is_said_before_training_and_once():
    with pytest.warns(UserWarning, match=r"of the size \d\.\de\+0[67].*Train scaled\(prob") as said:
        fit(beam(), MLP(beam().domain, (4,)), [Adam(1), Adam(1)], progress=False)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(scaled(beam()), MLP(beam().domain, (4,)), [Adam(1)], progress=False)


def test_a_solution_that_is_tiny_is_said_too():
    small = Condition("start", column(0.0), 1e-7)
    problem = Problem(LINE, lambda u, t: u(0) + u(), (small,))
    with pytest.warns(UserWarning, match="the solution seems to be of the size 1.*e-07"):
        train([Adam(1)], problem)


def test_of_several_sizes_those_are_said_that_are_far_from_1():
    start = Condition("start", column(0.0), torch.tensor([[1.0, 5e3]]))
    problem = Problem(LINE, lambda u, t: u(0) + u(), (start,), outputs=2)
    first, second = sizes_of(problem).outputs.tolist()
    assert 0.1 < first < 10 and 1e3 < second < 1e5
    said = re.escape(f"of the size {second:.1e}, and a network gives 1")
    with pytest.warns(UserWarning, match=said):
        train([Adam(1)], problem)


@pytest.mark.parametrize(("factor", "said"), [(1e6, True), (1e3, False)])
def test_a_loss_that_begins_far_from_1_is_said(factor, said):
    problem = Problem(LINE, lambda u, t: factor * (u(0) + u() - 1), hard=(Start(0.0),))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        train([Adam(1)], problem)
    first = sum(v.item() for v in residual_losses(problem).values())
    words = f"the loss begins at {first:.0e}, far from 1: steps and tolerances are made for 1"
    assert [words in str(w.message) for w in found] == [True] * said


@pytest.mark.parametrize(
    ("factor", "weight", "light"),
    [(1.0, 1e8, "equation 1"), (1e-5, 1.0, "equation 2"), (1.0, 1e-16, "start"), (1.0, 1e4, None)],
)
def test_terms_of_which_one_is_not_seen_beside_the_other_are_said(factor, weight, light):
    start = Condition("start", column(0.0), 1.0, weight=weight)
    sizes = torch.tensor([[1.0, factor]]).double()
    problem = Problem(LINE, lambda u, t: sizes * (u(0) + u()), (start,), outputs=2)
    words = f"the residuals of {light} are of the size"
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        train([Adam(1)], problem)
    assert sum(words in str(w.message) for w in found) == (light is not None)
    if factor == 1:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train([Adam(1)], replace(scaled(problem), conditions=(replace(start, weight=1.0),)))


def residual_losses(problem):
    """The losses of an untrained network at the points of train."""
    goal = objective(problem, MLP(problem.domain, (8,)))
    return goal.losses(goal.trial.theta(), batch_of(problem, problem.domain.points(16)))


def test_a_problem_that_0_solves_is_said_unless_the_solution_is_known():
    ends = Box(t=(0.0, math.pi)), lambda u, t: u(0, 0) + u()
    nothing = Problem(*ends, hard=(Dirichlet("t"),), order=2)
    with pytest.warns(UserWarning, match="where the network is 0 the equation and every condition"):
        train([Adam(1)], nothing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train([Adam(1)], replace(nothing, exact=torch.sin))
    with pytest.raises(ValueError, match=r"exact is 0 everywhere, .* leave exact out"):
        train([Adam(1)], replace(nothing, exact=lambda t: 0 * t))


def test_an_unknown_that_begins_at_0_and_a_field_stay_as_they_are_when_scaled():
    field, start = Field(MLP(LINE, (3,))), Condition("start", column(0.0), 1e4)
    problem = Problem(
        LINE,
        lambda u, t, k, a: u(0) + k * u() + a(),
        (start,),
        unknowns={"k": Unknown(0.0), "a": field},
    )
    found = scaled(problem).unknowns
    assert found["k"] == Unknown(0.0) and found["a"] is field


def test_two_outputs_of_different_sizes_have_a_size_each():
    """Prey by the million, predators by the hundred."""
    start = Condition("start", column(0.0), torch.tensor([[1e6, 1e2]]))

    def residual(u, t):
        return torch.cat([u(0)[:, :1] + u()[:, :1], u(0)[:, 1:] + u()[:, 1:]], 1)

    problem = Problem(LINE, residual, (start,), outputs=2)
    sizes = sizes_of(problem).outputs.tolist()
    assert 1e5 < sizes[0] < 1e7 and 10 < sizes[1] < 1e3


def test_data_with_a_sigma_keep_their_weight_and_unknowns_are_multiples_of_their_guess():
    t = LINE.points(10, "grid")
    problem = Problem(
        LINE,
        lambda u, t, k: u(0) + k * u(),
        (Condition("data", t, 1e4 * torch.exp(-t), sigma=50.0), Condition("start", t[:1], 1e4)),
        unknowns={"k": Unknown(2000.0)},
    )
    found = scaled(problem)
    assert found.conditions[0].weight == problem.conditions[0].weight == 1 / 2500
    assert found.conditions[1].weight < 1e-6
    k = found.unknowns["k"]
    assert k.free().item() == pytest.approx(1.0) and k.value(k.free()).item() == 2000.0


def test_unknowns_and_their_errors_come_out_in_the_units_of_the_problem():
    """u = U e^{−k t}: k and its error are the same in other units of u."""
    t, found = LINE.points(20, "grid"), {}
    for size in (1.0, 1e5):
        data = Condition("data", t, size * torch.exp(-0.7 * t), sigma=0.01 * size)
        problem = Problem(
            LINE, lambda u, t, k: (u(0) + k * u()) / size, (data,), unknowns={"k": Unknown(0.2)}
        )
        net = MLP(LINE, (10,))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solution = fit(
                scaled(problem), net, [LevenbergMarquardt(80)], points=30, progress=False
            )
        found[size] = solution.unknowns["k"]
    assert found[1.0] == pytest.approx(0.7, abs=0.01) and found[1e5] == pytest.approx(0.7, abs=0.01)
    assert found[1e5].error == pytest.approx(found[1.0].error, rel=0.2)


SHIPPED = {
    "oscillator": oscillator,
    "oscillator, soft": lambda: oscillator(10 * math.pi, hard=False),
    "interval": poisson_interval,
    "interval, soft": lambda: poisson_interval(hard=False),
    "square": poisson_square,
    "square, soft": lambda: poisson_square(hard=False),
    "L": poisson_lshape,
    "sir": sir,
    "sir, raw": lambda: sir(log=False),
    "inverse": inverse,
    **{f"recipe {name}": recipe.problem for name, recipe in RECIPES.items()},
}


@pytest.mark.parametrize("make", SHIPPED.values(), ids=SHIPPED)
def test_no_shipped_problem_is_warned_of(make):
    problem = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(
            problem,
            MLP(problem.domain, (4,), problem.outputs),
            [Adam(1)],
            points=16,
            progress=False,
        )


@pytest.mark.parametrize("make", [oscillator, lambda: oscillator(hard=False), poisson_interval])
def test_what_is_of_the_size_1_is_learnt_as_well_when_scaled(make):
    errors = []
    for problem in (make(), scaled(make())):
        net = MLP(problem.domain, (20,), spread=3.0)
        errors.append(fit(problem, net, [LevenbergMarquardt(40)], points=64, progress=False).error)
    assert errors[1] < 10 * errors[0] + 1e-3
