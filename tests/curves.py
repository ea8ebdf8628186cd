"""Derivatives along a curve: f(x₁(t), x₂(t), …), where every xᵢ is a polynomial of degree 4 in t.

One variable t brings in all partial derivatives, and every engine can follow it.
"""

from functools import cache
from itertools import chain, combinations

import mpmath
import numpy as np

import companion.engines as ce
from tests.oracles import CASES, COMPOSITES

ORDER = 4


def curves(case, active):
    """For each input its coefficients [x, x₁, …, x₄] where active, [x] where constant."""
    rng = np.random.default_rng(7)
    bends = [[0.5 * rng.standard_normal(np.shape(x)) for _ in range(ORDER)] for x in case.inputs]
    return [
        [x, *(bend if i in active else [])] for i, (x, bend) in enumerate(zip(case.inputs, bends))
    ]


def polynomial(coefficients, t):
    """Σ cₖ tᵏ, by Horner's rule."""
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * t + (c if np.ndim(c) else float(c))
    return total


def activities(case):
    """Which inputs move: each alone, beside constants, and all together."""
    n = range(len(case.inputs))
    return list(chain.from_iterable(combinations(n, k) for k in range(1, len(case.inputs) + 1)))


@cache
def _truth(index, active, composite):
    case = (COMPOSITES if composite else CASES)[index]
    exact = [
        [np.vectorize(mpmath.mpf, otypes=[object])(c) for c in cs] for cs in curves(case, active)
    ]

    def at(t):
        return np.asarray(
            case.truth(*[np.asarray(_horner(cs, t), dtype=object) for cs in exact]), dtype=object
        )

    dims = at(mpmath.mpf(0)).shape
    with mpmath.workdps(30):
        columns = [
            list(mpmath.diffs(lambda t, i=i: at(t).flat[i], 0, ORDER))
            for i in range(int(np.prod(dims)))
        ]
    return [np.array([float(c[k]) for c in columns]).reshape(dims) for k in range(ORDER + 1)]


def _horner(coefficients, t):
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * t + c
    return total


def truth(case, active):
    """[f, f′, …, f⁽⁴⁾] along the curves at t = 0, by mpmath's differences in high precision."""
    composite = case in COMPOSITES
    return _truth((COMPOSITES if composite else CASES).index(case), tuple(active), composite)


def by_dual(f, order, weights):
    """Nested duals: every element."""
    return [ce.derivative(f, k)(0.0) for k in range(order + 1)]


def by_var(f, order, weights):
    """Nested tapes, of the weighted sum of the elements."""
    g, found = (lambda t: ce.sum(f(t) * weights)), []
    for _ in range(order + 1):
        found.append(g(0.0))
        g = ce.grad(g)
    return found


def by_jet(f, order, weights):
    """One pass in Taylor mode: every element."""
    return ce.derivatives(f, 0.0, order)


ENGINES = {"Dual": by_dual, "Var": by_var, "Jet": by_jet}


def check_orders(case, engine, order=ORDER, actives=None, rtol=1e-12):
    """Assert that the engine finds the derivatives of the case up to `order`, for every choice of
    active inputs.

    The tolerance is relative to the largest element: rounding of one element is not smaller than that of its peers.
    """
    for active in actives or activities(case):
        paths, expected = curves(case, active), truth(case, active)

        def f(t, paths=paths):
            return case.call(*[polynomial(cs, t) for cs in paths])

        weights = 1 + np.arange(expected[0].size).reshape(expected[0].shape) / 7
        found = ENGINES[engine](f, order, weights)
        for k, (a, b) in enumerate(zip(found, expected)):
            b = np.sum(b * weights) if engine == "Var" else b
            scale = max(
                1.0,
                np.max(np.abs(expected[k]), initial=0.0)
                * np.sum(weights if engine == "Var" else 1),
            )
            assert np.shape(a) == np.shape(b), (
                f"{case}, {engine}, inputs {active}, order {k}: shape {np.shape(a)}"
            )
            np.testing.assert_allclose(
                a,
                b,
                rtol=rtol,
                atol=rtol * scale,
                err_msg=f"{case}, {engine}, inputs {active}, order {k}",
            )


MODES = {  # [f, f′, …, f⁽ⁿ⁾] at x for a scalar f, by each engine
    "Dual": lambda f, x, n: [ce.derivative(f, k)(x) for k in range(n + 1)],
    "Jet": ce.derivatives,
    "Var": lambda f, x, n: [f(x)] + (MODES["Var"](ce.grad(f), x, n - 1) if n else []),
}
