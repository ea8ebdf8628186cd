"""fit: it trains, repeats, resumes to the same bits, and stops without harm."""

import dataclasses
import math
import signal
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Causal,
    Condition,
    Fourier,
    GaussNewton,
    Problem,
    Siren,
    Unknown,
    fit,
)  # fmt: skip
from companion.pinn.objective import Objective, Trial
from companion.pinn.oscillator import oscillator
from companion.pinn.poisson import poisson_interval, poisson_lshape, poisson_square
from companion.pinn.sir import Epidemic, sir, sir_inverse
from companion.pinn.training import Plan, Run

STAGES = {"Adam": [Adam(12)], "LBFGS": [LBFGS(8, inner=3)], "GaussNewton": [GaussNewton(8)]}
STAGES["all three"] = [Adam(5), LBFGS(4, inner=3), GaussNewton(3)]


def train(stages, problem=None, seed=0, net_seed=0, **rest):
    problem = problem or oscillator(hard=False)
    net = MLP(problem.domain, (8,), outputs=problem.outputs, seed=net_seed)
    options = {"points": 16, "progress": False} | rest
    return net, fit(problem, net, stages, seed=seed, **options)


def bits(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def inverse():
    times = np.linspace(0, 160, 41)
    return sir_inverse(times, Epidemic().solve(times)[1], 0.01)


# --- it trains ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "stages", "bound"),
    [
        (oscillator(), [Adam(50), LBFGS(20)], 1e-2),
        (oscillator(hard=False), [GaussNewton(40)], 1e-4),
        (poisson_interval(), [GaussNewton(40)], 1e-2),
        (poisson_interval(hard=False), [GaussNewton(40)], 1e-2),
        (poisson_square(), [GaussNewton(25)], 1e-3),
        (poisson_square(hard=False, edge_points=10), [GaussNewton(25)], 0.1),
        (poisson_lshape(rim_points=80), [GaussNewton(25)], 0.1),
        (sir(), [GaussNewton(40)], 1e-2),
        (inverse(), [GaussNewton(40)], 1e-2),
    ],
)
def test_every_problem_trains_in_seconds(problem, stages, bound):
    net = MLP(problem.domain, (20,), outputs=problem.outputs, spread=3.0, seed=1)
    history = fit(problem, net, stages, points=64, progress=False)
    assert history.error < bound and history.stopped is None


class Powers(nn.Module):
    """Σ aₖ (t − 1)ᵏ: a small network is right to 1e-4 here, and this to 1e-7."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(12, dtype=torch.float64))

    def forward(self, t):
        return (t - 1) ** torch.arange(12).to(t) @ self.a[:, None]


def test_an_unknown_rate_is_found_in_exact_data():
    t = torch.linspace(0, 2, 20).double()[:, None]
    decay = Problem(
        Box(t=(0.0, 2.0)),
        lambda u, t, rate: u(0) + rate * u(),
        (Condition("data", t, torch.exp(-1.7 * t)),),
        exact=lambda t: torch.exp(-1.7 * t),
        unknowns={"rate": Unknown(0.5, low=0.0, truth=1.7)},
    )
    history = fit(decay, Powers(), [GaussNewton(30)], points=30, progress=False)
    assert history.unknowns["rate"] == pytest.approx(1.7, abs=1e-5)
    assert history.column("unknowns")[-1] == history.unknowns


@pytest.mark.parametrize("family", [Fourier, Siren])
def test_other_networks_train_too(family):
    problem = oscillator()
    net = family(problem.domain)
    history = fit(problem, net, [Adam(4), LBFGS(2)], points=16, progress=False, report=1)
    assert history.column("loss")[-1] < history.column("loss")[0]


def test_float32_stays_float32():
    problem = oscillator(hard=False)
    net = MLP(problem.domain, (8,)).float()
    history = fit(problem, net, STAGES["all three"], points=16, progress=False)
    assert bits(net).dtype == torch.float32 and math.isfinite(history.error)


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


def in_step(monkeypatch, number, action):
    """Call action() in the step of that number, counted from 0, of every fit."""
    step = Run.step

    def disturbed(run):
        if run.done == number:
            action()
        step(run)

    monkeypatch.setattr(Run, "step", disturbed)


@pytest.mark.parametrize("options", [{}, {"resample": 2, "balance": True, "report": 4}])
@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_interrupted_and_resumed_is_uninterrupted_to_the_bit(
    stages, options, tmp_path, monkeypatch
):
    path, problem = tmp_path / "fit.pt", oscillator(hard=False)
    whole, whole_history = train(stages, problem, **options)
    with monkeypatch.context() as patch:
        in_step(patch, 3, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.warns(UserWarning, match="stopped early: interrupted after step 4"):
            part, history = train(stages, problem, checkpoint=path, **options)
    assert path.exists() and history.records[-1]["step"] == 4 < sum(s.steps for s in stages)
    assert not torch.equal(bits(part), bits(whole))
    resumed, again = train(stages, problem, net_seed=99, checkpoint=path, **options)
    assert torch.equal(bits(resumed), bits(whole))
    assert again.records[-1]["loss"] == whole_history.records[-1]["loss"] and again.stopped is None


def test_unknowns_are_resumed_too_and_stages_may_follow(tmp_path):
    path, stages = tmp_path / "fit.pt", [Adam(6), GaussNewton(4)]
    whole = train(stages, inverse())[1]
    train(stages[:1], inverse(), checkpoint=path)
    resumed = train(stages, inverse(), net_seed=4, checkpoint=path)[1]
    assert resumed.unknowns == whole.unknowns
    finished = train(stages, inverse(), checkpoint=path)[1]
    assert finished.unknowns == whole.unknowns and len(finished.records) == len(resumed.records)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 3},
        {"points": 17},
        {"stages": [Adam(5)]},
        {"causal": Causal()},
        {"method": "taylor"},
    ],
)
def test_the_checkpoint_of_another_fit_is_refused(other, tmp_path):
    path = tmp_path / "fit.pt"
    train([Adam(4)], checkpoint=path)
    with pytest.raises(ValueError, match="is the checkpoint of another fit"):
        train(**{"stages": [Adam(4)], "checkpoint": path} | other)


def test_the_checkpoint_of_another_problem_is_refused_and_the_network_left_alone(tmp_path):
    path, soft = tmp_path / "fit.pt", oscillator(hard=False)
    train([Adam(4)], soft, checkpoint=path)
    heavy = dataclasses.replace(soft.conditions[0], weight=7.0)
    renamed = dataclasses.replace(soft.conditions[1], name="tilt")
    others = [
        (oscillator(), "equation is"),
        (oscillator(9.0, hard=False), "equation is .* in this one, and was"),
        (dataclasses.replace(soft, residual=lambda u, t: u(0, 0) + 2 * u()), "equation is"),
        (dataclasses.replace(soft, conditions=(heavy, soft.conditions[1])), "start is"),
        (
            dataclasses.replace(soft, conditions=(soft.conditions[0], renamed)),
            "tilt is .*, and was None",
        ),
    ]
    for other, message in others:
        net = MLP(other.domain, (8,), seed=5)
        before = bits(net)
        with pytest.raises(
            ValueError, match=f"checkpoint of another problem or network: .*{message}"
        ):
            fit(other, net, [Adam(4)], points=16, progress=False, checkpoint=path)
        assert torch.equal(bits(net), before)
    wide = MLP(soft.domain, (9,))
    with pytest.raises(ValueError, match=r"(?s)another problem or network: .*size mismatch"):
        fit(soft, wide, [Adam(4)], points=16, progress=False, checkpoint=path)


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


# --- NaN ---------------------------------------------------------------------------------------


def poisoned(switch, gradient):
    """A soft oscillator whose slope is NaN, in value or in gradient, when the switch is 0."""
    problem = oscillator(hard=False)

    def slope(u, t):
        return u(0) + (torch.sqrt(switch * u().square()) if gradient else 0 / switch)

    start, end = problem.conditions
    return dataclasses.replace(problem, conditions=(start, dataclasses.replace(end, of=slope)))


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_a_nan_stops_names_its_term_and_keeps_finite_parameters(
    stages, gradient, tmp_path, monkeypatch
):
    path, switch = tmp_path / "fit.pt", torch.tensor(1e-3).double()
    stage = type(stages[0]).__name__
    in_step(monkeypatch, 2, switch.zero_)
    with pytest.warns(UserWarning, match=rf"NaN or infinity in .*slope at step 2 of {stage}"):
        net, history = train(stages, poisoned(switch, gradient), report=1, checkpoint=path)
    assert bits(net).isfinite().all() and "slope" in history.stopped
    saved = torch.load(path, weights_only=True)["trial"]
    assert all(p.isfinite().all() for p in saved.values())


def test_a_nan_goes_back_to_the_last_parameters_with_a_finite_loss():
    """u = a falls by Adam until log(a) has no value."""
    problem = Problem(Box(t=(0.0, 1.0)), lambda u, t: torch.log(u()) + 20.0)
    net = MLP(problem.domain, (4,))
    with torch.no_grad():
        net.layers[-1].weight.zero_()
        net.layers[-1].bias.fill_(0.5)
    with pytest.warns(UserWarning, match="in equation at step"):
        history = fit(problem, net, [Adam(50, lr=0.1)], progress=False)
    assert (net(problem.domain.points(256)) > 0).all()
    assert math.isfinite(history.records[-1]["loss"]) and history.records[-1]["step"] < 50


def test_a_nan_after_the_last_step_is_seen_as_well_and_not_saved(tmp_path):
    """The step itself was finite; it led to where log(u) has no value."""
    problem = Problem(Box(t=(0.0, 1.0)), lambda u, t: torch.log(u()) + 20.0)
    path = tmp_path / "fit.pt"

    def started():
        net = MLP(problem.domain, (4,))
        with torch.no_grad():
            net.layers[-1].weight.zero_()
            net.layers[-1].bias.fill_(0.55)
        return net

    net, stages = started(), [Adam(40, lr=0.1, decay=False)]
    with pytest.warns(
        UserWarning, match=r"NaN or infinity in equation at the end of step \d+ of Ad"
    ):
        history = fit(problem, net, stages, report=1, progress=False, checkpoint=path)
    assert (net(problem.domain.points(256)) > 0).all()
    assert all(math.isfinite(loss) for loss in history.column("loss"))
    assert math.isfinite(sum(r["loss"] for r in torch.load(path, weights_only=True)["records"]))


# --- points, weights, history ------------------------------------------------------------------


def test_resampling_changes_the_points_on_time_and_repeats():
    def seen(**options):
        drawn, problem = [], oscillator()

        def residual(u, x):
            if len(x) == 32:
                drawn.append(x.detach().clone())
            return problem.residual(u, x)

        train([Adam(6)], dataclasses.replace(problem, residual=residual), points=32, **options)
        return drawn[:6]

    still, moved = seen(), seen(resample=3)
    assert all(torch.equal(x, still[0]) for x in still)
    assert torch.equal(moved[0], moved[2]) and not torch.equal(moved[2], moved[3])
    assert torch.equal(moved[3], moved[5]) and torch.equal(moved[5], seen(resample=3)[5])
    assert torch.equal(moved[0], still[0])


def test_history_has_every_column():
    _, history = train([Adam(4), LBFGS(3)], report=2)
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
    _, history = train([Adam(3), Adam(3, lr=1e-2), LBFGS(2, inner=3)], report=100)
    assert history.column("step") == [3, 6, 8]
    assert history.column("number") == [0, 1, 2]


def test_without_an_exact_solution_there_is_no_error():
    history = train([Adam(1)], dataclasses.replace(oscillator(), exact=None))[1]
    assert history.error is None and "error" not in history.records[0] and history.unknowns == {}


def test_a_record_is_of_the_parameters_as_they_are():
    problem = oscillator(hard=False)
    net, history = train([GaussNewton(3)], problem)
    goal = Objective(problem, Trial(problem, net), problem.domain.points(16))
    assert history.records[-1]["loss"] == pytest.approx(
        sum(goal.losses().values()).item(), rel=1e-12
    )


def test_the_progress_bar_shows_every_term(capsys):
    train([Adam(2)], progress=True)
    shown = capsys.readouterr().err
    assert all(f"{term}=" in shown for term in ("equation", "start", "slope"))


def test_an_undisturbed_fit_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train([Adam(1)])


def test_the_draws_of_one_seed_are_not_those_of_the_next():
    """Else the second draw of seed 0 would be the first of seed 1, and seeds no repetitions."""
    problem = oscillator()

    def draws(seed):
        network = MLP(problem.domain, (4,))
        run = Run(problem, network, [Adam(1)], Plan(16, "sobol", seed, False, 1, 1), None, None)
        found = []
        for run.draws in range(4):
            found.append(run.drawn())
        return found

    seen = [x for seed in range(4) for x in draws(seed)]
    assert len({tuple(x[:, 0].tolist()) for x in seen}) == len(seen) == 16


def test_a_fit_runs_in_a_thread_that_is_not_the_main_one():
    """Only the main thread may set a handler of Ctrl-C."""
    with ThreadPoolExecutor(1) as pool:
        history = pool.submit(train, [Adam(2)]).result()[1]
    assert history.stopped is None and history.records[-1]["step"] == 2


def test_a_checkpoint_that_could_not_be_written_whole_leaves_the_last_one(tmp_path, monkeypatch):
    path = tmp_path / "fit.pt"
    train([Adam(4)], checkpoint=path)
    before = path.read_bytes()

    def broken(state, where):
        Path(where).write_bytes(b"half a")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="No space left"):
        train([Adam(4), Adam(2)], checkpoint=path)
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert train([Adam(4), Adam(2)], checkpoint=path)[1].records[-1]["step"] == 6
