"""Chapter 15c: what a corner leaves of a scheme."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from companion.practice.answers import NUMBER, asks, function, parts
from companion.practice.ch15b import by_difference
from companion.practice.verdicts import agree, compare, demand, number, place, shown

PI = math.pi
Plane = Callable[[np.ndarray, np.ndarray], np.ndarray]


def singular(x: np.ndarray, y: np.ndarray, omega: float) -> np.ndarray:
    """r^(π/ω) sin(πθ/ω), θ from 0 to 2π."""
    angle = np.arctan2(y, x)
    angle = np.where(angle < -1e-12, angle + 2 * PI, angle)
    return (x**2 + y**2) ** (PI / omega / 2) * np.sin(PI * angle / omega)


def five_point(n: int, f: Plane, g: Plane, free: Plane) -> tuple[np.ndarray, np.ndarray]:
    """-Δu = f at the free nodes of [-1, 1]², u = g at the others: u and the g of all nodes."""
    t = np.linspace(-1, 1, n + 1)
    D = sparse.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(n + 1, n + 1)) * (n / 2) ** 2
    one = sparse.identity(n + 1)
    A = -(sparse.kron(D, one) + sparse.kron(one, D)).tocsr()
    x, y = (z.ravel() for z in np.meshgrid(t, t, indexing="ij"))
    inner, u = free(x, y), g(x, y)
    rows = A[inner]
    u[inner] = spsolve(rows[:, inner].tocsc(), f(x, y)[inner] - rows[:, ~inner] @ u[~inner])
    return u.reshape(n + 1, n + 1), g(x, y).reshape(n + 1, n + 1)


def within(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """True inside the open square (-1, 1)²; of the shape of x and y."""
    return (abs(x) < 1 - 1e-12) & (abs(y) < 1 - 1e-12)


def steepness(r: float, omega: float) -> float:
    """|∇s| at the distance r from the corner, on the ray θ = 0.4 ω, by central differences."""
    x, y = r * math.cos(0.4 * omega), r * math.sin(0.4 * omega)
    return math.hypot(*by_difference(lambda a, b: singular(a, b, omega), x, y, h=1e-5 * r))


@asks(function("omega"), "the power of r in |∇s|", example="lambda omega: omega")
def ex_15c_exponent(power: Callable) -> str:
    """log₁₀ of |∇s| at r = 0.1 over |∇s| at r = 0.01, s = r^(π/ω) sin(πθ/ω), for five ω."""
    for omega in (PI / 2, 2 * PI / 3, PI, 1.5 * PI, 2 * PI):
        measured = math.log10(steepness(0.1, omega) / steepness(0.01, omega))
        at, says = {"ω/π": omega / PI}, "measured between r = 0.01 and 0.1 is"
        compare(power(omega), measured, at, says, "your power", atol=1e-3)
    return "five corners, from a right angle to a slit"


def order_at_the_slit() -> tuple[float, float]:
    """Of the five-point scheme, for the whole and at the worst node, from 32 to 64 steps."""

    def free(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return within(x, y) & ~((abs(y) < 1e-12) & (x > -1e-12))

    found = []
    for n in (32, 64):
        u, exact = five_point(n, lambda x, y: 0 * x, lambda x, y: singular(x, y, 2 * PI), free)
        found.append((np.linalg.norm(u - exact) / n, abs(u - exact).max()))
    whole, worst = (math.log2(a / b) for a, b in zip(*found))
    return whole, worst


@asks(
    parts(whole=NUMBER, worst=NUMBER),
    "the orders for the whole and at the worst node",
    example='{"whole": 2, "worst": 2}',
)
def ex_15c_slit(order: dict) -> str:
    """log₂ of the error with 32 steps over that with 64, over all nodes and at the worst, to 0.1."""
    places = {"whole": "for the whole", "worst": "at the worst node"}
    for (name, where), measured in zip(places.items(), order_at_the_slit()):
        what = f"{where} your order"
        hint = "what is π/ω of a slit, and how do the two orders of the L follow from its π/ω?"
        agree(order[name], measured, hint, what, atol=0.1)
    return "both orders are those of two grids"


def in_the_l(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """True in the open L: the square without its quadrant x ≥ 0, y ≤ 0."""
    return within(x, y) & ~((x > -1e-12) & (y < 1e-12))


@cache
def grids(K: float, smooth: bool = True) -> list[np.ndarray]:
    """The scheme's solutions on 32 and 64 steps with K s, and a smooth part that is not 0 at the corner."""

    def hill(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return smooth * np.sin(PI * x) * np.sin(PI * y)

    def load(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 2 * PI**2 * hill(x, y) - 2 * smooth

    def edge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return K * singular(x, y, 1.5 * PI) + hill(x, y) + smooth * (1 + x**2)

    return [five_point(n, load, edge, in_the_l)[0] for n in (32, 64)]


@asks(function("A, S"), "K", example="lambda A, S: A[0][16, 17]")
def ex_15c_factor(factor: Callable) -> str:
    """K of K s + smooth, from its two grids A and those of s alone, S, to 5 %; for three K."""
    for K in (1.0, -2.5, 0.3):
        found = factor([u.copy() for u in grids(K)], [u.copy() for u in grids(1.0, smooth=False)])
        compare(found, K, {"K": K}, "it was made with", "yours", rtol=0.05)
    return "three problems, each with a K of its own"


@asks(function("r, theta"), "s", example="lambda r, theta: r * np.sin(theta)")
def problem_15c_mixed(answer: Callable) -> str:
    """0 at θ = 0, no slope across θ = 3π/2, harmonic, 0 at the corner, and of one sign between."""

    def s(r: float, theta: float) -> float:
        return number(answer(r, theta), f"{place({'r': r, 'θ': theta})}yours")

    h = 1e-3
    end = 1.5 * PI
    sign = np.sign(s(1.0, end))
    demand(sign != 0, f"at r = 1, θ = 3π/2 yours is {shown(s(1.0, end))}, and not 0 is asked")
    for r in (0.2, 0.5, 1.0):
        compare(s(r, 0.0), 0.0, {"r": r, "θ": 0.0}, "asked is", "yours", atol=1e-9)
        slope = (s(r, end + h) - s(r, end - h)) / (2 * h)
        compare(
            slope / abs(s(r, end)),
            0.0,
            {"r": r, "θ": end},
            "asked is",
            "your slope by θ, over s,",
            atol=1e-5,
        )
        for theta in np.linspace(0.1, end - 0.1, 12):
            here, at = s(r, theta), {"r": r, "θ": theta}
            demand(
                here * sign > 0,
                f"at r = {r:g}, θ = {theta:.3g} yours is {shown(here)}: it changes its sign on the way, so there "
                "is one with a smaller power",
            )
            k = h * r
            along = (s(r + k, theta) - 2 * here + s(r - k, theta)) / h**2
            along += (s(r + k, theta) - s(r - k, theta)) / (2 * h)
            laplacian = along + (s(r, theta + h) - 2 * here + s(r, theta - h)) / h**2
            compare(laplacian / abs(here), 0.0, at, "asked is", "your r² Δs, over s,", atol=1e-4)
    small = abs(s(1e-9, end) / s(1.0, end))
    demand(
        small < 0.1,
        f"at r = 1e-9 yours is {small:.2g} times what it is at r = 1, and it must vanish in the corner",
    )
    return "harmonic at 36 points, right on both sides, and of one sign between"
