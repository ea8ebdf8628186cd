"""Chapter 16, the epidemic that never starts: what it costs to be wrong, and a variable for a start at zero."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.integrate import solve_ivp

from companion.practice.answers import NUMBER, asks, function, parts
from companion.practice.verdicts import compare, demand, numbers, shown
from companion.problems import Epidemic

FAST = Epidemic(beta=0.5, gamma=0.1, infected=0.01, days=60)
OTHER = Epidemic(beta=0.3, gamma=0.1, infected=0.01, days=160)
DRILL = Epidemic(beta=0.4, gamma=0.2, infected=0.002, days=90)


def mean(r: Callable, horizon: float) -> float:
    """The mean of r(t) over [0, horizon], by Gauss's rule of 200 points."""
    x, w = leggauss(200)
    return float(w @ r(horizon / 2 * (x + 1)) / 2)


def price(epidemic: Epidemic, unit: float = 1.0) -> float:
    """The mean square residual of the epidemic backwards, its integral done by number; time in units of `unit` days."""
    growth, horizon = (epidemic.beta - epidemic.gamma) * unit, epidemic.days / unit
    return mean(lambda t: (2 * growth * epidemic.infected * np.exp(-growth * t)) ** 2, horizon)


@asks(parts(days=NUMBER, weeks=NUMBER), "the loss", example='{"days": 1e-6, "weeks": 1e-6}')
def ex_16_price(loss: dict) -> str:
    """mean (2 λ I₀ e^(-λt))² of DRILL, to 2 %, per day² and per week²."""
    for name, unit in {"days": 1, "weeks": 7}.items():
        off = loss[name] / price(DRILL, unit)
        demand(
            abs(off - 1) < 0.02,
            f"with time in {name}, the residuals of the epidemic backwards have a mean square that yours is "
            f"{off:.3g} times as large as. The share infected enters as its square, and a residual is per {name[:-1]}",
        )
    return "both units of time agree with the integral of the squared residual"


@asks(
    parts(days=NUMBER, unit=NUMBER, sum=NUMBER),
    "ε for OTHER: in days; with t from 0 to 1; and that for a sum without 1/m",
    example='{"days": 1e6, "unit": 100.0, "sum": 1.0}',
)
def ex_16_epsilon(epsilon: dict) -> str:
    """0.9 < ε J < 110 in days for the price J of OTHER, and ε · loss is the same in all three conventions."""
    blind = epsilon["days"] * price(OTHER)
    demand(blind > 0.9, f"ε J is {blind:.2g} for OTHER: far below 1 every weight stays near 1")
    demand(blind < 110, f"ε J is {blind:.2g} for OTHER: so large an ε never looks at later times")
    for name, yours in epsilon.items():
        demand(yours > 0, f'"{name}": an ε is above 0, and yours is {shown(yours)}')
    scaled = epsilon["days"] / epsilon["unit"] / OTHER.days**2
    demand(
        abs(scaled - 1) < 0.02,
        f"with t from 0 to 1 a slope is {OTHER.days:g} times as large, and the loss has its square; your "
        f"second ε changes the product ε · loss by a factor of {1 / scaled:.3g}",
    )
    for_sum = epsilon["unit"] / epsilon["sum"] / 128
    demand(
        abs(for_sum - 1) < 0.02,
        f"a sum of 128 terms is 128 times their mean; your third ε changes the product by {1 / for_sum:.3g}",
    )
    return "ε J is above 1 and below a hundred, and the same in all three conventions"


@asks(
    function("k, lam, i0, horizon"),
    "the mean square residual of I = i0 e^(−k t)",
    example="lambda k, lam, i0, horizon: i0**2 / horizon",
)
def ex_16_residual(cost: Callable) -> str:
    """1/T ∫ ((k + λ) I₀ e^(-kt))² dt over [0, T], at four (k, λ, I₀, T); Gauss's rule is the oracle."""
    points = [(0.4, 0.4, 0.01, 60), (0.4, 0.4, 0.01, 2), (0.1, 0.4, 0.1, 5), (1.3, 0.2, 0.5, 4)]
    for k, lam, i0, horizon in points:
        exact = mean(lambda t: ((k + lam) * i0 * np.exp(-k * t)) ** 2, horizon)
        at = {"k": k, "lam": lam, "i0": i0, "horizon": horizon}
        compare(
            cost(k, lam, i0, horizon),
            exact,
            at,
            "the integral done by number is",
            rtol=1e-6,
            atol=0,
        )
    return f"{len(points)} integrals agree, at short horizons too"


@cache
def change_of_v(d: float) -> float:
    """By how much V changes along the full equations' epidemic that is late by d days (chapter 16)."""
    growth = FAST.beta - FAST.gamma
    b = FAST.infected * (1 - np.exp(-growth * d))
    share = np.array([FAST.beta / growth, 1.0])

    def flow(t, y):
        new = FAST.beta * y[0] * y[1]
        return -new, new - FAST.gamma * y[1]

    first = np.array(FAST.start) - b * share
    last = solve_ivp(flow, (0, FAST.days), first, "DOP853", rtol=1e-7, atol=1e-10).y[:, -1]
    ends = np.array(FAST.start), last + b * np.exp(-growth * FAST.days) * share
    before, after = (s + i - np.log(s) / FAST.reproduction for s, i in ends)
    return after - before


@asks(function("d"), "the change of V from day 0 to day 60", example="lambda d: -0.01")
def ex_16_late(change: Callable) -> str:
    """V(60) - V(0) along the full equations' epidemic that is d days late, to a tenth, for three d."""
    for d in (1.0, 4.0, 16.0):
        compare(
            change(d), change_of_v(d), {"d": d}, "along the full equations it is", rtol=0.1, atol=0
        )
    return "three delays of the full equations, each within a tenth"


def sensitivity(variable: Callable, share: np.ndarray) -> np.ndarray:
    """dv/d ln I at these shares, by a central difference in ln I."""
    h = 1e-4
    up, down = (numbers(variable(share * np.exp(step)), "v of an array") for step in (h, -h))
    demand(up.shape == share.shape, f"v of an array {share.shape} has the shape {up.shape}")
    return (up - down) / (2 * h)


@asks(
    function("i"),
    "v(i), of an array of shares; NumPy's functions only",
    example="lambda i: np.sqrt(i)",
)
def problem_16_variable(variable: Callable) -> str:
    """v(0) is finite, v' > 0, and 100 < never starting / a growth wrong by 1 % < 10⁶ at three I(0)."""
    with np.errstate(all="ignore"):
        at_zero = numbers(variable(np.zeros(1)), "at i = 0: your v")
        demand(bool(np.isfinite(at_zero).all()), "at i = 0: v is not finite")
    demand(
        bool((sensitivity(variable, np.geomspace(1e-9, 1, 500)) > 0).all()),
        "v does not rise everywhere",
    )
    growth, t = FAST.beta - FAST.gamma, np.linspace(0, FAST.days, 2001)
    for infected in (1e-2, 1e-3, 1e-4):
        true = Epidemic(FAST.beta, FAST.gamma, infected, FAST.days).solve(t)[1]
        never = np.mean((2 * growth * sensitivity(variable, infected * np.exp(-growth * t))) ** 2)
        slight = np.mean((0.01 * growth * sensitivity(variable, true)) ** 2)
        words = f"at I(0) = {infected:g}: never starting costs {never / slight:.3g} times a growth wrong by 1 %"
        demand(never > 100 * slight, f"{words}, and should cost a hundred times at least")
        demand(never < 1e6 * slight, f"{words}: this v is too flat to see the epidemic itself")
    return "at three starts never starting is dear, and v is finite where nobody is ill"
