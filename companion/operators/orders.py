"""Are the derivatives that torch gives of a function consistent? Each against the one below.

No second library is needed to see that a k-th derivative is wrong: it is the slope of the
(k − 1)-th, and a difference quotient of that one is another way to it. Chapter 11.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from companion.operators.jets import check_points, check_value
from companion.operators.nested import alias, derivative, recording, weights
from companion.operators.torch_faults import trusted

STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))  # of fourth order
RATIO = 10**0.5  # of a step and the next
SAFETY = 20.0  # a difference counts if it is so many times what two steps differ by
TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-2}  # relative; other dtypes as float32


def check_orders(f: Callable[[Tensor], Tensor], x: Tensor, order: int) -> None:
    """Raise ValueError if one of torch's nested derivatives of f, to that order, is wrong at x.

    For y(t) = Σ wᵢ fᵢ(x + t v), v and w random, the k-th derivative by nested reverse mode has to
    be the five-point difference quotient of the (k − 1)-th, for k = 1 … order. f: any function of a
    tensor of floats of any shape, an nn.Module; x may be near a corner, but not on one, where a
    derivative is a convention. What is off by less than about 1e-5 (1e-2 in float32) of the
    derivative is not seen, and what is wrong elsewhere than at x neither.

    The message has the order, both numbers, and what companion.operators.torch_faults knows of f.
    Raises also ValueError for an order below 1 and where a derivative is NaN or infinite beside x,
    TypeError when x is not a floating tensor or f does not return one.

    >>> x = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)
    >>> check_orders(lambda x: torch.layer_norm(x, (3,)), x, order=2)
    >>> check_orders(lambda x: torch.layer_norm(x, (3,)), x, order=3)
    Traceback (most recent call last):
        ...
    ValueError: torch's derivative of order 3 ... is ... of order 2 ... layer_norm ...

    Source: chapter 1 for the quotient; chapter 11.
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"order is a whole number, 1 or more; got {order!r}")
    check_points(x)
    x = x.detach()
    with recording():
        here = _nested(f, x, 0.0, order)
        steps = _steps(x.dtype)
        beside = {h: [_nested(f, x, s * h, order - 1) for s, _ in STENCIL] for h in steps}
        for k in range(1, order + 1):
            quotient, doubt = _quotient(beside, k - 1)
            if not quotient.isfinite():
                raise ValueError(
                    f"derivatives of order {k - 1} of f are NaN or infinite beside x: whether that "
                    f"of order {k} is right cannot be told"
                )
            size = torch.maximum(quotient.abs(), here[k].abs()).nan_to_num()
            limit = SAFETY * doubt + TOLERANCE.get(x.dtype, 1e-2) * size
            if not (here[k] - quotient).abs() <= limit:
                raise ValueError(_found(f, x, k, here[k], quotient))


def _nested(f, x, t, order):
    """[y, y′, …, y⁽ⁿ⁾] at t, numbers in one tensor, by nested reverse mode alone."""
    size = x.abs().amax(0, keepdim=True) if x.ndim and x.numel() else x.abs()
    v = weights(x.numel())[0].to(x).view(x.shape) * torch.where(size > 0, size, 1)
    at = alias(x.new_tensor(t))
    value = check_value(f(x + at * v))
    y = (weights(value.numel())[0].to(value).view(value.shape) * value).sum()
    found = [y]
    for _ in range(order):
        slope = derivative(found[-1], at)
        found.append(torch.zeros_like(y) if slope is None else slope)
    return torch.stack([d.detach() for d in found])


def _steps(dtype):
    """The steps that are tried, from the largest."""
    largest, count = (0.1, 7) if dtype == torch.float64 else (0.3, 5)
    return [largest / RATIO**i for i in range(count)]


def _quotient(beside, k):
    """(the difference quotient of the k-th derivative, by how much it may be off).

    Of all steps those three that agree best: too large ones see the next orders, too small ones
    rounding.
    """
    eps = torch.finfo(next(iter(beside.values()))[0].dtype).eps
    quotients, noise = [], []
    for h, at in beside.items():
        values = torch.stack([w * d[k] for (_, w), d in zip(STENCIL, at)])
        quotients.append(values.sum() / h)
        noise.append(10 * eps * values.abs().max() / h)
    q, n = torch.stack(quotients), torch.stack(noise)
    apart = (q[1:] - q[:-1]).abs()
    doubt = torch.maximum(torch.maximum(apart[1:], apart[:-1]), n[1:-1])
    best = doubt.nan_to_num(torch.inf).argmin()
    return q[1:-1][best], doubt[best]


def _found(f, x, k, torchs, quotient):
    """What is said of the first order that is wrong."""
    at = alias(x)
    value = f(at)
    _, fault = trusted(value, at) if value.requires_grad else (0, None)
    known = (
        f"f calls {fault.function}, whose derivatives torch has right to order {fault.right_to}: "
        f"{fault.why}"
        if fault
        else "No function in f is known for it: is x on a corner, or does f detach, or have an "
        "autograd.Function"
    )
    return (
        f"torch's derivative of order {k} is {torchs.item():.6g}, and a difference quotient of its "
        f"derivative of order {k - 1} is {quotient.item():.6g} (along a random direction, summed "
        f"with random weights). {known}. Partials, derivatives and taylor go by jets instead"
    )
