"""Chapter 15b: a hill from its slopes."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from matplotlib.cbook import get_sample_data
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import gaussian_filter

from companion.practice.answers import ANYTHING, NUMBER, asks, function, parts
from companion.practice.verdicts import agree, compare, demand, numbers, place, shown

EAST, NORTH = 0.0744 * np.arange(60), 0.0927 * np.arange(60)  # km


@cache
def ground() -> tuple[np.ndarray, np.ndarray]:
    """The page's hill (60, 60) in 100 m, and its slopes (2, 30, 30) at every second point."""
    rough: Any = get_sample_data("jacksboro_fault_dem.npz")
    hill = gaussian_filter(rough["elevation"].astype(float), sigma=2)[304:244:-1, 235:295].T / 100
    ups = RectBivariateSpline(EAST, NORTH, hill)
    x, y = EAST[::2], NORTH[::2]
    return hill, np.stack([ups(x, y, dx=1), ups(x, y, dy=1)])


def heights(answer: Any, n: int) -> np.ndarray:
    """The answer as an array (n, n), [x, y]."""
    found = numbers(answer, "your hill")
    demand(found.shape == (n, n), f"your hill is {found.shape}, and ({n}, {n}) is expected, [x, y]")
    demand(bool(np.isfinite(found).all()), "your hill has heights that are no numbers")
    return found


def off(u: np.ndarray, exact: np.ndarray) -> float:
    """The norm of u - exact, in parts of the norm of exact less its mean."""
    return float(np.linalg.norm(u - exact) / np.linalg.norm(exact - exact.mean()))


def by_difference(f: Callable, x: float, y: float, h: float = 1e-5) -> np.ndarray:
    """∂f/∂x and ∂f/∂y by central differences; of a pair (p, q), a row for each."""
    along = [
        (numbers(f(x + h * a, y + h * b)) - numbers(f(x - h * a, y - h * b))) / (2 * h)
        for a, b in ((1, 0), (0, 1))
    ]
    return np.stack(along, -1)


@asks(function("x, y"), "the height", example="lambda x, y: x * y")
def ex_15b_hill(u: Callable) -> str:
    """∂u/∂x = 2xy + y and ∂u/∂y = x² + x + 3y² at 20 points; any constant may be added to u."""
    draw = np.random.default_rng(0)
    for x, y in draw.uniform(-2, 2, (20, 2)):
        slopes = 2 * x * y + y, x**2 + x + 3 * y**2
        found, at = by_difference(u, x, y), {"x": x, "y": y}
        what = "your slopes are such that (u_x, u_y)"
        compare(found, slopes, at, "given are", what, rtol=1e-6, atol=1e-6)
    return "the slopes at 20 points, whatever the height above the sea"


@asks(ANYTHING, "heights (60, 60) in 100 m", example="heights")
def ex_15b_mark(answer: Any) -> str:
    """The heights are off by less than a tenth, first without their means, then as they come."""
    hill, _ = ground()
    u = heights(answer, 60)
    shape = off(u - u.mean(), hill - hill.mean())
    demand(
        shape < 0.1,
        f"with the means taken away your hill is off by {shape:.0%}: its shape is not right yet",
    )
    lift = 100 * (u - hill).mean()
    demand(
        off(u, hill) < 0.1,
        f"the shape is right, to {shape:.1%}, but your hill floats {lift:.0f} m above the ground",
    )
    return f"off by {off(u, hill):.1%}, as it comes"


@asks(ANYTHING, "heights (30, 30) in 100 m", example="alone")
def ex_15b_east(answer: Any) -> str:
    """Less one mean for each line from west to east, the heights are off by less than 3 %."""
    truth, u = ground()[0][::2, ::2], heights(answer, 30)
    lines, turned = (
        off(u - u.mean(0), truth - truth.mean(0)),
        off(u.T - u.T.mean(0), truth - truth.mean(0)),
    )
    demand(
        lines < 0.03,
        f"with a mean for each line from west to east your hill is off by {lines:.1%}"
        + (": x is the first index" if turned < 0.03 else ""),
    )
    return (
        f"each line from west to east is right, to {lines:.1%}; between the lines nothing is known"
    )


def rule(h: float, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """For n values along a line: differences over the gaps, and means over them."""
    return (np.eye(n - 1, n, 1) - np.eye(n - 1, n)) / h, (
        np.eye(n - 1, n, 1) + np.eye(n - 1, n)
    ) / 2


@cache
def shares() -> tuple[float, float]:
    """What least squares leaves: of noise, on the average over all noise; of the hill's slopes."""
    (D, M), (E, N), one = rule(EAST[2]), rule(NORTH[2]), np.eye(30)
    A = np.vstack([np.kron(D, one), np.kron(one, E)])
    B = np.zeros((len(A), 1800))  # from slopes to right sides
    B[:870, :900], B[870:, 900:] = np.kron(M, one), np.kron(one, N)
    normal = A.T @ A + np.ones((900, 900))  # the mean is 0
    right = A.T @ B
    explained = np.sum(right * np.linalg.solve(normal, right))
    b = B @ ground()[1].reshape(-1)
    left = b - A @ np.linalg.solve(normal, A.T @ b)
    return 1 - explained / np.sum(B**2), float(left @ left / (b @ b))


@asks(
    parts(noise=NUMBER, slopes=NUMBER),
    "the share that is left of noise alone and of the true slopes",
    example='{"noise": 0.5, "slopes": 0.5}',
)
def ex_15b_curl(left: dict) -> str:
    """‖b - A u‖²/‖b‖² at the least squares u: on the average over all noise, and for the true slopes."""
    noise, slopes = shares()
    hint = "take the sum of squares of what is left, over that of the right sides, of noise without any hill"
    agree(left["noise"], noise, hint, "of noise alone your share", atol=0.04)
    hint = "the same share, for the slopes of the hill without noise; only the rule of the means is not exact"
    agree(left["slopes"], slopes, hint, "of the true slopes your share", rtol=0.3, atol=1e-5)
    return f"of noise {noise:.2f} is left on the average, of the true slopes {slopes:.0e}"


@asks(function("x, y"), "the slopes (p, q)", example="lambda x, y: (y, x)")
def problem_15b_ring(slopes: Callable) -> str:
    """On the ring 1 < r < 2: q_x - p_y = 0 at 40 points, and ∮ p dx + q dy ≠ 0 around r = 3/2."""
    draw = np.random.default_rng(1)
    for r, angle in zip(draw.uniform(1.05, 1.95, 40), draw.uniform(0, 2 * np.pi, 40)):
        x, y = r * np.cos(angle), r * np.sin(angle)
        found = numbers(slopes(x, y), f"{place({'x': x, 'y': y})}yours")
        demand(found.shape == (2,), f"the pair (p, q) is expected, and yours is {shown(found)}")
        (_, p_y), (q_x, _) = by_difference(slopes, x, y)
        compare(q_x - p_y, 0.0, {"x": x, "y": y}, "asked is", "your curl q_x - p_y", atol=1e-6)
    angle = 2 * np.pi * np.arange(720) / 720
    x, y = 1.5 * np.cos(angle), 1.5 * np.sin(angle)
    p, q = np.array([numbers(slopes(a, b)) for a, b in zip(x, y)]).T
    around = float(np.sum(-p * y + q * x) * 2 * np.pi / 720)
    demand(
        abs(around) > 0.1,
        f"once around the ring your slopes add up to {around:.1e}: they are those of a hill",
    )
    return f"no curl at 40 points, and once around the ring the ground has risen by {around:.3g}"
