"""The stages' settings, and what all of them leave as it is."""

import math

import numpy as np
import pytest
import torch

from companion import torch_private
from companion.pinn import LBFGS, MLP, Adam, LevenbergMarquardt, fit
from companion.pinn import LevenbergMarquardt as LM
from companion.problems import oscillator
from tests.fits import decay

WHOLE = "is a whole number, {} or more; got {}"
ABOVE = "{} is a number above 0, and finite; got {}"


@pytest.mark.parametrize("steps", [0, -1, 2.5, 3.0, True, "3"])
@pytest.mark.parametrize("stage", [Adam, LBFGS, LevenbergMarquardt])
def test_steps_are_a_whole_number(stage, steps):
    with pytest.raises(ValueError, match=rf"steps {WHOLE.format(1, stage.__name__)}\(steps="):
        stage(steps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LBFGS(2, inner=0), "inner " + WHOLE.format(1, "LBFGS")),
        (lambda: LBFGS(2, memory=0), "memory " + WHOLE.format(1, "LBFGS")),
        (lambda: LM(5, iterations=0), "iterations " + WHOLE.format(1, "LevenbergMarquardt")),
        (lambda: LM(5, solver="lu"), "solver is one of cholesky, qr, cg, or None; got Levenberg"),
        (lambda: LM(5, marquardt=True, solver="cg"), "no diagonal of JᵀJ to take; got Levenberg"),
        (lambda: LM(5, tolerance=1.0), "tolerance is 0 or more, and below 1; got Levenberg"),
        (lambda: LM(5, tolerance=math.nan), "tolerance is 0 or more, and below 1; got Levenberg"),
        (lambda: LM(5, damping=0.0), ABOVE.format("damping", "LevenbergMarquardt")),
        (
            lambda: LM(5, acceleration=-0.1),
            "acceleration is a number 0 or more, and finite; got Lev",
        ),
        (lambda: LM(5, acceleration=math.inf), "acceleration is a number 0 or more, and finite"),
        (lambda: LM(5, damping=-1.0), ABOVE.format("damping", "LevenbergMarquardt")),
        (lambda: Adam(5, lr=0.0), ABOVE.format("lr", "Adam")),
        (lambda: Adam(5, lr=-1e-3), ABOVE.format("lr", "Adam")),
        (lambda: Adam(5, lr=math.nan), ABOVE.format("lr", "Adam")),
        (lambda: Adam(5, lr=math.inf), ABOVE.format("lr", "Adam")),
        (lambda: Adam(10, compiled=-1), "compiled " + WHOLE.format(0, "Adam")),
        (lambda: Adam(10, compiled=2.0), "compiled " + WHOLE.format(0, "Adam")),
        (lambda: Adam(10, compiled=20), "compiled is at most the steps of the stage; got Adam"),
    ],
)
def test_settings_that_no_step_can_be_made_with_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_number_of_numpy_is_whole_too():
    assert Adam(np.int64(3), compiled=np.int64(1)).steps == LBFGS(np.int32(3)).steps == 3


ALL = [Adam(6, 1e-2), Adam(6, 1e-2, compiled=2), LBFGS(3), LevenbergMarquardt(3)]


@pytest.mark.parametrize("make", [oscillator, decay])
@pytest.mark.parametrize("stage", ALL, ids=["Adam", "compiled", "LBFGS", "LevenbergMarquardt"])
def test_a_frozen_layer_stays_as_it_is_to_the_bit(make, stage, monkeypatch):
    monkeypatch.setattr(torch_private, "program", lambda module, inputs: module)
    problem = make()
    network = MLP(problem.domain, (6, 6))
    frozen = network.layers[0].requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    options = {"points": 16, "log_interval": 2, "progress": False, "balance": 2}
    history = fit(problem, network, [stage], **options).history
    losses, kept = history.column("loss"), set(map(id, frozen.parameters()))
    assert history.stopped is None and losses[-1] < losses[0]
    for name, p in network.named_parameters():
        assert torch.equal(p, before[name]) == (id(p) in kept), name


@pytest.mark.parametrize("stage", ALL, ids=["Adam", "compiled", "LBFGS", "LevenbergMarquardt"])
def test_a_network_may_be_frozen_as_a_whole_where_there_is_an_unknown(stage, monkeypatch):
    monkeypatch.setattr(torch_private, "program", lambda module, inputs: module)
    problem = decay()
    network = MLP(problem.domain, (6,)).requires_grad_(False)
    solution = fit(problem, network, [stage], points=16, progress=False)
    assert solution.unknowns["rate"] != pytest.approx(0.5, abs=1e-3)


def test_with_all_frozen_there_is_nothing_to_train():
    problem = oscillator()
    network = MLP(problem.domain, (6,)).requires_grad_(False)
    with pytest.raises(ValueError, match=r"nothing to train: all parameters of the network are fr"):
        fit(problem, network, [Adam(1)], progress=False)


def test_the_rate_falls_along_a_cosine_to_a_hundredth():
    falling, still = Adam(100, lr=2.0), Adam(100, lr=2.0, decay=False)
    rates = [falling.rate(step) for step in range(101)]
    assert [rates[0], rates[50], rates[100]] == pytest.approx([2.0, 1.01, 0.02])
    assert rates == sorted(rates, reverse=True)
    assert {still.rate(step) for step in range(101)} == {2.0}
