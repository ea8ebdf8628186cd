"""The loss: its terms, the balance of their gradients, causal weights, and the error."""

import math
from dataclasses import replace

import pytest
import torch

from companion.pinn import LBFGS, MLP, Adam, Box, Causal, Problem, batch_of
from companion.pinn.loop import balanced
from companion.pinn.solution import relative_error
from companion.pinn.state import State
from companion.pinn.trial import exact_of
from companion.problems import oscillator, sir
from tests.fits import objective, train

PLANE = Problem(Box(x=(0.0, 1.0), t=(0.0, 1.0)), lambda u, x: u(1))


def at_32(problem, causal=None):
    """(objective, θ, batch at 32 points)."""
    goal = objective(problem, causal=causal)
    return goal, goal.trial.theta(), batch_of(problem, problem.domain.points(32))


def test_balance_makes_the_gradient_norms_equal():
    goal, theta, batch = at_32(oscillator(hard=False))
    state = State(theta, batch)
    before = {t: norm.item() for t, norm in goal.norms(theta, state.weighted())[1].items()}
    for _ in range(60):
        state = replace(state, factors=balanced(goal, state))
    after = {t: norm.item() for t, norm in goal.norms(theta, state.weighted())[1].items()}
    assert max(before.values()) > 1.5 * min(before.values())
    assert after["equation"] == before["equation"]
    assert list(after.values()) == pytest.approx([before["equation"]] * 3, rel=1e-6)


@pytest.mark.parametrize(("balance", "times"), [(0, 0), (1, 6), (3, 2), (4, 2), (100, 1)])
def test_weights_move_every_so_many_steps_whatever_the_stage(balance, times):
    """Counted over all stages, the first before the first step."""
    seen = []
    train([Adam(4), LBFGS(2)], balance=balance, callbacks=[lambda e: seen.append(e.state.factors)])
    moves = [now != before for before, now in zip([(), *seen], seen)]
    assert sum(moves) == times
    assert all(moved == bool(balance and step % balance == 0) for step, moved in enumerate(moves))


def test_causal_weights_are_one_at_first_fall_and_carry_no_gradient():
    x = torch.rand(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = (x[:, 1:] + 1).requires_grad_()
    weights = Causal(axis=1, epsilon=3.0).weights(rows, x)
    order = x[:, 1].argsort()
    sorted_weights = weights[order, 0]
    assert weights.shape == (30, 1) and sorted_weights[0] == 1 and not weights.requires_grad
    assert (sorted_weights.diff() < 0).all()
    earlier = (rows.detach()[order, 0] ** 2)[:-1].sum() / 30
    assert sorted_weights[-1].item() == pytest.approx(math.exp(-3.0 * earlier))
    assert (Causal(axis=1).weights(0 * rows, x) == 1).all()


def test_points_of_one_time_have_one_causal_weight():
    x = Box(x=(0.0, 1.0), t=(0.0, 1.0)).points((4, 3), "grid")
    rows = torch.rand(12, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = Causal(axis=1, epsilon=2.0).weights(rows, x)[:, 0]
    earlier = [(rows[x[:, 1] < t] ** 2).sum() / 12 for t in x[:, 1]]
    assert torch.allclose(weights, torch.exp(-2.0 * torch.stack(earlier)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Causal(epsilon=-1.0), r"epsilon is 0 or more, and finite; got Causal\(axis=None"),
        (lambda: Causal(epsilon=math.nan), "epsilon is 0 or more"),
        (lambda: Causal(3).on(oscillator()), r'the axis of time: .* 0 to 0\. Write Causal\("t"\)'),
        (lambda: Causal("s").on(oscillator()), "s: this box has t"),
        (lambda: Causal().on(PLANE), r"which axis is time: .* has x, t\. Write Causal"),
    ],
)
def test_causal_weights_need_a_time_and_a_positive_epsilon(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_error_in_nine_dimensions_is_not_that_of_the_corners():
    box = Box(**{f"x{i}": (0.0, 1.0) for i in range(9)})

    def exact(x):
        return torch.sin(math.pi * x).prod(1, keepdim=True)

    problem = Problem(box, lambda u, x: u(0), exact=exact)
    assert relative_error(lambda x: 1.5 * exact(x), problem) == pytest.approx(0.5)


def test_causal_weights_count_in_the_loss():
    plain, causal = (
        goal.losses(theta, batch)["equation"]
        for goal, theta, batch in (at_32(sir(), c) for c in (None, Causal(epsilon=10.0)))
    )
    assert 0 < causal < plain


def test_the_axis_of_time_may_be_named_numbered_or_left_out_where_there_is_one():
    assert Causal("t").on(PLANE) == Causal(1).on(PLANE) == Causal(1)
    assert Causal().on(oscillator()) == Causal("t").on(oscillator()) == Causal(0)


def test_a_history_under_causal_weights_says_what_they_hide():
    """The weighted loss, the whole one and the smallest weight, against a sum by hand."""
    causal = Causal(epsilon=50.0)
    problem, kept = sir(), []
    with pytest.warns(UserWarning, match=r"have not opened: the smallest is .*hides one of"):
        _, solution = train([Adam(3)], problem, causal=causal, callbacks=[kept.append])
    last, x = solution.history.records[-1], kept[-1].state.batch["equation"].x
    with torch.enable_grad():
        rows = problem.residual(solution.partials(x), x).detach()
    squares, order = rows.square().sum(1), x[:, 0].argsort()
    earlier = (squares[order].cumsum(0) - squares[order]) / len(x)
    weights = torch.exp(-50.0 * earlier)
    assert last["unweighted"] == pytest.approx(squares.mean().item(), rel=1e-9)
    assert last["loss"] == pytest.approx((weights * squares[order]).mean().item(), rel=1e-9)
    assert last["smallest_weight"] == pytest.approx(weights.min().item(), rel=1e-9)
    plain = train([Adam(1)], problem)[1].history.records[-1]
    assert not {"unweighted", "smallest_weight"} & plain.keys()


def test_a_problem_without_an_exact_solution_has_no_error():
    problem = Problem(Box(t=(0.0, 1.0)), lambda u, t: u(0))
    network = MLP(problem.domain, (4,))
    for ask in (lambda: relative_error(network, problem), lambda: exact_of(problem)):
        with pytest.raises(ValueError, match=r"expected Problem\(exact=\.\.\.\)"):
            ask()
