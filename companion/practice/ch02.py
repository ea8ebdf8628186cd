"""Chapter 2, symbols: what an answer to its exercises must satisfy."""

from collections.abc import Callable
from fractions import Fraction
from math import factorial

from companion.practice.answers import NUMBER, asks, function, parts
from companion.practice.verdicts import STEP, agree, compare, demand


@asks(parts(tree=NUMBER, lines=NUMBER), example='{"tree": 10, "lines": 10}')
def ex_02_squares(answer: dict[str, float]) -> str:
    """2¹⁰ − 1 products in the tree of x¹⁰²⁴, 10 lines in its program."""
    tree, lines = answer["tree"], answer["lines"]
    demand(
        tree != 1024, "1024 is the number of x's in the tree; a product joins two trees into one"
    )
    hint = "two squarings make x⁴ with three products; what does a third one add?"
    agree(tree, 1023, hint, "your count of the tree")
    agree(lines, 10, "each squaring takes the line before it twice", "your count of the lines")
    return "1023 products written out, 10 lines shared"


@asks(parts(tree=NUMBER, lines=NUMBER), "the powers of k", example='{"tree": 0, "lines": 0}')
def ex_02_product(answer: dict[str, float]) -> str:
    """(∏ sin(x + i))′ of k factors: k terms of about k factors, k² as a tree; lines shared, k."""
    tree, lines = answer["tree"], answer["lines"]
    demand(
        tree != 1, "tree: each of the k terms of the product rule has about k factors of its own"
    )
    demand(lines != 2, "lines: a term need not write its factors again, they are lines already")
    hint = "how many terms has the product rule, and how many factors has each?"
    agree(tree, 2, hint, "your power of the tree")
    hint = "what does one more factor add, if all products before it are lines already?"
    agree(lines, 1, hint, "your power of the lines")
    return "the tree grows as k², the program as k"


def series(x: float, coefficient: Callable[[int], Fraction], power: Callable[[int], int]) -> float:
    """An entire power series, summed exactly until a term no longer counts, then rounded once."""
    exact, total, k = Fraction(x), Fraction(0), 1
    while True:
        term = coefficient(k) * exact ** power(k)
        total += term
        if k > abs(x) and abs(term) < Fraction(1, 10**20) * abs(total):
            return float(total)
        k += 1


def slope_of_sinc(x: float) -> float:
    """Σ (−1)ᵏ 2k x²ᵏ⁻¹ / (2k + 1)!"""
    coefficient = lambda k: Fraction((-1) ** k * 2 * k, factorial(2 * k + 1))
    return series(x, coefficient, lambda k: 2 * k - 1)


def slope_of_dip(x: float) -> float:
    """Σ (−1)ᵏ 2k x²ᵏ⁻¹ / (2k + 2)!, the derivative of (1 − cos x)/x²."""
    coefficient = lambda k: Fraction((-1) ** k * 2 * k, factorial(2 * k + 2))
    return series(x, coefficient, lambda k: 2 * k - 1)


@asks(function("x"), "the derivative of sin(x)/x, near zero", example="lambda x: -x / 3")
def ex_02_sinc(f: Callable) -> str:
    """(sin(x)/x)′ for 1e-7 ≤ |x| ≤ 0.1, to nine digits."""
    points = [1e-1, 1e-3, 1e-5, 1e-7, -1e-2, -1e-6]
    for x in points:
        compare(f(x), slope_of_sinc(x), {"x": x}, "the exact series gives", rtol=1e-9, atol=0)
    return f"{len(points)} points near zero, each to nine digits"


@asks(function("a, turns"), "the slope after so many turns", example="lambda a, turns: 0.5")
def ex_02_division(f: Callable) -> str:
    """dv/da after so many turns of v ← (v + a/v)/2, from v = 1."""
    points = [(2.0, 1), (2.0, 3), (2.0, 6), (5.0, 4), (0.3, 5)]
    for a, turns in points:
        moved, guess = complex(a, STEP), complex(1.0)
        for _ in range(turns):
            guess = (guess + moved / guess) / 2
        at = {"a": a, "turns": turns}
        compare(f(a, turns), guess.imag / STEP, at, "the complex step through the loop says")
    return f"{len(points)} values of a and numbers of turns tried"


@asks(function("x"), "the derivative of (1 − cos x)/x²", example="lambda x: -x / 12")
def problem_02_dip(f: Callable) -> str:
    """((1 − cos x)/x²)′ for 1e-8 ≤ |x| ≤ 10, to twelve digits."""
    sizes = [1e-8, 1e-5, 1e-3, 0.01, 0.05, 0.1, 0.3, 0.7, 1.0, 2.0, 3.0, 5.0, 10.0]
    points = sizes + [-x for x in sizes]
    for x in points:
        compare(
            f(x), slope_of_dip(x), {"x": x}, "exact rational arithmetic says", rtol=1e-12, atol=0
        )
    return f"{len(points)} points from 1e-8 to 10, on both sides, each to twelve digits"
