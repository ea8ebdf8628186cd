"""Chapter 14b: a damped step, and how far it is trusted."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from scipy.optimize import least_squares
from torch.func import jacrev

from companion.practice.answers import Given, asks, function
from companion.practice.verdicts import NotYet, compare, demand, numbers, shown


@asks(function("mu"), "the gain ratio ρ", example="lambda mu: 1.0")
def ex_14b_gain(rho: Callable) -> str:
    """ρ = (|r|² - |r(θ + δ)|²) / (|r|² - |r + Jδ|²) for r = θ² - 2 at θ = 1/2, in fractions."""
    theta = Fraction(1, 2)
    r, J = theta**2 - 2, 2 * theta
    for mu in (Fraction(0), Fraction(1), Fraction(3), Fraction(20)):
        delta = -J * r / (J * J + mu)
        promised = r**2 - (r + J * delta) ** 2
        lost = r**2 - ((theta + delta) ** 2 - 2) ** 2
        at = {"μ": float(mu)}
        compare(rho(float(mu)), float(lost / promised), at, "in fractions it is", "your gain ratio")
    return "four dampings, in fractions"


@asks(
    function("J, r, mu"),
    "(JᵀJ + μI)⁻¹ Jᵀr, tensors",
    example="lambda J, r, mu: J.T @ r / mu",
)
def ex_14b_matrix(step: Callable) -> str:
    """(JᵀJ + μI)⁻¹ Jᵀr = V s/(s² + μ) Uᵀr to 1e-7. With a tiny μ the larger of JᵀJ and JJᵀ loses these digits."""
    draw = torch.Generator().manual_seed(0)
    for rows, columns in ((5, 40), (40, 5), (12, 12)):
        J = torch.randn(rows, columns, generator=draw, dtype=torch.float64)
        r = torch.randn(rows, generator=draw, dtype=torch.float64)
        U, s, Vh = torch.linalg.svd(J, full_matrices=False)
        for mu in (1.0, 1e-9):
            exact = Vh.T @ (s / (s**2 + mu) * (U.T @ r))
            said = f"for J of {rows} by {columns} and μ = {mu:g}"
            found = torch.from_numpy(numbers(step(J, r, mu), f"{said} your step"))
            demand(
                found.shape == exact.shape,
                f"{said} your step is {tuple(found.shape)}, and ({columns},) is expected",
            )
            off = ((found - exact).norm() / exact.norm()).item()
            demand(
                off < 1e-3 or mu < 1,
                f"{said} your step is off by {off:.0e}, relative to its length",
            )
            demand(
                off < 1e-7,
                f"{said} your step is off by {off:.0e}, relative to its length: the matrix that was solved is "
                f"{max(rows, columns)} by {max(rows, columns)}, of rank {min(rows, columns)} but for μ. Take the "
                "smaller one",
            )
    return "three shapes of J, with a large and a tiny μ"


CURVES = {  # name: (r(θ), start); each with one residual or more for each parameter
    "Rosenbrock's valley": (
        lambda p: torch.stack([10 * (p[1] - p[0] ** 2), 1 - p[0]]),
        (-1.2, 1.0),
    ),
    "a decay, two numbers from ten points": (
        lambda p: (
            p[0] * torch.exp(-p[1] * torch.arange(10.0).double() / 3)
            - 2 * torch.exp(-torch.arange(10.0).double() / 2)
        ),
        (1.0, 0.0),
    ),
    "two parameters that do the same": (
        lambda p: torch.stack([(p[0] + p[1]) ** 2 - 1, (p[0] + p[1]) - 1]),
        (3.0, 2.0),
    ),
    "a minimum that is not 0": (
        lambda p: torch.stack([p[0] - 1, p[1] + 2, p[0] * p[1], torch.sin(p[0])]),
        (2.0, 2.0),
    ),
}


@asks(function("r, theta"), "the θ found", example="lambda r, theta: theta")
def problem_14b_own(solve: Callable) -> str:
    """|Jᵀr| < 1e-5 at the θ found, in 200 calls of r, for each of the four problems of CURVES."""
    for name, (r, start) in CURVES.items():
        calls = 0

        def counting(p, r=r):
            nonlocal calls
            calls += 1
            if calls > 200:
                raise NotYet(f"{name}: r was called more than 200 times")
            return r(p)

        theta = torch.tensor(start, dtype=torch.float64)
        found = torch.from_numpy(numbers(solve(Given(name, counting), theta), f"{name}: your θ"))
        demand(
            found.shape == theta.shape,
            f"{name}: yours is {shown(found)}, and {len(theta)} numbers are expected",
        )
        gradient = (jacrev(r)(found).T @ r(found)).norm().item()
        loss = 0.5 * r(found).square().sum().item()
        least = least_squares(lambda p, r=r: r(torch.tensor(p)).numpy(), np.array(start)).cost
        demand(
            gradient < 1e-5,
            f"{name}: at your θ = {shown(found)} the gradient has the length {gradient:.1e}, and SciPy finds a "
            f"loss of {least:.2g} where yours is {loss:.2g}",
        )
    return f"{len(CURVES)} problems, each with at most 200 calls of r"
