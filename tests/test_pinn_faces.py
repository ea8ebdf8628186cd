"""edge(n): n points on a face of a box of any dimension, spread over it."""

import math
from itertools import combinations

import pytest
import torch
from scipy.stats import qmc

from companion.pinn import Box

AXES = {"a": (0.0, 1.0), "b": (-2.0, 3.0), "c": (10.0, 10.5), "d": (-1.0, 0.0), "e": (0.0, 9.0)}
BOXES = [Box(None, **dict(list(AXES.items())[:d])) for d in range(1, 6)]
FACES = [
    (box, fixed)
    for box in BOXES
    for count in range(1, box.dimension + 1)
    for fixed in combinations(box.names, count)
]


def named(face):
    box, fixed = face
    return f"{box.dimension}d {''.join(fixed)}"


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("n", [1, 7, 32])
@pytest.mark.parametrize(("box", "fixed"), FACES, ids=map(named, FACES))
def test_an_edge_has_n_points_on_its_face(box, fixed, n, end):
    values = {name: box.ends()[name][end] for name in fixed}
    x = box.edge(n, **values)
    free = [name for name in box.names if name not in fixed]
    assert x.shape == (n if free else 1, box.dimension) and x.dtype == torch.float64
    for name, value in values.items():
        assert (x[:, box.column(name)] == value).all()
    assert ((x >= box.low) & (x <= box.high)).all()


@pytest.mark.parametrize(("box", "fixed"), FACES, ids=map(named, FACES))
def test_they_are_spread_over_what_is_free(box, fixed):
    """Their discrepancy, in SciPy's measure, is at most half of that of points by chance."""
    free = [box.column(name) for name in box.names if name not in fixed]
    if not free:
        return
    x = box.edge(64, **{name: box.ends()[name][0] for name in fixed})
    unit = ((x - box.low) / (box.high - box.low))[:, free].numpy()
    generator = torch.Generator().manual_seed(0)
    chance = [
        qmc.discrepancy(torch.rand(64, len(free), generator=generator).double().numpy())
        for _ in range(20)
    ]
    assert qmc.discrepancy(unit) < 0.5 * sum(chance) / 20
    assert len({tuple(p) for p in unit.tolist()}) == 64


def test_on_a_line_they_are_even_and_reach_both_ends():
    x = BOXES[1].edge(6, a=0.0)
    assert x[:, 1].tolist() == pytest.approx([-2, -1, 0, 1, 2, 3])


@pytest.mark.parametrize("how", ["uniform", "latin", "sobol"])
def test_they_are_drawn_as_is_said_and_by_seed(how):
    box = BOXES[2]
    one, same, other = (box.edge(16, how, seed, a=1.0) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    inner = Box(b=AXES["b"], c=AXES["c"])
    assert torch.equal(one[:, 1:], inner.points(16, how, 1))


def test_a_grid_on_a_face_has_about_as_many():
    assert len(BOXES[2].edge(25, "grid", a=0.0)) == 25
    assert len(BOXES[2].edge(24, "grid", a=0.0)) == 25


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda box: box.edge(3, z=0.0), "z: this box has a, b, c"),
        (lambda box: box.edge(3, a=2.0), r"a=2\.0 lies outside Box"),
        (lambda box: box.edge(3, a=math.nan), "a is a number, and finite; got nan"),
        (lambda box: box.edge(0, a=0.0), "1 or more.* got 0"),
        (lambda box: box.edge(-1, a=0.0), "got -1"),
        (lambda box: box.edge(2.5, a=0.0), r"got 2\.5"),
        (lambda box: box.edge("many", a=0.0), "got 'many'"),
        (lambda box: box.edge(3, "dice", a=0.0), "got 'dice'"),
        (lambda box: box.edge(3, a="left"), "a is a number, and finite; got 'left'"),
        (lambda box: Box(n=(0.0, 1.0)), r"edge\(n, how, seed, …\) could not name the axis n"),
        (lambda box: Box(how=(0.0, 1.0)), "could not name the axis how"),
        (lambda box: Box(seed=(0.0, 1.0)), "could not name the axis seed"),
        (lambda box: Box(units="days", t=(0.0, 1.0)), r'units is a dictionary, \{"t": "days"\}'),
    ],
)
def test_an_edge_refuses(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make(BOXES[2])
