"""A function of NumPy arrays on a line, by the three engines."""

from collections.abc import Callable
from inspect import ismodule
from typing import Any

import numpy as np
import scipy.special

import companion.engines as ce
from conformance.oracle import Finding, judge

ORDER = 4
NESTED = 3  # nested tapes and duals cost twice as much with every order


class Names:
    """NumPy's names; where the engines have a function of that name, it is theirs."""

    def __init__(self, own: Any, plain: Any) -> None:
        self._own, self._plain = own, plain

    def __getattr__(self, name: str) -> Any:
        own, plain = getattr(self._own, name, None), getattr(self._plain, name, None)
        if own is plain is None:
            raise NotImplementedError(f"companion.engines has no {name}")
        return Names(own, plain) if ismodule(plain) else own or plain


NP = Names(ce, np)
SPECIAL = Names(ce, scipy.special)


def by_jet(path: Callable, weights: np.ndarray) -> Callable[[float, int], list]:
    """All orders in one pass, element by element."""
    return lambda t, order: [np.asarray(d) for d in ce.derivatives(path, t, order)]


def by_dual(path: Callable, weights: np.ndarray) -> Callable[[float, int], list]:
    """Duals in duals, element by element."""
    return lambda t, order: [np.asarray(ce.derivative(path, k)(t)) for k in range(order + 1)]


def by_tape(path: Callable, weights: np.ndarray) -> Callable[[float, int], list]:
    """Tapes in tapes, of a weighted sum."""

    def found(t: float, order: int) -> list:
        g, ds = (lambda t: ce.sum(path(t) * weights)), []
        for k in range(order + 1):
            ds.append(np.asarray(g(t)))
            g = ce.grad(g) if k < order else g
        return ds

    return found


ENGINES = {"jet": (by_jet, ORDER), "dual": (by_dual, NESTED), "tape": (by_tape, NESTED)}


def follow(f: Callable, plain: Callable, inputs: list, engine: str, seed: int) -> Finding:
    """The judgement on one engine; `plain` is f written with NumPy and SciPy alone."""
    rng = np.random.default_rng(seed)
    vs = [np.abs(x) * rng.uniform(0.5, 1.5, np.shape(x)) * rng.choice([-1, 1]) for x in inputs]
    path = lambda t: f(*[x + t * v for x, v in zip(inputs, vs)])
    value = lambda t: np.asarray(plain(*[x + t * v for x, v in zip(inputs, vs)]))
    weights = rng.uniform(0.5, 1.5, value(0.0).shape)
    find, order = ENGINES[engine]
    summed = (lambda t: np.sum(value(t) * weights)) if engine == "tape" else value
    return judge(find(path, weights), summed, order)
