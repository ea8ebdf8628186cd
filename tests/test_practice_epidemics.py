"""The exercises of chapters 16 to 17b, solved wrong and right; each wrong answer is the tempting one.

Of those of chapters 18 to 19, which are solved in test_practice_scale.py: the examples.
"""

import math

import numpy as np
import pytest
from scipy.optimize import brentq, least_squares

from companion.practice import check
from companion.practice.ch17b import BEST_OF_NINE, BOTH, left
from companion.practice.checking import asked, labels

HERE = [label for label in labels() if label.split("-")[1] >= "16"]


def says(label: str, answer: object) -> str:
    return str(check(label, answer))


@pytest.mark.parametrize("label", HERE)
def test_the_example_is_of_the_right_kind_and_no_solution(label: str) -> None:
    found = check(label, eval(asked(label).example, {"np": np}))
    assert not found and not found.words.startswith(f"not yet: {label} wants")


def test_each_page_has_its_checks() -> None:
    pages = {label.split("-")[1] for label in HERE}
    assert pages == {"16", "17", "17b", "18", "18b", "19"} and len(HERE) == 27
    assert {label.split("-")[1] for label in HERE if label.startswith("problem-")} == pages


# ---------------------------------------------------------------- chapter 16


def test_16_price() -> None:
    per_day = 2 * 0.2 * 0.002**2 / 90
    assert check("ex-16-price", {"days": per_day, "weeks": 49 * per_day})
    assert "with time in weeks" in says("ex-16-price", {"days": per_day, "weeks": 7 * per_day})
    linear = {"days": per_day / 0.002, "weeks": 49 * per_day}
    assert "yours is 500 times as large as" in says("ex-16-price", linear)


def test_16_epsilon() -> None:
    days = 4 / (2 * 0.2 * 1e-4 / 160)
    right = {"days": days, "unit": days / 160**2, "sum": days / 160**2 / 128}
    assert check("ex-16-epsilon", right)
    assert "changes the product ε · loss by a factor of 160" in says(
        "ex-16-epsilon", right | {"unit": days / 160}
    )
    assert "changes the product by 128" in says("ex-16-epsilon", right | {"sum": right["unit"]})
    assert "every weight stays near 1" in says("ex-16-epsilon", right | {"days": 100.0})
    assert "an ε is above 0, and yours is 0" in says("ex-16-epsilon", right | {"unit": 0.0})
    assert "never looks at later times" in says("ex-16-epsilon", right | {"days": 1e12})


def test_16_residual() -> None:
    cost = lambda k, lam, i0, horizon: (k + lam) ** 2 * i0**2 / (2 * k * horizon)
    assert check("ex-16-residual", lambda k, *rest: cost(k, *rest) * -math.expm1(-2 * k * rest[2]))
    assert "horizon = 2: your answer is 4e-05, the integral" in says("ex-16-residual", cost)


def test_16_late() -> None:
    assert check("ex-16-late", lambda d: 0.02 * math.expm1(-0.4 * d))
    assert "at d = 1: your answer is -0.0032968, along the full equations it is" in says(
        "ex-16-late", lambda d: 0.01 * math.expm1(-0.4 * d)
    )


def test_16_variable() -> None:
    assert check("problem-16-variable", lambda i: np.arcsinh(i / 1e-6))
    for v, words in [
        (np.log, "at i = 0: v is not finite"),
        (lambda i: i, "at I(0) = 0.01: never starting costs 1.67 times"),
        (np.sqrt, "at I(0) = 0.001: never starting costs 10.3 times"),
        (lambda i: i * (1 - i), "v does not rise everywhere"),
        (lambda i: np.tanh(i / 1e-4) + 1e-6 * i, "too flat to see the epidemic itself"),
    ]:
        assert words in says("problem-16-variable", v)


# ---------------------------------------------------------------- chapter 17


def by_complex_step(days: float, tilt: np.ndarray) -> np.ndarray:
    """The derivatives of thirty S, I by the columns of `tilt`, in β, γ, I₀: chapter 17's march in complex numbers."""
    beta, gamma, ill = np.array([[0.5], [0.1], [0.01]]) + 1e-30j * tilt

    def rates(s, i):
        return -beta * s * i, beta * s * i - gamma * i

    s, i, h, path = 1 - ill, ill, days / 240, []
    for step in range(1, 241):
        a, b = rates(s, i)
        c, d = rates(s + h / 2 * a, i + h / 2 * b)
        e, f = rates(s + h / 2 * c, i + h / 2 * d)
        p, q = rates(s + h * e, i + h * f)
        s, i = s + h / 6 * (a + 2 * c + 2 * e + p), i + h / 6 * (b + 2 * d + 2 * f + q)
        path += [(s, i)] if step % 8 == 0 else []
    return np.array(path)


def rows(days: float, seen: tuple = (1,)) -> np.ndarray:
    path = by_complex_step(days, np.eye(3)[:, :2]).imag / 1e-30 / 0.005
    return np.concatenate([path[:, k] for k in seen])


def bars(J: np.ndarray) -> np.ndarray:
    return np.sqrt(np.diag(np.linalg.inv(J.T @ J)))


def test_17_ratio() -> None:
    def ratio_bar(beta, gamma, C):
        a = np.array([1 / gamma, -beta / gamma**2])
        return np.sqrt(a @ C @ a)

    assert check("ex-17-ratio", ratio_bar)
    alone = lambda beta, gamma, C: ratio_bar(beta, gamma, np.diag(np.diag(C)))
    assert "draws with this covariance scatter in β / γ by" in says("ex-17-ratio", alone)


def reported(days: float, relative: bool = True) -> np.ndarray:
    ill = by_complex_step(days, np.eye(3)[:, :2])[:, 1]
    J = np.column_stack([0.3 * ill.imag / 1e-30, ill[:, 0].real]) / 0.005
    return bars(J * [0.5, 0.1, 0.3] if relative else J)


def test_17_reporting() -> None:
    assert check("ex-17-reporting", reported)
    assert "at days = 60: your answer is (0.006" in says(
        "ex-17-reporting", lambda days: reported(days, relative=False)
    )


def test_17_when() -> None:
    assert check("ex-17-when", {"correlation": 16.5, "error": 11})
    assert '"correlation": the correlation is still 0.991 with readings up to day 12' in says(
        "ex-17-when", {"correlation": 11, "error": 16.5}
    )
    assert "in parts of β, is 0.0135 already with readings up to day 12" in says(
        "ex-17-when", {"correlation": 16.5, "error": 13}
    )
    assert "lie between day 1 and day 60" in says("ex-17-when", {"correlation": 0, "error": 11})


def test_17_susceptible() -> None:
    assert check("ex-17-susceptible", lambda seen: bars(rows(8, seen)))
    put_together = lambda seen: sum(bars(rows(8, (k,))) ** -2 for k in seen) ** -0.5
    assert "at seen = (0, 1): your answer is (0.023" in says("ex-17-susceptible", put_together)


def test_17_days() -> None:
    assert check("problem-17-days", np.arange(24, 54) / 2)
    for days, words in [
        (np.arange(2, 62, 2), "read on day 17 instead of day 2, and it is"),
        (np.arange(31, 61), "the bar of γ is"),
        (np.arange(30) + 0.25, "day 0.25 is none of 0.5, 1, 1.5"),
        (np.full(30, 17.5), "a half-day stands twice"),
        (np.arange(1, 30), "thirty days are expected"),
    ]:
        assert words in says("problem-17-days", days)


# ---------------------------------------------------------------- chapter 17b

NINE = {  # (bed, rest) -> beta, start, and the three rates: the fits of the page
    (1, 1): (4.062, 0.047, 2.214, 0.347, 0.463),
    (1, 2): (5.142, 0.018, 3.163, 0.300, 0.402),
    (1, 3): (5.764, 0.010, 3.695, 0.280, 0.375),
    (2, 1): (3.468, 0.193, 1.924, 0.356, 0.495),
    (2, 2): (4.467, 0.077, 2.790, 0.310, 0.440),
    (2, 3): (4.950, 0.050, 3.200, 0.295, 0.419),
    (3, 1): (2.903, 0.479, 1.527, 0.375, 0.536),
    (3, 2): (3.844, 0.214, 2.375, 0.319, 0.468),
    (3, 3): (4.291, 0.146, 2.761, 0.301, 0.446),
}


def test_17b_share() -> None:
    root = lambda r0: brentq(lambda a: 1 - a - math.exp(-r0 * a), 1e-9, 1) if r0 > 1 else 0.0
    assert check("ex-17b-share", root)
    assert "at r0 = 3: your answer is 0.666667" in says("ex-17b-share", lambda r0: 1 - 1 / r0)
    assert "at r0 = 3: your answer is 0, the share" in says("ex-17b-share", lambda r0: 0.0)
    no_epidemic = lambda r0: root(max(r0, 1.01))
    assert "at r0 = 0.8: your answer is" in says("ex-17b-share", no_epidemic)


def test_17b_drawing() -> None:
    assert check("ex-17b-drawing", {"beta": 0.14, "gamma": 0.14, "R0": 0.18})
    twice = {"beta": 0.28, "gamma": 0.28, "R0": 0.28}
    assert '"beta": 0.28 of the bar, 1.7' in says("ex-17b-drawing", twice)
    assert '"R0": 1 of the bar, 6' in says("ex-17b-drawing", {"beta": 0.14, "gamma": 0.14, "R0": 1})


def test_17b_weights() -> None:
    assert check("ex-17b-weights", {"beta": 2.022, "start": 0.23, "gamma": 0.515})
    plain = {"beta": 1.79, "start": 0.552, "gamma": 0.455}
    assert "still falls: its minimum has another gamma, larger" in says("ex-17b-weights", plain)
    assert "above 0; yours are (1.79, -1, 0.455)" in says("ex-17b-weights", plain | {"start": -1})


def test_17b_stages() -> None:
    assert "right: nine fits; the squares go from 2185" in says("ex-17b-stages", NINE)
    a_rate_for_each_stage = {(2, 1): (3.468, 0.193, 1.924, 2 * 0.356, 0.495)}
    assert "at (bed, rest) = (2, 1): the sum of squares is 1.068e+05 and still falls: " in says(
        "ex-17b-stages", NINE | a_rate_for_each_stage
    )
    assert "the dict has no fit for [(1, 2), " in says("ex-17b-stages", {(1, 1): NINE[1, 1]})
    assert "five numbers above 0 are expected: beta, start, " in says(
        "ex-17b-stages", NINE | {(1, 1): (1.0, 2.0)}
    )


def test_the_squares_to_beat_are_those_of_the_best_of_the_nine() -> None:
    def away(stages: tuple[int, int], log_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return left((1, *stages), np.exp(log_p), BOTH)

    squares = {key: np.sum(away(key, np.log(p))[0] ** 2) for key, p in NINE.items()}
    best, second, *_ = sorted(squares, key=squares.__getitem__)
    assert squares[second] > 1.1 * squares[best]  # so only one needs to be fitted here
    find = lambda q: away(best, q)
    found = least_squares(lambda q: find(q)[0], np.log(NINE[best]), lambda q: find(q)[1])
    assert round(2 * found.cost) == BEST_OF_NINE


def test_17b_count() -> None:
    good = 3.1863, 0.5924, 1.9258, 0.3267, 0.4982
    assert check("problem-17b-count", {"stages": (1, 5, 3), "p": good})
    free = {"stages": (1, 5, 3), "p": (3.3527, 0.5136, 2.0716, 0.3193, 0.4874)}
    assert "the sum of squares is 6083, but 498 boys have fallen ill" in says(
        "problem-17b-count", free
    )
    assert "and the best of the nine chains has less" in says(
        "problem-17b-count", {"stages": (1, 3, 2), "p": NINE[3, 2]}
    )
    assert "three whole numbers from 1 to 30" in says(
        "problem-17b-count", {"stages": (1, 2.5, 3), "p": good}
    )
