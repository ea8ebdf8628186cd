"""residuals: one evaluation for a network, an exact solution and torch.func; pure, and used by all."""

import dataclasses
import math

import pytest
import torch
from torch.func import functional_call, hessian, jacrev, vmap

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Condition,
    Field,
    LevenbergMarquardt,
    Problem,
    Unknown,
    batch_of,
    check,
    residuals,
    run,
    sampled,
)
from companion.problems import oscillator, poisson_square, sir
from tests.fits import LINE, column, decay, objective, train

BURGERS = Problem(
    Box(t=(0.0, 1.0), x=(-1.0, 1.0)),
    lambda u, x, nu: u(0) + u() * u(1) - nu * u(1, 1),
    (Condition("start", torch.tensor([[0.0, 0.5], [0.0, -0.25]]), 0.25),),
    unknowns={"nu": Unknown(0.1)},
    order=2,
)


def by_torch_func(u, x, nu):
    """The residual of Burgers' equation at one point, by torch.func."""
    value, slope, bend = u(x)[0], jacrev(u)(x)[0], hessian(u)(x)[0]
    return slope[0] + value * slope[1] - nu * bend[1, 1]


@pytest.mark.parametrize("method", [None, "reverse", "taylor"])
def test_a_network_and_torch_func_see_the_same_numbers(method):
    net = MLP(BURGERS.domain, (8, 8), seed=1)
    x, nu = BURGERS.domain.points(12), torch.tensor(0.3).double()
    found = residuals(BURGERS, {"u": net, "nu": nu}, batch_of(BURGERS, x), method)
    one = lambda x: by_torch_func(lambda p: net(p[None])[0], x, nu)
    assert torch.allclose(found["equation"][0][:, 0], vmap(one)(x), rtol=1e-10, atol=1e-12)
    start = BURGERS.conditions[0]
    assert torch.allclose(found["start"][0], net(start.points) - 0.25, rtol=1e-12)


def test_it_may_be_differentiated_by_torch_func_with_respect_to_all_that_goes_in():
    """∂ loss / ∂ parameters of functional_call, against autograd on the module itself."""
    net = MLP(BURGERS.domain, (6,), seed=1)
    batch = batch_of(BURGERS, BURGERS.domain.points(8))

    def loss(weights, nu):
        u = lambda x: functional_call(net, weights, (x,))
        found = residuals(BURGERS, {"u": u, "nu": nu}, batch, "taylor")
        return sum((w * r.square()).mean() for r, w in found.values())

    weights, nu = dict(net.named_parameters()), torch.tensor(0.3).double()
    slopes, slope = torch.func.grad(loss, (0, 1))(weights, nu)
    free = nu.clone().requires_grad_()
    found = residuals(BURGERS, {"u": net, "nu": free}, batch)
    total = sum((w * r.square()).mean() for r, w in found.values())
    expected = torch.autograd.grad(total, [*net.parameters(), free], materialize_grads=True)
    assert torch.allclose(slope, expected[-1])
    for name, wanted in zip(weights, expected):
        assert torch.allclose(slopes[name], wanted, rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize(
    "make", [oscillator, lambda: oscillator(hard=False), lambda: poisson_square(hard=False)]
)
def test_an_exact_solution_goes_through_the_same_door(make):
    problem = make()
    batch = batch_of(problem, problem.domain.points(50))
    for rows, weight in residuals(problem, {"u": problem.exact}, batch).values():
        assert rows.abs().max() < 1e-12 and (weight > 0).all()
    found = residuals(problem, {"u": lambda x: 1.5 * problem.exact(x)}, batch)
    assert max(rows.abs().max() for rows, _ in found.values()) < 20


def test_it_changes_nothing_and_needs_no_state():
    net, batch = MLP(LINE, (4,)), batch_of(decay(), decay().domain.points(8))
    params = {"u": net, "rate": torch.tensor(2.0).double()}
    before = {t: [at.x.clone(), at.values.clone(), at.weight.clone()] for t, at in batch.items()}
    one, two = (residuals(decay(), params, batch) for _ in range(2))
    assert all(torch.equal(one[t][0], two[t][0]) for t in one)
    for term, (x, values, weight) in before.items():
        at = batch[term]
        assert torch.equal(at.x, x) and torch.equal(at.values, values)
        assert torch.equal(at.weight, weight) and not at.x.requires_grad
    assert all(p.grad is None for p in net.parameters())


def test_a_number_an_unknown_and_a_field_go_in_by_name():
    problem = Problem(
        LINE,
        lambda u, t, k, a: u(0) - k * a() + a(0),
        unknowns={"k": Unknown(2.0), "a": Field(MLP(LINE, (3,)))},
    )
    t = LINE.points(9)
    params = {"u": torch.sin, "k": torch.tensor(3.0).double(), "a": torch.exp}
    rows = residuals(problem, params, batch_of(problem, t))["equation"][0]
    assert torch.allclose(rows, t.cos() - 2 * t.exp(), atol=1e-12)


@pytest.mark.parametrize("stage", [Adam(1), LBFGS(1), LevenbergMarquardt(1)])
@pytest.mark.parametrize("make", [decay, sir, lambda: oscillator(hard=False)])
def test_the_loss_of_every_stage_is_that_of_the_residuals(make, stage):
    problem = make()
    net = MLP(problem.domain, (6,), problem.outputs)
    trial_losses = {}
    for event in run(problem, net, [stage], sampled(problem.domain, 10)):
        params = event.solution.trial
        params.load(event.before.theta)
        found = residuals(problem, params.params(), event.before.batch)
        for term, (rows, weight) in found.items():
            trial_losses[term] = (weight * rows.square()).sum(1).mean().item()
        seen = {term: loss[0].item() for term, loss in event.losses.items()}
    assert seen == pytest.approx(trial_losses, rel=1e-9)


def test_check_takes_the_same_residuals():
    problem = sir()
    wrong = dataclasses.replace(problem, exact=lambda t: 1.01 * problem.exact(t))
    batch = batch_of(wrong, wrong.domain.points(200))
    size = residuals(wrong, {"u": wrong.exact}, batch)["equation"][0].abs().max().item()
    assert check(wrong, tolerance=10.0)["equation"] == pytest.approx(size)


def test_the_parameters_of_the_trial_are_those_of_theta_while_it_is_evaluated():
    """Pure in θ: the network's own parameters do not matter, and are left alone."""
    goal = objective(decay())
    theta, batch = goal.trial.theta(), batch_of(decay(), decay().domain.points(6))
    moved = theta + 0.1
    found = goal.trial.at(moved, batch)["equation"][0]
    assert torch.equal(goal.trial.theta(), theta)
    goal.trial.load(moved)
    assert torch.allclose(goal.trial(batch)["equation"][0], found, rtol=1e-12)
    assert torch.allclose(goal.trial.at(theta, batch)["equation"][0],
                          objective(decay()).trial(batch)["equation"][0])  # fmt: skip


@pytest.mark.parametrize(
    ("residual", "error", "message"),
    [
        (lambda u, t: (u(), u(0)), TypeError, r"equation returns a tensor \(n, k\); got tuple"),
        (lambda u, t: u()[:, 0], ValueError, r"one row for each point, \(6, k\); got \(6,\)"),
        (lambda u, t: u().mean(0, keepdim=True), ValueError, r"got \(1, 1\)"),
        (lambda u, t: u() * 1j, TypeError, r"complex rows: .*torch\.cat\(\[r\.real, r\.imag\], 1"),
    ],
)
def test_rows_that_are_not_one_for_each_point_are_refused(residual, error, message):
    problem = Problem(LINE, residual)
    with pytest.raises(error, match=message):
        residuals(problem, {"u": torch.sin}, batch_of(problem, LINE.points(6)))


def test_a_batch_may_hold_some_of_the_terms_and_some_of_their_points():
    problem = decay()
    batch = batch_of(problem, problem.domain.points(6))
    params = {"u": lambda t: torch.exp(-t), "rate": torch.tensor(1.0).double()}
    part = {"data": batch["data"].take(torch.tensor([3, 1]))}
    found = residuals(problem, {**params, "u": torch.exp}, part)
    assert list(found) == ["data"]
    t = column(1.5, 0.5)
    assert torch.allclose(found["data"][0], t.exp() - (-t).exp())
    assert found["data"][1].tolist() == [[7.0]] and math.isclose(batch["data"].weight.item(), 7.0)


def test_train_is_the_same_problem_for_a_solution_gone_on_from():
    net, solution = train([Adam(3)], decay())
    found = residuals(decay(), solution.trial.params(), batch_of(decay(), decay().domain.points(5)))
    assert set(found) == {"equation", "data"} and net is solution.network
