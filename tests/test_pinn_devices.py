"""Where things are: a fit on another device, mixtures of devices and types, tensors of the user's own."""

import pytest
import torch

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Causal,
    Condition,
    LevenbergMarquardt,
    Problem,
    batch_of,
    fit,
)
from companion.pinn.adam import one_step
from companion.pinn.compiled import tensors_of
from companion.pinn.trial import Objective, Trial
from companion.problems import oscillator, poisson_lshape, poisson_square, sir
from tests.fits import inverse

STAGES = [Adam(5), LBFGS(2), LevenbergMarquardt(12)]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@needs_cuda
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("make", [lambda: oscillator(hard=False), poisson_square, sir, inverse])
def test_a_fit_on_the_gpu_is_that_on_the_cpu(make, stage):
    problem, losses = make(), []
    for place in ("cpu", "cuda"):
        network = MLP(problem.domain, (8,), problem.outputs).to(place)
        history = fit(problem, network, [stage], points=32, progress=False).history
        assert all(p.device.type == place for p in network.parameters())
        losses.append(history.column("loss"))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("elsewhere", [{"dtype": torch.float32}, {"device": "meta"}])
def test_a_network_in_two_places_is_refused(elsewhere):
    problem = oscillator()
    network = MLP(problem.domain, (4,))
    network.layers[1].to(**elsewhere)
    kinds = (
        r"torch\.float64 on cpu.*bring all to one place: network\.to\(device\(\), torch\.float64\)"
    )
    with pytest.raises(ValueError, match=kinds):
        fit(problem, network, [Adam(1)], progress=False)


@pytest.mark.parametrize("stage", [Adam(1), LevenbergMarquardt(1)])
def test_a_residual_with_a_tensor_of_another_place_is_refused_with_its_name(stage):
    stranger = torch.ones(16, 1, device="meta")
    problem = Problem(Box(t=(0, 1)), lambda u, t: u(0) - stranger)
    message = r"equation cannot be evaluated at .*points of torch\.float64 on cpu.*values\.to\(x\)"
    with pytest.raises(ValueError, match=message):
        fit(problem, MLP(problem.domain, (4,)), [stage], progress=False)


def test_conditions_follow_the_network_to_its_type():
    start = Condition("start", torch.zeros(1, 1), 1.0)
    problem = Problem(Box(t=(0, 1)), lambda u, t: u(0) + u(), (start,))
    network = MLP(problem.domain, (4,)).float()
    fit(problem, network, [Adam(2), LevenbergMarquardt(2)], points=8, progress=False)
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("points", [4, 64])  # fewer, and more residuals than parameters
@pytest.mark.parametrize("stage", STAGES)
def test_unknowns_follow_the_network_to_its_type(stage, points):
    problem = inverse()
    network = MLP(problem.domain, (3,), problem.outputs).float()
    history = fit(problem, network, [stage], points=points, progress=False).history
    assert {p.dtype for p in Trial(problem, network).parameters()} == {torch.float32}
    guesses = {name: unknown.guess for name, unknown in problem.unknowns.items()}
    assert history.stopped is None and history.unknowns != pytest.approx(guesses, abs=1e-6)


@pytest.mark.parametrize("what", ["points", "values"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_condition_refuses_what_is_not_finite(what, wrong):
    at, values = torch.zeros(3, 1).double(), torch.ones(3, 1).double()
    (at if what == "points" else values)[1] = wrong
    with pytest.raises(ValueError, match=rf"'data' has 1 of 3 {what} that are NaN or infinite"):
        Condition("data", at, values)


# --- without a GPU: everything on the device "meta", which has shapes, no numbers, and no CPU tensor ---

ELSEWHERE = {
    "conditions": lambda: oscillator(hard=False),
    "square": lambda: poisson_square(hard=False, edge_points=4),
    "L": lambda: poisson_lshape(rim_points=16),
    "two outputs": sir,
    "unknowns": inverse,
}


def on_meta(problem, causal=None, method=None):
    """(objective, θ, batch) on the device "meta"."""
    network = MLP(problem.domain, (4,), problem.outputs).to("meta")
    with torch.device("cpu"):
        trial = Trial(problem, network)
    objective = Objective(trial, causal and causal.on(problem), method)
    return objective, trial.theta(), batch_of(problem, problem.domain.points(8).to("meta"))


@pytest.mark.parametrize("method", [None, "reverse", "taylor"])
@pytest.mark.parametrize("make", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_loss_and_its_gradient_are_where_the_network_is(make, method):
    objective, theta, batch = on_meta(make(), Causal() if make is sir else None, method)
    losses, slope = objective.gradient(theta, batch)
    assert {v.device.type for v in [*losses.values(), slope]} == {"meta"}


@pytest.mark.parametrize("make", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_step_of_adam_that_is_to_be_traced_is_where_the_network_is(make):
    objective, theta, batch = on_meta(make())
    moments, rates = (torch.zeros_like(theta),) * 2, theta.new_ones(1, 2)
    found = one_step(objective, batch)(theta, *moments, rates, *tensors_of(batch))
    assert {v.device.type for v in found} == {"meta"}


def test_a_tensor_left_on_the_cpu_is_noticed():
    """What the three tests above would say of a residual that makes a tensor in the wrong place."""
    problem = Problem(Box(t=(0, 1)), lambda u, t: u(0) - torch.ones(len(t), 1).double())
    objective, theta, batch = on_meta(problem)
    with pytest.raises(RuntimeError, match="meta"):
        objective.losses(theta, batch)
