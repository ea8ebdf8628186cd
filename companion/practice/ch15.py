"""Chapter 15: Poisson's equation declared, and functions that vanish on a boundary."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from companion.operators import Partials
from companion.pinn import Box, Problem, batch_of, residuals
from companion.practice.answers import ANYTHING, asks, function, trying
from companion.practice.ch12_declarations import (
    NETWORKS,
    Function,
    declared,
    hears,
    holds,
    refuses,
    shape_of,
    solves,
)
from companion.practice.verdicts import demand, place, shown, tensor

PI = math.pi
UNIT = Box(x=(0.0, 1.0), y=(0.0, 1.0))


def sides(box: Box, n: int = 9) -> Tensor:
    """n points on each of the four sides, the corners among them: (4 n, 2)."""
    return torch.cat(
        [box.edge(n, None, 0, **{a: e}) for a, ends in box.ends().items() for e in ends]
    )


def near_the_sides(box: Box) -> Tensor:
    """A point a hair inside the middle of each side, and the middle of the box: (5, 2)."""
    middle, half = (box.low + box.high) / 2, (box.high - box.low) / 2
    towards = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1], [0, 0]]).double()
    return middle + half * (1 - 1e-4) * towards


def hill(x: Tensor) -> Tensor:
    """∏ sin πx over the axes of points (n, d): (n, 1)."""
    return torch.sin(PI * x).prod(1, keepdim=True)


def at(p: Tensor) -> str:
    """The point p (2,) in words, for the head of a verdict."""
    return place({"x": p[0].item(), "y": p[1].item()})


def proportional(problem: Problem, u: Function, wanted: Function, what: str) -> None:
    """Refuse a residual that is no multiple of the wanted one at the function u, whatever made its f."""
    p = problem.domain.points(40)
    with trying("your residual"):
        rows, _ = residuals(problem, {"u": u}, batch_of(problem, p))["equation"]
    expected = wanted(p)
    factor = (rows * expected).sum() / expected.square().sum()
    apart = (rows - factor * expected).abs()[:, 0] / expected.abs().max()
    worst = apart.argmax()
    demand(
        abs(factor.item()) > 1e-6 and apart[worst].item() < 1e-6 * abs(factor.item()),
        f"{at(p[worst])}for {what} your residual is {shown(rows[worst, 0])}, and by hand it is "
        f"{shown(expected[worst, 0])}, or the same multiple of it everywhere",
    )


@asks(function("p"), "d (n, 1) at points p (n, 2)", example="lambda p: p[:, :1] * p[:, 1:]")
def ex_15_distance(d: Callable) -> str:
    """0 on the sides of the triangle (0, 0), (1, 0), (0, 1), positive inside, with a slope, without a kink."""
    s = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)[:, None]
    rim = torch.cat([torch.cat(side, 1) for side in ((s, 0 * s), (0 * s, s), (s, 1 - s))])
    value = tensor(d(rim), "at 27 points your d", (27, 1))
    for p, found in zip(rim, value[:, 0]):
        demand(
            abs(found.item()) < 1e-12,
            f"{at(p)}your d is {shown(found)}, and the point is on the boundary",
        )
    inside = UNIT.points(200)
    inside = inside[(inside.sum(1) < 0.999) & (inside > 1e-3).all(1)]
    for p, found in zip(inside, d(inside)[:, 0]):
        demand(found.item() > 0, f"{at(p)}your d is {shown(found)}, and above 0 is asked inside")
    with trying("differentiating your d"):
        slopes = Partials(d, rim).gradient().norm(dim=1)
    for p, slope in zip(rim, slopes):
        demand(
            slope.item() > 1e-3,
            f"{at(p)}your d leaves the boundary with a slope of {shown(slope)}: it is flat there, and a network "
            "times d would be, too",
        )
    across = torch.linspace(0.01, 0.65, 200, dtype=torch.float64)
    line = torch.stack([across, torch.full_like(across, 1 / 3)], 1)
    jump = Partials(d, line).gradient().diff(dim=0).norm(dim=1)
    worst = jump.argmax()
    demand(
        jump[worst].item() < 0.2,
        f"{at(line[worst])}the slope of your d jumps by {shown(jump[worst])}: a network times d would have no "
        "Laplacian there",
    )
    return (
        f"0 on three sides, above 0 at {len(inside)} points inside, with a slope and without a kink"
    )


def on_the_rectangle(p: Tensor) -> Tensor:
    """u = x (2 - x) sin πy e^(x/2) at points (n, 2): (n, 1)."""
    x, y = p[:, :1], p[:, 1:]
    return x * (2 - x) * torch.sin(PI * y) * torch.exp(x / 2)


def load_of_the_rectangle(p: Tensor) -> Tensor:
    """-Δ of on_the_rectangle at points (n, 2): (x (2 - x) e^(x/2))'' = -(3x/2 + x²/4) e^(x/2)."""
    x, y = p[:, :1], p[:, 1:]
    along = (1.5 * x + x**2 / 4) * torch.exp(x / 2) * torch.sin(PI * y)
    return along + PI**2 * on_the_rectangle(p)


@asks(ANYTHING, "a Problem", example="own")
def ex_15_own(problem: Problem) -> str:
    """-Δu = f on (0, 2) × (0, 1), u = x (2 - x) sin πy e^(x/2); f is compared with one found by hand."""
    box = Box(x=(0.0, 2.0), y=(0.0, 1.0))
    problem, u, edge = declared(problem, box), on_the_rectangle, sides(box)
    solves(problem, u, "your u")
    holds(problem, edge, 0 * edge[:, :1])
    hears(problem, u, near_the_sides(box))
    proportional(problem, lambda p: 0 * p[:, :1], load_of_the_rectangle, "u = 0")
    refuses(problem, lambda p: 2 * u(p), "2 u", edge)
    refuses(problem, lambda p: u(p) + p[:, :1], "u + x", edge)
    return "u passes, 2 u and u + x do not, and f is the one found by hand"


@asks(ANYTHING, "a Problem", example="rod")
def ex_15_robin(problem: Problem) -> str:
    """-u'' = f on (0, 1), u(0) = 0, u'(1) + u(1) = g; u + x has the same f and the same left end."""
    problem, k = declared(problem, Box(x=(0.0, 1.0))), 1.5 * PI
    start = torch.tensor([[0.0]]).double()

    def u(x: Tensor) -> Tensor:
        return torch.sin(k * x)

    solves(problem, u, "sin 3πx/2")
    holds(problem, start, start)
    hears(problem, u, torch.tensor([[1e-4], [0.5], [1.0]]).double())
    refuses(problem, lambda x: 2 * u(x), "2 sin 3πx/2", start)
    refuses(problem, lambda x: u(x) + x, "sin 3πx/2 + x, whose u'(1) + u(1) is 2 too large,", start)
    refuses(
        problem,
        lambda x: u(x) + 1 - x / 2,
        "sin 3πx/2 + 1 - x/2, which is 1 at the left end,",
        start,
    )
    return "sin 3πx/2 passes, and with a line added it does not"


@asks(ANYTHING, "a Problem", example="disc")
def ex_15_disc(problem: Problem) -> str:
    """-Δu = f on the unit disc, u = (1 - x² - y²) cos 2x, 0 on the circle."""
    problem = declared(problem, Box(x=(-1.0, 1.0), y=(-1.0, 1.0)))
    p = problem.domain.points(300)
    far = p.norm(dim=1).argmax()
    demand(
        p[far].norm().item() < 1 + 1e-9,
        f"{at(p[far])}your domain has a point there, outside the disc",
    )
    angle = torch.linspace(0.1, 6.3, 40, dtype=torch.float64)[:, None]
    rim = torch.cat([angle.cos(), angle.sin()], 1)

    def d(p: Tensor) -> Tensor:
        return 1 - p.square().sum(1, keepdim=True)

    def u(p: Tensor) -> Tensor:
        return d(p) * torch.cos(2 * p[:, :1])

    def load(p: Tensor) -> Tensor:
        c, s = torch.cos(2 * p[:, :1]), torch.sin(2 * p[:, :1])
        return 4 * c - 8 * p[:, :1] * s + 4 * d(p) * c

    solves(problem, u, "(1 - x² - y²) cos 2x")
    holds(problem, rim, 0 * angle)
    hears(problem, u, (1 - 1e-4) * rim)
    proportional(problem, lambda p: 0 * p[:, :1], load, "u = 0")
    refuses(problem, lambda p: u(p) + p[:, :1], "u + x", rim)
    refuses(problem, d, "1 - x² - y²", rim)
    return "u passes, two neighbours do not, and no point lies outside the disc"


@asks(ANYTHING, "a Problem", example="cubic")
def ex_15_nonlinear(problem: Problem) -> str:
    """-Δu + u³ = f on the square, u = sin πx sin πy; at 2u the residual is -2π²u - 7u³."""
    problem, edge = declared(problem, UNIT), sides(UNIT)
    solves(problem, hill, "the hill")
    proportional(
        problem,
        lambda p: 2 * hill(p),
        lambda p: -2 * PI**2 * hill(p) - 7 * hill(p) ** 3,
        "twice the hill",
    )
    refuses(problem, lambda p: hill(p) + p[:, :1], "the hill + x", edge)
    return "the hill passes, and twice the hill leaves what it must"


@asks(function("x, n"), "u (k, 1) at points x (k, 2)", example="lambda x, n: n")
def problem_15_frame(ansatz: Callable) -> str:
    """u = sin πx below, x above, 0 at the left and y² at the right, for every network."""
    t = torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]
    frame = {
        "below": (torch.cat([t, 0 * t], 1), torch.sin(PI * t)),
        "above": (torch.cat([t, 0 * t + 1], 1), t),
        "at the left": (torch.cat([0 * t, t], 1), 0 * t),
        "at the right": (torch.cat([0 * t + 1, t], 1), t**2),
    }
    for name, network in NETWORKS.items():
        for side, (points, wanted) in frame.items():
            u = tensor(ansatz(points, network(points)), "your ansatz")
            demand(u.shape == wanted.shape, shape_of(u, wanted))
            worst = (u - wanted).abs().argmax()
            demand(
                (u - wanted).abs().max().item() < 1e-9,
                f"{at(points[worst])}with the network {name} yours is {shown(u[worst, 0])} {side}, and "
                f"{shown(wanted[worst, 0])} is asked",
            )
    inside = near_the_sides(UNIT)
    one = torch.ones(len(inside), 1).double()
    factor = (ansatz(inside, one) - ansatz(inside, 0 * one)).abs()[:, 0]
    for p, size in zip(inside, factor):
        demand(
            size.item() > 1e-6,
            f"{at(p)}yours multiplies the network by {shown(size)}: it is hardly heard a hair inside the frame",
        )
    return f"four sides held for {len(NETWORKS)} networks, and each is heard inside"
