"""Chapter 5b, training by hand: what an answer to its exercises must satisfy."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from companion.practice.answers import ANYTHING, asks, function, parts
from companion.practice.verdicts import compare, demand, numbers, shown


@asks(
    parts(W=ANYTHING, b=ANYTHING, c=ANYTHING),
    "the shapes of their cotangents",
    example='{"W": (1, 1), "b": (1,), "c": (1, 1)}',
)
def ex_05b_shapes(answer: dict[str, Any]) -> str:
    """Of Σ c · tanh(xW + b), x (8, 6), W (6, 4), b (4,), c (8, 1)."""
    for name, shape in {"W": (6, 4), "b": (4,), "c": (8, 1)}.items():
        found = numbers(answer[name], f"{name}: your shape")
        came = tuple(int(n) if n.is_integer() else n for n in found.ravel().tolist())
        demand(
            came != (8, 4),
            f"{name}: (8, 4) is the share before the copies are added up; the cotangent has {name}'s shape",
        )
        demand(
            found.ndim == 1 and came == shape,
            f"{name}: yours is {came if found.ndim == 1 else shown(answer[name])}, and by the law of shapes a "
            f"cotangent has the shape of what it belongs to, here {name}",
        )
    return "three cotangents"


@asks(function("x"), "the heights at an array x of shape (n, 1)", example="lambda x: np.cos(x)")
def ex_05b_slopes(u: Callable) -> str:
    """u′ = cos x on [−3, 3] within 0.2, and u − sin x a constant, whichever it is."""
    x, h = np.linspace(-3.0, 3.0, 61)[:, None], 1e-4
    values = numbers(u(x))
    words = f"u of an array of shape {x.shape} has the shape {values.shape}"
    demand(values.shape == x.shape, words)
    slope = (numbers(u(x + h)) - numbers(u(x - h))) / (2 * h)
    worst = int(np.abs(slope - np.cos(x)).argmax())
    at = {"x": x[worst, 0]}
    compare(slope[worst, 0], np.cos(x[worst, 0]), at, "cos x is", "the slope of yours", 0, 0.2)
    off = values - np.sin(x)
    demand(
        np.ptp(off) < 0.15, f"u − sin x should be a constant, and yours moves by {np.ptp(off):.2g}"
    )
    return f"61 points; u − sin x is {off.mean():.2g}, which no slope knows"


class State:
    """One array of a deep computation, which can only be handed on."""

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: float):
        self._value = value


class Watched:
    """A chain of n steps that counts its evaluations, and the states that are alive at once."""

    def __init__(self, n: int) -> None:
        self.alive: weakref.WeakSet = weakref.WeakSet()
        self.n, self.steps, self.most = n, 0, 0

    def made(self, value: float) -> State:
        """A new state, counted as long as it is alive."""
        state = State(value)
        self.alive.add(state)
        self.most = max(self.most, len(self.alive))
        return state

    def step(self, state: State) -> State:
        """tanh(1.1 x), one evaluation more."""
        self.steps += 1
        demand(
            self.steps <= 50 * self.n,
            f"at n = {self.n}: yours takes {self.steps} steps, and does not end",
        )
        return self.made(float(np.tanh(1.1 * state._value)))

    def adjoint(self, state: State, bar: float) -> float:
        """The cotangent of x from that of tanh(1.1 x): bar · 1.1 / cosh²(1.1 x)."""
        return bar * 1.1 / float(np.cosh(1.1 * state._value)) ** 2


@asks(
    function("step, adjoint, start, n"),
    "the cotangent of start",
    example="lambda step, adjoint, start, n: adjoint(start, 1.0)",
)
def problem_05b_memory(f: Callable) -> str:
    """dxₙ/dx₀ of xₖ₊₁ = tanh(1.1 xₖ), with few states alive at once and each step done about twice."""
    for n, most in [(1, 6), (10, 12), (400, 60)]:
        chain, value, wanted = Watched(n), 0.7, 1.0
        for _ in range(n):
            wanted *= 1.1 / np.cosh(1.1 * value) ** 2
            value = np.tanh(1.1 * value)
        came = f(chain.step, chain.adjoint, chain.made(0.7), n)
        compare(came, wanted, {"n": n}, "the backward pass says", rtol=1e-9, atol=0)
        words = f"at n = {n}: yours keeps {chain.most} states at once, {most} are allowed"
        demand(chain.most <= most, words)
        words = f"at n = {n}: yours takes {chain.steps} steps forward, {2 * n + 2} are allowed"
        demand(chain.steps <= 2 * n + 2, words)
    return "400 steps, gone back through with at most 60 states in memory"
