"""Where points come from: fixed, drawn anew, refined where the residual is, mini-batches of data."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Batches,
    Box,
    Condition,
    LevenbergMarquardt,
    Problem,
    batch_of,
    fit,
    grown,
    refined,
    run,
    sampled,
)
from companion.pinn.batches import fixed
from companion.pinn.training import usual_resample
from companion.pinn.trial import Trial
from companion.problems import oscillator
from tests.fits import LINE, bits, column, points_of, train

PLANE = Box(x=(0.0, 1.0), y=(2.0, 4.0))
FLAT = lambda x: torch.ones(len(x)).double()


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


# --- in two axes or more -----------------------------------------------------------------------


def changes(problem, stages, **rest):
    """After how many steps the points of the equation were others, in a fit."""
    seen, found = [], []

    def look(event):
        x = event.state.batch["equation"].x
        if seen and not torch.equal(x, seen[-1]):
            found.append(event.before.step)
        seen.append(x)

    net = MLP(problem.domain, (4,))
    fit(problem, net, stages, callbacks=[look], progress=False, **({"points": 16} | rest))
    return found


FLAT_PLANE = Problem(PLANE, lambda u, x: u() - 1)
FEW = torch.rand(16, 2, generator=torch.Generator().manual_seed(0)).double() + PLANE.low


@pytest.mark.parametrize(
    ("problem", "stages", "options", "expected"),
    [
        (FLAT_PLANE, [Adam(25)], {}, [10, 20]),
        (FLAT_PLANE, [LevenbergMarquardt(12), Adam(13)], {"sampler": "uniform"}, [10, 20]),
        (FLAT_PLANE, [Adam(25)], {"resample": 0}, []),
        (FLAT_PLANE, [Adam(9)], {"resample": 4}, [4, 8]),
        (FLAT_PLANE, [Adam(25)], {"sampler": "grid"}, []),
        (FLAT_PLANE, [Adam(25)], {"points": (4, 4), "sampler": "grid"}, []),
        (FLAT_PLANE, [Adam(25)], {"points": FEW}, []),
        (FLAT_PLANE, [Adam(25)], {"points": sampled(PLANE, 16)}, []),
        (oscillator(), [Adam(25)], {}, []),
    ],
)
def test_points_in_two_axes_or_more_move_unless_told_otherwise(problem, stages, options, expected):
    assert changes(problem, stages, **options) == expected


def test_compiled_steps_fit_between_two_draws():
    usual = usual_resample(FLAT_PLANE, [Adam(100, compiled=25), Adam(50, compiled=5)], 16, "sobol")
    assert usual == 25


STAGES = {
    "Adam": Adam(9, lr=1e-2),
    "LBFGS": LBFGS(5, inner=4),
    "LevenbergMarquardt": LevenbergMarquardt(6),
    "cg": LevenbergMarquardt(6, solver="cg"),
    "qr": LevenbergMarquardt(6, solver="qr"),
}
SOURCES = {
    "refined": refined(LINE, 12, 2),
    "grown": grown(LINE, 12, 2, more=2),
    "rows": Batches(lambda number, squares: LINE.points(12, "uniform", number), 1, {"data": 20}),
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_stage_learns_from_every_source(source, stage):
    problem, net = measured(), MLP(LINE, (6,))
    every = batch_of(problem, LINE.points(64))
    losses = []
    for event in run(problem, net, [stage], source):
        losses.append(
            sum(v.sum().item() for v in event.objective.losses(event.state.theta, every).values())
        )
    start = event.objective.losses(Trial(problem, MLP(LINE, (6,))).theta(), every)
    assert losses[-1] < 0.7 * sum(v.item() for v in start.values())


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_the_weights_of_points_are_those_of_the_loss(solver):
    """A point of weight 3 is three points: the same loss, the same step."""
    x = LINE.points(8)
    weight = torch.ones(8, 1).double()
    weight[2] = 3.0
    thrice = torch.cat([x, x[2:3], x[2:3]])
    problem = Problem(LINE, lambda u, t: u(0) - 3 * t**2)
    steps = []
    for source in (Batches(lambda n, s: (x, weight * 8 / 10)), fixed(thrice)):
        for stage in (Adam(1), LevenbergMarquardt(1, solver=solver)):
            (event,) = run(problem, MLP(LINE, (4,)), [stage], source)
            steps.append((event.losses["equation"], event.state.theta))
    for one, other in ((0, 2), (1, 3)):
        assert torch.allclose(steps[one][0], steps[other][0], rtol=1e-12)
        assert torch.allclose(steps[one][1], steps[other][1], rtol=1e-7)


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


@pytest.mark.filterwarnings("ignore:the residuals of equation are of the size")
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
    fit(problem, net, [Adam(500, lr=0.2)], points=source, progress=False)
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
        (lambda: refined(LINE, 8, 1, renewed=0), "renewed is a number above 0, and finite; got 0"),
        (lambda: refined(LINE, 8, 1, renewed=1.5), "renewed is a share of .* at most 1; got 1.5"),
        (lambda: refined(LINE, 8, 1, weighted="no"), "weighted is True or False; got 'no'"),
        (lambda: grown(LINE, 0, 1, 1), "n is a whole number, 1 or more; got 0"),
        (lambda: grown(LINE, 8, 0, 1), "every is a whole number, 1 or more; got 0"),
        (lambda: grown(LINE, 8, 1, 0), "more is a whole number, 1 or more; got 0"),
        (lambda: grown(LINE, 8, 1, 9, 8), "candidates is a whole number, 9 or more; got 8"),
        (lambda: train([Adam(1)], points=gives((column(0.5), torch.ones(1)))), r"got \(1,\) for draw 0. Wr"),
        (lambda: train([Adam(1)], points=gives((column(0.5), column(-1.0)))), "a weight above 0"),
        (lambda: train([Adam(1)], points=gives((column(0.5), 2.0))), r"as weights is .*\(n, 1\); got 2.0"),
        (lambda: train([Adam(1)], points=gives([column(0.5)])), r"with weights, \(x, weight\); got"),
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
