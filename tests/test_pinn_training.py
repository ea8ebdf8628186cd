"""fit: it trains, repeats, records, shows, and waits for the end of a step."""

import dataclasses
import math
import signal
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Condition,
    Fourier,
    LevenbergMarquardt,
    Problem,
    Siren,
    Unknown,
    batch_of,
    fit,
)
from companion.problems import (
    oscillator,
    poisson_interval,
    poisson_lshape,
    poisson_square,
    sir,
)
from tests.fits import Powers, bits, inverse, objective, train

STAGES = {
    "Adam": [Adam(12)],
    "LBFGS": [LBFGS(8, inner=3)],
    "LevenbergMarquardt": [LevenbergMarquardt(8)],
}
STAGES["all three"] = [Adam(5), LBFGS(4, inner=3), LevenbergMarquardt(3)]


# --- it trains ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "stages", "bound"),
    [
        (oscillator(), [Adam(50), LBFGS(20)], 1e-2),
        (oscillator(hard=False), [LevenbergMarquardt(80)], 1e-4),
        (poisson_interval(), [LevenbergMarquardt(80)], 1e-2),
        (poisson_interval(hard=False), [LevenbergMarquardt(80)], 1e-2),
        (poisson_square(), [LevenbergMarquardt(50)], 1e-3),
        (poisson_square(hard=False, edge_points=10), [LevenbergMarquardt(50)], 0.1),
        (poisson_lshape(rim_points=80), [LevenbergMarquardt(50)], 0.1),
        (sir(), [LevenbergMarquardt(80)], 1e-2),
        (inverse(), [LevenbergMarquardt(80)], 1e-2),
    ],
)
def test_every_problem_trains_in_seconds(problem, stages, bound):
    net = MLP(problem.domain, (20,), outputs=problem.outputs, spread=3.0, seed=1)
    solution = fit(problem, net, stages, points=64, progress=False)
    assert solution.error < bound and solution.history.stopped is None


def test_an_unknown_rate_is_found_in_exact_data():
    t = torch.linspace(0, 2, 20).double()[:, None]
    decay = Problem(
        Box(t=(0.0, 2.0)),
        lambda u, t, rate: u(0) + rate * u(),
        (Condition("data", t, torch.exp(-1.7 * t)),),
        exact=lambda t: torch.exp(-1.7 * t),
        unknowns={"rate": Unknown(0.5, low=0.0, truth=1.7)},
    )
    solution = fit(decay, Powers(), [LevenbergMarquardt(60)], points=30, progress=False)
    assert solution.unknowns["rate"] == pytest.approx(1.7, abs=1e-5)
    assert solution.history.column("unknowns")[-1] == solution.unknowns


@pytest.mark.filterwarnings("ignore:the equation holds at the points of this fit alone")
@pytest.mark.parametrize("family", [Fourier, Siren])
def test_other_networks_train_too(family):
    problem = oscillator()
    net = family(problem.domain)
    history = train([Adam(4), LBFGS(2)], problem, net, log_interval=1)[1].history
    assert history.column("loss")[-1] < history.column("loss")[0]


def test_float32_stays_float32():
    problem = oscillator(hard=False)
    net = MLP(problem.domain, (8,)).float()
    solution = fit(problem, net, STAGES["all three"], points=16, progress=False)
    assert bits(net).dtype == torch.float32 and math.isfinite(solution.error)


def test_gradients_agree_with_every_method():
    taken = [bits(train([Adam(5)], method=m)[0]) for m in ("reverse", "taylor", None)]
    assert torch.allclose(taken[0], taken[1], atol=1e-10)
    assert torch.allclose(taken[0], taken[2], atol=1e-10)


# --- seeds, checkpoints ------------------------------------------------------------------------


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_one_seed_repeats_and_two_differ(stages):
    one, same, other = (bits(train(stages, seed=seed)[0]) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert not torch.equal(one, bits(train(stages, seed=1, net_seed=5)[0]))


def test_the_interrupt_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    train([Adam(1)])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_interrupt_does_not_wait():
    problem = oscillator()

    def residual(u, x):
        if x.requires_grad or len(x) == 15:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return problem.residual(u, x)

    with pytest.raises(KeyboardInterrupt):
        train([Adam(3)], dataclasses.replace(problem, residual=residual), points=15)


# --- the history -------------------------------------------------------------------------------


def test_history_has_every_column():
    history = train([Adam(4), LBFGS(3)], log_interval=2)[1].history
    assert history.column("step") == [2, 4, 6, 7]
    assert history.column("stage") == ["Adam", "Adam", "LBFGS", "LBFGS"]
    assert history.column("number") == [0, 0, 1, 1]
    last = history.records[-1]
    assert set(last) == {
        "stage", "number", "step", "seconds", "loss", "equation", "start", "slope", "norms", "unknowns", "error",
    }  # fmt: skip
    assert last["loss"] == last["equation"] + last["start"] + last["slope"]
    assert set(last["norms"]) == {"equation", "start", "slope"}
    seconds = history.column("seconds")
    assert sorted(seconds) == seconds and history.error == last["error"]


def test_every_stage_has_a_record_at_its_end():
    history = train([Adam(3), Adam(3, lr=1e-2), LBFGS(2, inner=3)], log_interval=100)[1].history
    assert history.column("step") == [3, 6, 8]
    assert history.column("number") == [0, 1, 2]


def test_without_an_exact_solution_there_is_no_error():
    _, solution = train([Adam(1)], dataclasses.replace(oscillator(), exact=None))
    assert solution.error is None and "error" not in solution.history.records[0]
    assert solution.unknowns == solution.history.unknowns == {}


def test_a_record_is_of_the_parameters_as_they_are():
    problem = oscillator(hard=False)
    net, solution = train([LevenbergMarquardt(3)], problem)
    goal = objective(problem, net)
    losses = goal.losses(goal.trial.theta(), batch_of(problem, problem.domain.points(16)))
    assert solution.history.records[-1]["loss"] == pytest.approx(sum(losses.values()).item())


def test_a_time_between_records_is_kept_to(monkeypatch):
    """Each step takes a second of a clock that is moved by hand."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def later(event):
        clock[0] += 1.0

    history = train([Adam(20)], log_interval=timedelta(seconds=6), callbacks=[later])[1].history
    assert history.column("step") == [7, 13, 19, 20]


def test_metrics_are_recorded_from_the_solution_as_it_is_then():
    seen = []

    def middle(solution):
        seen.append(solution)
        return solution(torch.full((1, 1), 1.0).double())

    _, solution = train([Adam(4)], metrics={"middle": middle, "one": lambda s: 1}, log_interval=2)
    column = solution.history.column("middle")
    assert len(set(column)) == 2 and solution.history.column("one") == [1.0, 1.0]
    assert column[-1] == solution(torch.full((1, 1), 1.0).double()).item()
    assert all(isinstance(value, float) for value in column)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"loss": lambda s: 1.0}, "the history calls something else loss: give the metric another"),
        ({"start": lambda s: 1.0}, "the history calls something else start"),
        ({"m": lambda s: "good"}, "a metric gives one number; m gave 'good'"),
        ({"m": lambda s: torch.zeros(2)}, "a metric gives one number; m gave tensor"),
    ],
)
def test_metrics_refuse(metrics, message):
    with pytest.raises(ValueError, match=message):
        train([Adam(1)], metrics=metrics)


def test_callbacks_see_each_event_and_may_stop_which_is_no_warning():
    seen = []

    def look(event):
        seen.append((event.step, event.record is not None))
        if event.step == 5:
            event.stop("far enough")

    _, solution = train([Adam(4), Adam(9)], log_interval=3, callbacks=[look])
    assert seen == [(1, False), (2, False), (3, True), (4, True), (5, False)]
    assert solution.history.stopped == "far enough"
    assert solution.history.column("step") == [3, 4, 5]


def test_the_progress_bar_shows_loss_error_and_unknowns(capsys):
    train([Adam(2)], inverse(11), progress=True)
    shown = capsys.readouterr().err
    assert all(f"{name}=" in shown for name in ("loss", "error", "beta", "gamma"))
    assert "2/2" in shown


def test_an_undisturbed_fit_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train([Adam(1)])


def test_a_fit_runs_in_a_thread_that_is_not_the_main_one():
    """Only the main thread may set a handler of Ctrl-C."""
    with ThreadPoolExecutor(1) as pool:
        history = pool.submit(train, [Adam(2)]).result()[1].history
    assert history.stopped is None and history.records[-1]["step"] == 2


# --- the solution ------------------------------------------------------------------------------


def test_a_solution_is_a_function_with_derivatives_and_its_error():
    problem = oscillator()
    net = MLP(problem.domain, (12,), spread=3.0)
    _, solution = train([LevenbergMarquardt(80)], problem, net, points=64)
    x = problem.domain.points(50)
    assert (solution(x) - torch.sin(x)).abs().max() < 1e-3
    assert (solution.partials(x)(0, 0) + torch.sin(x)).abs().max() < 0.05
    grid = problem.domain.points(1000, "grid")
    error = (solution(grid) - torch.sin(grid)).norm() / torch.sin(grid).norm()
    assert solution.error == pytest.approx(error.item()) == solution.history.error
    assert solution.network is net and solution.problem is problem
    assert {id(p) for p in net.parameters()} == {id(p) for p in solution.parameters()}


def test_a_solution_is_gone_on_from_with_its_unknowns():
    problem = inverse(11)
    _, first = train([Adam(5, lr=1e-2)], problem)
    found = dict(first.unknowns)
    assert found["beta"] != 0.4
    second = fit(problem, first, [Adam(1, lr=1e-12)], points=16, progress=False)
    assert second.unknowns == pytest.approx(found, rel=1e-9)
    other = dataclasses.replace(problem, residual=lambda u, t, beta, gamma: u(0) * beta * gamma)
    third = fit(other, second, [Adam(1, lr=1e-12)], points=16, progress=False)
    assert third.unknowns == pytest.approx(found, rel=1e-9) and third.network is first.network


def test_a_saved_solution_comes_back_to_the_bit(tmp_path):
    problem = inverse(11)
    _, solution = train([Adam(4)], problem)
    solution.save(tmp_path / "u.pt")
    fresh = MLP(problem.domain, (8,), 2, seed=9)
    again = type(solution).load(tmp_path / "u.pt", problem, fresh)
    x = problem.domain.points(20)
    assert torch.equal(again(x), solution(x)) and again.history.records == solution.history.records
    assert {n: float(v) for n, v in again.unknowns.items()} == dict(solution.unknowns)
    with pytest.raises(ValueError, match=r"(?s)u.pt holds another solution: .*size mismatch"):
        type(solution).load(tmp_path / "u.pt", problem, MLP(problem.domain, (9,), 2))
    with pytest.raises(ValueError, match=r"(?s)holds another solution: .*its own problem and netw"):
        type(solution).load(tmp_path / "u.pt", oscillator(), MLP(problem.domain, (8,), 2))
