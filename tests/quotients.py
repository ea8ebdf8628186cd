"""A function of torch's along a curve: its value and slope are torch's, each order above a quotient of the one below.

torch's own nested derivatives are no oracle beyond the second order.
"""

from math import factorial

import torch

from companion.operators import taylor

f64 = dict(dtype=torch.float64)
ORDER = 4
STEP = 5e-4
X = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), **f64) * 2


def curve(x):
    """Of full degree in t."""
    return torch.sin(2 * x) * 0.5 + 0.05 * x * x + 1.2


def along(f, t, order):
    """[y, y′, y″, …] of t ↦ f(X + t) there."""
    return [factorial(k) * c for k, c in enumerate(taylor(f, X + t, order=order))]


def check(call, order=ORDER):
    """Raise AssertionError, "order k is off by …", where the series of call is not right."""
    f = lambda x: call(curve(x))
    here = along(f, 0.0, order)
    by_torch(f, here)
    a, b, c, d = [along(f, i * STEP, order - 1) for i in (-2, -1, 1, 2)]
    for k in range(2, order + 1):
        slope = (a[k - 1] - 8 * b[k - 1] + 8 * c[k - 1] - d[k - 1]) / (12 * STEP)
        close(here[k], slope, 1e-6, f"order {k}")


def by_torch(f, here):
    """The value, and a sum of slopes with random weights: one walk back, as not all know two."""
    t = torch.zeros((), **f64, requires_grad=True)
    y = f(X + t)
    close(here[0], y.detach(), 1e-12, "the value")
    w = torch.rand(y.shape, generator=torch.Generator().manual_seed(7), **f64) + 0.5
    try:
        (slope,) = torch.autograd.grad((w * y).sum(), t)
    except RuntimeError:  # 7 % x has none in torch
        slope = (w * (f(X + STEP) - f(X - STEP))).sum() / 2 / STEP
        return close((w * here[1]).sum(), slope, 1e-5, "order 1")
    close((w * here[1]).sum(), slope, 1e-11, "order 1")


def close(found, expected, tolerance, what):
    """Relative to the largest element."""
    assert found.shape == expected.shape
    off, size = (found - expected).abs().max().item(), expected.abs().max().item()
    assert off <= tolerance * (size + 1e-3), f"{what} is off by {off}, of {size}"
