"""Where points come from: fixed, drawn anew, refined where the residual is, mini-batches of data."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from companion.pinn import (
    MLP,
    Adam,
    Batches,
    Box,
    Condition,
    LevenbergMarquardt,
    Problem,
    batch_of,
    fit,
    refined,
    run,
    sampled,
)
from companion.pinn.batches import fixed
from companion.problems import oscillator
from tests.fits import LINE, bits, column, train

PLANE = Box(x=(0.0, 1.0), y=(2.0, 4.0))
FLAT = lambda x: torch.ones(len(x)).double()


def points_of(batches, steps, problem=None, stage=None):
    """The points of the equation before each step."""
    problem = problem or oscillator()
    seen = []
    for event in run(problem, MLP(problem.domain, (4,)), [stage or Adam(steps)], batches):
        seen.append(event.state.batch["equation"].x)
    return seen


def test_resampling_changes_the_points_on_time_and_repeats():
    box = oscillator().domain
    still = points_of(sampled(box, 32), 7)
    moved, again = (points_of(sampled(box, 32, every=3), 7) for _ in range(2))
    assert all(torch.equal(x, still[0]) for x in still) and torch.equal(moved[0], still[0])
    changes = [not torch.equal(a, b) for a, b in pairwise(moved)]
    assert changes == [False, False, True, False, False, True]
    assert all(torch.equal(a, b) for a, b in zip(moved, again))


def test_the_draws_of_one_seed_are_not_those_of_the_next():
    """Else the second draw of seed 0 would be the first of seed 1, and seeds no repetitions."""
    drawn = [
        sampled(LINE, 16, seed=seed).draw(number, FLAT) for seed in range(4) for number in range(4)
    ]
    assert len({tuple(x[:, 0].tolist()) for x in drawn}) == 16


@pytest.mark.parametrize("how", ["uniform", "latin", "sobol"])
def test_every_sampler_draws_anew(how):
    seen = points_of(sampled(oscillator().domain, 32, how, every=1), 3)
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])


def test_points_of_ones_own_are_used_as_they_are():
    x = torch.rand(20, 1, generator=torch.Generator().manual_seed(0)) * 6
    assert all(torch.equal(p, x.double()) for p in points_of(fixed(x), 3))
    one, two = (train([Adam(3)], points=points)[0] for points in (x, x.double()))
    assert torch.equal(bits(one), bits(two))


def test_a_source_is_a_few_lines():
    """More and more points, near the end of the time that is looked at."""

    def growing(number, squares):
        return LINE.points(4 * (number + 1), "grid") * (number + 1) / 4

    seen = points_of(Batches(growing, every=2), 6, Problem(LINE, lambda u, t: u(0) + 1))
    assert [len(x) for x in seen] == [4, 4, 8, 8, 12, 12]
    assert [x.max().item() for x in seen] == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75]


def test_a_source_sees_the_residual_of_the_fit_as_it_stands():
    seen = {}

    def draw(number, squares):
        x = LINE.points(8, "grid")
        seen[number] = squares(x)
        return x

    problem = Problem(LINE, lambda u, t: u(0) - 3 * t**2)
    kept = {}
    for event in run(problem, MLP(LINE, (4,)), [Adam(5)], Batches(draw, every=2)):
        kept[event.step] = event.state.theta
        objective = event.objective
    batch = batch_of(problem, LINE.points(8, "grid"))
    for number, step in ((1, 2), (2, 4)):
        rows = objective.trial.at(kept[step], batch)["equation"][0]
        assert torch.allclose(seen[number], rows.square().sum(1), rtol=1e-12)
        assert not seen[number].requires_grad


# --- refined -----------------------------------------------------------------------------------


def test_refined_points_are_drawn_with_a_chance_that_grows_with_the_residual():
    """Against NumPy: the share of points in each tenth of the line is that of the chances there."""
    box = Box(x=(0.0, 1.0))
    squares = lambda x: torch.exp(-((x[:, 0] - 0.3) ** 2) / 0.005)
    drawn = torch.cat([refined(box, 200, 1, seed=s).draw(1, squares) for s in range(40)])
    x = np.linspace(0, 1, 100_001)
    size = np.exp(-((x - 0.3) ** 2) / 0.005)
    chance = 1 + size / size.mean()
    shares = [chance[(x >= a) & (x < a + 0.1)].sum() / chance.sum() for a in np.arange(10) / 10]
    found = np.histogram(drawn[:, 0], 10, (0, 1))[0] / len(drawn)
    assert 0.4 < shares[2] + shares[3] < found[2] + found[3] + 0.15
    assert found[2] + found[3] > 0.38 and found.argmax() in (2, 3)
    assert found.min() > 0.02  # nowhere none


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0])
def test_the_power_says_how_sharply(power):
    box = Box(x=(-1.0, 1.0))
    squares = lambda x: torch.exp(-(x[:, 0] ** 2) / 0.02)
    x = refined(box, 400, 1, power=power).draw(1, squares)
    near = (x.abs() < 0.2).double().mean().item()
    assert {0.0: 0.15, 1.0: 0.4, 3.0: 0.42}[power] < near < {0.0: 0.25, 1.0: 0.7, 3.0: 0.8}[power]


def test_the_first_points_are_spread_and_no_point_comes_twice():
    source = refined(PLANE, 64, 1)
    assert torch.equal(source.draw(0, FLAT), PLANE.points(64))
    x = source.draw(1, lambda x: 1e6 * (x[:, 0] > 0.5))
    assert x.shape == (64, 2) and len({tuple(p) for p in x.tolist()}) == 64
    assert ((x >= PLANE.low) & (x <= PLANE.high)).all()


@pytest.mark.parametrize(
    "squares", [lambda x: 0 * x[:, 0], lambda x: x[:, 0] / 0, lambda x: x[:, 0] * math.nan]
)
def test_a_residual_of_zero_or_without_a_value_is_no_harm(squares):
    assert refined(PLANE, 16, 1).draw(3, squares).shape == (16, 2)


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

    assert share(refined(box, 60, 3, 1000)) > 2 * share(sampled(box, 60, every=3))


# --- mini-batches ------------------------------------------------------------------------------


def measured(n=100):
    t = LINE.points(n, "grid")
    data = Condition("data", t, 1 + t, weight=1 + t, of=lambda u, t, s: u() * s, given={"s": t})
    rest = Condition("rest", t[:3], 0.0)
    return Problem(LINE, lambda u, t: u(0) - 1, (data, rest))


def test_a_mini_batch_has_so_many_rows_that_belong_together_others_each_time():
    source = Batches(lambda number, squares: LINE.points(8), 1, {"data": 10})
    problem, seen = measured(), []
    for event in run(problem, MLP(LINE, (4,)), [Adam(20)], source):
        at = event.state.batch["data"]
        assert len(at.x) == len(at.values) == len(at.weight) == len(at.given["s"]) == 10
        assert torch.equal(at.values, 1 + at.x) and torch.equal(at.weight, 1 + at.x)
        assert torch.equal(at.given["s"], at.x) and len(set(at.x[:, 0].tolist())) == 10
        assert len(event.state.batch["rest"].x) == 3
        seen.append(tuple(sorted(at.x[:, 0].tolist())))
    assert len(set(seen)) == 20 and len({x for batch in seen for x in batch}) > 80


def test_mini_batches_lead_where_all_the_data_lead():
    t = LINE.points(200, "grid")
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.05, (200, 1)))
    problem = Problem(
        LINE, lambda u, t: 1e-6 * (u(0) - 1), (Condition("data", t, 2 + 3 * t + noise),)
    )

    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(2).double())

        def forward(self, t):
            return self.w[0] + self.w[1] * t

    net = Line()
    source = Batches(lambda number, squares: LINE.points(4), 1, {"data": 20})
    fit(problem, net, [Adam(1500, lr=0.05)], points=source, progress=False)
    expected = np.polyfit(t[:, 0].numpy(), (2 + 3 * t + noise)[:, 0].numpy(), 1)[::-1]
    assert np.allclose(net.w.detach(), expected, atol=0.02)


def test_more_rows_than_there_are_is_all_of_them():
    source = Batches(lambda number, squares: LINE.points(8), 1, {"data": 1000})
    batch = source.batch(measured(), 0, FLAT, torch.zeros(1).double())
    assert sorted(batch["data"].x[:, 0].tolist()) == LINE.points(100, "grid")[:, 0].tolist()


# --- refusals ----------------------------------------------------------------------------------


def gives(x):
    return Batches(lambda number, squares: x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Batches(None, -1), "every is a whole number, 0 or more; got -1"),
        (lambda: Batches(None, 2.0), "every is a whole number, 0 or more; got 2.0"),
        (lambda: Batches(None, True), "every is a whole number, 0 or more; got True"),
        (lambda: Batches(None, 1, {"data": 0}), "rows of data is a whole number, 1 or more; got 0"),
        (lambda: Batches(None, 0, {"data": 3}), r"drawn anew every so many steps: .*every=1\)"),
        (lambda: sampled(LINE, 8, "grid", every=2), "a grid is the same each time"),
        (lambda: sampled(LINE, 0), "1 or more"),
        (lambda: sampled(LINE, 8, "dice"), "got 'dice'"),
        (lambda: refined(LINE, 0, 1), "n is a whole number, 1 or more; got 0"),
        (lambda: refined(LINE, 8, 0), "every is a whole number, 1 or more; got 0"),
        (lambda: refined(LINE, 8, 1, candidates=7), "candidates is a whole number, 8 or more; got 7"),
        (lambda: train([Adam(1)], points=gives(torch.zeros(4, 2))), r"points \(n, 1\).*\(4, 2\).*for draw 0"),
        (lambda: train([Adam(1)], points=gives(torch.zeros(4))), r"got .*\(4,\).*for draw 0"),
        (lambda: train([Adam(1)], points=gives(torch.zeros(0, 1))), r"one or more.*\(0, 1\)"),
        (lambda: train([Adam(1)], points=gives(column(math.nan))), "all finite"),
        (lambda: train([Adam(1)], points=torch.zeros(4, 2)), r"points \(n, 1\)"),
        (
            lambda: train([Adam(1)], points=Batches(lambda n, s: column(0.5), 1, {"edge": 2})),
            "rows of edge: this problem has start, slope",
        ),
        (lambda: train([Adam(1)], points=column(0.5), resample=3), "these points say that themselves"),
        (lambda: train([Adam(1)], points=sampled(LINE, 4), sampler="grid"), "Batches say that themse"),
        (lambda: train([Adam(1)], points=[1, 2]), "points is a number of points"),
        (lambda: train([Adam(1)], points="many"), "points is a number of points"),
    ],
)  # fmt: skip
def test_a_source_of_points_refuses(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
