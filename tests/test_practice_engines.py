"""The exercises of chapters 4 to 6, checked: right answers, and the tempting wrong ones."""

import numpy as np

from companion.engines import Jet, arctan, derivatives, sin
from companion.practice import check


def says(label: str, answer: object) -> str:
    return str(check(label, answer))


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
    nth = lambda program, x, n: derivatives(lambda t: program(t, sin), x, n)[n]
    assert check("ex-04-twice", nth)
    by_hand = lambda program, x, n: 12 * x * x if n == 2 else -np.cos(x)
    assert "at program = x⁴, x = -1.5, n = 3: your answer is -0.0707372, Cauchy's" in says(
        "ex-04-twice", by_hand
    )
    once = lambda program, x, n: nth(program, x, min(n, 2))
    assert "at program = sin x, x = 0, n = 3: your answer is 0" in says("ex-04-twice", once)


def by_difference(program, x, n, h=1e-3):  # three or four digits
    points = x + h * (np.arange(n + 1) - n / 2)
    return np.diff([program(z, np.sin) for z in points], n)[0] / h**n


def test_04_twice_is_more_exact_than_a_difference() -> None:
    said = says("ex-04-twice", by_difference)
    assert (
        "at program = x⁴, x = 3, n = 2: your answer is 108, " in said and "they differ by" in said
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
    at_once = lambda product, g: np.linalg.solve(product(np.eye(len(g))), g)
    assert "raises ValueError: product takes one vector (3,), and was given (3, 3)" in says(
        "ex-05-newton", at_once
    )


def conjugate_gradients_in_place(product, g):
    s, p, rr = np.zeros_like(g), g.copy(), g @ g
    while np.sqrt(rr) > 1e-10:
        Hp = product(p)
        step = rr / (p @ Hp)
        s += step * p
        g -= step * Hp  # the residual, in the place of g
        rr, old = g @ g, rr
        p = g + rr / old * p
    return s


def test_an_answer_that_changes_its_input_is_right_all_the_same() -> None:
    assert check("ex-05-newton", conjugate_gradients_in_place)


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
    assert "c: yours is (8,), and by the law" in says("ex-05b-shapes", right | {"c": (8,)})


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


def without_end(step, adjoint, start, n):
    while True:
        start = step(start)


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
    assert "at n = 1: yours takes 51 steps, and does not end" in says(
        "problem-05b-memory", without_end
    )


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
    assert "at order = 8: your answer is 'y', and real numbers are expected" in says(
        "ex-06-oscillator", lambda order: "y"
    )


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
