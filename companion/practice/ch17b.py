"""Chapter 17b, a real epidemic: is a fit a fit, and what does a model say of a count that it has not seen?"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq

from companion.practice.answers import ANYTHING, NUMBER, asks, function, parts
from companion.practice.verdicts import compare, demand, numbers, shown
from companion.problems.boarding_school import BOYS, CONVALESCENT, FELL_ILL, IN_BED

BOTH = np.stack([IN_BED, CONVALESCENT])
BEST_OF_NINE = 6163  # boys², the least sum of squares of the nine chains of ex-17b-stages
NAMES = "beta", "start", "1/infectious", "1/bed", "1/convalescent"


def boys(stages: Sequence[int], p: np.ndarray, steps: int = 20) -> np.ndarray:
    """The boys in S and in each group on the fourteen days, for parameters p (2 + groups, k): (days, groups + 1, k).

    The classical Runge–Kutta method; p may be complex, for derivatives by the complex step.
    """
    beta, start, *rates = p
    group = np.repeat(np.arange(len(stages)), stages)
    leave = np.repeat([k * rate for k, rate in zip(stages, rates)], stages, axis=0)
    y = np.zeros((1 + len(group), p.shape[1]), p.dtype)
    y[0], y[1] = BOYS - start, start

    def flow(y):
        out, new = leave * y[1:], beta / BOYS * y[0] * y[1 : 1 + stages[0]].sum(0)
        return np.concatenate([[-new, new - out[0]], out[:-1] - out[1:]])

    h, found = 1 / steps, []
    for step in range(1, 14 * steps + 1):
        a = flow(y)
        b = flow(y + h / 2 * a)
        c = flow(y + h / 2 * b)
        y = y + h / 6 * (a + 2 * b + 2 * c + flow(y + h * c))
        if step % steps == 0:
            found.append([y[0], *(y[1:][group == g].sum(0) for g in range(len(stages)))])
    return np.array(found)


def left(stages: Sequence[int], p: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left of the counts (groups, days), and its derivatives by ln p: (n,) and (n, k)."""
    tilted = p[:, None] * np.exp(np.c_[0 * p, 1e-20j * np.eye(len(p))])
    found = boys(stages, tilted)[:, -len(counts) :]
    return (found[..., 0].real - counts.T).ravel(), found[..., 1:].imag.reshape(
        counts.size, -1
    ) / 1e-20


def step_left(r: np.ndarray, J: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Gauss–Newton step that is still to be made, in ln p and in standard errors of ln p."""
    R = np.linalg.inv(np.linalg.qr(J, mode="r"))
    sigma = np.sqrt(r @ r / (len(r) - J.shape[1]))
    step = -R @ (R.T @ (J.T @ r))
    return step, step / (sigma * np.linalg.norm(R, axis=1))


def demand_fitted(r: np.ndarray, J: np.ndarray, names: Sequence[str], where: str = "") -> None:
    """Raises NotYet unless p is within a twentieth of a bar of where the squares are least."""
    step, in_bars = step_left(r, J)
    worst = np.abs(in_bars).argmax()
    demand(
        abs(in_bars[worst]) < 0.05,
        f"{where}the sum of squares is {r @ r:.4g} and still falls: its minimum has another {names[worst]}, "
        f"{'larger' if step[worst] > 0 else 'smaller'}, {abs(in_bars[worst]):.1f} bars from yours",
    )


@asks(function("r0"), "the share that falls ill in the end", example="lambda r0: 1 - 1 / r0")
def ex_17b_share(share: Callable) -> str:
    """1 - a = e^(-R₀a): the root a > 0 where R₀ > 1, else 0; at five R₀."""
    for r0 in (3.0, 1.66, 1.1, 12.0, 0.8):
        a = brentq(lambda a: a - 1 + np.exp(-r0 * a), 1e-9, 1) if r0 > 1 else 0.0
        compare(
            share(r0), a, {"r0": r0}, "the share that solves the relation is", rtol=1e-6, atol=1e-6
        )
    return "five reproduction numbers, one of them below 1"


@asks(
    parts(beta=NUMBER, gamma=NUMBER, R0=NUMBER),
    "the scatter of each, in parts of its bar",
    example='{"beta": 1.0, "gamma": 1.0, "R0": 1.0}',
)
def ex_17b_drawing(scatter: dict) -> str:
    """Each scatter, in parts of its bar, is 3/σ within what thirty draws allow: 0.6 to 1.5 times."""
    p = np.array([1.79, 0.55, 0.455])
    for _ in range(4):
        r, J = left((1,), p, IN_BED[None])
        p = p * np.exp(step_left(r, J)[0])
    linear = 3 / np.sqrt(r @ r / 11)
    for name, found in scatter.items():
        demand(
            0.6 < found / linear < 1.5,
            f'"{name}": {found:.3g} of the bar, {found / linear:.2g} times what three boys are of the σ that was left; '
            "a bar is linear in the noise, and thirty draws know a scatter to some thirteen per cent",
        )
    return "all three within what thirty draws allow"


@asks(
    parts(beta=NUMBER, start=NUMBER, gamma=NUMBER),
    "the weighed fit",
    example='{"beta": 1.8, "start": 0.5, "gamma": 0.45}',
)
def ex_17b_weights(fit: dict) -> str:
    """Σ (I - reading)²/reading is least at p: no Gauss–Newton step of a twentieth of a bar is left."""
    p = np.array([fit["beta"], fit["start"], fit["gamma"]])
    demand(bool((p > 0).all()), f"rates and start are above 0; yours are {shown(p)}")
    r, J = left((1,), p, IN_BED[None])
    weight = 1 / np.sqrt(IN_BED)
    demand_fitted(
        r * weight, J * weight[:, None], ("beta", "start", "gamma"), "weighed by 1/√reading, "
    )
    return f"the weighed squares, {np.sum((r * weight) ** 2):.1f}, have their minimum there"


def chain_numbers(p: Any, where: str) -> np.ndarray:
    """p as an array (5,) of numbers above 0; raises NotYet if it is none."""
    found = numbers(p, f"{where}p")
    words = f"{where}p is {shown(found)}, and five numbers above 0 are expected: {', '.join(NAMES)}"
    demand(found.shape == (5,) and bool((found > 0).all()), words)
    return found


@asks(
    ANYTHING,
    "a dict: fits[bed, rest] is p = (beta, start, and the three rates) of chain(1, bed, rest)",
    example="{(1, 1): (2.0, 1.0, 0.8, 0.4, 0.5), (1, 2): ...}",
)
def ex_17b_stages(fits: Any) -> str:
    """The sum of squares of each of the nine chains is least at its p."""
    keys = [(bed, rest) for bed in (1, 2, 3) for rest in (1, 2, 3)]
    missing = set(keys) - set(fits if isinstance(fits, dict) else ())
    demand(not missing, f"the dict has no fit for {sorted(missing)}")
    squares = {}
    for key in keys:
        where = f"at (bed, rest) = {key}: "
        r, J = left((1, *key), chain_numbers(fits[key], where), BOTH)
        demand_fitted(r, J, NAMES, where)
        squares[key] = r @ r
    return f"nine fits; the squares go from {max(squares.values()):.0f} down to {min(squares.values()):.0f}"


@asks(
    parts(stages=ANYTHING, p=ANYTHING),
    "the stages infectious, in bed and convalescent, and the five numbers of `chain`",
    example='{"stages": (1, 3, 2), "p": (3.84, 0.21, 2.37, 0.32, 0.47)}',
)
def problem_17b_count(answer: dict) -> str:
    """The sum of squares is below BEST_OF_NINE, and 512 ± 10 boys have fallen ill by day 14."""
    stages, p = numbers(answer["stages"], "stages"), chain_numbers(answer["p"], "")
    whole = stages.shape == (3,) and bool(np.isin(stages, np.arange(1, 31)).all())
    demand(whole, f"stages is {shown(stages)}, and three whole numbers from 1 to 30 are expected")
    found = boys([int(k) for k in stages], p[:, None], steps=40)[..., 0]
    squares, ill = np.sum((found[:, -2:].T - BOTH) ** 2), BOYS - found[-1, 0]
    demand(
        squares < BEST_OF_NINE,
        f"the sum of squares is {squares:.0f}, and the best of the nine chains has less",
    )
    demand(
        abs(ill - FELL_ILL) < 10,
        f"the sum of squares is {squares:.0f}, but {ill:.0f} boys have fallen ill by day 14, and {FELL_ILL} did",
    )
    return f"a sum of squares of {squares:.0f}, and {ill:.0f} boys"
