"""Rules of linear functions, products, norms, normalisation layers and losses: tests/composed_calls.py.

Beyond order 2 torch's nested derivatives are no oracle, so the value and the slope are torch's, and
each derivative from there on is held against a difference quotient of the one below. Each row is
then made wrong by a thousandth, and the same check must see it.
"""

from math import factorial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.operators import RULES, Jet, Partials, laplacian, taylor
from companion.operators.names import written
from tests.composed_calls import CALLS, NORMALISING, P, f64

ORDER = 4
STEP = 5e-4
X = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), **f64) * 2
ROWS = [pytest.param(f, i, id=f"{written(f)}-{i}") for f, fs in CALLS.items() for i in range(len(fs))]


def curve(x):
    """Of full degree in t."""
    return torch.sin(2 * x) * 0.5 + 0.05 * x * x + 1.2


def along(f, t, order):
    """[y, y′, y″, …] of t ↦ f(X + t) there."""
    return [factorial(k) * c for k, c in enumerate(taylor(f, X + t, order=order))]


def check(call):
    """Orders 0 and 1 are torch's; each one above is the slope of the one below."""
    f = lambda x: call(curve(x))
    here = along(f, 0.0, ORDER)
    by_torch(f, here)
    a, b, c, d = [along(f, i * STEP, ORDER - 1) for i in (-2, -1, 1, 2)]
    for k in range(2, ORDER + 1):
        slope = (a[k - 1] - 8 * b[k - 1] + 8 * c[k - 1] - d[k - 1]) / (12 * STEP)
        close(here[k], slope, 1e-6, f"order {k}")


def by_torch(f, here):
    """The value, and a sum of slopes with random weights: one walk back, as not all know two."""
    t = torch.zeros((), **f64, requires_grad=True)
    y = f(X + t)
    close(here[0], y.detach(), 1e-12, "the value")
    w = torch.rand(y.shape, generator=torch.Generator().manual_seed(7), **f64) + 0.5
    (slope,) = torch.autograd.grad((w * y).sum(), t)
    close((w * here[1]).sum(), slope, 1e-11, "order 1")


def close(found, expected, tolerance, what):
    """Relative to the largest element."""
    assert found.shape == expected.shape
    off, size = (found - expected).abs().max().item(), expected.abs().max().item()
    assert off <= tolerance * (size + 1e-3), f"{what} is off by {off}, of {size}"


def spied(monkeypatch, function, change=lambda y: y):
    """The rule of a function, which from now on counts its calls, and changes what it gives."""
    rule, calls = RULES[function], []

    def counting(*args, **kwargs):
        calls.append(function)
        return change(rule(*args, **kwargs))

    monkeypatch.setitem(RULES, function, counting)
    return calls


def off(y):
    """All slopes of a result made wrong by a thousandth."""
    if isinstance(y, (tuple, list)):
        return type(y)(map(off, y))
    if type(y) is not Jet:
        return y
    return y.like(torch.cat([y.rows[:1], y.rows[1:] * 1.001]))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("function, place", ROWS)
def test_each_order_is_the_slope_of_the_one_below_and_a_wrong_one_is_seen(
    monkeypatch, function, place
):
    call = CALLS[function][place]
    calls = spied(monkeypatch, function)
    check(call)
    assert calls, f"the input of {written(function)} does not call it"
    spied(monkeypatch, function, off)
    with pytest.raises(AssertionError, match="order 1"):
        check(call)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("function, place", ROWS)
def test_the_laplacian_is_the_sum_of_second_derivatives(function, place):
    at = X.reshape(6, 2)
    f = lambda x: CALLS[function][place](curve(x * x - 0.3 * x).reshape(3, 4))
    axes = [torch.tensor(v, **f64).expand_as(at) for v in ([1.0, 0.0], [0.0, 1.0])]
    second = sum(2 * taylor(f, at, v, order=2)[2] for v in axes)
    close(laplacian(f, at), second, 1e-11, "the Laplacian")
