"""What jets are held against: nested reverse mode, torch's own, which knows nothing of series."""

from math import factorial

import torch


def coefficients(f, x, order, v=1.0):
    """[y₀, …, yₙ] of t ↦ f(x + t v), by n walks back over Σᵢ wᵢ fᵢ and one more to w."""
    t = torch.zeros((), dtype=x.dtype, requires_grad=True)
    y = f(x.detach() + t * torch.as_tensor(v, dtype=x.dtype).expand_as(x))
    w = torch.ones_like(y, requires_grad=True)
    total, found = (w * y).sum(), [y.detach()]
    for k in range(1, order + 1):
        total = _slope(total, t, create_graph=True)
        found.append(_slope(total, w, retain_graph=True) / factorial(k))
    return found


def _slope(y, x, **options):
    if not y.requires_grad:
        return torch.zeros_like(x)
    return torch.autograd.grad(y, x, materialize_grads=True, **options)[0]


def derivatives(f, x, order):
    """[f, f′, …] of a function of one variable, row by row, with a graph to the parameters."""
    x = x.detach().requires_grad_()
    ds = [f(x)]
    for _ in range(order):
        ds.append(_slope(ds[-1].sum(), x, create_graph=True))
    return ds


def assert_series(found, expected, tolerance=1e-12):
    """Equal in number, shape and dtype, and close, relative to the largest of each coefficient."""
    assert len(found) == len(expected)
    for k, (a, b) in enumerate(zip(found, expected)):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        scale = b.abs().max() + 1 if b.numel() else 1
        assert not a.numel() or (a - b).abs().max() <= tolerance * scale, f"coefficient {k}"
