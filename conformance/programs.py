"""Random programs through every engine and the operators: they must agree, and be right.

A program is a tree of operations with its variable x and constants for leaves. Its derivatives to order
4 come from jets, duals in duals, tapes in tapes (Part I), and from torch jets and nested reverse mode
(Part II). Jets are judged by difference quotients; the others must say the same as they.
"""

import random
from collections.abc import Callable, Iterator
from math import factorial
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

import companion.engines as ce
from companion.operators import Partials, taylor
from conformance.oracle import PLACES, STEPS, Finding, judge
from conformance.verdicts import Tally

ORDER = 4
DEEP = 7  # operations of a program, at most
BLOCK = 200  # programs that are tried as one entry
ALL = 10  # one program of so many is asked for every order by every way
TOLERANCE = 1e-9  # between two ways to the same number, relative to the largest derivative


class Engines:
    """The names of a program's operations in Part I."""

    sin, cos, tanh, exp, log, sqrt, sigmoid, softplus = (
        ce.sin, ce.cos, ce.tanh, ce.exp, ce.log, ce.sqrt, ce.sigmoid, ce.softplus)  # fmt: skip
    arctan, log1p, expm1, sinh, cosh, relu, abs = (
        ce.arctan, ce.log1p, ce.expm1, ce.sinh, ce.cosh, ce.relu, ce.abs)  # fmt: skip
    maximum, minimum, where, sum, stack = ce.maximum, ce.minimum, ce.where, ce.sum, ce.stack
    lift = staticmethod(float)


class Torch:
    """... and in torch."""

    sin, cos, tanh, exp, log, sqrt, sigmoid, softplus = (
        torch.sin, torch.cos, torch.tanh, torch.exp, torch.log, torch.sqrt, torch.sigmoid, F.softplus)  # fmt: skip
    arctan, log1p, expm1, sinh, cosh, relu, abs = (
        torch.arctan, torch.log1p, torch.expm1, torch.sinh, torch.cosh, torch.relu, torch.abs)  # fmt: skip
    maximum, minimum, where, sum, stack = (
        torch.maximum, torch.minimum, torch.where, torch.sum, torch.stack)  # fmt: skip
    lift = staticmethod(lambda c: torch.tensor(c, dtype=torch.float64))


# name -> (how many arguments, the operation); values stay moderate, so that numbers mean something
OPERATIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "sin": (1, lambda o, a: o.sin(a)),
    "cos": (1, lambda o, a: o.cos(a)),
    "tanh": (1, lambda o, a: o.tanh(a)),
    "sigmoid": (1, lambda o, a: o.sigmoid(a)),
    "softplus": (1, lambda o, a: o.softplus(a)),
    "arctan": (1, lambda o, a: o.arctan(a)),
    "exp of sin": (1, lambda o, a: o.exp(o.sin(a))),
    "expm1 of tanh": (1, lambda o, a: o.expm1(o.tanh(a))),
    "sinh of sin": (1, lambda o, a: o.sinh(o.sin(a))),
    "cosh of sin": (1, lambda o, a: o.cosh(o.sin(a))),
    "log": (1, lambda o, a: o.log(2 + a * a)),
    "log1p": (1, lambda o, a: o.log1p(a * a)),
    "sqrt": (1, lambda o, a: o.sqrt(1 + a * a)),
    "runge": (1, lambda o, a: 1 / (1 + a * a)),
    "neg": (1, lambda o, a: -a),
    "cube of sin": (1, lambda o, a: o.sin(a) ** 3),
    "real power": (1, lambda o, a: (2 + o.sin(a)) ** 1.5),
    "power of 2": (1, lambda o, a: 2 ** o.tanh(a)),
    "relu": (1, lambda o, a: o.relu(a)),
    "abs": (1, lambda o, a: o.abs(a)),
    "sum": (1, lambda o, a: o.sum(o.stack([a, a * a, o.sin(a)]), 0)),
    "index": (1, lambda o, a: o.stack([o.cos(a), a])[0]),
    "add": (2, lambda o, a, b: a + b),
    "sub": (2, lambda o, a, b: a - b),
    "mul": (2, lambda o, a, b: o.sin(a) * b),
    "div": (2, lambda o, a, b: a / (2 + o.cos(b))),
    "pow": (2, lambda o, a, b: (2 + o.sin(a)) ** o.tanh(b)),
    "maximum": (2, lambda o, a, b: o.maximum(a, b)),
    "minimum": (2, lambda o, a, b: o.minimum(a, b)),
    "products": (2, lambda o, a, b: o.sum(o.stack([a + 0 * b, o.sin(b) + 0 * a]) * o.tanh(a), 0)),
    "where": (2, lambda o, a, b: o.where(b > 0, a, a * b)),
}


def program(draw: random.Random, size: int) -> Any:
    """A random tree with about so many operations."""
    if size <= 0:
        return "x" if draw.random() < 0.75 else draw.randint(-6, 6) / 2
    name = draw.choice(list(OPERATIONS))
    arity = OPERATIONS[name][0]
    left = draw.randint(0, size - 1) if arity == 2 else size - 1
    return (name, *[program(draw, part) for part in (left, size - 1 - left)[:arity]])


def run(tree: Any, x: Any, language: Any) -> Any:
    """The value of a program at the points x; a constant is a number or a tensor of one."""
    if tree == "x":
        return x
    if not isinstance(tree, tuple):
        return language.lift(tree)
    name, *parts = tree
    return OPERATIONS[name][1](language, *[run(part, x, language) for part in parts])


def names(count: int = 100_000) -> list[str]:
    """The blocks of programs."""
    return [str(block) for block in range(-(-count // BLOCK))]


def trial(name: str, seed: int, samples: int = BLOCK) -> Tally:
    """A block of programs, each at a random point."""
    tally, draw = Tally(name), random.Random(f"{seed} {name}")
    for place in range(samples):
        tree, x = program(draw, draw.randint(1, DEEP)), draw.uniform(-1.5, 1.5)
        tally.add(
            f"seed {seed}, program {place}, {tree} at {x!r}",
            lambda: tried(tree, x, place % ALL == 0),
        )
    return tally


def tried(tree: Any, x: float, thorough: bool) -> Finding:
    """Jets by their quotients, at points around x; the rest by the jets, at the same points."""
    f = lambda t: run(tree, t, Engines) + 0 * t  # a program of constants too is a function of t
    points = x + np.array([0.0, *PLACES]) * STEPS[0]
    table = np.array(ce.derivatives(f, points, ORDER))
    near = dict(zip(points.tolist(), table.T))

    def found(t: float, order: int) -> list[np.ndarray]:
        return list(near[x + t]) if x + t in near else ce.derivatives(f, x + t, order)

    finding = judge(found, lambda t: np.asarray(f(x + t)), ORDER)
    if finding.verdict != "right":
        return finding
    scale = np.maximum.accumulate(np.maximum(1, np.abs(table)))
    for way, order, ds in others(tree, f, points, thorough):
        off = np.abs(ds - table[order])
        if not (off <= TOLERANCE * scale[order]).all():
            return Finding(
                "wrong", order, f"order {order} by {way}: {ds[0]}, for {table[order, 0]}"
            )
    return finding


def others(
    tree: Any, f: Callable, x: np.ndarray, thorough: bool
) -> Iterator[tuple[str, int, np.ndarray]]:
    """(way, order, the derivatives at the points x), by all ways but jets.

    The nests of duals and tapes hold all orders, so the highest says enough; some programs are asked
    for each.
    """
    g = lambda t: run(tree, t, Torch) + 0 * t
    points = torch.tensor(x).reshape(-1, 1)
    for k, c in enumerate(taylor(g, points, order=ORDER)):
        yield "jets of torch", k, c.detach().numpy(force=True)[:, 0] * factorial(k)
    u = Partials(g, points, method="reverse")
    slope = lambda h: lambda x: ce.grad(lambda x: ce.sum(h(x)))(x)
    nested = f
    for k in range(1, ORDER + 1):
        yield "reverse mode of torch", k, u(*[0] * k).detach().numpy(force=True)[:, 0]
        nested = slope(nested)
        if thorough or k == ORDER:
            yield "duals", k, ce.derivative(f, k)(x)
            yield "tapes", k, nested(x)
