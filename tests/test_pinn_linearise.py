"""The residuals and their Jacobian, point by point: against differences, and what cannot be."""

import dataclasses

import pytest
import torch

from companion.pinn import (
    MLP,
    Adam,
    Causal,
    Condition,
    Fourier,
    LevenbergMarquardt,
    Problem,
    Siren,
    batch_of,
    fit,
)
from companion.pinn.linearise import linearised, rows_at
from companion.problems import oscillator, poisson_lshape, poisson_square, sir
from tests.fits import LINE, column, decay, objective, train
from tests.test_levenberg_marquardt import Polynomial


def tables():
    """Weights for each point, a table, an unknown in a condition."""
    t = torch.linspace(0, 2, 4).double()[:, None]
    data = Condition("data", t, torch.exp(-t), weight=1 + t)
    slope = Condition(
        "slope", t, 0.0, of=lambda u, t, rate, sign: sign * (u(0) + rate * u()), given={"sign": t}
    )
    return dataclasses.replace(decay(), conditions=(data, slope))


CASES = {
    "oscillator": (oscillator, MLP),
    "conditions": (lambda: oscillator(hard=False), MLP),
    "laplacian": (poisson_square, MLP),
    "L": (lambda: poisson_lshape(rim_points=16), MLP),
    "two outputs": (sir, MLP),
    "unknown": (decay, MLP),
    "tables": (tables, MLP),
    "fourier": (oscillator, Fourier),
    "siren": (oscillator, Siren),
}


def case(name, causal=None):
    """(objective, θ, batch) of a case."""
    make, family = CASES[name]
    problem = make()
    sizes = {"features": 2, "widths": (4,)} if family is Fourier else {"widths": (6,)}
    omega = {"omega": 3.0} if family is Siren else {}
    net = family(problem.domain, outputs=problem.outputs, seed=2, **sizes, **omega)
    goal = objective(problem, net, causal)
    return goal, goal.trial.theta(), batch_of(problem, problem.domain.points(8))


@pytest.mark.parametrize("name", CASES)
def test_the_jacobian_is_that_of_finite_differences(name):
    goal, theta, batch = case(name)
    line, h = linearised(goal, theta, batch), 1e-5
    assert line.jacobian.shape == (len(line.rows), len(theta))
    for j in range(0, len(theta), 3):
        e = torch.zeros_like(theta)
        e[j] = h
        ahead, behind = (linearised(goal, theta + s * e, batch).rows for s in (1, -1))
        assert torch.allclose(
            line.jacobian[:, j],
            (ahead - behind) / (2 * h),
            rtol=1e-6,
            atol=1e-7 * line.jacobian.abs().max(),
        )


@pytest.mark.parametrize("causal", [None, Causal(epsilon=0.1)])
@pytest.mark.parametrize("name", CASES)
def test_terms_and_gradient_are_those_of_the_loss(name, causal):
    if causal and CASES[name][0]().domain.dimension > 1:
        causal = Causal("y", 0.1)
    goal, theta, batch = case(name, causal)
    line = linearised(goal, theta, batch)
    losses, slope = goal.gradient(theta, batch)
    assert [v.item() for v in line.losses.values()] == pytest.approx(
        [v.item() for v in losses.values()]
    )
    assert list(line.losses) == list(losses)
    assert torch.allclose(
        2 * line.jacobian.T @ line.rows, slope, rtol=1e-9, atol=1e-9 * slope.abs().max()
    )


def test_causal_weights_stay_the_same_within_a_step():
    """Else a step could win by spoiling the past, which takes the weight off all that follows."""
    goal, theta, batch = case("two outputs", Causal(epsilon=1e3))
    line = linearised(goal, theta, batch)
    here = rows_at(goal, theta, batch, line.scales)
    assert torch.allclose(here, line.rows, rtol=1e-12)
    moved = theta + 0.3
    rows = goal.trial.at(moved, batch)["equation"][0]
    expected = (line.scales["equation"] ** 2 * rows**2).sum().item()
    rows = rows_at(goal, moved, batch, line.scales)
    assert rows.square().sum().item() == pytest.approx(expected)


def test_a_residual_is_traced_once_for_a_number_of_points():
    calls, problem = [], sir()
    counted = dataclasses.replace(
        problem, residual=lambda u, t: calls.append(len(t)) or problem.residual(u, t)
    )
    goal = objective(counted)
    theta, x = goal.trial.theta(), problem.domain.points(8)
    seen = []
    for points in (x, x + 0.5, x[:5], x[:5] + 1, x):
        batch = batch_of(counted, points)
        before = len(calls)
        rows = linearised(goal, theta, batch).rows
        seen.append(len(calls) > before)
        direct = goal.trial.at(theta, batch)["equation"][0].flatten()
        assert torch.allclose(rows, direct / len(points) ** 0.5, atol=1e-12)
    assert seen == [True, False, True, False, False]


ENDS = column(0.0, 0.5, 1.0)
FARSIGHTED = {
    "a value": lambda: Problem(LINE, lambda u, t: u(0) if u().mean() > 0 else -u(0)),
    "numpy": lambda: Problem(LINE, lambda u, t: u(0) - torch.from_numpy(t.detach().numpy())),
    "the mean": lambda: Problem(LINE, lambda u, t: u(0) + u().mean(0, keepdim=True)),
    "the number of points": lambda: Problem(LINE, lambda u, t: u(0) - len(t) * u()),
    "periodic": lambda: Problem(
        LINE,
        lambda u, t: u(0) - 1,
        (Condition("equation of ends", ENDS, 0.0, of=lambda u, t: u() - u().flip(0)),),
    ),
    "a row for each point": lambda: Problem(
        LINE,
        lambda u, t: u(0) - 1,
        (Condition("equation of ends", ENDS, 0.0, of=lambda u, t: u() * ENDS),),
    ),
}


@pytest.mark.parametrize("make", FARSIGHTED.values(), ids=FARSIGHTED)
def test_a_term_that_is_no_function_of_its_own_point_is_refused_before_anything_is_trained(make):
    net, same = (MLP(LINE, (4,)) for _ in range(2))
    message = r"cannot trace equation.* at a single point\. .*torch\.where"
    with pytest.raises(ValueError, match=message):
        fit(make(), net, [Adam(2), LevenbergMarquardt(1)], progress=False)
    assert torch.equal(net.layers[0].weight, same.layers[0].weight)


def begun(problem):
    """A stage that has looked at the problem."""
    goal = objective(problem)
    LevenbergMarquardt(1).init(
        goal, goal.trial.theta(), batch_of(problem, problem.domain.points(8))
    )


def test_what_the_mean_adds_is_said():
    problem = Problem(LINE, lambda u, t: 0 * u() + 3.0 * (len(t) > 1))
    with pytest.raises(ValueError, match=r"it is 3\.0e\+00 among all .* differs by 3\.0e\+00"):
        begun(problem)


@pytest.mark.parametrize(("share", "seen"), [(1e-5, True), (1e-8, False)])
def test_a_term_may_differ_alone_by_rounding_and_by_no_more(share, seen):
    """A hundred-thousandth comes from other points: less than the eye sees, more than rounding."""
    problem = Problem(LINE, lambda u, t: 0 * u() + 3.0 + 3.0 * share * (len(t) > 1))
    if not seen:
        begun(problem)
        return
    with pytest.raises(ValueError, match=r"differs by 3\.0e-05 when each is alone"):
        begun(problem)


@pytest.mark.filterwarnings("ignore:Levenberg–Marquardt could not improve")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_at_a_solution_rounding_is_not_taken_for_other_points(dtype):
    problem = Problem(
        LINE, lambda u, t: u(0, 0) - 6 * t + 2, (), lambda t, n: t + t**2 * n, order=2
    )
    net = Polynomial(4).to(dtype)
    for _ in range(2):  # the second is traced at a residual of rounding
        stages = [LevenbergMarquardt(6, damping=1e-9)]
        _, solution = train(stages, problem, net, points=40)
    assert solution.history.records[-1]["loss"] < torch.finfo(dtype).eps ** 1.5


def test_an_operation_that_no_jet_can_pass_is_named_with_what_to_do():
    problem = Problem(LINE, lambda u, t: u(0), ansatz=lambda t, n: n.clone().mul_(2.0))
    message = "mul_ would change.*differentiates equation by jets, so it needs the rule; Adam"
    net, same = (MLP(problem.domain, (4,)) for _ in range(2))
    with pytest.raises(NotImplementedError, match=message):
        fit(problem, net, [Adam(2), LevenbergMarquardt(1)], progress=False)
    assert torch.equal(net.layers[0].weight, same.layers[0].weight)
