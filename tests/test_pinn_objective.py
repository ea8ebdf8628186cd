"""The loss: its terms, the balance of their gradients, causal weights, and the error."""

import math

import pytest
import torch

from companion.pinn import (
    MLP,
    Box,
    Causal,
    Problem,
)  # fmt: skip
from companion.pinn.objective import Objective, Trial, exact_of, relative_error
from companion.pinn.oscillator import oscillator
from companion.pinn.sir import sir


def objective(problem, causal=None, n=32):
    trial = Trial(problem, MLP(problem.domain, (8,), outputs=problem.outputs))
    return Objective(problem, trial, problem.domain.points(n), causal)


def test_balance_makes_the_gradient_norms_equal():
    goal = objective(oscillator(hard=False))
    before = goal.losses_and_norms()[1]
    for _ in range(60):
        goal.rebalance()
    after = goal.losses_and_norms()[1]
    assert max(before.values()) > 1.5 * min(before.values())
    assert after["equation"] == before["equation"]
    assert list(after.values()) == pytest.approx([before["equation"]] * 3, rel=1e-6)


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
        (lambda: Causal(epsilon=-1.0), r"epsilon is 0 or more, and finite; got Causal\(axis=0"),
        (lambda: Causal(epsilon=math.nan), "epsilon is 0 or more"),
        (lambda: objective(oscillator(), Causal(axis=3)), r"column of time: Box\(t=.* 0 to 0\. Wr"),
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
    trial = Trial(problem, MLP(box, (4,)))
    trial.network.forward = lambda x: 1.5 * exact(x)
    assert relative_error(trial, problem) == pytest.approx(0.5)


def test_causal_weights_count_in_the_loss():
    problem = sir()
    plain, causal = (
        objective(problem, c).losses()["equation"] for c in (None, Causal(epsilon=10.0))
    )
    assert 0 < causal < plain


def test_a_problem_without_an_exact_solution_has_no_error():
    problem = Problem(Box(t=(0.0, 1.0)), lambda u, t: u(0))
    trial = Trial(problem, MLP(problem.domain, (4,)))
    for ask in (lambda: relative_error(trial, problem), lambda: exact_of(problem)):
        with pytest.raises(ValueError, match=r"needed is Problem\(exact=\.\.\.\)"):
            ask()
