"""Chapters 12 and 12b: what pins a solution, and what a small loss says."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from companion.operators import Partials, device
from companion.pinn import Box, Problem
from companion.practice.answers import ANYTHING, NUMBER, asks, function, one_of, parts, trying
from companion.practice.ch12_declarations import (
    NETWORKS,
    Function,
    declared,
    hears,
    holds,
    refuses,
    solves,
)
from companion.practice.verdicts import agree, compare, demand, place, shown, tensor

FAR = 10 * math.pi


def column(values: Any) -> Tensor:
    """Points as a tensor (n, 1) where the networks of the pages are."""
    return torch.as_tensor(values, dtype=torch.float64).reshape(-1, 1).to(device())


def inside(ansatz: Callable, network: Function) -> Function:
    """t ↦ u(t, n(t)): the ansatz with this network in it."""
    return lambda t: ansatz(t, network(t))


@asks(function("t, n"), "u", example="lambda t, n: 2 + torch.tanh(t) * n")
def ex_12_ansatz(ansatz: Callable) -> str:
    """u(0) = 2 and u'(0) = -1 for every network, and a factor of n that neither grows nor vanishes."""
    start = column([0.0])
    for name, network in NETWORKS.items():
        with trying(f"with the network {name} your ansatz"):
            u = Partials(inside(ansatz, network), start)
            values = u(), u(0)
        for what, value, asked in ("u(0)", values[0], 2), ("u'(0)", values[1], -1):
            compare(value.item(), asked, {"n": name}, "asked is", f"your {what}")
    far = column(np.linspace(0.5, 30, 60))
    base, one = (tensor(ansatz(far, 0 * far + n), "your u", (60, 1)) for n in (0, 1))
    factor = one - base
    for what, size, least in ("u for n = 0", base, 0), ("the factor of n", factor, 0.05):
        for t, value in zip(far[:, 0].tolist(), size[:, 0].tolist()):
            said = f"{place({'t': t})}{what} is {shown(value)}"
            demand(abs(value) < 10, f"{said}: an ansatz should stay of the size of the solution")
            demand(abs(value) >= least, f"{said}: the network is hardly heard there")
    return f"{len(NETWORKS)} networks held at the start, and heard up to t = 30"


@asks(ANYTHING, "a Problem", example="two_ends")
def ex_12_two_ends(problem: Problem) -> str:
    """y'' + y = 0, y(0) = 0, y(1) = sin 1: sin t solves it, and 2 sin t, cos t and a line do not."""
    problem = declared(problem, Box(t=(0.0, 1.0)))
    ends = torch.tensor([[0.0], [1.0]]).double()
    solves(problem, torch.sin, "sin t")
    holds(problem, ends, torch.sin(ends))
    near = torch.tensor([[1e-4], [0.3], [0.7], [1 - 1e-4]]).double()
    hears(problem, torch.sin, near)
    refuses(problem, lambda t: 2 * torch.sin(t), "2 sin t", ends)
    refuses(problem, torch.cos, "cos t", ends)
    refuses(problem, lambda t: t * math.sin(1), "t sin 1", ends)
    return (
        "sin t passes, 2 sin t, cos t and a line do not, and both ends are held for every network"
    )


@asks(
    parts(to_0=one_of("none", "one", "many"), to_1=one_of("none", "one", "many")),
    "how many solutions there are with y(π) = 0 and with y(π) = 1",
    example='{"to_0": "one", "to_1": "one"}',
)
def ex_12_eigenvalue(count: dict) -> str:
    """y = A sin t + B cos t has y(0) = B = -y(π): many solutions for y(π) = 0, none for y(π) = 1."""
    demand(
        count["to_0"] == "many",
        f"with y(π) = 0 you count {count['to_0']}: put in sin t, and then 2 sin t",
    )
    demand(
        count["to_1"] == "none",
        f"with y(π) = 1 you count {count['to_1']}: for every A sin t + B cos t, y(π) is -y(0)",
    )
    return "the conditions say the same thing twice, or contradict each other"


def mean_square(values: np.ndarray) -> float:
    """The mean of v² over all entries."""
    return float(np.mean(values**2))


@asks(
    parts(needed=NUMBER, dying=NUMBER),
    "the loss that an error of 1 % needs, and that of the sine that dies",
    example='{"needed": 1e-4, "dying": 1e-4}',
)
def ex_12_horizon(loss: dict) -> str:
    """needed ≤ mean (e'' + e)² of the error e = c sin(t/200) sin t of 1 %, T = 100π; dying = mean (2/T cos t)²."""
    end = 100 * math.pi
    t = (np.arange(40_000) + 0.5) * end / 40_000
    slow, c = math.pi / (2 * end), 0.01 * math.sqrt(2)
    # e = c sin(slow t) sin t, and what it leaves: e'' + e
    left = 2 * c * slow * np.cos(slow * t) * np.cos(t) - c * slow**2 * np.sin(slow * t) * np.sin(t)
    error = math.sqrt(mean_square(c * np.sin(slow * t) * np.sin(t)) / mean_square(np.sin(t)))
    least = mean_square(left)
    needed = loss["needed"]
    demand(
        needed < 1.05 * least,
        f"at a loss of {needed:.1e} an error of 1 % is not excluded: sin t + {c:.4f} sin(t/200) sin t has "
        f"the error {error:.2%} and the loss {least:.1e}",
    )
    demand(
        needed > 0.7 * least,
        f"{needed:.1e} is stricter than is needed: put 1 % into the boxed formula",
    )
    dying = mean_square(2 / end * np.cos(t))
    hint = "its residual is -(2/T) cos t; what is the mean of its square?"
    agree(loss["dying"], dying, hint, "the sine that dies: your loss", rtol=0.02)
    return "a sine that is wrong by half has more loss than is needed, but not by much"


@cache
def harm(sign: float, end: float, n: int = 500) -> float:
    """The largest ‖e‖/‖r‖ of e'' + sign e = r, e(0) = e'(0) = 0: the inverse of the stepping matrix."""
    h = end / n
    step = np.eye(n) + (sign * h**2 - 2) * np.eye(n, k=-1) + np.eye(n, k=-2)
    return float(np.linalg.norm(np.linalg.inv(step / h**2), 2))


@asks(
    parts(bounded=NUMBER, growing=NUMBER),
    "the factors for y'' + y and for y'' - y on [0, 10]",
    example='{"bounded": 10.0, "growing": 10.0}',
)
def ex_12_unstable(factor: dict) -> str:
    """max ‖e‖/‖r‖ over all r of e'' ± e = r, e(0) = e'(0) = 0 on [0, 10]: by a difference equation, its worst r."""
    for name, equation, sign in ("bounded", "y'' + y", 1.0), ("growing", "y'' - y", -1.0):
        hint = "it is the largest singular value of the Green's function on [0, 10], and not e^T or T/π"
        agree(factor[name], harm(sign, 10.0), hint, f"for {equation} your factor", rtol=0.05)
    return "both factors agree with the worst right side of a difference equation"


def to_second_order(u: Callable, t: Tensor) -> list[Tensor]:
    """y, y' and y'' at points t (n, 1), each (n, 1); raises NotYet where the answer has none."""
    with trying("your y, with two derivatives,"):
        y = Partials(u, t)
        found = [y(), y(0), y(0, 0)]
    return [tensor(part, "your y", tuple(t.shape)) for part in found]


def starts(u: Callable, value: float, slope: float, atol: float) -> None:
    """Raises NotYet unless y(0) and y'(0) are these."""
    y, first, _ = to_second_order(u, column([0.0]))
    for what, found, asked in ("y(0)", y, value), ("y'(0)", first, slope):
        compare(found.item(), asked, says="asked is", what=f"your {what}", atol=atol)


@asks(function("t"), "y", example="lambda t: torch.cos(t)")
def problem_12_damped(u: Callable) -> str:
    """y'' + 0.4 y' + 4 y = cos t, y(0) = 1, y'(0) = 0 on [0, 10], at points of our own."""
    starts(u, 1.0, 0.0, atol=1e-3)
    t = column((np.arange(301) + 0.3) / 301 * 10)
    y, slope, bend = to_second_order(u, t)
    r = (bend + 0.4 * slope + 4 * y - torch.cos(t)).detach()[:, 0]
    worst = r.abs().argmax()
    demand(
        r.abs()[worst].item() < 1e-2,
        f"{place({'t': t[worst].item()})}y'' + 0.4 y' + 4 y - cos t is {shown(r[worst])}, and below 0.01 in "
        "size is asked",
    )
    # |e| ≤ max |r| ∫ |Green's function|, and that integral is coth(0.2 π / 2ω) / 4
    bound = r.abs().max().item() / 4 / math.tanh(0.1 * math.pi / math.sqrt(3.96))
    return f"{len(r)} points tried; with the start met, your error is at most {bound:.0e}"


@asks(function("t"), "y", example="lambda t: torch.sin(t)")
def problem_12_cheap(u: Callable) -> str:
    """On [0, 10π], y(0) = 0 and y'(0) = 1: an error of 80 % and more, at a loss of 0.0035 and less."""
    starts(u, 0.0, 1.0, atol=1e-6)
    t = column((np.arange(4000) + 0.5) * FAR / 4000)
    y, _, bend = to_second_order(u, t)
    loss = (bend + y).square().mean().item()
    error = ((y - t.sin()).norm() / t.sin().norm()).item()
    demand(error >= 0.8, f"your relative error is {error:.3f}, and 0.8 or more is asked")
    demand(
        loss <= 0.0035,
        f"your error is {error:.3f} and your loss {loss:.5f}: there is a cheaper way to be as wrong, "
        "below 0.0035",
    )
    return f"an error of {error:.2f} at a loss of {loss:.5f}"
