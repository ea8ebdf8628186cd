"""The derivatives of a function that leaves torch, by differences of its values. For check."""

from typing import Any

import torch
from torch import Tensor

from companion.pinn.domain import Box
from companion.pinn.problem import Function

STEP = 2e-3  # of the length of an axis: good for the second derivative of a smooth function


def has_graph(f: Function, x: Tensor) -> bool:
    """Whether f(x) depends on x in torch's eyes, or not on it at all."""
    with torch.enable_grad():
        at = x.detach().clone().requires_grad_()
        try:
            y = torch.as_tensor(f(at))
        except (RuntimeError, TypeError):  # numpy() of what requires a gradient
            return False
    return y.requires_grad or bool((y == y[:1]).all())


def by_differences(f: Function, box: Box, step: float = STEP) -> Function:
    """f with derivatives of any order: differences of its values at five points along an axis.

    The five lie in the box: around a point, and on one side of it beside a face. step: from one to
    the next, as a share of the axis.
    """

    def values(x: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.as_tensor(f(x.detach())).to(x)

    class Known(torch.autograd.Function):
        """The values; backward is made of Known at other points, so it has derivatives too."""

        @staticmethod
        def forward(x: Tensor) -> Tensor:
            return values(x)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, cotangent: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            slopes = [_difference(Known.apply, x, axis, box, step) for axis in range(x.shape[1])]
            return torch.cat([(s * cotangent).sum(1, keepdim=True) for s in slopes], 1)

    return lambda x: Known.apply(x)


CENTRAL = [(-2, 1), (-1, -8), (0, 0), (1, 8), (2, -1)]  # (steps aside, twelve times the weight)
FORWARD = [(0, -25), (1, 48), (2, -36), (3, 16), (4, -3)]


def _difference(f: Function, x: Tensor, axis: int, box: Box, step: float) -> Tensor:
    """∂f/∂x_axis (n, m), to the fourth order in the step."""
    h = step * (box.high - box.low)[axis].item()
    low = (x[:, axis] - 2 * h < box.low[axis].item())[:, None]
    high = (x[:, axis] + 2 * h > box.high[axis].item())[:, None]
    side = torch.zeros_like(x)
    side[:, axis] = h
    found: Any = 0.0
    for (i, central), (j, forward) in zip(CENTRAL, FORWARD):
        aside = torch.where(low, j, torch.where(high, -j, i))
        weight = torch.where(low, forward, torch.where(high, -forward, central))
        found = found + weight * f(x + aside * side)
    return found / (12 * h)
