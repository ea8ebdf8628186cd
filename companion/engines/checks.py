"""Every engine against every other, and against the complex step.

An engine here is a function `engine(f, args, directions, order) -> [d⁰, d¹, …, dⁿ]` that returns
the derivatives of t ↦ f(x + t v) at t = 0. Yours is checked by handing it over:
check_derivatives(f, 2.0, engines={"mine": mine}).
"""

import numpy as np

from companion.engines.dual import jvp
from companion.engines.jet import taylor
from companion.engines.kinds import float64, plain, shape
from companion.engines.rules import sum
from companion.engines.tape import Var, grad, tape

STEP = 1e-20  # of the complex step: there is no subtraction, so it can be as small as we like


def _along(f, args, directions):
    """t ↦ f(x + t v)."""
    return lambda t: f(*[x + t * v for x, v in zip(args, directions)])


def dual_engine(f, args, directions, order):
    """Forward mode nested `order` times."""
    path, found = _along(f, args, directions), []
    for _ in range(order + 1):
        found.append(plain(path(0.0)))
        path = _slope(path)
    return found


def _slope(path):
    return lambda t: jvp(path, t, 1.0)[1]


def tape_engine(f, args, directions, order):
    """Reverse mode nested `order` times, double reverse for each element of y."""
    path, found = _along(f, args, directions), []
    for _ in range(order + 1):
        found.append(plain(path(0.0)))
        path = _slope_by_tape(path)
    return found


def _slope_by_tape(path):
    """y′(t) by double reverse: ȳ ↦ t̄ = ȳ · y′ is linear in ȳ, so its own gradient is y′."""

    def slope(t):
        ones = np.ones(shape(path(plain(t))))[()]
        return grad(lambda seed: grad(lambda s: sum(path(s) * seed))(t))(ones)

    return slope


def jet_engine(f, args, directions, order):
    """Taylor mode in one pass."""
    coefficients = taylor(_along(f, args, directions), 0.0, order=order)
    factor, found = 1.0, []
    for k, c in enumerate(coefficients):
        factor *= max(k, 1)
        found.append(plain(c) * factor)
    return found


def mixed_engine(f, args, directions, order):
    """Forward mode over reverse over forward …, taking turns."""
    path, found = _along(f, args, directions), []
    for k in range(order + 1):
        found.append(plain(path(0.0)))
        path = _slope(path) if k % 2 else _slope_by_tape(path)
    return found


def complex_step_engine(f, args, directions, order):
    """dᵏ = Im dᵏ⁻¹(ih)/h; the derivative before it is that of a jet, the last step is not."""
    value = f(*args)
    path = _along(f, args, directions)
    coefficients = taylor(path, STEP * 1j, order=order)[:order] if order else []
    factor, found = 1.0, [plain(value)]
    for k, c in enumerate(coefficients):
        factor *= max(k, 1)
        found.append(np.imag(c) * factor / STEP)
    return found


ENGINES = {
    "dual": dual_engine,
    "tape": tape_engine,
    "jet": jet_engine,
    "forward over reverse": mixed_engine,
    "complex step": complex_step_engine,
}


def check_derivatives(f, *args, order=3, engines=None, rtol=1e-9, seed=0):
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
    reference = found["jet"]
    for name, derivatives in found.items():
        wrong = _first_difference(derivatives, reference, rtol)
        if wrong is not None:
            raise AssertionError(_explain(f, args, name, wrong, derivatives, reference, found))


def _first_difference(derivatives, reference, rtol):
    """The lowest order at which two lists of derivatives differ, or None."""
    if len(derivatives) != len(reference):
        return min(len(derivatives), len(reference))
    for k, (a, b) in enumerate(zip(derivatives, reference)):
        scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        if np.shape(a) != np.shape(b) or not np.allclose(a, b, rtol=0.0, atol=rtol * scale):
            return k
    return None


def _explain(f, args, name, k, derivatives, reference, found):
    mine = derivatives[k] if k < len(derivatives) else "nothing"
    theirs = reference[k] if k < len(reference) else "nothing"
    agree = [
        other
        for other, d in found.items()
        if other != name and _first_difference(d[: k + 1], derivatives[: k + 1], 1e-9) is None
    ]
    culprit = _wrong_rule(f, args)
    return (
        f"derivatives differ at order {k}: {name} gives {mine}, jet gives {theirs}. "
        + (f"{name} agrees with {', '.join(agree)}. " if agree else f"Nobody agrees with {name}. ")
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
