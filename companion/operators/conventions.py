"""Where a derivative of torch is a choice: the corners of its functions, in one table.

At a corner no derivative exists, and what is returned is a convention. No value stands here: the
installed torch decides, and the operators do as it does for the first derivative, and for higher
ones what its own first derivative, differentiated as a function, gives. What torch says where the
function is smooth is no convention, and mathematics decides there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["CONVENTIONS", "Convention"]


@dataclass(frozen=True)
class Convention:
    """A corner: the derivative of that order of a function f of one number jumps at a point.

    function: the name in torch. f: tensors () -> (). at: the point. order: the lowest order that
    jumps. why: what meets there. The oracle is the same for all: the derivative of that order, by
    torch, beside the point on the left and on the right, where f is smooth and a difference
    quotient agrees with it.
    """

    function: str
    f: Callable[[Tensor], Tensor]
    at: float
    order: int
    why: str


def with_numbers(x: Tensor, *others: float) -> Tensor:
    """The vector (x, others …)."""
    return torch.stack([x, *(torch.full_like(x, other) for other in others)])


CURVED = "the slopes agree, the bends do not"
LINES = "two lines meet"
TIE = "two values are equal"
ZERO = "the length of a vector that is 0"

CONVENTIONS = (
    Convention("relu", torch.relu, 0.0, 1, LINES),
    Convention("abs", torch.abs, 0.0, 1, LINES),
    Convention("clamp", lambda x: torch.clamp(x, 0.0, 1.0), 0.0, 1, LINES),
    Convention("clamp", lambda x: torch.clamp(x, 0.0, 1.0), 1.0, 1, LINES),
    Convention("relu6", F.relu6, 0.0, 1, LINES),
    Convention("relu6", F.relu6, 6.0, 1, LINES),
    Convention("hardtanh", F.hardtanh, -1.0, 1, LINES),
    Convention("hardtanh", F.hardtanh, 1.0, 1, LINES),
    Convention("leaky_relu", F.leaky_relu, 0.0, 1, LINES),
    Convention("threshold", lambda x: F.threshold(x, 0.0, 0.0), 0.0, 1, LINES),
    Convention("hardsigmoid", F.hardsigmoid, -3.0, 1, LINES),
    Convention("hardsigmoid", F.hardsigmoid, 3.0, 1, LINES),
    Convention("softshrink", F.softshrink, 0.5, 1, LINES),
    Convention("hardshrink", F.hardshrink, 0.5, 1, "the value jumps"),
    Convention("hardswish", F.hardswish, -3.0, 1, "a line meets a parabola"),
    Convention("hardswish", F.hardswish, 3.0, 1, "a line meets a parabola"),
    Convention("selu", F.selu, 0.0, 1, "a line meets an exponential"),
    Convention("elu", F.elu, 0.0, 2, CURVED),
    Convention("celu", lambda x: F.celu(x, 4.0), 0.0, 2, CURVED),
    Convention("softsign", F.softsign, 0.0, 2, CURVED),
    Convention("softplus", F.softplus, 20.0, 1, "a line beyond 20"),
    Convention("maximum", lambda x: torch.maximum(x, torch.ones_like(x)), 1.0, 1, TIE),
    Convention("minimum", lambda x: torch.minimum(x, torch.ones_like(x)), 1.0, 1, TIE),
    Convention("amax", lambda x: with_numbers(x, 1.0).amax(), 1.0, 1, TIE),
    Convention("max", lambda x: with_numbers(x, 1.0).max(), 1.0, 1, TIE),
    Convention("max(dim)", lambda x: with_numbers(x, 1.0).max(0).values, 1.0, 1, TIE),
    Convention("sort", lambda x: with_numbers(x, 1.0).sort().values[1], 1.0, 1, TIE),
    Convention("median", lambda x: with_numbers(x, 1.0, 2.0).median(), 1.0, 1, TIE),
    Convention("linalg.vector_norm", lambda x: torch.linalg.vector_norm(with_numbers(x, 0.0)), 0.0, 1, ZERO),
    Convention("hypot", lambda x: torch.hypot(x, torch.zeros_like(x)), 0.0, 1, ZERO),
    Convention("std", lambda x: with_numbers(x, 1.0, 1.0).std(), 1.0, 1, ZERO),
)  # fmt: skip
