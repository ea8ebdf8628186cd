"""NaN at any step of any stage: the fit stops, names step and term, and keeps what is good."""

import dataclasses
import math
import random

import pytest
import torch

from companion import torch_private
from companion.pinn import LBFGS, MLP, Adam, LevenbergMarquardt, Problem
from companion.problems import oscillator
from tests.fits import LINE, Constant, bits, train

STAGES = {
    "Adam": [Adam(12)],
    "compiled": [Adam(12, compiled=4)],
    "LBFGS": [LBFGS(8, inner=3)],
    "LevenbergMarquardt": [LevenbergMarquardt(8)],
    "qr": [LevenbergMarquardt(8, solver="qr")],
    "cg": [LevenbergMarquardt(8, solver="cg", iterations=10)],
    "a mixture": [Adam(5), LBFGS(4, inner=3), LevenbergMarquardt(3)],
}


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    """The graph of compiled steps run operation by operation."""
    monkeypatch.setattr(torch_private, "program", lambda module, inputs: module)


def poisoned(switch, gradient):
    """A soft oscillator whose slope is NaN, in value or in gradient, when the switch is 0.

    A tensor that is changed in place, as the one condition that a traced residual may use.
    """
    problem = oscillator(hard=False)

    def slope(u, t):
        return u(0) + (torch.sqrt(switch * u().square()) if gradient else 0 / switch)

    start, end = problem.conditions
    return dataclasses.replace(problem, conditions=(start, dataclasses.replace(end, of=slope)))


def at_step(step, action):
    """A callback that acts once so many steps are made."""
    return lambda event: event.step >= step and action()


@pytest.mark.parametrize("interval", [1, 3, 100])
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_a_nan_stops_names_its_term_and_keeps_finite_parameters(
    stages, gradient, interval, tmp_path
):
    path, switch = tmp_path / "fit.pt", torch.tensor(1e-3).double()
    last = sum(stage.steps for stage in stages) - 1
    when = random.Random(f"{stages}{gradient}{interval}").randint(1, last)
    with pytest.warns(UserWarning, match=r"NaN or infinity in .*slope at .*step \d+ of \w+$"):
        net, solution = train(
            stages,
            poisoned(switch, gradient),
            log_interval=interval,
            checkpoint=path,
            callbacks=[at_step(when, switch.zero_)],
        )
    assert bits(net).isfinite().all() and "slope" in solution.history.stopped
    if path.exists():
        assert torch.load(path, weights_only=True)["state"]["theta"].isfinite().all()


def logarithm(a=0.55):
    """u = a falls by Adam until log(u) has no value: a step of 0.1 each."""
    return Problem(LINE, lambda u, t: torch.log(u()) + 20.0), Constant(a)


def steps_until(a, lr=0.1):
    """In plain Python: the first step whose loss has no value, and the parameter before it."""
    m = v = 0.0
    before = a
    for step in range(1000):
        if a <= 0:
            return step, before
        before, r = a, math.log(a) + 20
        g = 2 * r / a
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        t = step + 1
        a -= lr * m / (1 - 0.9**t) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return None


@pytest.mark.parametrize("a", [0.12, 0.33, 0.55, 0.77, 1.31])
@pytest.mark.parametrize(("interval", "compiled"), [(1, 0), (7, 0), (100, 0), (100, 4), (5, 3)])
def test_the_step_is_the_one_that_fails_and_the_parameters_those_before(a, interval, compiled):
    """Against Adam's formula in plain Python, wherever in a block or between reports it falls."""
    problem, net = logarithm(a)
    step, before = steps_until(a)
    stage = Adam(40, 0.1, False, compiled)
    message = (
        rf"NaN or infinity in equation at (step {step} of Adam|the end of step {step} of Adam)"
    )
    with pytest.warns(UserWarning, match=message):
        _, solution = train([stage], problem, net, log_interval=interval)
    assert net.a.item() == pytest.approx(before, rel=1e-9)
    assert solution.history.records[-1]["step"] == step - 1
    assert all(math.isfinite(loss) for loss in solution.history.column("loss"))


def test_the_checkpoint_is_that_of_the_last_good_record(tmp_path):
    problem, net = logarithm(0.77)
    step, _ = steps_until(0.77)
    path, kept = tmp_path / "fit.pt", []

    def keep(event):
        if path.exists():
            kept.append(path.read_bytes())

    with pytest.warns(UserWarning, match="NaN or infinity in equation"):
        train(
            [Adam(40, 0.1, False)], problem, net, log_interval=3, checkpoint=path, callbacks=[keep]
        )
    assert path.read_bytes() == kept[-1]
    saved = torch.load(path, weights_only=True)["state"]
    assert saved["step"] == 3 * ((step - 1) // 3) and saved["theta"].isfinite().all()


def test_a_nan_from_the_start_leaves_the_network_as_it_was():
    problem = Problem(LINE, lambda u, t: torch.log(u() - 1e9))
    for stage in (Adam(3), LBFGS(3), LevenbergMarquardt(3)):
        net = MLP(LINE, (4,))
        with pytest.warns(UserWarning, match="NaN or infinity in equation at step 0 of"):
            train([stage], problem, net)
        assert torch.equal(bits(net), bits(MLP(LINE, (4,))))


def test_a_try_of_levenberg_marquardt_that_is_nan_is_a_try_in_vain():
    """From u = 1 a whole step leads to where log(u) has no value; a shorter one does not."""
    problem = Problem(LINE, lambda u, t: torch.log(u()) + 3.0)
    net, solution = train([LevenbergMarquardt(60, damping=1e-9)], problem, Constant(1.0))
    assert solution.history.stopped is None
    assert net.a.item() == pytest.approx(math.exp(-3.0), rel=1e-6)
