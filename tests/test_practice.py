"""check: what it says of right and wrong answers; and the exercises of chapters 1 to 6, solved wrong and right."""

import json
import subprocess
import sys
from math import factorial
from pathlib import Path

import numpy as np
import pytest

from companion.engines import Dual, Jet, arctan, derivative, derivatives
from companion.practice import check
from companion.practice.answers import ANYTHING, NUMBER, asks, numbers_of, one_of, parts
from companion.practice.checking import asked, labels
from companion.practice.verdicts import NotYet, compare, numbers, shown

ROOT = Path(__file__).parent.parent
PART_ONE = [label for label in labels() if label.split("-")[1][:2] < "07"]


def says(label: str, answer: object) -> str:
    return str(check(label, answer))


# ---------------------------------------------------------------- check itself


def test_a_verdict_can_be_asserted_and_read() -> None:
    right, wrong = check("ex-04-adjoints", [8, 3, 3, 1]), check("ex-04-adjoints", [8, 3, 3, 2])
    assert right and str(right) == "right: four adjoints"
    assert not wrong and str(wrong) == "not yet: your v̄4 is 2, the backward pass says 1"


def test_what_is_no_function_is_said_with_an_example() -> None:
    assert says("ex-04-rules", 3.0) == (
        "not yet: ex-04-rules wants a function f(x1, x2) → the gradient of √x1 / x2, two numbers; "
        'yours is 3, which cannot be called. As in check("ex-04-rules", lambda x1, x2: [x1, x2])'
    )


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x1: x1, "yours takes other arguments: (x1). As in check("),
        (
            lambda x1, x2: 1 / 0,
            "at x1 = 2, x2 = 5: your function raises ZeroDivisionError: division",
        ),
        (
            lambda x1, x2: None,
            "at x1 = 2, x2 = 5: your function returns None: is its `return` miss",
        ),
        (lambda x1, x2: "two", "at x1 = 2, x2 = 5: your answer is 'two', and real numbers are exp"),
        (
            lambda x1, x2: 1j,
            "at x1 = 2, x2 = 5: your answer is 0+1j, and real numbers are expected",
        ),
        (
            lambda x1, x2: [[1, 2]],
            "your answer has the shape (1, 2), and (2,) is expected: your an",
        ),
        (
            lambda x1, x2: (np.nan, 0),
            "at x1 = 2, x2 = 5: your answer is (nan, 0), the complex step",
        ),
    ],
)
def test_an_answer_of_the_wrong_kind_is_said_and_nothing_is_raised(f, words: str) -> None:
    assert says("ex-04-rules", f).startswith("not yet: ")
    assert words in says("ex-04-rules", f)


@pytest.mark.parametrize("label", PART_ONE)
def test_the_dots_of_a_blank_are_your_turn(label: str) -> None:
    assert says(label, ...).startswith(f"your turn: {label} wants ")
    assert says(label, {"step": ..., "error": 1}).startswith(f"your turn: {label} wants ")


def test_a_function_that_returns_dots_is_not_begun() -> None:
    assert says("ex-04-rules", lambda x1, x2: ...).startswith("your turn: ")


@pytest.mark.parametrize("label", PART_ONE)
def test_the_example_of_an_exercise_is_of_the_right_kind(label: str) -> None:
    exercise = asked(label)
    scope = {"np": np, "Node": lambda value: None, "Field": object}
    assert not check(label, eval(exercise.example, scope)).words.startswith(
        f"not yet: {label} wants"
    )


@pytest.mark.parametrize(
    ("label", "near"),
    [("ex-04-rule", "ex-04-rules"), ("ex-4-rules", "ex-04-rules"), (len, "ex-0")],
)
def test_an_unknown_label_names_the_nearest(label, near: str) -> None:
    with pytest.raises(ValueError, match=f"Write the label first.*The nearest labels: .*{near}"):
        check(label, 1)


def test_a_label_that_is_known_has_its_file_and_its_function() -> None:
    assert len(set(labels())) == len(labels()) > 20
    assert all(asked(label).wants for label in PART_ONE)


def test_an_object_that_fails_is_reported() -> None:
    class Sealed:
        def __init__(self, value):
            pass

    assert says("ex-04-inplace", Sealed).startswith(
        "not yet: trying your answer raises AttributeError: 'Sealed' object has no attribute 'value'"
    )


# ---------------------------------------------------------------- kinds and comparisons


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        (NUMBER, "3", "yours is '3'"),
        (NUMBER, True, "yours is True"),
        (NUMBER, [1, 2], r"yours is \(1, 2\)"),
        (numbers_of("a", "b"), [1, 2, 3], r"yours is \(1, 2, 3\)"),
        (one_of("rows", "columns"), "diagonal", "yours is 'diagonal'"),
        (parts(step=NUMBER), 3, "yours is 3"),
        (parts(step=NUMBER), {"h": 1}, "yours has the names 'h'"),
        (parts(step=NUMBER), {"step": "1"}, "of \"step\", yours is '1'"),
    ],
)
def test_a_kind_refuses(kind, answer, words: str) -> None:
    with pytest.raises(NotYet, match=words):
        kind.take(answer)


def test_a_kind_takes() -> None:
    assert parts(step=NUMBER, way=one_of("a", "b")).take({"step": np.float32(2), "way": "b"}) == {
        "step": 2.0,
        "way": "b",
    }
    assert ANYTHING.take(len) is len
    assert asks(ANYTHING, "a class", example="int")(lambda answer: "").wants == "a class"


def test_a_difference_that_six_digits_hide_is_named() -> None:
    with pytest.raises(
        NotYet, match=r"at x = 2: your answer is 1, it is 1 \(they differ by 1e-08\)"
    ):
        compare(1 + 1e-8, 1.0, {"x": 2.0}, "it is")
    compare(1 + 1e-8, 1.0, rtol=1e-7)


@pytest.mark.parametrize("answer", ["one", [[1], [2, 3]], object(), {"a": 1}])
def test_what_is_no_number_is_refused(answer) -> None:
    with pytest.raises(NotYet, match="real numbers are expected"):
        numbers(answer)


def test_values_are_shown_short() -> None:
    assert shown(np.eye(2)) == "((1, 0), (0, 1))"
    assert shown([0.1] * 9) == "(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, …)"
    assert shown({i: i for i in range(99)}).endswith("…")


# ---------------------------------------------------------------- without torch


def test_part_one_is_checked_without_torch() -> None:
    code = (
        "import json, sys, companion.practice\n"
        f"for label in {PART_ONE}: companion.practice.check(label, ...)\n"
        "print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True
    )
    tops = set(json.loads(done.stdout))
    assert "numpy" in tops and not tops & {"torch", "scipy", "sympy", "matplotlib"}


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
    assert "your formula evaluates f 16 times" in says(
        "problem-01-eight", lambda f, x: cauchy(f, x, 16)
    )
    three = lambda f, x: (f(x + 1e-4) - 2 * f(x) + f(x - 1e-4)) / 1e-8
    assert "at f = exp(x), x = 1: your answer is 2.71828" in says("problem-01-eight", three)


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
    assert "is 0.52, the quotient" in says("ex-03-by-hand", {"product": 13, "quotient": 0.52})


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


def test_03_columns() -> None:
    assert check("ex-03-columns", jvp_many)
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


# ---------------------------------------------------------------- chapter 4


def test_04_adjoints() -> None:
    assert "the share of v4 alone" in says("ex-04-adjoints", [5, 3, 3, 1])
    assert "the share of v3 alone" in says("ex-04-adjoints", [3, 3, 3, 1])


def test_04_rules() -> None:
    assert check("ex-04-rules", lambda a, b: (0.5 / a**0.5 / b, -(a**0.5) / b**2))
    without_minus = lambda a, b: (0.5 / a**0.5 / b, a**0.5 / b**2)
    assert says("ex-04-rules", without_minus) == (
        "not yet: at x1 = 2, x2 = 5: your answer is (0.0707107, 0.0565685), "
        "the complex step says (0.0707107, -0.0565685)"
    )


def test_04_twice() -> None:
    assert check("ex-04-twice", lambda x: (12 * x * x, -np.cos(x)))
    assert "at x = 3: your answer is (108, 0), by hand they are (108, 0.989992)" in says(
        "ex-04-twice", lambda x: (12 * x * x, 0.0)
    )


class Node:
    def __init__(self, value):
        self.value = value


class Fixed(Node):
    def __setattr__(self, name, value):
        if name in self.__dict__:
            raise AttributeError(f"{name} is given once")
        super().__setattr__(name, value)


class Warned(Node):  # it complains too late
    def __setattr__(self, name, value):
        again = name in self.__dict__
        super().__setattr__(name, value)
        if again:
            raise AttributeError("too late")


def test_04_inplace() -> None:
    assert check("ex-04-inplace", Fixed)
    assert "`node.value = 18.0` is not refused" in says("ex-04-inplace", Node)
    assert "after the refused change the value is 18, it was 9" in says("ex-04-inplace", Warned)


def between(uses, inputs, output):
    reached, needed = set(inputs), {output}
    for i in sorted(uses):
        reached |= {i} if reached & set(uses[i]) else set()
    for i in sorted(uses, reverse=True):
        needed |= set(uses[i]) if i in needed else set()
    return reached & needed


def by_recursion(uses, inputs, output):
    reached = between(uses, inputs, output)
    up = lambda i: {i}.union(*map(up, set(uses[i])))
    return reached & up(output)


def all_above(uses, inputs, output):
    return {i for i in uses if i in between(uses, [0, 1, 2], output)}


def test_04_between() -> None:
    assert check("problem-04-between", between)
    assert "your set has [" in says("problem-04-between", all_above)
    assert "your set lacks [" in says("problem-04-between", lambda u, i, o: between(u, i, o) - {o})
    assert "raises RecursionError" in says("problem-04-between", by_recursion)


# ---------------------------------------------------------------- chapter 5


def test_05_diff() -> None:
    padded = lambda g: np.concatenate([[0.0], g]) - np.concatenate([g, [0.0]])
    assert check("ex-05-diff", padded)
    assert "x̄ has the shape (2,), and x has (3,)" in says("ex-05-diff", np.cumsum)
    inner = lambda g: np.concatenate([[0.0], -np.diff(g), [0.0]])
    assert "at entries = 2: ⟨x̄, ẋ⟩ of yours" in says("ex-05-diff", inner)


def test_05_choose() -> None:
    right = {"curve": "columns", "loss": "rows", "entrywise": "neither"}
    assert check("ex-05-choose", right)
    assert "the Jacobian is diagonal" in says("ex-05-choose", right | {"entrywise": "rows"})
    assert "of \"loss\", yours is 'row'" in says("ex-05-choose", right | {"loss": "row"})


def conjugate_gradients(product, g):
    s, r = np.zeros_like(g), g.copy()
    p, rr = r.copy(), r @ r
    for k in range(200):
        if np.sqrt(rr) <= 1e-12 * np.linalg.norm(g):
            return s, k
        Hp = product(p)
        step = rr / (p @ Hp)
        s, r = s + step * p, r - step * Hp
        rr, old = r @ r, rr
        p = r + rr / old * p
    return s, 200


def test_05_newton() -> None:
    assert check("ex-05-newton", conjugate_gradients)
    whole = lambda product, g: np.linalg.solve([product(e) for e in np.eye(len(g))], g)
    assert "at size 200: yours takes 200 products" in says("ex-05-newton", whole)
    assert "at size = 3: your answer is" in says("ex-05-newton", lambda product, g: product(g))


def softmax_gradient(z, t, shift=True):
    e = np.exp(z - shift * z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) - np.eye(z.shape[1])[t]


def test_05_softmax() -> None:
    assert check("ex-05-softmax", softmax_gradient)
    assert "your answer is ((-1, nan)), prob" in says(
        "ex-05-softmax", lambda z, t: softmax_gradient(z, t, False)
    )


def bands(product, n):
    J = np.zeros((n, n))
    for first in range(3):
        together = np.arange(n) % 3 == first
        column = product(together.astype(float))
        for j in np.flatnonzero(together):
            J[max(j - 1, 0) : j + 2, j] = column[max(j - 1, 0) : j + 2]
    return J


def test_05_bands() -> None:
    assert check("problem-05-bands", bands)
    columns = lambda product, n: np.array([product(e) for e in np.eye(n)]).T
    assert "at n = 4: yours takes 4 products, three are allowed" in says(
        "problem-05-bands", columns
    )


# ---------------------------------------------------------------- chapter 5b


def test_05b_shapes() -> None:
    right = {"W": (6, 4), "b": [4], "c": (8, 1)}
    assert check("ex-05b-shapes", right)
    assert "before the copies are added up" in says("ex-05b-shapes", right | {"b": (8, 4)})
    assert "c: yours is (8,), and the law" in says("ex-05b-shapes", right | {"c": (8,)})


def test_05b_slopes() -> None:
    assert check("ex-05b-slopes", lambda x: np.sin(x) + 0.15)
    assert "the slope of yours is" in says("ex-05b-slopes", np.cos)
    assert "has the shape (61,)" in says("ex-05b-slopes", lambda x: np.sin(x)[:, 0])
    assert "yours moves by 0.3" in says("ex-05b-slopes", lambda x: np.sin(x) + 0.05 * x)


def kept(step, adjoint, start, n):
    states, bar = [start], 1.0
    for _ in range(n - 1):
        states.append(step(states[-1]))
    while states:
        bar = adjoint(states.pop(), bar)
    return bar


def from_the_start(step, adjoint, start, n):
    bar = 1.0
    for k in reversed(range(n)):
        state = start
        for _ in range(k):
            state = step(state)
        bar = adjoint(state, bar)
    return bar


def by_stretches(step, adjoint, start, n, stretch=20):
    marks, state, bar = [start], start, 1.0
    for k in range(1, n):
        state = step(state)
        marks += [state] if k % stretch == 0 else []
    for first in reversed(range(0, n, stretch)):
        bar = kept_from(step, adjoint, marks.pop(), min(stretch, n - first), bar)
    return bar


def kept_from(step, adjoint, start, n, bar):
    return bar * kept(step, adjoint, start, n)


def test_05b_memory() -> None:
    assert check("problem-05b-memory", by_stretches)
    assert "at n = 400: yours keeps 400 states at once" in says("problem-05b-memory", kept)
    assert "at n = 10: yours takes 45 steps" in says("problem-05b-memory", from_the_start)


# ---------------------------------------------------------------- chapter 6


def test_06_by_hand() -> None:
    assert check("ex-06-by-hand", {"product": [2, 3, 5], "second": 10})
    assert "coefficient by coef" in says("ex-06-by-hand", {"product": [2, -2, 3], "second": 10})
    assert "the coefficient of t²" in says("ex-06-by-hand", {"product": [2, 3, 5], "second": 5})


def test_06_arctan() -> None:
    assert check("ex-06-arctan", lambda u: arctan(Jet(u)).coefficients)
    outside = lambda u: [np.arctan(u[0]), *(c / (1 + u[0] ** 2) for c in u[1:])]
    assert "at u = (0, 1, 0, 0): your answer is (0, 1, 0, 0), Cauchy" in says(
        "ex-06-arctan", outside
    )


def mixed(f, x1, x2, factor=4):
    g = derivatives(lambda t: f(x1 + t, x2 + t), 0.0, 2)[2]
    h = derivatives(lambda t: f(x1 + t, x2 - t), 0.0, 2)[2]
    return (g - h) / factor


def test_06_mixed() -> None:
    assert check("ex-06-mixed", mixed)
    half = says("ex-06-mixed", lambda f, x1, x2: mixed(f, x1, x2, 2))
    assert "at f = x1 x2, x1 = 2, x2 = 5: your answer is 2, by hand it is 1" in half


def oscillator(order):
    y, slope, h = 0.0, 1.0, 20 * np.pi / 63
    for _ in range(63):
        u = [y, slope]
        for k in range(order - 1):
            u.append(-u[k] / ((k + 1) * (k + 2)))
        y = sum(c * h**k for k, c in enumerate(u))
        slope = sum(k * c * h ** (k - 1) for k, c in enumerate(u) if k)
    return y, slope


def test_06_oscillator() -> None:
    assert check("ex-06-oscillator", oscillator)
    assert "at order = 8: the error of yours is 0e+00; a series cut" in says(
        "ex-06-oscillator", lambda order: (0.0, 1.0)
    )
    assert "is the error in y or in y′?" in says(
        "ex-06-oscillator", lambda order: (oscillator(order)[0], 0.0)
    )
    assert "y and y′ are expected" in says("ex-06-oscillator", lambda order: oscillator(order)[0])


def by_recurrence(c):
    """The coefficients as a recurrence of order 2, fitted to the last twenty."""
    c = np.array(c[-22:]) / np.abs(c[-22:]).max()
    scale = np.exp(np.polyfit(np.arange(22), np.log(np.abs(c) + 1e-300), 1)[0]) if all(c) else 1.0
    c = c / scale ** np.arange(22)
    a, b = np.linalg.lstsq(np.stack([c[1:-1], c[:-2]], 1), c[2:], rcond=None)[0]
    return 1 / (scale * np.abs(np.roots([1.0, -a, -b])).max())


def test_06_radius() -> None:
    assert check("problem-06-radius", by_recurrence)
    assert "at c = of 1/(1 + x²) at 1/2: " in says(
        "problem-06-radius", lambda c: abs(c[-2] / c[-1]) if c[-1] else 1.0
    )
    by_root = lambda c: 1.118 if c[0] == 0.8 else abs(c[-1]) ** (-1 / 60)
    assert "at c = of −log(1 − x/1.3) at 0: your radius is 1.39" in says(
        "problem-06-radius", by_root
    )
