"""What fit doubts: u asked for outside the box, an equation that holds at its points alone."""

import warnings

import pytest
import torch

from companion.pinn import (
    MLP,
    Adam,
    Box,
    Condition,
    LevenbergMarquardt,
    Periodic,
    Problem,
    Start,
    Unknown,
    doubts,
    fit,
)
from tests.fits import LINE, Constant

LONG = Box(t=(0.0, 3.0))
BEYOND, UNSEEN = "depends on u outside", "holds at the points of this fit alone"


def heard(words, problem, net=None, stage=None, **rest):
    """How often a fit of some steps says so."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        network = net or MLP(problem.domain, (6,))
        fit(problem, network, [stage or Adam(1)], progress=False, **rest)
    return sum(words in str(w.message) for w in found)


@pytest.mark.parametrize(
    ("residual", "rest", "said"),
    [
        (lambda u, t: u(0) + u.f(t - 1), {"hard": (Start(1.0),)}, 1),
        (lambda u, t: u(0) + torch.where(t < 1, 1.0, u.f(t - 1)), {"hard": (Start(1.0),)}, 0),
        (lambda u, t: u(0) + u.f(t / 2), {"hard": (Start(1.0),)}, 0),
        (lambda u, t: u.f(t + 0.01) - u.f(t - 0.01), {"hard": (Start(1.0),)}, 0),
        (lambda u, t: u(0) + u.f(t - 1), {"hard": (Periodic("t"),)}, 0),
        (
            lambda u, t: u(0) + u.f(t - 1),
            {"ansatz": lambda t, n: torch.where(t < 0, 1.0, 1 + t * n)},
            0,
        ),
    ],
)
def test_a_delay_that_leaves_the_box_is_said(residual, rest, said):
    problem = Problem(LONG, residual, **rest)
    assert heard(BEYOND, problem) == said
    assert heard(BEYOND, problem, MLP(problem.domain, (6,)).float()) == said


def bump(t):
    return 100 * torch.exp(-(((t - 0.5) / 0.01) ** 2))


@pytest.mark.parametrize(("points", "said"), [([0.1, 0.3, 0.9], 1), ([0.1, 0.5, 0.9], 0)])
def test_a_source_that_no_point_sees_is_said(points, said):
    problem = Problem(LINE, lambda u, t: u() - bump(t))
    x = torch.tensor(points)[:, None].double()
    assert heard(UNSEEN, problem, Constant(), Adam(1, 1e-9), points=x) == said


@pytest.mark.parametrize(("points", "said"), [(8, 1), (100, 0)])
def test_points_that_are_learnt_by_heart_are_said(points, said):
    wave = lambda t: torch.sin(20 * t)
    problem = Problem(LINE, lambda u, t: u(0) - wave(t), hard=(Start(0.0),))
    steep = MLP(LINE, (40,), spread=8.0)
    assert heard(UNSEEN, problem, steep, LevenbergMarquardt(15), points=points) == said


@pytest.mark.parametrize(("points", "size", "how", "said"), [
    (4, 1, {"sigma": 0.05}, 1), (4, 1, {"weight": 400.0}, 0), (100, 1, {"sigma": 0.05}, 0),
    (100, 1e4, {"sigma": 0.05}, 0),
])  # fmt: skip
def test_an_equation_that_gives_way_to_the_noise_of_data_is_said(
    points, size, how, said, monkeypatch
):
    """As in a long fit: the noise is learnt by heart between the points, and the rate goes astray."""
    monkeypatch.setattr(doubts, "MUCH", torch.inf)  # so that it is not said for its size
    t = torch.linspace(0, 1, 12).double()[:, None]
    noise = 0.05 * torch.randn(12, 1, generator=torch.Generator().manual_seed(1)).double()
    data = Condition("data", t, torch.exp(-t) + noise, **how)
    decay = lambda u, t, rate: size * (u(0) + rate * u())
    problem = Problem(LINE, decay, (data,), unknowns={"rate": Unknown(0.5)})
    steep = MLP(LINE, (40,), spread=20.0)
    assert heard(UNSEEN, problem, steep, LevenbergMarquardt(40), points=points) == said


@pytest.mark.parametrize("how", [{"sigma": 1e6}, {"weight": 1.0}])
def test_a_source_that_no_point_sees_is_said_beside_data_of_any_weight(how):
    data = Condition("data", torch.tensor([[0.9]]).double(), 0.0, **how)
    problem = Problem(LINE, lambda u, t: 1e-3 * (u() - bump(t)), (data,))
    x = torch.tensor([0.1, 0.3, 0.9])[:, None].double()
    assert heard(UNSEEN, problem, Constant(), Adam(1, 1e-9), points=x) == 1
