"""Chapter 13: what a loss with a second derivative asks of straight lines. NumPy alone, and no training."""

import math
from collections.abc import Callable

import numpy as np

from companion.practice.answers import NUMBER, asks, function, parts
from companion.practice.verdicts import agree, compare, demand, numbers, shown

END = 2 * math.pi
X = np.linspace(-END, END, 200)


def knots(spacing: float) -> np.ndarray:
    """Equally spaced from beyond the left end of X to beyond the right one: (k,)."""
    return np.arange(-END - 3.1, END + 3, spacing)


def lines(spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """1, x and relu(x - knot) at X, (200, k), and their slopes."""
    z = X[:, None] - knots(spacing)
    one = np.ones((len(X), 1))
    value = np.hstack([one, X[:, None], np.maximum(z, 0)])
    return value, np.hstack([0 * one, one, (z > 0).astype(float)])


def best(A: np.ndarray, equation: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The f = A c with the least mean square of f - target and of the equation's rows, exactly."""
    n, k = len(target), len(equation)
    rows = np.vstack([A / n**0.5, equation / k**0.5])
    right = np.concatenate([target / n**0.5, np.zeros(k)])
    return A @ np.linalg.lstsq(rows, right, rcond=1e-13)[0]


def amplitude(f: np.ndarray, target: np.ndarray) -> float:
    """The a that makes the mean square of f - a · target least."""
    return float(f @ target / (target @ target))


@asks(
    parts(plain=NUMBER, divided=NUMBER),
    "the amplitudes with 9 f + f'' and with f + f''/9",
    example='{"plain": 1.0, "divided": 1.0}',
)
def ex_13_frequency(answer: dict) -> str:
    """min mean (f - sin 3x)² + mean (9 f)², or (f)², since f'' = 0: least squares on kinks every 0.1."""
    A, _ = lines(0.1)
    target = np.sin(3 * X)
    for name, term, times in ("plain", "9 f + f''", 9.0), ("divided", "f + f''/9", 1.0):
        expected = amplitude(best(A, times * A, target), target)
        what = f"with {term} your amplitude"
        hint = "put f'' = 0 into the term; for which a is the sum of both means least, if f = a sin 3x?"
        agree(answer[name], expected, hint, what, rtol=0.03)
    return "both agree with least squares on straight lines"


@asks(
    parts(weight=NUMBER, amplitude=NUMBER), "λ and a", example='{"weight": 1.0, "amplitude": 0.5}'
)
def ex_13_diagnosis(answer: dict) -> str:
    """(1 - a)²/2 = 0.347, a²/2 = 0.0139, and the slope of the loss by the amplitude, λ a - (1 - a), is 0."""
    a, weight = answer["amplitude"], answer["weight"]
    means = (1 - a) * (1 - a) / 2, a * a / 2  # the mean of sin² is 1/2
    for what, mean, sent in zip(("(f - sin)²", "(f + f'')²"), means, (0.347, 0.0139)):
        yours = f"with amplitude {shown(a)} the mean of {what}"
        compare(mean, sent, says="the colleague has", what=yours, rtol=0.05)
    slope = -(1 - a) + weight * a  # of the loss, by the amplitude
    demand(
        abs(slope) < 0.03,
        f"at λ = {shown(weight)} the loss is not least at amplitude {shown(a)}: its slope there is "
        f"{shown(slope)}",
    )
    return "these are the two numbers of the mail, and the loss is least there"


def rounded(beta: float) -> float:
    """The amplitude at λ = 1 with kinks every 0.5, rounded by softplus, and exact derivatives."""
    z = X[:, None] - knots(0.5)
    share = 0.5 * (1 + np.tanh(beta * z / 2))
    one = np.ones((len(X), 1))
    A = np.hstack([one, X[:, None], np.logaddexp(0, beta * z) / beta])
    second = np.hstack([0 * one, 0 * one, beta * share * (1 - share)])
    return amplitude(best(A, A + second, np.sin(X)), np.sin(X))


@asks(NUMBER, "the β at which the sine begins to suffer", example="1.0")
def ex_13_rounded(beta: float) -> str:
    """At β the amplitude of the sine is above 0.95, at 2 β it is below."""
    demand(beta > 0, f"β is above 0; yours is {shown(beta)}")
    here, sharper = rounded(beta), rounded(2 * beta)
    demand(
        here > 0.95,
        f"at β = {shown(beta)} the sine has suffered: its amplitude is {here:.3f} there",
    )
    demand(
        sharper < 0.95,
        f"at twice your β, {shown(2 * beta)}, the amplitude is still {sharper:.3f}: corners may be sharper",
    )
    return f"amplitude {here:.3f} at your β, {sharper:.3f} at twice that"


@asks(
    function("f, slope"),
    "rows (k,) that are 0 where f'' = -f",
    example="lambda f, slope: f + slope",
)
def problem_13_straight(rows: Callable) -> str:
    """From values and slopes at X alone: rows that the sine meets, sin 2x does not, and lines can meet."""
    f, slope = np.sin(X), np.cos(X)
    size = as_rows(rows, f, slope)
    for name, value, first in ("sin x", f, slope), ("cos x", slope, -f):
        left = float(np.mean(as_rows(rows, value, first) ** 2))
        demand(
            left < 0.02,
            f"{name} solves the equation, and the mean square of your rows is {left:.2g}",
        )
    wrong = float(np.mean(as_rows(rows, np.sin(2 * X), 2 * np.cos(2 * X)) ** 2))
    demand(
        wrong > 1,
        f"sin 2x solves nothing, and the mean square of your rows is {wrong:.2g}: 1 is asked",
    )
    twice = as_rows(rows, 2 * f + 1, 2 * slope) - 2 * size - as_rows(rows, 0 * f + 1, 0 * f)
    demand(np.abs(twice).max() < 1e-9, "the equation is linear, and your rows are not linear in f")
    A, first = lines(0.25)
    columns = [as_rows(rows, a, s) for a, s in zip(A.T, first.T)]
    found = best(A, 10**0.5 * np.stack(columns, 1), f)
    a, error = amplitude(found, f), float(np.sqrt(np.mean((found - f) ** 2)))
    demand(
        a > 0.9 and error < 0.15,
        f"at λ = 10, straight lines with kinks every 0.25 learn {a:.3f} of the sine, with an rms error of "
        f"{error:.2g}: 0.9 and 0.15 are asked",
    )
    return f"at λ = 10, straight lines learn {a:.3f} of the sine, with an rms error of {error:.2g}"


def as_rows(rows: Callable, f: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """What the answer returns, as an array (k,), k ≥ 10; raises NotYet if it is none."""
    found = numbers(rows(f.copy(), slope.copy()), "what you return")
    demand(
        found.ndim == 1 and len(found) > 9,
        f"rows (k,) are expected, ten or more; yours are {found.shape}",
    )
    return found
