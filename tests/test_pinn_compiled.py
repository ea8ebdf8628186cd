"""Adam(..., compiled=k): the same steps from a graph, whatever goes on around them."""

import os
import shutil
import signal
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from companion import torch_private
from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Causal,
    Condition,
    Integral,
    Problem,
    Unknown,
    batch_of,
    compiled,
    fit,
)
from companion.pinn.stages import At
from companion.problems import oscillator, poisson_lshape, poisson_square, sir
from tests.fits import Constant, bits, inverse, objective

INVERSE = inverse(11)
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


@pytest.fixture
def uncompiled(monkeypatch):
    """The graph of a step run operation by operation; what came to the compiler, and its inputs."""
    made = []

    def program(module, inputs):
        made.append((module, inputs))
        return module

    monkeypatch.setattr(torch_private, "program", program)
    return made


def train(stages, problem=None, dtype=torch.float64, net=None, **rest):
    problem = problem or oscillator(hard=False)
    net = net or MLP(problem.domain, (8,), outputs=problem.outputs).to(dtype)
    options = {"points": 16, "progress": False, "log_interval": 1000} | rest
    return net, fit(problem, net, stages, **options).history


def assert_same(one, other):
    """Two fits with the same parameters and losses to rounding."""
    (net, history), (again, repeated) = one, other
    limit = 1e-9 if bits(net).dtype == torch.float64 else 2e-3
    assert bits(net).dtype == bits(again).dtype
    assert (bits(net) - bits(again)).norm() < limit * bits(net).norm()
    assert history.column("step") == repeated.column("step")
    for record, same in zip(history.records, repeated.records):
        assert same["loss"] == pytest.approx(record["loss"], rel=limit)
        assert same["unknowns"] == pytest.approx(record["unknowns"], rel=limit)
    assert history.stopped is repeated.stopped is None


# --- the same as eager -------------------------------------------------------------------------


def tables():
    """Each point of a condition has a weight of its own, another a σ, and a factor."""
    t = torch.linspace(0, 6, 5).double()[:, None]
    data = Condition("data", t, torch.sin(t), weight=1 + t)
    slope = Condition(
        "slope", t, t.cos(), lambda u, t, sign: sign * u(0), sigma=0.5 + t, given={"sign": 1 + t}
    )
    return Problem(oscillator().domain, lambda u, t: u(0, 0) + u(), (data, slope), order=2)


def with_integrals():
    """The mean of u, and a kernel."""
    box = oscillator().domain
    near = Integral(*box.quadrature(6), kernel=lambda t, s: torch.exp(-((t - s) ** 2)))
    return Problem(
        box,
        lambda u, t, mean, near: u(0) + mean - near,
        (Condition("level", torch.zeros(1, 1), 1.0, of=lambda u, t, mean: mean),),
        integrals={"mean": Integral(*box.quadrature(6)), "near": near},
    )


FITS = {
    "soft conditions": {},
    "float32": {"dtype": torch.float32},
    "unknowns": {"problem": INVERSE},
    "unknowns, float32": {"problem": INVERSE, "dtype": torch.float32},
    "causal": {"problem": sir(), "causal": Causal(epsilon=1e2)},
    "two dimensions": {"problem": poisson_square(hard=False, edge_points=5)},
    "resampled": {"resample": 6},
    "balanced": {"balance": 6},
    "weights and tables of a row for each point": {"problem": tables()},
    "blocks that do not fit": {"resample": 5, "balance": 7},
    "reverse": {"method": "reverse"},
    "integrals": {"problem": with_integrals()},
}


@pytest.mark.filterwarnings("ignore:the causal weights have not opened")
@pytest.mark.parametrize("rest", FITS.values(), ids=FITS)
def test_a_traced_step_is_adams_step(rest, uncompiled):
    eager = train([Adam(20, 1e-2)], **rest)
    assert_same(eager, train([Adam(20, 1e-2, compiled=3)], **rest))
    assert len(uncompiled) == 1  # no second graph for other points or other weights


def test_steps_in_a_row_are_a_loop_and_copies_of_the_graph_where_torch_has_none(
    uncompiled, monkeypatch
):
    looped = train([Adam(8, compiled=4)])
    monkeypatch.setattr(torch_private, "without_values", lambda: None)
    copied = train([Adam(8, compiled=4)])
    assert torch.equal(bits(looped[0]), bits(copied[0]))
    (_, without), (steps, inputs) = uncompiled
    assert {type(t).__name__ for t in without} == {"FakeTensor"}
    graph = torch_private.traced(steps, inputs).graph
    updates = [node for node in graph.nodes if node.target is torch.ops.aten.sqrt.default]
    assert len(updates) == 4


@pytest.mark.parametrize("interval", [1, 3, 5, 1000])
def test_a_report_does_not_cut_a_block(interval, uncompiled):
    """It comes at the first end of a block at or after its time; the steps are the same."""
    whole, _ = train([Adam(20, 1e-2, compiled=4)])
    again, history = train([Adam(20, 1e-2, compiled=4)], log_interval=interval)
    assert torch.equal(bits(whole), bits(again))
    due = {next(e for e in range(4, 21, 4) if e >= k) for k in range(interval, 21, interval)}
    assert history.column("step") == sorted(due | {20})


def test_between_other_stages(uncompiled):
    around = [LBFGS(2, inner=3)]
    assert_same(
        train([*around, Adam(8, 1e-2), *around]),
        train([*around, Adam(8, 1e-2, compiled=4), *around]),
    )


def test_a_network_without_a_taylor_rule(uncompiled):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * g

    class Cubes(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.ones(3, 1, dtype=torch.float64))

        def forward(self, t):
            return Cube.apply(t * self.a.T).sum(1, keepdim=True)

    assert_same(
        train([Adam(6, 1e-2)], net=Cubes()), train([Adam(6, 1e-2, compiled=2)], net=Cubes())
    )


@pytest.mark.skipif(not COMPILER, reason="there is no C++ compiler (g++ or clang++)")
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:the causal weights"
)  # torch about itself
def test_inductor_makes_the_same_steps():
    rest = {"problem": soft_decay(), "causal": Causal(epsilon=1.0), "points": 12}
    eager = train([Adam(10, 1e-2)], **rest)
    assert_same(eager, train([Adam(10, 1e-2, compiled=2)], **rest))


def soft_decay():
    """A condition, an unknown rate, one output: small for the compiler. The residual holds two tables,
    views of one: too large to be numbers in the program.
    """
    start = Condition("start", torch.zeros(1, 1), 1.0)
    weights, waves = torch.linspace(0, 1, 24).double().view(2, 1, 12)
    return Problem(
        Box(t=(0.0, 2.0)),
        lambda u, t, rate: u(0) + rate * u() * (weights * (waves * t).cos()).mean(1, keepdim=True),
        (start,),
        unknowns={"rate": Unknown(0.5, low=0.0)},
    )


def test_points_of_another_number_are_not_those_of_the_program(uncompiled):
    """On an L the number of random points is not always the same."""
    problem, made = poisson_lshape(rim_points=16), []
    net = MLP(problem.domain, (8,))
    counted = lambda event: made.append(
        (event.state.made - event.before.made, len(event.state.batch["equation"].x))
    )
    rest = {"sampler": "uniform", "resample": 4, "points": 64, "callbacks": [counted]}
    eager = train([Adam(32, 1e-3)], problem, net=deepcopy(net), **rest)
    made.clear()
    assert_same(eager, train([Adam(32, 1e-3, compiled=4)], problem, net=net, **rest))
    compiled_at = {points for steps, points in made if steps == 4}
    assert len(compiled_at) == 1 < len({points for _, points in made}) and len(uncompiled) == 1


# --- around the steps --------------------------------------------------------------------------


def test_progress_counts_steps(uncompiled, capsys):
    _, history = train([Adam(10, compiled=4)], log_interval=5, progress=True)
    assert history.column("step") == [8, 10]
    assert "10/10" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:fit stopped early")
def test_interrupted_and_resumed_the_bits_are_the_same(uncompiled, tmp_path):
    stages, rest = [Adam(23, 1e-2, compiled=4)], {"log_interval": 10, "resample": 15}
    whole, history = train(stages, **rest)

    def press(event):
        if event.step == 4:
            signal.raise_signal(signal.SIGINT)

    _, first = train(stages, checkpoint=tmp_path / "fit.pt", callbacks=[press], **rest)
    assert first.stopped == "interrupted after step 8"
    again, second = train(stages, checkpoint=tmp_path / "fit.pt", **rest)
    assert torch.equal(bits(whole), bits(again))
    assert second.column("loss")[-1] == history.column("loss")[-1]


def exploding(when):
    """A problem that is NaN once u is above a number."""

    def residual(u, t):
        return torch.where(u() > when, torch.nan, 1.0) * (u() - 1.0)

    return Problem(Box(t=(0.0, 1.0)), residual)


@pytest.mark.parametrize("k", [0, 4])
def test_nan_inside_a_block_is_found_at_its_step(k, uncompiled):
    net = Constant()
    with pytest.warns(UserWarning, match="NaN or infinity in equation at step 6 of Adam"):
        _, history = train([Adam(20, 0.1, False, k)], exploding(0.55), net=net)
    assert 0.4 < bits(net).item() < 0.55
    assert history.stopped and history.records[-1]["step"] == 5


@pytest.mark.parametrize("k", [0, 4])
def test_nan_in_a_gradient_is_named(k, uncompiled):
    def residual(u, t):
        return torch.sqrt(u().square()) - 1  # at 0 the slope is 0 · ∞

    net = Constant()
    with pytest.warns(UserWarning, match="the gradient of equation at step 0 of Adam"):
        train([Adam(20, 0.1, False, k)], Problem(Box(t=(0.0, 1.0)), residual), net=net)
    assert bits(net).isfinite().all()


# --- what cannot be --------------------------------------------------------------------------


LOOKING = {
    "if": lambda u, t: u(0) if u().sum() > 0 else u(0) + u(),
    "float": lambda u, t: u(0) - float(u().detach().mean()),
    "item": lambda u, t: u(0) - u().mean().item(),
    "tolist": lambda u, t: u(0) - torch.tensor(u().tolist()).double(),
    "numpy of u": lambda u, t: u(0) - torch.from_numpy(np.cos(u().detach().numpy())),
    "numpy of t": lambda u, t: u(0) - torch.from_numpy(np.cos(5 * t.detach().numpy())),
}


@pytest.mark.parametrize("residual", LOOKING.values(), ids=LOOKING)
def test_a_residual_that_looks_at_values_is_refused_before_anything_is_trained(
    residual, uncompiled
):
    problem = Problem(Box(t=(0.0, 1.0)), residual)
    net, same = (MLP(problem.domain, (8,)) for _ in range(2))
    message = r"cannot be written down as one graph.*numpy.*torch\.where"
    with pytest.raises(ValueError, match=message):
        train([Adam(3), Adam(4, compiled=2)], problem, net=net)
    assert torch.equal(bits(net), bits(same)) and not uncompiled


def test_without_a_compiler(monkeypatch):
    def fail(*_, **__):
        raise OSError("No working C++ compiler found")

    monkeypatch.setattr(torch._inductor, "compile", fail)
    with pytest.raises(RuntimeError, match=r"needs a C\+\+ compiler .*OSError: No working"):
        train([Adam(4, compiled=2)])


def test_the_tensors_of_a_batch_come_back_to_their_places():
    problem = tables()
    batch = batch_of(problem, problem.domain.points(6))
    moved = [2 * t for t in compiled.tensors_of(batch)]
    again = compiled.tensors_of(compiled.with_tensors(batch, moved))
    assert all(torch.equal(a, b) for a, b in zip(moved, again, strict=True))
    found = compiled.with_tensors(batch, moved)
    assert torch.equal(found["slope"].given["sign"], 2 * batch["slope"].given["sign"])


def test_the_update_is_torchs():
    """Twenty steps against torch.optim.Adam on the same gradients."""
    goal = objective(tables())
    theta, batch = goal.trial.theta(), batch_of(goal.trial.problem, oscillator().domain.points(8))
    other = theta.clone().requires_grad_()
    optimizer, stage = torch.optim.Adam([other], lr=1e-2), Adam(20, 1e-2, decay=False)
    at = At(theta, stage.init(goal, theta, batch), 0)
    for _ in range(20):
        at, _ = stage.step(goal, at, batch, 1)
        other.grad = goal.gradient(other.detach(), batch)[1]
        optimizer.step()
    assert torch.allclose(at.theta, other, rtol=1e-12, atol=1e-14)


def test_a_table_with_gaps_is_compiled_with_its_strides(monkeypatch):
    """As the ends of a box of several axes are: columns of one table."""
    table, seen = torch.ones(3, 2, dtype=torch.float64), []
    monkeypatch.setattr(torch_private, "program", lambda graph, inputs: seen.extend(inputs))
    torch_private.repeated(lambda a, b: [a + b], 2, [table[:, 0].clone()], [table[:, 1]])
    assert [t.stride() for t in seen] == [(1,), (2,)]
