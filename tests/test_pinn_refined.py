"""Points refined where the residual is: by weight, a share at a time, and a set that grows."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from companion.pinn import (
    Box,
    Condition,
    LevenbergMarquardt,
    Problem,
    grown,
    refined,
    sampled,
)
from companion.pinn.batches import mixed, shares, systematic
from companion.pinn.residuals import Points
from tests.fits import column, points_of

PLANE = Box(x=(0.0, 1.0), y=(2.0, 4.0))
FLAT = lambda x: torch.ones(len(x)).double()


def at(x, weight=1.0):
    """Points of the equation."""
    return Points(x, x[:, :0], torch.full((len(x), 1), weight).double(), {})


def drawn(source, number, squares=FLAT, last=None):
    """The points of a draw, without their weights."""
    found = source.draw(number, squares, last)
    return found[0] if isinstance(found, tuple) else found


BUMP = lambda x: torch.exp(-((x[:, 0] - 0.3) ** 2) / 0.005)


def test_refined_points_are_drawn_with_a_chance_that_grows_with_the_residual():
    """Against NumPy: the share of points in each tenth of the line is that of the chances there."""
    box = Box(x=(0.0, 1.0))
    sources = [refined(box, 100, 1, 4000, renewed=1.0, seed=s) for s in range(40)]
    points = torch.cat([drawn(source, 1, BUMP) for source in sources])
    x = np.linspace(0, 1, 100_001)
    size = np.exp(-((x - 0.3) ** 2) / 0.005)
    chance = 1 + size / size.mean()
    shares = [chance[(x >= a) & (x < a + 0.1)].sum() / chance.sum() for a in np.arange(10) / 10]
    found = np.histogram(points[:, 0], 10, (0, 1))[0] / len(points)
    assert np.allclose(found, shares, atol=0.01)


@pytest.mark.parametrize("candidates", [110, 400, 4000])
def test_with_its_weights_a_refined_mean_is_that_of_all_candidates(candidates):
    """Unbiased, where some candidates are taken for sure too; nearer where the residual is."""
    box = Box(x=(0.0, 1.0))
    means, plain = [], []
    for seed in range(200):
        x, weight = refined(box, 100, 1, candidates, renewed=1.0, seed=seed).draw(1, BUMP, None)
        means.append((weight[:, 0] * BUMP(x)).mean().item())
        x = box.points(100, "uniform", seed)
        plain.append(BUMP(x).mean().item())
    exact = (
        math.sqrt(math.pi * 0.005) * (math.erf(0.7 / 0.005**0.5) + math.erf(0.3 / 0.005**0.5)) / 2
    )
    assert abs(np.mean(means) - exact) < 4 * np.std(means) / 200**0.5 + 1e-4
    assert np.std(means) < 0.5 * np.std(plain)


def test_without_weights_all_count_alike():
    _, weight = refined(PLANE, 16, 1, weighted=False).draw(1, BUMP, at(PLANE.points(16)))
    assert torch.equal(weight, torch.ones(16, 1).double())


@pytest.mark.parametrize("n", [1, 7, 30, 59, 60])
@pytest.mark.parametrize("power", [0.0, 1.0, 4.0])
def test_shares_are_chances_at_most_1_and_systematic_draws_keep_them(n, power):
    """Each candidate is taken as often as its share says, and never twice at a time."""
    chance = torch.rand(60, generator=torch.Generator().manual_seed(1)).double() ** -power
    share = shares(chance, n)
    assert share.sum().item() == pytest.approx(n) and share.max() <= 1
    free = share < 1 - 1e-9
    ratio = (share / chance)[free]
    assert not len(ratio) or torch.allclose(ratio, ratio[0].expand_as(ratio))
    assert free.all() or chance[~free].min() >= (chance[free].max() if free.any() else 0)
    counts = torch.zeros(60).double()
    for seed in range(400):
        taken = systematic(share, seed)
        assert len(taken) == n == len(set(taken.tolist()))
        counts[taken] += 1 / 400
    assert (counts - share).abs().max() < 0.1


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0])
def test_the_power_says_how_sharply(power):
    box = Box(x=(-1.0, 1.0))
    squares = lambda x: torch.exp(-(x[:, 0] ** 2) / 0.02)
    x = drawn(refined(box, 400, 1, power=power, renewed=1.0), 1, squares)
    near = (x.abs() < 0.2).double().mean().item()
    assert {0.0: 0.15, 1.0: 0.4, 3.0: 0.42}[power] < near < {0.0: 0.25, 1.0: 0.7, 3.0: 0.8}[power]


def test_the_first_points_are_spread_and_no_point_comes_twice():
    source = refined(PLANE, 64, 1, renewed=1.0)
    assert torch.equal(drawn(source, 0), PLANE.points(64))
    x = drawn(source, 1, lambda x: 1e6 * (x[:, 0] > 0.5))
    assert x.shape == (64, 2) and len({tuple(p) for p in x.tolist()}) == 64
    assert ((x >= PLANE.low) & (x <= PLANE.high)).all()


def test_a_share_of_the_points_is_new_each_time_in_place_of_the_oldest():
    source = refined(PLANE, 20, 1, renewed=0.25)
    before = at(PLANE.points(20), weight=3.0)
    x, weight = source.draw(1, FLAT, before)
    assert x.shape == (20, 2) and torch.equal(x[:15], before.x[5:])
    assert torch.equal(weight[:15], before.weight[5:])
    assert not {tuple(p) for p in x[15:].tolist()} & {tuple(p) for p in before.x.tolist()}
    for number in range(2, 5):
        x, weight = source.draw(number, FLAT, at(x))
    assert not {tuple(p) for p in x.tolist()} & {tuple(p) for p in before.x.tolist()}
    assert torch.equal(
        source.draw(1, FLAT, before)[0],
        refined(PLANE, 20, 1, renewed=0.25).draw(1, FLAT, before)[0],
    )


@pytest.mark.parametrize(
    "squares", [lambda x: 0 * x[:, 0], lambda x: x[:, 0] / 0, lambda x: x[:, 0] * math.nan]
)
@pytest.mark.parametrize("make", [refined, partial(grown, more=3)])
def test_a_residual_of_zero_or_without_a_value_is_no_harm(make, squares):
    x = drawn(make(PLANE, 16, 1), 3, squares, at(PLANE.points(16)))
    assert x.shape == (16 + 3 * (make is not refined), 2) and x.isfinite().all()


def test_a_grown_set_keeps_its_points_and_adds_those_where_the_residual_is_greatest():
    box = Box(x=(0.0, 1.0))
    source = grown(box, 20, 1, more=5, candidates=500)
    first = drawn(source, 0)
    assert torch.equal(first, box.points(20))
    x = drawn(source, 1, BUMP, at(first))
    assert torch.equal(x[:20], first) and x.shape == (25, 1)
    candidates = box.points(500, "sobol", mixed(0, 1))
    best = sorted(candidates[:, 0].tolist(), key=lambda c: abs(c - 0.3))[:5]
    assert sorted(x[20:, 0].tolist()) == sorted(best)
    again = drawn(source, 2, BUMP, at(x))
    assert torch.equal(again[:25], x) and len(set(again[:, 0].tolist())) == 30


def test_in_a_fit_refined_points_are_where_the_residual_is():
    """u′ = a steep bump, against as many points that are spread."""
    box = Box(x=(-1.0, 1.0))
    bump = lambda x: torch.exp(-((x - 0.37) ** 2) / 2e-3) / math.sqrt(math.pi * 2e-3)
    problem = Problem(
        box, lambda u, x: 1e-2 * (u(0) - bump(x)), (Condition("start", column(-1.0), 0.0),)
    )

    def share(points):
        seen = points_of(points, 12, problem, LevenbergMarquardt(12))
        return ((seen[-1] - 0.37).abs() < 0.1).double().mean().item()

    assert share(refined(box, 60, 3, 1000, renewed=0.5)) > 2 * share(sampled(box, 60, every=3))
