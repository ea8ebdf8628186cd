"""Chapter 4, the tape: what an answer to its exercises must satisfy."""

import cmath
import math
import random
from collections.abc import Callable
from operator import index
from typing import Any

import numpy as np

from companion.practice.answers import ANYTHING, Given, asks, called, function, numbers_of, trying
from companion.practice.verdicts import STEP, NotYet, agree, compare, demand, shown


@asks(numbers_of("v̄1", "v̄2", "v̄3", "v̄4"), example="[0, 0, 0, 1]")
def ex_04_adjoints(bars: np.ndarray) -> str:
    """Of v3 = v1 + v2, v4 = v3 v1 at (3, 2): v1 is used twice, so it is paid twice."""
    demand(
        bars[0] != 5, "v̄1 = 5 is the share of v4 alone; v3 uses v1 too, and pays it a second share"
    )
    demand(
        bars[0] != 3, "v̄1 = 3 is the share of v3 alone; v4 uses v1 too, and paid it a share before"
    )
    for name, came, expected in zip(("v̄1", "v̄2", "v̄3", "v̄4"), bars, (8, 3, 3, 1)):
        hint = "go from the last line to the first; who uses a value pays its share"
        agree(came, expected, hint, f"your {name}")
    return "four adjoints"


@asks(
    function("x1, x2"), "the gradient of √x1 / x2, two numbers", example="lambda x1, x2: [x1, x2]"
)
def ex_04_rules(f: Callable) -> str:
    """∇(√x1 / x2) = (1/(2 √x1 x2), −√x1 / x2²)."""
    points = [(2.0, 5.0), (0.25, -2.0), (9.0, 0.5), (1.0, 1.0)]
    for x1, x2 in points:
        along_1 = cmath.sqrt(x1 + STEP * 1j) / x2
        along_2 = cmath.sqrt(x1) / (x2 + STEP * 1j)
        wanted = along_1.imag / STEP, along_2.imag / STEP
        compare(f(x1, x2), wanted, {"x1": x1, "x2": x2}, "the complex step says")
    return f"{len(points)} points tried against the complex step"


SINES: list[
    tuple[str, Callable, float, int]
] = [  # in words, a program of x and a sine, a point, an order
    ("x⁴", lambda x, sin: x * x * x * x, 3.0, 2),
    ("sin x", lambda x, sin: sin(x), 0.0, 3),
    ("x⁴", lambda x, sin: x * x * x * x, -1.5, 3),
    ("sin x", lambda x, sin: sin(x), 0.7, 4),
    ("x sin(x²) − 3x", lambda x, sin: x * sin(x * x) - 3.0 * x, 0.8, 3),
    ("sin(sin x) + 2", lambda x, sin: sin(sin(x)) + 2.0, -1.2, 2),
    ("x²", lambda x, sin: x * x, 2.0, 3),
]


def by_cauchy(f: Callable, x: float, n: int) -> float:
    """f⁽ⁿ⁾(x) = n!/(2πi) ∮ f(z)/(z − x)ⁿ⁺¹ dz, on 64 points of a circle."""
    arm = 0.5 * np.exp(2j * np.pi * np.arange(64) / 64)
    return float(math.factorial(n) * np.mean(f(x + arm) / arm**n).real)


@asks(
    function("program, x, n"),
    "the n-th derivative of program(x, sin)",
    example="lambda program, x, n: program(x, np.sin)",
)
def ex_04_twice(nth: Callable) -> str:
    """f⁽ⁿ⁾(x) of programs of sums, differences, products and sines; Cauchy's integral is the oracle."""
    for words, f, x, n in SINES:
        exact = by_cauchy(lambda z, f=f: f(z, np.sin), x, n)
        came, at = nth(Given(words, f), x, n), {"program": words, "x": x, "n": n}
        compare(came, exact, at, "Cauchy's integral on a circle says", rtol=1e-9, atol=1e-9)
    return f"{len(SINES)} programs, up to the fourth derivative"


@asks(ANYTHING, "a class of nodes: Fixed(9.0).value is 9", example="Node")
def ex_04_inplace(Fixed: Any) -> str:
    """An assignment to node.value raises, and the value stays."""
    node = called(Fixed, 9.0, names=["value"])
    with trying("reading the value of Fixed(9.0)"):
        made = node.value
    compare(made, 9.0, says="it was made with", what="the value of Fixed(9.0)")
    try:
        node.value = 18.0
    except Exception:  # the answer chooses with which
        compare(node.value, 9.0, says="it was", what="after the refused change the value")
        return "a change of a value is refused, and the value stays"
    raise NotYet(
        "at Fixed(9.0): `node.value = 18.0` is not refused, so a pass may read the new value"
    )


def random_uses(chance: random.Random, length: int) -> dict[int, list[int]]:
    """Which earlier lines each line uses; the first three use none."""
    return {
        i: chance.choices(range(i), k=chance.randint(1, 2)) if i > 2 else [] for i in range(length)
    }


def between(uses: dict[int, list[int]], inputs: list[int], output: int) -> set[int]:
    """The lines on a path from an input to the output, by the closure of a matrix of paths."""
    count = len(uses)
    paths = np.eye(count, dtype=bool)
    for i in range(count):  # in order of creation: what i uses is known
        for j in uses[i]:
            paths[i] |= paths[j]
    return {i for i in range(count) if paths[output, i] and paths[i, inputs].any()}


@asks(
    function("uses, inputs, output"),
    "the set of lines that the pass must visit",
    example="lambda uses, inputs, output: set(uses)",
)
def problem_04_between(f: Callable) -> str:
    """The lines that an input reaches and that reach the output, without walking every path."""
    chance = random.Random(4)
    for length in [4, 6, 9] * 12:
        uses, inputs = random_uses(chance, length), chance.sample(range(3), chance.randint(1, 2))
        came, wanted = called_set(f, uses, inputs, length - 1), between(uses, inputs, length - 1)
        demand(
            came == wanted,
            f"at uses = {uses}, inputs = {inputs}, output = {length - 1}: {compared(came, wanted)}",
        )
    count = 4000  # 2^4000 paths, and a chain deeper than Python's recursion goes
    ladder = {i: [i - 1, i - 1] if i else [] for i in range(count)}
    came = called_set(f, ladder, [0], count - 1)
    demand(came == set(ladder), f"a chain of {count} squares: {compared(came, set(ladder))}")
    return f"36 random lists and a chain of {count} squares"


def called_set(f: Callable, uses: dict[int, list[int]], inputs: list[int], output: int) -> set:
    """What f returns as a set. A long list is not shown in the message of an error."""
    came = f({line: list(used) for line, used in uses.items()}, list(inputs), output)
    try:
        return set(map(index, came))
    except TypeError:
        raise NotYet(f"a set of line numbers is expected, yours is {shown(came)}") from None


def compared(came: set, wanted: set) -> str:
    """What is missing and what is too much."""
    missing, more = sorted(wanted - came)[:5], sorted(came - wanted)[:5]
    found = [f"your set lacks {missing}"] * bool(missing) + [f"your set has {more}"] * bool(more)
    return " and ".join(found) + f", where {len(wanted)} lines lie between"
