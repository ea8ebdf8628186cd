"""Chapter 3, dual numbers: what an answer to its exercises must satisfy."""

from collections.abc import Callable
from typing import Any

import numpy as np

from companion.practice.answers import NUMBER, asks, function, parts
from companion.practice.verdicts import STEP, agree, compare, demand, numbers, place, shown


@asks(parts(product=NUMBER, quotient=NUMBER), example='{"product": 1, "quotient": 1}')
def ex_03_by_hand(answer: dict[str, float]) -> str:
    """The tangents of (2 + 3ε)(5 − ε) and (2 + 3ε)/(5 − ε)."""
    product, quotient = answer["product"], answer["quotient"]
    demand(product != -3, "product: −3 ε² is zero; the tangent is what the two mixed terms leave")
    demand(quotient != -3, "quotient: tangents do not divide each other: expand by 5 + ε")
    hint = "multiply out all four pairs; which two have one ε?"
    agree(product, 13.0, hint, "your tangent of the product")
    hint = "multiply top and bottom by 5 + ε: what is the bottom then, and the ε of the top?"
    agree(quotient, 0.68, hint, "your tangent of the quotient")
    return "both tangents"


@asks(function("x, dx"), "the value and the tangent of arctan", example="lambda x, dx: (x, dx)")
def ex_03_arctan(f: Callable) -> str:
    """arctan x and dx/(1 + x²)."""
    points = [(0.0, 1.0), (3.0, 1.0), (-0.5, 2.0), (-3.0, -1.0), (1.0, 0.0)]
    for x, dx in points:
        tangent = np.arctan(complex(x, STEP)).imag / STEP * dx
        wanted = np.arctan(x), tangent
        compare(f(x, dx), wanted, {"x": x, "dx": dx}, "value and complex step are")
    return f"{len(points)} points and seeds tried against the complex step"


def cubic(a: Any, b: Any, c: Any) -> list:
    """F(a, b, c) = (a b, a + b c², 3a − c)."""
    return [a * b, a + b * c * c, 3 * a - c]


def two(r: Any, s: Any) -> list:
    """F(r, s) = (r² s, 1.5), whose second output never meets a dual number."""
    return [r * r * s, 1.5]


PROGRAMS: list[tuple[Callable, str, tuple, tuple]] = [  # F, in words, xs, vs
    (cubic, "[a b, a + b c², 3a − c]", (2.0, -1.0, 0.5), (1.0, 0.0, 0.0)),
    (cubic, "[a b, a + b c², 3a − c]", (1.0, 3.0, -2.0), (0.5, -1.0, 2.0)),
    (two, "[r² s, 1.5]", (2.0, 3.0), (0.0, 1.0)),
    (two, "[r² s, 1.5]", (2.0, 3.0), (1.0, 1.0)),
]


@asks(
    function("F, xs, vs"),
    "two lists, the values and the tangents",
    example="lambda F, xs, vs: (F(*xs), F(*vs))",
)
def ex_03_columns(jvp_many: Callable) -> str:
    """F(xs) and J(xs) vs."""
    for F, words, xs, vs in PROGRAMS:
        moved = F(*[complex(x, STEP * v) for x, v in zip(xs, vs)])
        wanted = [F(*xs), [complex(y).imag / STEP for y in moved]]
        at = {"F": words, "xs": xs, "vs": vs}
        came, says = jvp_many(F, xs, vs), "the values and the complex step are"
        compare(came, wanted, at, says, rtol=1e-12)  # a difference quotient is not as good
    return f"{len(PROGRAMS)} functions, points and seeds tried"


@asks(function("r, K, y0"), "the three sensitivities of y(5)", example="lambda r, K, y0: (1, 1, 1)")
def ex_03_sensitivity(f: Callable) -> str:
    """∂y(5)/∂(r, K, y₀) of y(t) = K/(1 + (K/y₀ − 1) exp(−rt)), to four digits."""
    points = [(0.9, 10.0, 0.5), (0.5, 4.0, 1.0), (0.4, 3.0, 5.0)]  # the last one shrinks
    for point in points:
        wanted = []
        for i in range(3):
            r, K, y0 = (complex(p, STEP * (i == j)) for j, p in enumerate(point))
            wanted.append((K / (1 + (K / y0 - 1) * np.exp(-5 * r))).imag / STEP)
        at = dict(zip(("r", "K", "y0"), point))
        compare(f(*point), wanted, at, "the closed form has", rtol=1e-4)
    return f"{len(points)} populations tried against the closed form"


def babylonian(x: Any, p: Any) -> Any:
    """g(x, p) = x² − p."""
    return x * x - p


def curve(x: Any, p: Any) -> Any:
    """g(x, p) = x³ + p x − 2."""
    return x * x * x + p * x - 2.0


def fraction(x: Any, p: Any) -> Any:
    """g(x, p) = x − p/(1 + x)."""
    return x - p / (1.0 + x)


ROOTS = [  # g, in words, a start, p; one root is positive, and near the start
    (babylonian, "x² − p", 1.5, 2.0),
    (babylonian, "x² − p", 1.0, 1.0),  # the start is the root
    (curve, "x³ + p x − 2", 1.0, 1.0),  # here too
    (curve, "x³ + p x − 2", 2.0, 3.0),
    (curve, "x³ + p x − 2", 1.5, -1.0),
    (fraction, "x − p/(1 + x)", 1.0, 2.0),  # and here
    (fraction, "x − p/(1 + x)", 5.0, 0.7),
]


@asks(
    function("g, start, p"),
    "x with g(x, p) = 0, and dx/dp",
    example="lambda g, start, p: (start, 0.0)",
)
def problem_03_root(f: Callable) -> str:
    """g(x, p) = 0 at the root near the start, and there g_x dx/dp + g_p = 0."""
    for g, words, start, p in ROOTS:
        at = {"g": words, "start": start, "p": p}
        came = numbers(f(g, start, p), f"{place(at)}your answer")
        demand(came.shape == (2,), f"{place(at)}two numbers are expected, yours is {shown(came)}")
        x, slope = came.tolist()
        compare(g(x, p), 0.0, at, "it should be", what="g at your root", atol=1e-9)
        demand(x > 0, f"{place(at)}your root is {shown(x)}, and the one near the start is positive")
        moved = g(complex(x, STEP * slope), complex(p, STEP)).imag / STEP
        compare(moved, 0.0, at, "it should be", what="the slope of g along your root", atol=1e-8)
    return f"{len(ROOTS)} roots tried, three of which the start already solves"
