"""Chapter 17, what data can see: error bars without a fit, from the equations of the derivatives."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from companion.practice.answers import ANYTHING, NUMBER, asks, function, parts
from companion.practice.verdicts import compare, demand, numbers

BETA, GAMMA, SHARE, SIGMA = 0.5, 0.1, 0.01, 0.005


@functools.cache
def path() -> Callable:
    """t ↦ S, I and their derivatives by β and γ over 60 days: the equations, differentiated and solved along."""

    def flow(t, y):
        s, i, *slopes = y
        new = BETA * s * i
        found = [-new, new - GAMMA * i]
        for ds, di, by_beta, by_gamma in zip(slopes[::2], slopes[1::2], (1, 0), (0, 1)):
            more = BETA * (ds * i + s * di) + by_beta * s * i
            found += [-more, more - GAMMA * di - by_gamma * i]
        return found

    start = [1 - SHARE, SHARE, 0, 0, 0, 0]
    return solve_ivp(flow, (0, 60), start, "DOP853", dense_output=True, rtol=1e-9, atol=1e-12).sol


def columns(times: np.ndarray, seen: Sequence[int] = (1,)) -> np.ndarray:
    """The derivatives of the readings by β and γ, in units of σ: (readings, 2); seen: S is 0, I is 1."""
    y = path()(times)
    return np.concatenate([y[[2 + k, 4 + k]].T for k in seen]) / SIGMA


def covariance(J: np.ndarray) -> np.ndarray:
    """(JᵀJ)⁻¹ by the factor R of J, which does not square its condition."""
    inverse = np.linalg.inv(np.linalg.qr(J, mode="r"))
    return inverse @ inverse.T


def bars(J: np.ndarray) -> np.ndarray:
    """The standard errors of the parameters, (k,), for derivatives J (n, k) in units of σ."""
    return np.sqrt(np.diag(covariance(J)))


def thirty(days: float) -> np.ndarray:
    """Thirty equally spaced times of readings, the last on that day."""
    return np.linspace(0, days, 31)[1:]


@asks(
    function("beta, gamma, C"),
    "the standard error of R₀ = β / γ; C is the covariance of β and γ",
    example="lambda beta, gamma, C: C[0, 0] ** 0.5 / gamma",
)
def ex_17_ratio(bar: Callable) -> str:
    """(aᵀC a)^½ with a = ∇(β/γ), for five C: a by the complex step, the root by Cholesky's factor."""
    found = [(BETA, GAMMA, covariance(columns(thirty(days)))) for days in (8.0, 16.0, 60.0)]
    for beta, gamma, C in [
        (2.0, 3.0, np.diag([4.0, 9.0])),
        *found,
        (0.3, 0.6, np.array([[0.1, -0.05], [-0.05, 0.1]])),
    ]:
        slopes = np.array([((beta + 1e-30j) / gamma).imag, (beta / (gamma + 1e-30j)).imag]) / 1e-30
        exact = np.linalg.norm(np.linalg.cholesky(C).T @ slopes)
        at = {"beta": beta, "gamma": gamma, "C": C}
        compare(
            bar(beta, gamma, C),
            exact,
            at,
            "draws with this covariance scatter in β / γ by",
            rtol=1e-6,
        )
    return "five covariances, correlated and not"


@asks(
    function("days"),
    "the relative standard errors of β, γ and q, where I(0) is known",
    example="lambda days: (0.1, 0.1, 0.1)",
)
def ex_17_reporting(errors: Callable) -> str:
    """The relative bars of β, γ and q for thirty readings of q I up to 60, 8 and 20 days, to a thousandth."""
    share = 0.3
    for days in (60.0, 8.0, 20.0):
        times = thirty(days)
        ill = path()(times)[1] / SIGMA
        J = np.column_stack([share * columns(times) * [BETA, GAMMA], ill * share])
        compare(
            errors(days), bars(J), {"days": days}, "the equations of the derivatives say", rtol=1e-3
        )
    return "three lengths of the readings"


def correlation(days: float) -> float:
    """The correlation of the estimates of β and γ, from thirty readings of I up to that day."""
    C = covariance(columns(thirty(days)))
    return C[0, 1] / np.sqrt(C[0, 0] * C[1, 1])


def error_of_beta(days: float) -> float:
    """The bar of β in parts of β, from thirty readings of I up to that day."""
    return bars(columns(thirty(days)))[0] / BETA


@asks(
    parts(correlation=NUMBER, error=NUMBER),
    "the days, to a day",
    example='{"correlation": 8, "error": 8}',
)
def ex_17_when(days: dict) -> str:
    """A day later the measure is below its level, a day earlier above: correlation 0.9, error of β 0.02."""
    wanted = {"correlation": (correlation, 0.9), "error": (error_of_beta, 0.02)}
    for name, (measure, level) in wanted.items():
        day = days[name]
        demand(
            2 <= day <= 59,
            f'"{name}" is day {day:g}, and the readings lie between day 1 and day 60',
        )
        early, late = measure(day - 1), measure(day + 1)
        what = "the correlation" if name == "correlation" else "the error of β, in parts of β,"
        demand(
            late < level,
            f'"{name}": {what} is still {late:.3g} with readings up to day {day + 1:g}',
        )
        demand(
            early > level,
            f'"{name}": {what} is {early:.3g} already with readings up to day {day - 1:g}',
        )
    return "each level is crossed within a day of yours"


@asks(
    function("seen"),
    "the standard errors of β and γ; seen is (1,) for I, (0,) for S, (0, 1) for both",
    example="lambda seen: (0.06, 0.06)",
)
def ex_17_susceptible(errors: Callable) -> str:
    """The bars of β and γ from thirty readings in eight days of I, of S, and of both."""
    for seen in ((1,), (0,), (0, 1)):
        exact = bars(columns(thirty(8.0), seen))
        compare(
            errors(seen), exact, {"seen": seen}, "the equations of the derivatives say", rtol=2e-3
        )
    return "I alone, S alone, and both"


def half_days(answer: Any) -> np.ndarray:
    """Thirty different half-days of the sixty days, as indices 1 to 120; NotYet if they are none."""
    days = numbers(answer, "your list of days")
    demand(days.shape == (30,), f"thirty days are expected, and yours have the shape {days.shape}")
    index = np.round(2 * days).astype(int)
    for day in days:
        demand(
            0 < day <= 60 and 2 * day == round(2 * day),
            f"day {day:g} is none of 0.5, 1, 1.5, …, 60",
        )
    demand(len(set(index)) == 30, "a half-day stands twice among yours")
    return index


def exchanged(every: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The bar of γ for the readings in `rest` and one of `every` besides, for each of these."""
    C = covariance(every[rest])
    moved = every @ C
    return np.sqrt(C[1, 1] - moved[:, 1] ** 2 / (1 + (moved * every).sum(1)))


@asks(
    ANYTHING, "thirty different ones of the days 0.5, 1, 1.5, …, 60", example="np.arange(2, 62, 2)"
)
def problem_17_days(answer: Any) -> str:
    """No exchange of one of the thirty half-days for another makes the bar of γ smaller."""
    chosen = half_days(answer)
    every = columns(np.arange(121) / 2)
    now = bars(every[chosen])[1]
    after = np.array([exchanged(every, chosen[chosen != out]) for out in chosen])
    after[:, [0, *chosen]] = np.inf
    out, new = np.unravel_index(after.argmin(), after.shape)
    demand(
        after.min() > now * (1 - 1e-6),
        f"the bar of γ is {now:.6f}; read on day {new / 2:g} instead of day {chosen[out] / 2:g}, and it is "
        f"{after.min():.6f}",
    )
    return f"the bar of γ is {now:.6f}, and no exchange of one day for another makes it smaller"
