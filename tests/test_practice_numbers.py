"""The exercises of chapters 1 to 3, checked: right answers, and the tempting wrong ones."""

from math import factorial

import numpy as np

from companion.engines import Dual, derivative
from companion.practice import check


def says(label: str, answer: object) -> str:
    return str(check(label, answer))


# ---------------------------------------------------------------- chapter 1


def test_01_cube() -> None:
    assert check("ex-01-cube", lambda x, h: 3 * x * h + h**2)
    leading = says("ex-01-cube", lambda x, h: 3 * x * h)
    assert (
        leading
        == "not yet: at x = 2, h = 0.25: your answer is 1.5, the quotient minus 3x² is 1.5625"
    )


def test_01_float32() -> None:
    assert check("ex-01-float32", {"step": 2.6e-2, "error": 8.2e-5})
    assert "is the root of ε alone" in says("ex-01-float32", {"step": 4.9e-3, "error": 2.4e-5})
    assert "is ε 2⁻²³?" in says("ex-01-float32", {"step": 3e-5, "error": 1e-9})
    assert "your error is 2e-05" in says("ex-01-float32", {"step": 2.6e-2, "error": 2e-5})
    without_the_six = {"step": 2.6e-2 * 0.5 ** (1 / 3), "error": 8.2e-5 * 2 ** (1 / 3)}
    assert "your step is 0.0206" in says("ex-01-float32", without_the_six)
    rounding_alone = {"step": 2.6e-2, "error": 5.4e-5}
    assert "your error is 5.4e-05, which is too small: both terms" in says(
        "ex-01-float32", rounding_alone
    )
    assert "are positive" in says("ex-01-float32", {"step": -1, "error": 2e-5})


def test_01_five_points() -> None:
    weights = np.array([1, -8, 0, 8, -1]) / 12
    assert check("ex-01-five-points", weights)
    assert "at f = u^3: " in says("ex-01-five-points", [0, -0.5, 0, 0.5, 0])
    assert "at f = u^1: the sum of your weights times f is 2" in says(
        "ex-01-five-points", 2 * weights
    )


def soft(x):
    return np.sqrt(x) + np.abs(x - 3) ** 3 if np.real(x) > 1 else x**2


def soft_analytic(x):
    gap = x - 3 if np.real(x) > 3 else 3 - x
    return np.sqrt(x) + gap**3 if np.real(x) > 1 else x**2


def test_01_complex_branch() -> None:
    assert check("ex-01-complex-branch", soft_analytic)
    assert (
        "at x = 2: the complex step through yours is 0.353553, the derivative is -2.64645"
        in says("ex-01-complex-branch", soft)
    )
    plain = lambda x: x**0.5 + abs(x - 3) ** 3 if x > 1 else x**2
    assert "x = 2+1e-30j: your function raises TypeError: '>'" in says(
        "ex-01-complex-branch", plain
    )


def cauchy(f, x, count=8, radius=0.1):
    turns = np.exp(2j * np.pi * np.arange(count) / count)
    return 2 * np.mean(f(x + radius * turns) / turns**2).real / radius**2


def test_01_eight() -> None:
    assert check("problem-01-eight", cauchy)
    assert "at f = exp(x), x = -0.5: your answer is 0.606531+1j" in says(
        "problem-01-eight", lambda f, x: cauchy(f, x) + 1j
    )
    assert "your formula evaluates f 16 times" in says(
        "problem-01-eight", lambda f, x: cauchy(f, x, 16)
    )
    three = lambda f, x: (f(x + 1e-4) - 2 * f(x) + f(x - 1e-4)) / 1e-8
    assert "at f = exp(x), x = -0.5: your answer is 0.606531" in says("problem-01-eight", three)


# ---------------------------------------------------------------- chapter 2


def test_02_squares_and_product() -> None:
    assert check("ex-02-squares", {"tree": 1023, "lines": 10})
    assert "a product joins two" in says("ex-02-squares", {"tree": 1024, "lines": 10})
    assert check("ex-02-product", {"tree": 2, "lines": 1})
    assert "about k factors of its own" in says("ex-02-product", {"tree": 1, "lines": 1})
    assert "they are lines already" in says("ex-02-product", {"tree": 2, "lines": 2})


def test_02_sinc() -> None:
    assert check("ex-02-sinc", lambda x: -x / 3 + x**3 / 30 - x**5 / 840 + x**7 / 45360)
    formula = lambda x: np.cos(x) / x - np.sin(x) / x**2
    assert "at x = 1e-05: " in says("ex-02-sinc", formula)


def by_turns(a, turns):
    root, slope = 1.0, 0.0
    for _ in range(turns):
        root, slope = (root + a / root) / 2, (slope + (1 - a / root * slope) / root) / 2
    return slope


def test_02_division() -> None:
    assert check("ex-02-division", by_turns)
    assert "at a = 2, turns = 1: " in says("ex-02-division", lambda a, turns: 0.5 / a**0.5)


def dip(x):
    if abs(x) < 0.5:
        return sum(
            (-1) ** k * 2 * k * x ** (2 * k - 1) / factorial(2 * k + 2) for k in range(1, 12)
        )
    half = np.sin(x / 2)
    return 2 * half * np.cos(x / 2) / x**2 - 4 * half**2 / x**3


def test_02_dip() -> None:
    assert check("problem-02-dip", dip)
    formula = lambda x: np.sin(x) / x**2 - 2 * (1 - np.cos(x)) / x**3
    assert "at x = 1e-08: " in says("problem-02-dip", formula)
    switched = lambda x: dip(x) if abs(x) < 0.01 else formula(x)
    assert "at x = 0.01: " in says("problem-02-dip", switched)


# ---------------------------------------------------------------- chapter 3


def test_03_by_hand() -> None:
    assert check("ex-03-by-hand", {"product": 13, "quotient": 0.68})
    assert "−3 ε² is zero" in says("ex-03-by-hand", {"product": -3, "quotient": 0.68})
    assert "do not divide each other" in says("ex-03-by-hand", {"product": 13, "quotient": -3})
    assert "is 0.52, which is too small: multiply top" in says(
        "ex-03-by-hand", {"product": 13, "quotient": 0.52}
    )


def test_03_arctan() -> None:
    assert check("ex-03-arctan", lambda x, dx: (np.arctan(x), dx / (1 + x * x)))
    assert "at x = 3, dx = 1: " in says(
        "ex-03-arctan", lambda x, dx: (np.arctan(x), dx / (1 + x) if x else dx)
    )
    assert "at x = -0.5, dx = 2: " in says(
        "ex-03-arctan", lambda x, dx: (np.arctan(x), 1 / (1 + x * x))
    )


def jvp_many(F, xs, vs):
    ys = [y if isinstance(y, Dual) else Dual(y, 0.0) for y in F(*map(Dual, xs, vs))]
    return [y.primal for y in ys], [y.tangent for y in ys]


def without_lift(F, xs, vs):
    ys = F(*map(Dual, xs, vs))
    return [y.primal for y in ys], [y.tangent for y in ys]


def by_quotients(F, xs, vs, h=1e-6):
    above, below = (F(*[x + s * v for x, v in zip(xs, vs)]) for s in (h, -h))
    return F(*xs), [(a - b) / (2 * h) for a, b in zip(above, below)]


def test_03_columns() -> None:
    assert check("ex-03-columns", jvp_many)
    assert "(they differ by " in says("ex-03-columns", by_quotients)
    assert "vs = (0, 1): your function raises AttributeError" in says("ex-03-columns", without_lift)
    assert "at F = [a b, a + b c², 3a − c], " in says(
        "ex-03-columns", lambda F, xs, vs: (F(*xs), F(*vs))
    )


def logistic(r, K, y, steps=50, order=4):
    slope, h = lambda y: r * y * (1 - y / K), 5 / steps
    for _ in range(steps):
        k1 = slope(y)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + h / 2 * k2)
        k4 = slope(y + h * k3)
        y = y + (h / 6 * (k1 + 2 * k2 + 2 * k3 + k4) if order == 4 else h * k1)
    return y


def sensitivities(*point, order=4):
    seeds = np.eye(3).tolist()
    return logistic(*[Dual(p, *seed) for p, seed in zip(point, seeds)], order=order).tangents


def test_03_sensitivity() -> None:
    assert check("ex-03-sensitivity", lambda r, K, y0: sensitivities(r, K, y0))
    sizes = lambda r, K, y0: np.abs(sensitivities(r, K, y0))
    assert "at r = 0.4, K = 3, y0 = 5: your answer is (0" in says("ex-03-sensitivity", sizes)
    euler = says("ex-03-sensitivity", lambda r, K, y0: sensitivities(r, K, y0, order=1))
    assert "at r = 0.9, K = 10, y0 = 0.5: " in euler


def through_newton(g, x, p):
    """Newton's method on dual numbers, which stops when the value is good enough."""
    x = x + 0 * Dual(p, 1.0)
    while abs(g(x, Dual(p, 1.0)).primal) > 1e-12:
        x = x - g(x, Dual(p, 1.0)) / derivative(lambda x: g(x, p))(x.primal)
    return x.primal, x.tangent


def by_the_equation(g, x, p):
    for _ in range(40):
        x = x - g(x, p) / derivative(lambda x: g(x, p))(x)
    return x, -derivative(lambda p: g(x, p))(p) / derivative(lambda x: g(x, p))(x)


def test_03_root() -> None:
    assert check("problem-03-root", by_the_equation)
    stopped = says("problem-03-root", through_newton)
    assert "at g = x² − p, start = 1, p = 1: the slope of g along your root is -1" in stopped
    assert "g at your root is 0.25, it should be 0" in says(
        "problem-03-root", lambda g, x, p: (x, 0)
    )
    assert "your root is -1.41421, and the one near the start is positive" in says(
        "problem-03-root", lambda g, x, p: by_the_equation(g, -1 - x, p)
    )
    assert "start = 1.5, p = 2: two numbers are expected, yours is 1.5" in says(
        "problem-03-root", lambda g, x, p: x
    )
