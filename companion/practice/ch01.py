"""Chapter 1, finite differences: what an answer to its exercises must satisfy."""

from collections.abc import Callable

import numpy as np

from companion.practice.answers import NUMBER, asks, function, numbers_of, parts, trying
from companion.practice.verdicts import STEP, agree, compare, demand


@asks(function("x, h"), "the error of the forward difference of x³", example="lambda x, h: x * h")
def ex_01_cube(error: Callable) -> str:
    """((x + h)³ − x³)/h − 3x² = 3xh + h²."""
    points = [(2.0, 0.25), (-1.0, 0.5), (0.0, 1.0), (3.0, 2.0**-10)]
    for x, h in points:
        wanted = ((x + h) ** 3 - x**3) / h - 3 * x**2
        compare(error(x, h), wanted, {"x": x, "h": h}, "the quotient minus 3x² is")
    return f"{len(points)} points and steps tried"


@asks(parts(step=NUMBER, error=NUMBER), example='{"step": 1e-2, "error": 1e-4}')
def ex_01_float32(answer: dict[str, float]) -> str:
    """a h² + b/h with a = f‴/6 = 1/24 and b = ε |f|, at x1 = 2."""
    epsilon, value = 2.0**-23, np.log(2) + 10 - np.sin(5)
    step, error = answer["step"], answer["error"]
    demand(step > 0 and error > 0, f"a step and an error are positive; yours are {step}, {error}")
    root = epsilon ** (1 / 3)
    demand(
        not 0.7 < step / root < 1.4,
        f"{step:.1e} is the root of ε alone: the factor of f and its third derivative is missing",
    )
    demand(
        step > 1e-3, f"with the step {step:.1e} float32 rounds most of the digits away: is ε 2⁻²³?"
    )
    a, b = 1 / 24, epsilon * value
    best = (b / (2 * a)) ** (1 / 3)
    agree(step, best, "a h² + b/h is least there, a = |f‴|/6 and b = ε |f|", "your step", 0.05)
    lowest = a * best**2 + b / best
    agree(error, lowest, "both terms of a h² + b/h count, at that step", "your error", 0.05)
    return "step and error are those of the full formula"


@asks(numbers_of("w−2", "w−1", "w0", "w1", "w2"), example="[0, -1, 0, 1, 0]")
def ex_01_five_points(weights: np.ndarray) -> str:
    """Of the points −2 ... 2, in units of h/2: the weights differentiate the powers 1 to u⁴ at 0."""
    offsets = np.arange(-2, 3)
    for power in range(5):
        came, wanted = weights @ offsets**power, float(power == 1)
        at = {"f": f"u^{power}"} if power else {"f": "1"}
        compare(
            came,
            wanted,
            at,
            "the slope at u = 0 is",
            what="the sum of your weights times f",
            rtol=1e-6,
            atol=1e-6,
        )
    return "five powers of u tried"


@asks(function("x"), "soft, for real and complex x", example="lambda x: x**2")
def ex_01_complex_branch(f: Callable) -> str:
    """soft(x) at a real x, and soft′(x) from the imaginary part at x + ih."""
    points = [2.0, 0.5, 1.5, 4.0, -1.0, 3.5]
    for x in points:
        value = np.sqrt(x) + abs(x - 3) ** 3 if x > 1 else x**2
        slope = 1 / (2 * np.sqrt(x)) + 3 * (x - 3) * abs(x - 3) if x > 1 else 2 * x
        compare(f(x), value, {"x": x}, "soft is")
        with trying(f"at x = {x:g} + {STEP:g}i: what your function returns"):
            moved = complex(f(complex(x, STEP)))
        compare(moved.real, value, {"x": x}, "soft is", what="the real part of yours")
        came = moved.imag / STEP
        compare(came, slope, {"x": x}, "the derivative is", what="the complex step through yours")
    return f"{len(points)} points tried, on both sides of 1 and of 3"


FUNCTIONS = (  # name, f, f″, where
    ("exp(x)", np.exp, np.exp, -0.5),
    ("sin(x)", np.sin, lambda x: -np.sin(x), 2.0),
    ("log(x)", np.log, lambda x: -1 / x**2, 2.0),
    ("1/(1 + x²)", lambda x: 1 / (1 + x * x), lambda x: (6 * x * x - 2) / (1 + x * x) ** 3, 1.5),
)


@asks(function("f, x"), "the second derivative of f at x", example="lambda f, x: f(x)")
def problem_01_eight(second: Callable) -> str:
    """f″(x) to ten digits, from at most eight evaluations of f, real or complex."""
    for name, f, exactly, x in FUNCTIONS:
        calls = 0

        def counted(z: complex, f: Callable = f) -> complex:
            nonlocal calls
            calls += np.size(z)
            return f(z)

        came, at = second(counted, x), {"f": name, "x": x}
        if isinstance(came, complex) and abs(came.imag) < 1e-9:  # rounding of a sum round a circle
            came = came.real
        compare(came, exactly(x), at, "the second derivative is", rtol=1e-10)
        demand(
            calls <= 8, f"at f = {name}: your formula evaluates f {calls} times, eight are allowed"
        )
    return f"{len(FUNCTIONS)} functions, each to ten digits"
