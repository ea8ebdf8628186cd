"""Every engine against every other, and against the complex step.

An engine here is a function `engine(f, args, directions, order) -> [d⁰, d¹, …, dⁿ]` that returns
the derivatives of t ↦ f(x + t v) at t = 0. Yours is checked by handing it over:
check_derivatives(f, 2.0, engines={"mine": mine}).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from companion.engines.dual import jvp
from companion.engines.functional import grad
from companion.engines.jet import derivatives
from companion.engines.rules import sum
from companion.engines.tape import Var, tape
from companion.engines.values import Plain, float64, plain, shape

Engine: TypeAlias = Callable[..., list[Any]]  # (f, args, directions, order) -> [d⁰, d¹, …, dⁿ]

STEP = 1e-20  # of the complex step: there is no subtraction, so it can be as small as we like


def _along(f, args, directions):
    """t ↦ f(x + t v)."""
    return lambda t: f(*[x + t * v for x, v in zip(args, directions)])


def _by_slopes(*slopes):
    """The engine that differentiates order times in a row, the given slopes taking turns."""

    def engine(f, args, directions, order):
        path, found = _along(f, args, directions), []
        for k in range(order + 1):
            found.append(plain(path(0.0)))
            path = slopes[k % len(slopes)](path)
        return found

    return engine


def _slope_forward(path):
    return lambda t: jvp(path, t, 1.0)[1]


def _slope_reverse(path):
    """y′(t) by double reverse: ȳ ↦ t̄ = ȳ · y′ is linear in ȳ, so its own gradient is y′."""

    def slope(t):
        ones = np.ones(shape(path(plain(t))))[()]
        return grad(lambda seed: grad(lambda s: sum(path(s) * seed))(t))(ones)

    return slope


def _by_jet(f, args, directions, order):
    return derivatives(_along(f, args, directions), 0.0, order)


def _by_complex_step(f, args, directions, order):
    """dᵏ = Im dᵏ⁻¹(ih)/h; the derivative before it is that of a jet, the last step is not."""
    path = _along(f, args, directions)
    start: Any = STEP * 1j
    before = derivatives(path, start, order - 1) if order else []
    return [plain(path(0.0)), *[np.imag(d) / STEP for d in before]]


ENGINES: dict[str, Engine] = {
    "dual": _by_slopes(_slope_forward),
    "tape": _by_slopes(_slope_reverse),
    "jet": _by_jet,
    "forward over reverse": _by_slopes(_slope_reverse, _slope_forward),
    "complex step": _by_complex_step,
}


def check_derivatives(
    f: Callable[..., Any],
    *args: Plain,
    order: int = 3,
    engines: dict[str, Engine] | None = None,
    rtol: float = 1e-9,
    seed: int = 0,
) -> None:
    """Assert that all engines agree on dᵏ/dtᵏ f(x + t v), k = 0 … order, for a random v.

    One random direction suffices: where two derivatives differ, the directions that hide it have
    probability zero. f: a function of numbers and arrays, smooth at args. engines: yours, by name,
    beside the book's own; each is `engine(f, args, directions, order) -> list`. rtol: relative to
    the largest derivative of the order.

    Raises AssertionError naming the engine, the order, and the operation of f whose rule is wrong
    if it can be found; ValueError where an argument is NaN or infinite, or there is none.

    >>> from companion.engines import check_derivatives, sin
    >>> check_derivatives(lambda x, y: sin(x * y) / x, 2.0, 5.0)

    Source: the idea is that of HIPS autograd's and JAX's check_grads; chapters 3 to 6.
    """
    if not args:
        raise ValueError(
            "check_derivatives needs the arguments to check at: check_derivatives(f, 2.0)"
        )
    args = [float64(x) for x in args]
    if not all(np.all(np.isfinite(x)) for x in args):
        raise ValueError("check_derivatives needs finite arguments; a NaN agrees with nothing")
    rng = np.random.default_rng(seed)
    directions = [
        rng.uniform(0.5, 1.5, shape(x))[()] * rng.choice([-1.0, 1.0], shape(x))[()] for x in args
    ]
    found = {
        name: engine(f, args, directions, order)
        for name, engine in (ENGINES | (engines or {})).items()
    }
    for name, ds in found.items():
        k = _first_difference(ds, found["jet"], rtol)
        if k is not None:
            raise AssertionError(_explain(found, name, k, rtol, _wrong_rule(f, args)))


def _first_difference(ds, reference, rtol):
    """The lowest order at which two lists of derivatives differ, or None."""
    for k, (a, b) in enumerate(zip(ds, reference)):
        scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        if np.shape(a) != np.shape(b) or not np.allclose(a, b, rtol=0.0, atol=rtol * scale):
            return k
    return None if len(ds) == len(reference) else min(len(ds), len(reference))


def _explain(found, name, k, rtol, culprit):
    mine, jet = [ds[k] if k < len(ds) else "nothing" for ds in (found[name], found["jet"])]
    others = {other: ds[: k + 1] for other, ds in found.items() if other != name}
    agree = [
        o for o, ds in others.items() if _first_difference(ds, found[name][: k + 1], rtol) is None
    ]
    return (
        f"derivatives differ at order {k}: {name} gives {mine}, jet gives {jet}. "
        f"{', '.join(agree) or 'Nobody'} agrees with {name}. "
        + (
            f"The rule that is wrong: {culprit}."
            if culprit
            else "Every rule that f uses is right by itself."
        )
    )


def _wrong_rule(f, args):
    """The first operation on the tape of f whose own slope is not that of the complex step."""
    for node in tape(f(*[Var(x) for x in args])):
        if node.rule is None:
            continue
        xs = [x.value if type(x) is Var else x for x in node.inputs]
        for i, x in enumerate(node.inputs):
            if type(x) is Var and not _rule_is_right(node, xs, i):
                return node.rule.name
    return None


def _rule_is_right(node, xs, i):
    """⟨1, J v⟩ of one operation in one argument: forward, reverse, and by the complex step."""
    rng = np.random.default_rng(1)
    v = rng.uniform(0.5, 1.5, shape(xs[i]))[()]

    def one(x):
        return node.rule(*xs[:i], x, *xs[i + 1 :], **node.params)

    exact = np.sum(np.imag(one(xs[i] + 1j * STEP * v))) / STEP
    forward = np.sum(plain(jvp(one, xs[i], v)[1]))
    reverse = np.sum(v * grad(lambda x: sum(one(x)))(xs[i]))
    return np.allclose([forward, reverse], exact, rtol=1e-8, atol=1e-8)
