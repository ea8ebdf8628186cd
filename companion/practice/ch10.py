"""Chapter 10, derivatives of any order."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from companion.practice.answers import ANYTHING, asks, function, numbers_of
from companion.practice.ch06 import taylor_coefficients
from companion.practice.verdicts import NotYet, agree, compare, demand, number, numbers, shown

# ---------------------------------------------------------------- ex-10-walk

SLOPE, COTANGENT = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 2.0])


@asks(numbers_of("ū0", "ū1", "ū2"), example="[0, 0, 1]")
def ex_10_walk(answer: np.ndarray) -> str:
    """ū = Tᵀ v̄, where T is the lower triangular matrix of the coefficients w."""
    forward = np.array([[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [3.0, 2.0, 1.0]])
    if answer.tolist() == (forward @ COTANGENT).tolist():
        raise NotYet(
            "(1, 2, 5) is the way forward, the matrix itself. The way back is its transpose"
        )
    hint = "write the lower triangular matrix of w down, and go down its columns with v̄"
    agree(answer, forward.T @ COTANGENT, hint, "your ū")
    return "the transposed matrix"


# ---------------------------------------------------------------- ex-10-sine


SERIES = (
    [0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
    [-0.4, 0.3, 0.6, -0.2, 0.1, 0.5, -0.3],
    [0.8, -1.0],
    [1.2],
)


@asks(function("u"), "the coefficients of sin u in a list", example="lambda u: [torch.sin(u[0])]")
def ex_10_sine(sin_series: Callable) -> str:
    """The Taylor coefficients of sin(u(t)), as many as u has."""
    for row in SERIES:
        came = sin_series([torch.tensor(c, dtype=torch.float64) for c in row])
        came = came if isinstance(came, list | tuple) else list(numbers(came).ravel())
        demand(
            len(came) == len(row),
            f"of u = {shown(row)}, with {len(row)} coefficients, yours gives {len(came)}",
        )
        wanted = taylor_coefficients(lambda t, row=row: np.sin(np.polyval(row[::-1], t)), len(row))
        for k, expected in enumerate(wanted):
            compare(came[k], expected, {"u": row, "k": k}, "Cauchy's integral says", atol=1e-10)
    return f"{len(SERIES)} series tried, of one to seven coefficients"


# ---------------------------------------------------------------- ex-10-radial


@asks(function("x"), "Δu at each row, a column", example="lambda x: 0 * x[:, :1]")
def ex_10_radial(lap: Callable) -> str:
    """Δ exp(−r²/2) = (r² − d) exp(−r²/2) at each row, a column."""
    for d in (1, 2, 7):
        x = torch.linspace(-1, 1.5, 3 * d, dtype=torch.float64).reshape(3, d)
        along_axes = (x**2 - 1) * torch.exp(-(x**2).sum(1, keepdim=True) / 2)
        expected = along_axes.sum(1, keepdim=True)
        compare(lap(x), expected, {"d": d, "x": x}, "the sum of the second derivatives is")
    return "one, two and seven dimensions tried"


# ---------------------------------------------------------------- ex-10-four, problem-10-plate

DIAGONALS_AND_AXES = ((1, 1), (1, -1), (1, 0), (0, 1))


def try_monomials(weights: Mapping[tuple, float], operator: Mapping[tuple, float]) -> None:
    """Raises NotYet at the first x^a y^b, a + b = 4, where the weighted fourth coefficients miss the operator.

    The fourth coefficient of x^a y^b along (p, q) is p^a q^b, whatever the point.
    """
    for a in (4, 3, 2, 1, 0):
        b = 4 - a
        came = sum(w * p**a * q**b for (p, q), w in weights.items())
        monomial = "·".join(f"{name}^{n}" for name, n in zip("xy", (a, b)) if n)
        what = f"on u = {monomial}, what your jets add up to"
        compare(came, operator.get((a, b), 0), says="the operator gives", what=what, atol=1e-9)


@asks(numbers_of("along (1, 1)", "(1, -1)", "(1, 0)", "(0, 1)"), example="[1, 1, 1, 1]")
def ex_10_four(answer: np.ndarray) -> str:
    """Σ w (p ∂x + q ∂y)⁴/4! = ∂x²∂y² over the four directions (p, q)."""
    weights = dict(zip(DIAGONALS_AND_AXES, map(float, answer), strict=True))
    try_monomials(weights, {(2, 2): 4})
    return "all five monomials of degree four tried"


@asks(
    ANYTHING,
    "a dict {direction: weight of its fourth coefficient}",
    example="{(1, 0): 24, (0, 1): 24}",
)
def problem_10_plate(answer: Any) -> str:
    """Σ w (p ∂x + q ∂y)⁴/4! = ∂x⁴ + 2 ∂x²∂y² + ∂y⁴ over at most three directions (p, q)."""
    if not isinstance(answer, dict) or any(numbers(q, "a direction").shape != (2,) for q in answer):
        raise NotYet(f"yours is {shown(answer)}, and a dict of pairs and weights is wanted")
    demand(len(answer) <= 3, f"yours takes {len(answer)} jets, and three are enough")
    weights = {
        tuple(map(float, q)): number(w, f"the weight along {shown(q)}") for q, w in answer.items()
    }
    try_monomials(weights, {(4, 0): 24, (2, 2): 8, (0, 4): 24})
    return f"{len(answer)} jets, all five monomials of degree four tried"
