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

PLACES, WEIGHTS = (-2, -1, 1, 2), (1 / 12, -2 / 3, 2 / 3, -1 / 12)  # the five-point quotient
ROUGHNESS = (-1.0, 2.0, -2.0, 1.0)  # a third difference, nothing but rounding at small steps
STEPS = [0.1 / 10 ** (i / 2) for i in range(10)]  # of the size of x, or of SMALL
MIDDLE = slice(3, 6)  # of the steps
SMALL = 1e-3
SAFETY = 20.0  # a difference counts if it is so many times what two steps differ by
LOST = 1000  # units of rounding of the value; a derivative may be lost in so many


def check_orders(f: Callable[[Tensor], Tensor], x: Tensor, order: int) -> None:
    """Raise ValueError if one of torch's nested derivatives of f, to that order, is wrong at x.

    For y(t) = Σ wᵢ fᵢ(x + t v), v and w random, the k-th derivative by nested reverse mode has to
    be the five-point difference quotient of the (k − 1)-th, for k = 1 … order. f: any function of a
    tensor of floats of any shape, an nn.Module. Not called wrong is what is off by less than about
    1e-5 (1e-2 in float32) of the derivative, or elsewhere than at x, or at a corner, where it is a
    convention.

    The message has the order, both numbers, and what companion.operators.torch_faults knows of f.
    Raises also ValueError for an order below 1 and where a derivative is NaN or infinite beside x,
    TypeError when x is not a floating tensor or f does not return one.

    >>> x = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)
    >>> check_orders(lambda x: torch.layer_norm(x, (3,)), x, order=2)
    >>> try:
    ...     check_orders(lambda x: torch.layer_norm(x, (3,)), x, order=3)
    ... except ValueError as error:
    ...     print(str(error)[:32])
    torch's derivative of order 3 is

    Source: chapter 1 for the quotient; chapter 11.
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"order is a whole number, 1 or more; got {order!r}")
    check_points(x)
    x = x.detach()
    with recording():
        here = _nested(f, x, 0.0, order)
        beside = torch.stack(
            [torch.stack([_nested(f, x, i * h, order) for i in PLACES]) for h in STEPS]
        )
        lost = LOST * torch.finfo(x.dtype).eps * beside[:, :, 0].abs().nan_to_num(0, 0, 0).amax()
        for k in range(1, order + 1):
            quotient, doubt = _quotient(beside[:, :, k - 1])
            doubt = doubt + _rounding(beside[MIDDLE, :, k]).amin()
            if not quotient.isfinite():
                raise ValueError(
                    f"derivatives of order {k - 1} of f are NaN or infinite beside x: whether that "
                    f"of order {k} is right cannot be told"
                )
            size = torch.maximum(quotient.abs(), here[k].abs()).nan_to_num()
            limit = SAFETY * doubt + _tolerance(x.dtype) * size + lost
            if not (here[k] - quotient).abs() <= limit:
                raise ValueError(_message(f, x, k, here[k], quotient))


def _nested(f, x, t, order):
    """[y, y′, …, y⁽ⁿ⁾] at t, numbers in one tensor, by nested reverse mode alone."""
    size = x.abs().amax(0, keepdim=True) if x.ndim and x.numel() else x.abs()
    size = torch.where(size > 0, size.clamp(min=SMALL), 1)
    v = weights(x.numel())[0].to(x).view(x.shape) * size
    at = alias(x.new_tensor(t))
    value = check_value(f(x + at * v))
    y = (weights(value.numel())[0].to(value).view(value.shape) * value).sum()
    found = [y]
    for _ in range(order):
        slope = derivative(found[-1], at)
        found.append(torch.zeros_like(y) if slope is None else slope)
    return torch.stack([d.detach() for d in found])


def _quotient(values):
    """(the difference quotient of what has these values (steps, places), by how much it may be off).

    Of the smallest step above rounding, of which the last steps show how much there is; without
    one, of the smallest. How much it is off is seen from the steps beside it, from the three-point
    quotient, and from rounding.
    """
    h = values.new_tensor(STEPS)
    quotients = values @ values.new_tensor(WEIGHTS) / h
    three = (values[:, 2] - values[:, 1]) / (2 * h)
    noise = 10 * torch.finfo(values.dtype).eps * values.abs().amax(1)
    noise = (noise + _rounding(values[-2:]).amax()) / h
    apart = (quotients[1:] - quotients[:-1]).abs()
    within = torch.maximum((quotients - three).abs() / 10, noise)
    doubt = torch.stack([apart[1:], apart[:-1], within[1:-1]]).amax(0).nan_to_num(torch.inf)
    quiet = noise < _tolerance(values.dtype) * quotients.abs()
    best = max(quiet[1:-1].nonzero().flatten().tolist(), default=len(STEPS) - 3)
    return quotients[1:-1][best], doubt[best]


def _rounding(values):
    """How rough the values (steps, places) are, for each step: a third difference."""
    return (values @ values.new_tensor(ROUGHNESS)).abs().nan_to_num(0, 0, 0)


def _tolerance(dtype):
    """The relative difference that is not worth a word."""
    return 1e-5 if dtype == torch.float64 else 1e-2


def _message(f, x, k, torchs, quotient):
    """What is said of the first order that is wrong."""
    at = alias(x)
    _, fault = trusted(f(at), at)
    instead = "Partials, derivatives and taylor take jets instead"
    if fault:
        instead = instead if fault.jets else fault.instead
        cause = (
            f"f calls {fault.function}, whose derivatives torch has right to order "
            f"{fault.right_to}: {fault.why}"
        )
    else:
        cause = (
            "No function in f is known for that: is x on a corner, or is there an "
            "autograd.Function or a detach in f"
        )
    return (
        f"torch's derivative of order {k} is {torchs.item():.6g}, and a difference quotient of its "
        f"derivative of order {k - 1} is {quotient.item():.6g} (along a random direction, with "
        f"random weights). {cause}. {instead}"
    )
