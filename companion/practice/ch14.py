"""Chapter 14, and the exercise on a resumed fit of 14b: eigenvalues, steps, bits."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from companion.pinn import Solution
from companion.practice.answers import ANYTHING, NUMBER, asks, function, parts
from companion.practice.verdicts import compare, demand, numbers, shown

CURVATURES = np.linspace(1, 100, 2000)


def worst_factor(rate: float) -> float:
    """What one step leaves of the direction that it helps least, for curvatures 1 and 100."""
    return max(abs(1 - rate), abs(1 - 100 * rate))


@asks(NUMBER, "one learning rate", example="0.001")
def ex_14_rate(rate: float) -> str:
    """max(|1 - η|, |1 - 100 η|) is within 1e-4 of its least value; rates up to 0.03 are tried in steps of 1e-6."""
    best = min(np.linspace(0, 0.03, 30_001), key=worst_factor)
    demand(
        worst_factor(rate) < 1,
        f"with η = {shown(rate)} one direction is multiplied by {worst_factor(rate):.4g} in each step: "
        "nothing is learnt there",
    )
    demand(
        worst_factor(rate) < worst_factor(best) + 1e-4,
        f"with η = {shown(rate)} each step leaves {worst_factor(rate):.4f} of the slower direction; another "
        f"rate leaves {worst_factor(best):.4f}",
    )
    return f"each step leaves {worst_factor(rate):.4f} of either direction, and no rate leaves less"


def hessian(weight: float) -> np.ndarray:
    """Of mean (f - sin t)² + w mean (f + f'')² in the amplitudes of sin ωt, f'' by Fourier transform."""
    n = 64
    t = 2 * math.pi * np.arange(n) / n
    f = np.sin(np.arange(1, 9) * t[:, None])
    k = np.fft.fftfreq(n, 1 / n)
    second = np.fft.ifft(-(k[:, None] ** 2) * np.fft.fft(f, axis=0), axis=0).real
    equation = f + second
    return 2 * (f.T @ f + weight * equation.T @ equation) / n


def learnt(H: np.ndarray, k: int) -> float:
    """The amplitude of sin t after k steps from 0 with the rate 1/λ_max; each step is made, by squaring."""
    step = np.eye(8) - H / np.linalg.eigvalsh(H)[-1]
    left = np.linalg.matrix_power(step, k) @ np.eye(8)[0]  # of the distance to sin t
    return 1 - float(left[0])


@asks(
    parts(w0=NUMBER, w1=NUMBER, w100=NUMBER),
    "the steps to 90 % of sin t for w = 0, 1 and 100",
    example='{"w0": 1, "w1": 1, "w100": 1}',
)
def ex_14_modes(steps: dict) -> str:
    """After k steps with the rate 1/λ_max sin t has an amplitude above 0.895, after 0.95 k below 0.9."""
    for name, weight in ("w0", 0.0), ("w1", 1.0), ("w100", 100.0):
        H, k = hessian(weight), round(steps[name])
        demand(k > 0, f"steps are counted from 1; yours are {steps[name]:g}")
        fewer = int(0.95 * k)
        now, before = learnt(H, k), learnt(H, fewer)
        demand(
            now > 0.895, f"at w = {weight:g}, {k} steps bring {now:.3f} of sin t, and 0.9 is asked"
        )
        demand(
            before < 0.9,
            f"at w = {weight:g}, {k} steps are more than are needed: {fewer} bring {before:.3f} of sin t",
        )
    return "the steps were made, for three weights"


def counted(kappa: float) -> int:
    """Steps with momentum until a tenth of the slowest mode is left, at the best rate and momentum."""
    root = math.sqrt(kappa)
    eta, beta = 4 / (1 + 1 / root) ** 2, ((root - 1) / (root + 1)) ** 2
    step = np.array([[1 - eta / kappa + beta, -beta], [1.0, 0.0]])
    state, steps = np.ones(2), 0
    while abs(state[0]) > 0.1:
        state, steps = step @ state, steps + 1
    return steps


@asks(function("kappa"), "the steps to 90 %", example="lambda kappa: 2.3 * kappa")
def ex_14_momentum(law: Callable) -> str:
    """The law is within a tenth of the steps counted at κ = 50, 700 and 20 000."""
    for kappa in (50, 700, 20_000):
        at, what = {"κ": kappa}, "your number of steps"
        compare(law(kappa), counted(kappa), at, "counted are", what, rtol=0.1)
    return "three condition numbers counted"


@asks(ANYTHING, "a list of at most 20 learning rates", example="[0.01, 0.01, 0.01]")
def problem_14_rates(rates: Any) -> str:
    """|∏ (1 - η_k λ)| ≤ 0.1, at most 20 factors, for every curvature λ from 1 to 100."""
    rates = numbers(rates, "your list of rates").ravel()
    demand(0 < len(rates) <= 20, f"from 1 to 20 rates are asked; yours are {len(rates)}")
    left = np.abs(np.prod(1 - CURVATURES[:, None] * rates, axis=1))
    worst = left.argmax()
    demand(
        left[worst] <= 0.1,
        f"{len(rates)} steps leave {left[worst]:.3g} of the direction with the curvature "
        f"{CURVATURES[worst]:.1f}, and 0.1 is asked",
    )
    return f"{len(rates)} steps leave at most {left.max():.3f} of any direction from 1 to 100"


def bits(solution: Solution) -> torch.Tensor:
    """All parameters of the network in a row: (n,)."""
    return torch.cat([p.detach().flatten() for p in solution.network.parameters()])


def last_step(solution: Solution) -> int:
    """The step of the last record; 0 where there is none."""
    records = solution.history.records
    return records[-1]["step"] if records else 0


@asks(
    parts(whole=ANYTHING, stopped=ANYTHING, resumed=ANYTHING),
    "what `fit` returned: for the fit left alone, the interrupted one and the one that went on",
    example='{"whole": whole, "stopped": stopped, "resumed": resumed}',
)
def ex_14_resume(fits: dict) -> str:
    """One fit was stopped on the way; another has its records, and went on in a new network to the same bits."""
    for name, each in fits.items():
        demand(
            isinstance(each, Solution),
            f'"{name}" is {shown(each)}, and what fit(...) returned is expected',
        )
    whole, stopped, resumed = fits["whole"], fits["stopped"], fits["resumed"]
    networks = {id(each.network) for each in fits.values()}
    demand(
        len(networks) == 3,
        "two of the three fits have trained one network: take a new one for each",
    )
    end, middle = last_step(whole), last_step(stopped)
    demand(
        stopped.history.stopped is not None and 0 < middle < end,
        f"the fit left alone made {end} steps and the interrupted one {middle}: it was not stopped on the way",
    )
    again = resumed.history.records[: len(stopped.history.records)]
    demand(
        again == stopped.history.records,
        f"the resumed fit does not have the {len(stopped.history.records)} records of the interrupted one, up to "
        f"step {middle}: it began anew",
    )
    demand(
        last_step(resumed) == end,
        f"the fit left alone ends at step {end}, the resumed one at step {last_step(resumed)}",
    )
    a, b = bits(whole), bits(resumed)
    demand(len(a) == len(b), f"one has {len(a)} parameters, the other {len(b)}")
    same = (a == b).sum().item()
    demand(
        same == len(a),
        f"{len(a) - same} of {len(a)} parameters differ, by up to {(a - b).abs().max():.0e}: something that the "
        "optimiser remembers was not carried over",
    )
    return f"stopped at step {middle} of {end}, and {len(a)} parameters are equal bit for bit at the end"
