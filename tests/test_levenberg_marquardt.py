"""LevenbergMarquardt: its step against NumPy's least squares, its damping against Nielsen's formula."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from companion.pinn import (
    MLP,
    Box,
    Condition,
    LevenbergMarquardt,
    Problem,
    batch_of,
    fit,
    levenberg_marquardt,
)
from companion.pinn.levenberg_marquardt import (
    by_cholesky,
    by_matrix,
    by_products,
    by_qr,
    gram_of,
    next_damping,
)
from companion.pinn.linearise import Linearised, Products, linearised
from companion.pinn.stages import At
from companion.problems import oscillator, poisson_square, sir
from tests.fits import LINE, bits, column, decay, inverse, least_squares, objective, train

NUMBERS = np.random.default_rng(0)


def line_of(shape):
    """Random r and J, as they come from linearised."""
    jacobian, rows = NUMBERS.standard_normal(shape), NUMBERS.standard_normal(shape[0])
    return Linearised(torch.from_numpy(rows), torch.from_numpy(jacobian), {}, {})


# --- the step ----------------------------------------------------------------------------------

SHAPES = [(9, 5), (5, 9), (6, 6), (600, 3), (3, 600)]


@pytest.mark.parametrize("factor", [by_cholesky, by_qr])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("damping", [1e-3, 1.0])
def test_the_step_of_every_solver_is_numpys(shape, damping, factor):
    line, mu = line_of(shape), torch.tensor(damping).double()
    model = by_matrix(line, mu, False, factor)
    jacobian, rows = line.jacobian.numpy(), line.rows.numpy()
    expected = least_squares(jacobian, rows, damping)
    h = model.solve(line.rows)
    assert np.allclose(h.numpy(), expected, rtol=1e-7, atol=1e-9)
    assert np.allclose(model.forward(h).numpy(), jacobian @ expected, rtol=1e-6, atol=1e-8)
    assert np.allclose(model.slope.numpy(), jacobian.T @ rows)
    assert model.size.item() == pytest.approx(np.linalg.norm(jacobian)) and model.units == 1


@pytest.mark.parametrize("factor", [by_cholesky, by_qr])
@pytest.mark.parametrize("shape", SHAPES)
def test_marquardts_scaling_is_that_of_the_columns(shape, factor):
    line = line_of(shape)
    line.jacobian.mul_(torch.logspace(-3, 3, shape[1], dtype=torch.float64))
    jacobian = line.jacobian.numpy()
    expected = least_squares(jacobian, line.rows.numpy(), 1e-2, np.sqrt((jacobian**2).sum(0)))
    model = by_matrix(line, torch.tensor(1e-2).double(), True, factor)
    step = (model.solve(line.rows) / model.units).numpy()
    assert np.linalg.norm(step - expected) < 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("damping", [1e-3, 1.0])
@pytest.mark.parametrize("make", [decay, sir, lambda: oscillator(hard=False)])
def test_conjugate_gradients_on_products_are_least_squares_on_the_jacobian(make, damping):
    goal = objective(make())
    theta, problem = goal.trial.theta(), goal.trial.problem
    batch = batch_of(problem, problem.domain.points(8))
    line = linearised(goal, theta, batch)
    model = by_products(Products(goal, theta, batch), torch.tensor(damping).double(), 400)
    step = model.solve(line.rows).numpy()
    jacobian, rows = line.jacobian.numpy(), line.rows.numpy()
    gradient = jacobian.T @ rows
    left = jacobian.T @ (jacobian @ step) + damping * step - gradient
    assert np.linalg.norm(left) < 2e-6 * np.linalg.norm(gradient)
    expected = least_squares(jacobian, rows, damping)
    near = 1e-3 / damping**0.5  # what is left weighs 1/μ at most
    assert np.linalg.norm(step - expected) < near * np.linalg.norm(expected)


def test_products_are_those_with_the_jacobian():
    goal = objective(inverse(11))
    theta, problem = goal.trial.theta(), goal.trial.problem
    batch = batch_of(problem, problem.domain.points(8))
    line, products = linearised(goal, theta, batch), Products(goal, theta, batch)
    v = torch.from_numpy(NUMBERS.standard_normal(len(theta)))
    w = torch.from_numpy(NUMBERS.standard_normal(len(line.rows)))
    assert torch.allclose(products.rows, line.rows, rtol=1e-12)
    assert torch.allclose(products.forward(v), line.jacobian @ v, rtol=1e-10)
    assert torch.allclose(products.transposed(w), line.jacobian.T @ w, rtol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (3, 7), (300, 20), (20, 300)])
def test_a_gram_matrix_is_the_product(shape, dtype):
    a = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    exact, close = a.double().numpy(), 100 * torch.finfo(dtype).eps
    for j, expected in ((a.T, exact @ exact.T), (a, exact.T @ exact)):
        found = gram_of(j)
        assert found.dtype == dtype
        assert np.allclose(found.numpy(), expected, atol=close * max(shape))


@pytest.mark.filterwarnings("error")  # NumPy's too
@pytest.mark.parametrize("shape", [(40, 30), (30, 40)])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e200])
def test_of_a_jacobian_that_is_not_finite_cholesky_makes_no_step(bad, shape):
    line = line_of(shape)
    line.jacobian[3, 4] = bad
    h = by_matrix(line, torch.tensor(1.0).double(), False, by_cholesky).solve(line.rows)
    assert h.isnan().all()


def test_a_step_that_no_cholesky_factor_gives_is_not_taken():
    """Two equal columns and no damping: JᵀJ has no factor, or one of rounding."""
    _, _, found = walked(3, LevenbergMarquardt(3, damping=1e-15), Problem(LINE, twice))
    losses = [loss for _, loss, _ in found]
    assert all(b <= a for a, b in pairwise(losses)) and found[-1][2].theta.isfinite().all()


def twice(u, t):
    return torch.cat([u(0) - 1, u(0) - 1], 1)


class Polynomial(nn.Module):
    """Σ aₖ tᵏ, linear in its parameters."""

    def __init__(self, degree):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(degree + 1, dtype=torch.float64))

    def forward(self, t):
        return (t ** torch.arange(len(self.a)).to(t)) @ self.a[:, None]


@pytest.mark.parametrize(
    ("solver", "marquardt"),
    [("cholesky", False), ("cholesky", True), ("qr", False), ("qr", True), ("cg", False)],
)
def test_a_problem_linear_in_its_parameters_is_solved_in_one_step(solver, marquardt):
    """u″ = 6t − 2 with u = t + t² n(t), so that n = t − 1 gives u = t³ − t² + t."""
    problem = Problem(
        Box(t=(0.0, 1.0)),
        lambda u, t: u(0, 0) - 6 * t + 2,
        ansatz=lambda t, n: t + t**2 * n,
        exact=lambda t: t**3 - t**2 + t,
        order=2,
    )
    stage = LevenbergMarquardt(1, 1e-15, marquardt, solver)
    solution = fit(problem, Polynomial(4), [stage], points=40, progress=False)
    assert solution.error < 1e-6 and solution.history.records[0]["loss"] < 1e-11


# --- the damping -------------------------------------------------------------------------------


def nielsen(mu, nu, gain):
    """Nielsen's rule in plain Python: (μ, ν) after a try; ν has an end here, 64."""
    if gain > 0:
        return mu * max(1 / 3, 1 - (2 * gain - 1) ** 3), 2
    return mu * nu, min(2 * nu, 64)


def test_the_damping_follows_nielsens_rule():
    one = torch.ones((), dtype=torch.float64)
    memory, mu, nu = {"peak": one, "damping": one, "rise": 2 * one}, 1.0, 2.0
    for gain in (0.9, 0.1, -0.3, -2.0, 0.5, -1.0, 0.3, 0.25, 1.0, 0.75):
        memory = next_damping(memory, torch.tensor(gain), torch.tensor(gain > 0))
        mu, nu = nielsen(mu, nu, gain)
        assert (memory["damping"].item(), memory["rise"].item()) == pytest.approx(
            (mu, nu), rel=1e-6
        )


def test_the_first_damping_is_a_share_of_the_largest_diagonal_entry():
    goal = objective(oscillator(hard=False))
    theta, batch = goal.trial.theta(), batch_of(goal.trial.problem, LINE.points(8))
    jacobian = linearised(goal, theta, batch).jacobian.numpy()
    peak = (jacobian**2).sum(0).max()
    for solver in ("cholesky", "qr"):
        memory = LevenbergMarquardt(1, 0.25, solver=solver).init(goal, theta, batch)
        assert memory["damping"].item() == pytest.approx(0.25 * peak)
    assert LevenbergMarquardt(1, 0.25, True).init(goal, theta, batch)["damping"].item() == 0.25
    memory = LevenbergMarquardt(1, 0.25, solver="cg").init(goal, theta, batch)
    r = linearised(goal, theta, batch).rows.numpy()
    seen = np.linalg.norm(jacobian @ jacobian.T @ r) / np.linalg.norm(jacobian.T @ r)
    assert memory["damping"].item() == pytest.approx(0.25 * seen**2)


@pytest.mark.parametrize("solver", ["cholesky", "qr", "cg"])
def test_the_units_of_the_loss_do_not_matter(solver):
    ends = []
    for factor in (1.0, 1e4, 1e-10, 1e10):
        problem = Problem(
            LINE, lambda u, t, c=factor: c * (u(0) + u() ** 2), ansatz=lambda t, n: 1 + t * n
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a loss far from 1
            ends.append(bits(train([LevenbergMarquardt(6, solver=solver)], problem)[0]))
    assert all((end - ends[0]).norm() < 1e-5 * ends[0].norm() for end in ends)


@pytest.mark.filterwarnings("ignore:no residual answers to network")
def test_a_residual_that_nothing_changes_leaves_the_parameters():
    net, _ = train([LevenbergMarquardt(2)], Problem(LINE, lambda u, t: 0 * u() + 1))
    assert torch.equal(bits(net), bits(MLP(LINE, (8,))))


@pytest.mark.parametrize("peak", [1e-20, 1.0, 1e20])
def test_the_damping_stays_within_fifteen_decades_of_the_peak(peak):
    one = torch.ones((), dtype=torch.float64)
    for taken, end in ((True, 1e-15), (False, 1e15)):
        memory = {"peak": peak * one, "damping": peak * one, "rise": 2 * one}
        for _ in range(200):
            memory = next_damping(memory, 2.0 * taken * one - 1, torch.tensor(taken))
        assert memory["damping"].item() == pytest.approx(peak * end)


def walked(steps, stage=None, problem=None, points=8):
    """The states of a stage, one after another, with the losses before each."""
    goal = objective(problem or oscillator(hard=False))
    stage = stage or LevenbergMarquardt(steps, damping=1.0)
    batch = batch_of(goal.trial.problem, goal.trial.problem.domain.points(points))
    theta = goal.trial.theta()
    at, found = At(theta, stage.init(goal, theta, batch), 0), []
    for _ in range(steps):
        with torch.no_grad():
            new, losses = stage.step(goal, at, batch, 1)
        found.append((at, sum(loss.item() for loss in losses.values()), new))
        at = new
    return goal, batch, found


@pytest.mark.parametrize("solver", ["cholesky", "qr", "cg"])
def test_a_step_is_taken_if_the_loss_falls_and_its_gain_ratio_moves_the_damping(solver):
    goal, batch, found = walked(12, LevenbergMarquardt(12, 1e-2, solver=solver, acceleration=0))
    taken = 0
    for at, loss, new in found:
        line = linearised(goal, at.theta, batch)
        jacobian, rows = line.jacobian.numpy(), line.rows.numpy()
        assert loss == pytest.approx(rows @ rows)
        mu, nu = at.memory["damping"].item(), at.memory["rise"].item()
        step = least_squares(jacobian, rows, mu)
        after = sum(
            v.item() for v in goal.losses(at.theta - torch.from_numpy(step), batch).values()
        )
        gain = (loss - after) / (step @ (jacobian.T @ rows + mu * step))
        moved = not torch.equal(at.theta, new.theta)
        assert moved == (after < loss)
        taken += moved
        expected = nielsen(mu, nu, gain)
        assert new.memory["damping"].item() == pytest.approx(expected[0], rel=1e-2)
        assert new.memory["rise"].item() == expected[1]
    assert taken > 0
    losses = [loss for _, loss, _ in found]
    assert all(b <= a for a, b in pairwise(losses)) and losses[-1] < 1e-2 * losses[0]


# --- the end -----------------------------------------------------------------------------------


def test_when_nothing_helps_the_parameters_stay_the_damping_rises_and_it_is_said(monkeypatch):
    nan = lambda *_: torch.tensor([math.nan]).double()
    monkeypatch.setattr(levenberg_marquardt, "rows_at", nan)
    with pytest.warns(
        UserWarning, match=r"could not improve in its last 6 steps .*scaled\(problem"
    ):
        net, _ = train([LevenbergMarquardt(6)])
    assert torch.equal(bits(net), bits(MLP(oscillator().domain, (8,))))


def test_at_a_solution_there_is_nothing_to_improve_and_no_alarm():
    """The second fit begins at a loss of rounding, where each try is in vain."""
    problem = Problem(LINE, lambda u, t: u(0) - 2 * t, ansatz=lambda t, n: t * n)
    net = Polynomial(2)
    for _ in range(2):
        _, solution = train([LevenbergMarquardt(8, damping=1e-9)], problem, net)
    assert solution.history.records[-1]["loss"] < 1e-25


def test_thirty_tries_in_a_row_that_change_nothing_end_the_stage():
    """Steps that change rounding alone count as those that are not taken."""
    one, stage = torch.ones((), dtype=torch.float64), LevenbergMarquardt(100)
    assert stage.finished({"idle": 29 * one, "slope": one}) is None
    assert stage.finished({"idle": 30 * one, "slope": one}) == "30 tries in a row changed nothing"
    problem = Problem(LINE, lambda u, t: u(0) - 2 * t, ansatz=lambda t, n: t * n)
    _, solution = train([stage], problem, Polynomial(2), log_interval=1)
    assert solution.history.records[-1]["step"] < 45


@pytest.mark.parametrize(
    ("idle", "gain", "slope", "left", "said"),
    [
        (5, 0, 1e-3, 100, "could not improve"),
        (4, 1e-5, 1e-3, 100, "has stalled: a step takes 1e-05 off the loss"),
        (4, 1e-3, 1, 1e9, None),
        (5, 0, 9e-4, 1e9, None),
        (5, 0, 1, 99, None),
    ],
)
def test_a_stage_is_stuck_where_a_gradient_is_left_and_more_than_rounding(
    idle, gain, slope, left, said
):
    numbers = {"idle": idle, "gain": gain, "slope": slope, "left": left, "damping": 1}
    memory = {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
    found = LevenbergMarquardt(9).stuck(memory)
    assert found is said is None or said in found


def test_a_fit_of_an_equation_that_has_no_solution_says_that_it_has_stalled():
    problem = Problem(LINE, lambda u, t: u(0) ** 2 + 1, ansatz=lambda t, n: t * n)
    with pytest.warns(UserWarning, match="has stalled.* contradict each other"):
        train([LevenbergMarquardt(150)], problem)


def test_a_stage_that_has_arrived_ends_at_the_next_report_and_the_next_one_begins():
    """A line through three points that do not lie on one: what is left has no gradient."""
    data = Condition("data", column(0.0, 0.5, 1.0), column(0.0, 1.0, 0.5))
    problem = Problem(LINE, lambda u, t: 1e-3 * u(), (data,))
    stages = [LevenbergMarquardt(50, tolerance=1e-6), LevenbergMarquardt(2)]
    _, solution = train(stages, problem, Polynomial(1), log_interval=5)
    records = solution.history.records
    assert [r["step"] for r in records if r["number"] == 0][-1] in (5, 10, 15)
    assert records[-1]["number"] == 1 and solution.history.stopped is None
    assert records[-1]["step"] == [r["step"] for r in records if r["number"] == 0][-1] + 2
    found = np.linalg.lstsq(
        np.array([[1, 0], [1, 0.5], [1, 1]]), np.array([0, 1, 0.5]), rcond=None
    )[0]
    assert np.allclose(solution.network.a.detach(), found, atol=1e-4)


# --- without J ---------------------------------------------------------------------------------


def test_beyond_its_room_it_goes_without_j_and_says_so_once(monkeypatch):
    problem = oscillator()
    expected = train([LevenbergMarquardt(8)], problem, MLP(problem.domain, (8,)))[1]
    monkeypatch.setattr(levenberg_marquardt, "ROOM", 1000)
    stages = [LevenbergMarquardt(4), LevenbergMarquardt(4)]
    with pytest.warns(
        UserWarning, match=r"J would have about 16 × 25 entries.*conjugate grad"
    ) as w:
        _, solution = train(stages, problem, MLP(problem.domain, (8,)))
    assert len(w) == 1
    assert solution.history.records[-1]["loss"] < 3 * expected.history.records[0]["loss"]


def test_it_trains_a_network_of_many_parameters_without_j():
    problem = poisson_square()
    net = MLP(problem.domain, (120, 120))
    assert sum(p.numel() for p in net.parameters()) > 14_000
    stage = LevenbergMarquardt(8, solver="cg", iterations=20)
    solution = fit(problem, net, [stage], points=64, progress=False)
    assert solution.error < 0.1


def test_in_float32_it_goes_by_qr_and_further_than_by_cholesky():
    """JᵀJ squares the condition number: in seven digits it is lost where J is not."""
    problem, losses = oscillator(), {}
    for solver in (None, "qr", "cholesky"):
        net = MLP(problem.domain, (12,), spread=3.0).float()
        stage = LevenbergMarquardt(100, solver=solver)
        losses[solver] = fit(problem, net, [stage], points=40, progress=False).history.records[-1]
        assert bits(net).dtype == torch.float32
    assert losses[None]["loss"] == losses["qr"]["loss"]
    assert losses["qr"]["loss"] < losses["cholesky"]["loss"] / 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_beyond_its_room_it_goes_without_j_in_every_precision(dtype, monkeypatch):
    monkeypatch.setattr(levenberg_marquardt, "ROOM", 1000)
    problem = oscillator()
    with pytest.warns(UserWarning, match="conjugate gradients on its products"):
        train([LevenbergMarquardt(2)], problem, MLP(problem.domain, (8,)).to(dtype))


def test_of_a_wide_j_qr_takes_the_smaller_matrix(monkeypatch):
    sizes, qr = [], torch.linalg.qr
    monkeypatch.setattr(torch.linalg, "qr", lambda a: sizes.append(tuple(a.shape)) or qr(a))
    by_matrix(line_of((3, 7)), torch.tensor(0.1).double(), False, by_qr)
    by_matrix(line_of((7, 3)), torch.tensor(0.1).double(), False, by_qr)
    assert sizes == [(10, 3), (10, 3)]


def test_the_old_name_works_and_says_the_new_one():
    with pytest.warns(DeprecationWarning, match="GaussNewton is called LevenbergMarquardt now"):
        from companion.pinn import GaussNewton
    assert GaussNewton is LevenbergMarquardt
