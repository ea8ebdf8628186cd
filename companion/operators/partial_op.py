"""The derivative of a function of several tensors by one of them, as a new function. Chapter 8."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from companion.operators.jets import check_points, check_value
from companion.operators.nested import (
    alias,
    as_caller_wants,
    derivative_or_zero,
    pulled,
    recording,
    transforming,
    weights,
)
from companion.operators.torch_faults import guarded, trusted


def partial(f: Callable[..., Tensor], wrt: int | str = 0) -> Callable[..., Tensor]:
    """∂f/∂x as a new function of the same arguments, where x is the argument wrt of f.

    wrt: its place or its name. The other arguments are held, even those that were computed from x:
    f is evaluated at an alias of x, and the alias is what is differentiated by. The result reaches,
    in a loss, every layer below x and the others; nothing is written to any .grad. f acts element
    by element, or takes each row of x (…, d) to one value (…, 1) or (…): the derivative has the
    shape of x; or it takes each number of x, (…) or (…, 1), to a row (…, m): a column for each.
    Composes with itself and with torch.func. Raises TypeError when the argument or the value of f
    is not a floating tensor, ValueError for a wrt that f does not have, where f is none of the
    three (its elements mix), and where its graph was lost on the way.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> z = 2 * x
    >>> partial(lambda x, z: x * z)(x, z).item()          # z; the total derivative is 4 x = 12
    6.0

    Source: asked for in *How to use the partial derivative of an op as new op?*; chapter 8.
    """
    place = _place(f, wrt)

    def derivative(*inputs: Any, **options: Any) -> Tensor:
        if place >= len(inputs):
            raise ValueError(
                f"f was called with {len(inputs)} arguments and has no number {place}; write "
                "what it is differentiated by without its name: f(x, z), not f(x=x, z=z)"
            )
        x = inputs[place]
        check_points(x)

        def g(at: Tensor) -> Tensor:
            return check_value(f(*inputs[:place], at, *inputs[place + 1 :], **options))

        if transforming():
            y, pull = torch.func.vjp(g, x)  # type: ignore[misc]
            return _joined(y, x, lambda seed: pulled(pull, seed))
        with recording():
            at = alias(x)
            y = g(at)
            slope = _joined(y, at, lambda seed: derivative_or_zero(y, at, g, seed))
            _refuse_mixing(y, at, slope)
            slope = guarded(slope, 1, *trusted(y, at))
        return as_caller_wants(slope)

    # whose names of arguments serve here too
    derivative.__wrapped__ = _called(f)  # type: ignore[attr-defined]
    return derivative


def _called(f):
    """What has the names of the arguments: of a module, its forward."""
    return f.forward if isinstance(f, torch.nn.Module) else f


def _place(f, wrt):
    if isinstance(wrt, int) and not isinstance(wrt, bool) and wrt >= 0:
        return wrt
    try:
        names = list(inspect.signature(_called(f)).parameters)
    except ValueError as error:  # torch.mul is one of those
        raise ValueError(
            f"the arguments of f have no names: wrt is a place, 0, 1 ...; got {wrt!r}"
        ) from error
    if wrt not in names:
        raise ValueError(f"f has the arguments {', '.join(names)}, counted from 0; got wrt={wrt!r}")
    return names.index(wrt)


def _joined(y, x, slope_of):
    """The derivative in its shape: x's; y's where each element of x has a row of y to itself."""
    own = x.shape[:-1] if x.shape[-1:] == (1,) else x.shape
    rows = y.shape in (x.shape, x.shape[:-1], (*x.shape[:-1], 1)) or y.numel() == 1
    if rows:
        return slope_of(torch.ones_like(y))
    if y.shape[:-1] != own:
        raise ValueError(
            f"f took x of shape {tuple(x.shape)} to {tuple(y.shape)}: neither element by element, "
            "nor each row to one value, nor each number to a row. Take Partials(f, x).jacobian()"
        )
    seeds = torch.eye(y.shape[-1], dtype=y.dtype, device=y.device)
    return torch.stack([slope_of(seed.expand_as(y)).reshape(own) for seed in seeds], -1)


def _refuse_mixing(y, x, slope):
    """Raise ValueError if an element of y = f(x), of one shape, looks at others of its row."""
    if y.shape != x.shape or x.ndim < 2 or x.shape[-1] < 2 or not (y.requires_grad and y.numel()):
        return
    r = weights(y.numel())[0].to(x).view(x.shape)
    part = (r * y).real if y.is_complex() else r * y
    (found,) = torch.autograd.grad(part.sum(), x, retain_graph=True, materialize_grads=True)
    expected = r * (slope.real if y.is_complex() else slope)
    tolerance = torch.finfo(x.dtype).eps ** 0.5
    scale = expected.nan_to_num(0, 0, 0).abs().max().item()
    if not torch.allclose(found, expected, tolerance, tolerance * scale, equal_nan=True):
        raise ValueError(
            f"f took x of shape {tuple(x.shape)} to the same shape, and its elements mix: the "
            "derivative by an element would be a sum. Take Partials(f, x).jacobian(), or "
            "partial of one component, lambda x: f(x)[:, :1]"
        )
