"""Chapter 6, jets: what an answer to its exercises must satisfy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from companion.practice.answers import NUMBER, asks, function, numbers_of, parts
from companion.practice.verdicts import agree, compare, demand, numbers, shown


@asks(
    parts(product=numbers_of("c0", "c1", "c2"), second=NUMBER),
    example='{"product": [2, -2, 3], "second": 3}',
)
def ex_06_by_hand(answer: dict[str, Any]) -> str:
    """(1 + 2t + 3t²)(2 − t + t²) up to t², and its second derivative at 0."""
    product, second = answer["product"], answer["second"]
    demand(list(product) != [2, -2, 3], "product: [2, −2, 3] multiplies coefficient by coefficient")
    hint = "multiply out, and collect all pairs of terms with the same power of t"
    agree(product, (2, 3, 5), hint, "your product")
    demand(
        second != 5, "second: 5 is the coefficient of t²; the second derivative is 2! times that"
    )
    agree(second, 10, "differentiate c t² twice", "your second derivative")
    return "a product of two series, and a second derivative"


def taylor_coefficients(f: Callable, count: int) -> np.ndarray:
    """The first Taylor coefficients of f at 0, by Cauchy's integral on 64 points of a circle, to twelve decimals."""
    radius, turns = 0.25, np.exp(2j * np.pi * np.arange(64) / 64)
    values = np.fft.fft(f(radius * turns))[:count].real / 64
    return np.round(values / radius ** np.arange(count), 12) + 0.0  # −0 is 0


@asks(function("u"), "the coefficients of arctan(u(t))", example="lambda u: u")
def ex_06_arctan(f: Callable) -> str:
    """The Taylor coefficients of arctan(u(t)), as many as u has."""
    rows = [
        [0.0, 1.0, 0.0, 0.0],
        [0.4, 1.0, 0.0, 0.0, 0.0, 0.0],
        [2.0, -1.0, 0.5, 0.3],
        [-0.7, 0.0, 3.0],
    ]
    for u in rows:
        wanted = taylor_coefficients(lambda t, u=u: np.arctan(np.polyval(u[::-1], t)), len(u))
        at = {"u": u}
        compare(f(list(u)), wanted, at, "Cauchy's integral on a circle says", rtol=1e-8, atol=1e-9)
    return f"{len(rows)} series tried against Cauchy's integral"


MIXED = [  # f, in words, its mixed derivative
    (lambda a, b: a * b, "x1 x2", lambda a, b: 1.0),
    (lambda a, b: a * a + 3 * b * b, "x1² + 3 x2²", lambda a, b: 0.0),
    (lambda a, b: a * a * b - 2 * b * b * a, "x1² x2 − 2 x1 x2²", lambda a, b: 2 * a - 4 * b),
    (lambda a, b: a * a * a * b * b, "x1³ x2²", lambda a, b: 6 * a * a * b),
]


@asks(function("f, x1, x2"), "∂²f/∂x1∂x2", example="lambda f, x1, x2: f(x1, x2)")
def ex_06_mixed(mixed: Callable) -> str:
    """∂²f/∂x1∂x2 of polynomials f."""
    for f, words, exactly in MIXED:
        for x1, x2 in [(2.0, 5.0), (-1.0, 0.5)]:
            at = {"f": words, "x1": x1, "x2": x2}
            compare(mixed(f, x1, x2), exactly(x1, x2), at, "by hand it is")
    return f"{2 * len(MIXED)} functions and points tried"


@asks(function("order"), "y and y′ at 20π", example="lambda order: (0.0, 1.0)")
def ex_06_oscillator(f: Callable) -> str:
    """The solution is (0, 1); a series cut at order 8 is not there yet, at order 16 it is."""
    for order, least, most in [(8, 1e-6, 1e-2), (16, 0.0, 1e-10), (20, 0.0, 1e-10)]:
        came = numbers(f(order), f"at order = {order}: your answer")
        words = f"at order = {order}: y and y′ are expected, yours is {shown(came)}"
        demand(came.shape == (2,), words)
        error = float(np.abs(came - (0.0, 1.0)).max())
        words = f"at order = {order}: the error of yours is {error:.0e}"
        demand(
            error >= least,
            f"{words}; a series cut there, in 63 steps, is off by more than {least:.0e}",
        )
        demand(
            error <= most, f"{words}, and below {most:.0e} is possible: is the error in y or in y′?"
        )
    return "orders 8, 16 and 20"


def quotient(bottom: list[float], count: int) -> list[float]:
    """The Taylor coefficients of 1 over a polynomial."""
    c: list[float] = []
    for k in range(count):
        known = sum(b * c[k - j] for j, b in enumerate(bottom) if 0 < j <= k)
        c.append((float(k == 0) - known) / bottom[0])
    return c


COUNT = 61
SERIES = [  # in words, coefficients, the distance of the nearest singularity
    ("1/(1 + x²) at 1/2", quotient([1.25, 1.0, 1.0], COUNT), math.sqrt(1.25)),
    ("1/(1 + x²) at 0", quotient([1.0, 0.0, 1.0], COUNT), 1.0),
    ("1/((1 − 2x)(1 + x)) at 0", quotient([1.0, -1.0, -2.0], COUNT), 0.5),
    ("−log(1 − x/1.3) at 0", [0.0, *(1 / (k * 1.3**k) for k in range(1, COUNT))], 1.3),
    ("(1 − x/3)⁻² at 0", [(k + 1) / 3.0**k for k in range(COUNT)], 3.0),
]


@asks(
    function("c"), "the radius of convergence, within 2 %", example="lambda c: abs(c[-2] / c[-1])"
)
def problem_06_radius(f: Callable) -> str:
    """The radius of convergence of Σ cₖ tᵏ, within 2 %."""
    for words, coefficients, radius in SERIES:
        what, says = "your radius", "the nearest singularity is at the distance"
        compare(f(list(coefficients)), radius, {"c": f"of {words}"}, says, what, rtol=0.02)
    return f"{len(SERIES)} series of {COUNT} coefficients, each within 2 %"
