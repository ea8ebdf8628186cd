"""march: windows in time against closed forms and SciPy, hard and soft starts, in space too, resumed."""

import math
import signal
import warnings

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from companion.pinn import (
    MLP,
    Adam,
    Box,
    Condition,
    Dirichlet,
    LevenbergMarquardt,
    Periodic,
    Problem,
    Start,
    Unknown,
    march,
    refined,
    starts,
    windows,
)
from companion.pinn.forms import Form
from companion.pinn.starts import density_of, ramps
from companion.problems.burgers import burgers

T, X = 0, 1
LM = [LevenbergMarquardt(25)]
ROUND = Problem(
    Box(t=(0.0, 6 * math.pi)),
    lambda u, t: u(0, 0) + u(),
    hard=(Start(1.0, 0.0),),
    exact=torch.cos,
    order=2,
)


def narrow(part, spread=2.0):
    return MLP(part.domain, (14,), part.outputs, spread=spread)


def test_a_long_oscillation_by_a_hard_start():
    solution = march(ROUND, narrow, LM, 6, points=40, progress=False)
    assert solution.error < 1e-4
    assert solution.history.records[-1]["window"] == 5
    assert solution.history.error == solution.error
    seam = torch.tensor([[math.pi - 1e-9], [math.pi + 1e-9]]).double()
    for order in range(2):  # the second derivative is the equation's
        low, high = solution.partials(seam)(*[0] * order)
        assert abs(low - high).item() < 1e-6


def test_a_soft_start_asks_for_what_was_before():
    first = torch.zeros(1, 1).double()
    soft = Problem(
        Box(t=(0.0, 3 * math.pi)),
        ROUND.residual,
        (
            Condition("at", first, 1.0, weight=10.0),
            Condition("rate", first, 0.0, of=lambda u, t: u(0)),
        ),
        exact=torch.cos,
        order=2,
    )
    assert march(soft, narrow, LM, 3, points=40, progress=False).error < 1e-3


def test_data_are_kept_where_a_window_holds_them():
    times = torch.linspace(0.5, 9, 6).double()[:, None]
    data = Condition("data", times, torch.cos(times), sigma=0.1)
    box = Box(t=(0.0, 3 * math.pi))
    problem = Problem(box, ROUND.residual, (data,), hard=ROUND.hard, exact=torch.cos, order=2)
    solution = march(problem, narrow, LM, 3, points=40, progress=False)
    assert solution.error < 1e-4
    held = [part.problem.conditions[0].points for part in solution.network.parts]
    assert torch.equal(torch.cat(held), times)


def test_a_system_against_scipy():
    rates = lambda t, y: [1.1 * y[0] - 0.4 * y[0] * y[1], 0.1 * y[0] * y[1] - 0.4 * y[1]]
    found = solve_ivp(
        rates, (0, 10), [10.0, 5.0], "DOP853", rtol=1e-11, atol=1e-12, dense_output=True
    )
    exact = lambda t: torch.from_numpy(np.ascontiguousarray(found.sol(t[:, 0].numpy()).T))

    def residual(u, t):
        x, y = u().split(1, 1)
        dx, dy = u(0).split(1, 1)
        return torch.cat([dx - 1.1 * x + 0.4 * x * y, dy - 0.1 * x * y + 0.4 * y], 1)

    problem = Problem(
        Box(t=(0.0, 10.0)),
        residual,
        hard=(Start(torch.tensor([[10.0, 5.0]])),),
        exact=exact,
        outputs=2,
    )
    assert march(problem, narrow, LM, 4, points=40, progress=False).error < 1e-4


@pytest.mark.parametrize("edges", ["periodic", "fixed"])
def test_in_space_the_start_is_written_down(edges):
    """A heat equation whose solution is known; the waves of a ring, or those of a rod with cold ends."""
    wave = (lambda x: torch.sin(x) + torch.cos(2 * x)) if edges == "periodic" else torch.sin
    if edges == "periodic":
        box, hard = Box(t=(0.0, 1.0), x=(0.0, 2 * math.pi)), (Periodic("x"),)
        exact = lambda x: torch.sin(x[:, 1:] - x[:, :1]) + torch.cos(2 * (x[:, 1:] - x[:, :1]))
        residual, start = (lambda u, x: u(T) + u(X)), Start(lambda x: wave(x[:, 1:]))
    else:
        box, hard = Box(t=(0.0, 1.0), x=(0.0, math.pi)), (Dirichlet("x"),)
        exact = lambda x: torch.cos(x[:, :1]) * torch.sin(x[:, 1:])
        residual, start = (lambda u, x: u(T, T) - u(X, X)), Start(lambda x: wave(x[:, 1:]), 0.0)
    problem = Problem(box, residual, hard=(start, *hard), exact=exact, order=2)
    solution = march(
        problem, lambda p: narrow(p), [LevenbergMarquardt(15)], 2, points=120, progress=False
    )
    assert solution.error < 3e-3
    seam = box.edge(30, t=0.5)
    low, high = seam.clone(), seam.clone()
    low[:, 0] -= 1e-9
    assert (solution(low) - solution(high)).abs().max() < 1e-6
    for order in (1, 2):
        one, other = (solution.partials(x)(*[X] * order) for x in (low, high))
        assert (one - other).abs().max() < 1e-4


def test_windows_are_halved_where_the_residual_says_so():
    steep = lambda t: torch.exp(-(((t - 5) / 0.4) ** 2))
    problem = Problem(
        Box(t=(0.0, 10.0)),
        lambda u, t: u(0) + 2 * (t - 5) / 0.4**2 * steep(t) + (u() - steep(t)),
        hard=(Start(steep(torch.zeros(1, 1).double()).item()),),
        exact=steep,
    )
    solution = march(problem, narrow, LM, 2, tolerance=1e-5, points=40, progress=False)
    ends = [part.problem.domain.ends()["t"] for part in solution.network.parts]
    assert solution.error < 1e-3
    assert min(b - a for a, b in ends) < max(b - a for a, b in ends) < 5  # where it is steep


def test_what_cannot_be_halved_further_is_said(monkeypatch):
    monkeypatch.setattr(windows, "HALVINGS", 1)
    with pytest.warns(UserWarning, match="above the tolerance 1.0e-14, and it was halved 1 times"):
        march(ROUND, narrow, [Adam(1)], 1, tolerance=1e-14, points=10, progress=False)


def test_a_march_goes_on_from_its_folder(tmp_path):
    few = [Adam(3)]
    march(ROUND, narrow, few, 3, points=20, progress=False, checkpoint=tmp_path)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 3
    whole = march(ROUND, narrow, few, 3, points=20, progress=False)
    kept[-1].unlink()
    again = march(ROUND, narrow, few, 3, points=20, progress=False, checkpoint=tmp_path)
    x = ROUND.domain.points(50)
    assert torch.equal(whole(x), again(x))


def test_no_window_complains_of_its_units():
    decay = Problem(Box(t=(0.0, 20.0)), lambda u, t: u(0) + u(), hard=(Start(1.0),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        march(decay, narrow, LM, 4, points=30, progress=False)


def test_an_axis_may_have_any_name():
    decay = Problem(Box(day=(0.0, 3.0)), lambda u, t: u(0) + u(), hard=(Start(1.0),))
    u = march(decay, narrow, LM, 2, points=20, progress=False)
    assert abs(u(torch.tensor([[3.0]]).double()).item() - math.exp(-3)) < 1e-4


def test_a_start_that_is_written_down_is_known_in_single_precision(monkeypatch):
    monkeypatch.setattr(starts, "RAMPS", 30)
    box = Box(t=(0.0, 1.0), x=(0.0, 1.0))
    x = box.edge(200, "sobol", 0, t=0.0)
    wave = lambda x: torch.sin(3 * x[:, 1:])
    start = ramps(Form(box, (), 1), "t", x, wave(x), torch.ones(200).double())
    assert start(x.float()).dtype == torch.float32
    assert torch.allclose(start(x.float()), wave(x.float()), atol=1e-4)


def test_a_window_keeps_the_class_of_its_box():
    class Half(Box):
        def points(self, n, how="sobol", seed=0):
            return super().points(n, how, seed)[: n // 2]

    box = Half(t=(0.0, 2.0))
    found = windows.between(box, "t", 1.0, 2.0)
    assert found.ends() == {"t": (1.0, 2.0)} and len(found.points(8)) == 4
    assert box.ends() == {"t": (0.0, 2.0)}


def test_a_march_that_is_interrupted_ends(tmp_path):
    def ctrl_c(event):
        if event.objective.trial.problem.domain.low[0] > 0 and event.step == 1:
            signal.raise_signal(signal.SIGINT)

    few = {"points": 10, "progress": False, "checkpoint": tmp_path, "log_interval": 1}
    with (
        pytest.warns(UserWarning, match="interrupted after step 2"),
        pytest.warns(UserWarning, match="the march ends in .*: what comes later is not solved"),
    ):
        u = march(ROUND, narrow, [Adam(4)], 3, callbacks=[ctrl_c], **few)
    assert [r["window"] for r in u.history.records][-1] == 1
    assert len(march(ROUND, narrow, [Adam(4)], 3, **few).network.parts) == 3


def test_what_cannot_march_is_refused(tmp_path):
    unknown = Problem(ROUND.domain, lambda u, t, k: u(0) + k * u(), unknowns={"k": Unknown(1.0)})
    box = Box(t=(0.0, 1.0))
    own = Problem(box, lambda u, t: u(0), ansatz=lambda t, n: 1 + t * n)
    bare = Problem(box, lambda u, t: u(0))
    for problem, words in (
        (unknown, "all times tell of k, so no window"),
        (own, "holds at the first start alone"),
        (bare, "no condition stands at the start of t"),
    ):
        with pytest.raises(ValueError, match=words):
            march(problem, narrow, LM)
    with pytest.raises(ValueError, match="is a folder that exists"):
        march(ROUND, narrow, LM, checkpoint=tmp_path / "none")
    with pytest.raises(ValueError, match="windows is a whole number, 1 or more"):
        march(ROUND, narrow, LM, 0)
    with pytest.raises(ValueError, match="tolerance is a number above 0"):
        march(ROUND, narrow, LM, 2, tolerance=-1)


def layer_of(thickness: float):
    """(t, x) ↦ −tanh(x / thickness), written down as the start of a window, and itself."""
    box = Box(t=(0.0, 0.5), x=(-1.0, 1.0))
    x = box.edge(20_000, "sobol", 0, t=0.5)
    u = -torch.tanh(x[:, 1:] / thickness)
    slope = (1 - u.square()) / thickness
    return ramps(Form(box, (), 1), "t", x, u, density_of([slope]))


def test_a_thin_layer_is_written_down_as_a_start_with_its_second_derivative():
    written, thickness = layer_of(0.0064), 0.0064  # of Burgers' equation, ν = 0.01/π
    x = torch.linspace(-0.999, 0.999, 4001, dtype=torch.float64)[:, None].requires_grad_()
    u = written(torch.cat([torch.full_like(x, 0.5), x], 1))
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), x)
    layer = torch.tanh(x.detach() / thickness)
    assert (u.detach() + layer).abs().max() < 1e-6
    exact = 2 * layer * (1 - layer.square()) / thickness**2
    assert (second - exact).abs().max() < 1e-4 * exact.abs().max()


def test_a_start_that_is_too_steep_to_be_written_down_is_said():
    with pytest.warns(
        UserWarning, match=r"at t = 0.5 the start of the next window is known to .* only"
    ):
        layer_of(1e-6)


def test_a_window_begins_with_the_parameters_of_the_one_before():
    """Where the shapes agree: an untrained march repeats the first network; another width does not."""
    same = march(ROUND, narrow, [Adam(1, lr=1e-9)], 2, points=10, progress=False)
    first, second = (
        torch.cat([p.flatten() for p in part.parameters()]) for part in same.network.parts
    )
    assert (first - second).abs().max() < 1e-8
    seeds, widths = iter((0, 1)), iter((14, 15))
    other = march(
        ROUND,
        lambda part: MLP(part.domain, (next(widths),), seed=next(seeds)),
        [Adam(1)],
        2,
        points=10,
        progress=False,
    )
    assert [len(part.network.layers[0].bias) for part in other.network.parts] == [14, 15]


def test_one_network_for_all_windows_is_refused():
    network = narrow(ROUND)
    with pytest.raises(
        ValueError, match=r"network_of gave the network of the window before.* lambda part"
    ):
        march(ROUND, lambda part: network, [Adam(1)], 2, points=10, progress=False)


def test_a_thin_layer_is_marched_with():
    """Burgers' equation; a second window that begins with a new network ends at 4e-2."""
    solution = march(
        burgers(0.05 / math.pi),
        lambda part: MLP(part.domain, (16, 16)),
        [LevenbergMarquardt(25)],
        2,
        points=lambda part: refined(part.domain, 400, every=5),
        progress=False,
    )
    assert solution.error < 1e-2
