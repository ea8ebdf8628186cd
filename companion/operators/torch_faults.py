"""Where torch's own derivatives are wrong, and to which order they are right: one table.

Mathematics decides here, never torch: in the table stands what a difference quotient, mpmath or
another function of torch refutes at a point where the function is smooth, each with that oracle.
Nested reverse mode is trusted up to the order that stands here, and jets take over beyond. (What a
derivative is at a corner is a convention, not a fault: there the installed torch decides.)

A function of this kind found later needs one line. Which functions f has called, and how often they
were differentiated already, is read off the names of the nodes of its graph; so nothing is seen of
what an autograd.Function of the user's calls without a graph. check_orders asks by numbers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node

from companion import torch_private
from companion.operators.graphs import graph_nodes


@dataclass(frozen=True)
class Fault:
    """A function of torch whose derivatives by nested reverse mode are wrong beyond an order.

    function: its name. right_to: the highest order that is right, with all below it. nodes: what
    autograd calls it, one name for each way that it is computed. why: what torch does. oracle: what
    says otherwise. where: whether one node of a graph is at fault, for what is right elsewhere.
    instead: what to do.
    """

    function: str
    right_to: int
    nodes: str
    why: str
    oracle: str
    where: Callable[[Node], bool] | None = None
    instead: str = "Take jets: Partials(f, x, method='taylor')"

    @property
    def jets(self) -> bool:
        """Whether jets are right beyond that order."""
        return self.instead == Fault.instead


def batch_statistics(node: Node) -> bool:
    """Whether this batch_norm uses the mean and variance of its batch; with stored ones it is affine."""
    saved = torch_private.saved(node)
    return bool(saved.get("training", saved.get("train", True)))


def power_at_zero(node: Node) -> bool:
    """Whether this power has a base 0, or an exponent 0, 1, 2 … and a slope by both is wanted."""
    saved = torch_private.saved(node)
    if not {"self", "exponent"} <= saved.keys():
        return True
    base, exponent = (torch.as_tensor(saved[name]) for name in ("self", "exponent"))
    by_both = len(node.next_functions) == 2 and all(n for n, _ in node.next_functions)
    whole = (exponent == exponent.round()) & (exponent >= 0) if by_both else exponent != exponent
    return bool((base == 0).any() | whole.any())


def negative_whole(node: Node) -> bool:
    """Whether the exponent of this ldexp is of whole numbers, some of them negative."""
    exponent = torch_private.saved(node).get("other")
    return exponent is None or bool((exponent < 0).any() and not exponent.is_floating_point())


def equal_values(node: Node) -> bool:
    """Whether two eigenvalues, or singular values, of this decomposition are equal up to rounding.

    The singular values of an A that is not square are eigenvalues of (0 A; Aᴴ 0) beside zeros.
    """
    saved = torch_private.saved(node)
    found = saved.get("eigenvalues", saved.get("S"))
    if found is None or found.numel() == 0:
        return found is None
    if "S" in saved and saved["U"].shape[-2] != saved["Vh"].shape[-1]:
        found = torch.cat([found, torch.zeros_like(found[..., :1])], -1)
    gaps = (found[..., :, None] - found[..., None, :]).abs()
    gaps = gaps + torch.diag(torch.full_like(gaps[(0,) * (gaps.ndim - 1)], torch.inf))
    return bool((gaps.amin((-2, -1)) <= _rounding(found.dtype) * found.abs().amax(-1)).any())


def small_pivot(node: Node) -> bool:
    """Whether a pivot of qr's R is lost in rounding; of det's LU, for which there are jets, half lost."""
    saved = torch_private.saved(node)
    factor = saved.get("R", saved.get("LU"))
    if factor is None or factor.numel() == 0:
        return factor is None
    pivots, limit = factor.diagonal(0, -2, -1).abs(), _rounding(factor.dtype)
    limit = limit if "R" in saved else limit**0.5
    return bool((pivots.amin(-1) <= limit * pivots.amax(-1)).any())


def _rounding(dtype):
    """By how much, of the largest, equal numbers may differ."""
    return 1000 * torch.finfo(dtype).eps


STATISTICS = "its double backward takes the mean and the variance for constants"
BESIDE_ZERO = "a quotient of two small numbers takes the place of the limit at 0 and beside it"
NO_GRAPH = "its first derivative comes without a graph, so that what it adds to the second is lost"
MASKED = (
    "a slope is set to 0 where the exponent is 0, whatever varies, and 0 · inf is nan at base 0"
)
APART = (
    "two eigenvalues or singular values are equal, or one of a matrix that is not square is 0, and "
    "it divides by their difference"
)
DEPENDENT = "its first columns depend on one another, and it divides by a pivot that is 0"
TRACES = (
    "Equal ones have no derivatives one by one. Write what is symmetric in them as trace(A), "
    "trace(A @ A) or det(A), of singular values with A.mH @ A for A"
)
QUOTIENT = "a five-point difference quotient of the order below"

FAULTS = (
    Fault("layer_norm", 2, "NativeLayerNormBackward0", STATISTICS, "group_norm; " + QUOTIENT),
    Fault("batch_norm", 2,
          "NativeBatchNormBackward0 CudnnBatchNormBackward0 MiopenBatchNormBackward0 "
          "NativeBatchNormLegitBackward0 NativeBatchNormLegitBackward1 BatchNormWithUpdateBackward0",
          STATISTICS, QUOTIENT, batch_statistics),  # instance_norm calls it
    Fault("logcumsumexp", 2, "LogcumsumexpBackward0", "the third is nan", QUOTIENT),
    Fault("sinc", 1, "SincBackward0", BESIDE_ZERO, "mpmath"),
    Fault("special.i0", 2, "I0Backward0", BESIDE_ZERO, "mpmath"),
    Fault("special.i0e", 2, "SpecialI0EBackward0", BESIDE_ZERO, "mpmath"),
    Fault("special.i1", 1, "SpecialI1Backward0", BESIDE_ZERO, "mpmath"),
    Fault("special.i1e", 1, "SpecialI1EBackward0", BESIDE_ZERO, "mpmath"),
    Fault("pow", 1, "PowBackward1 PowBackward2", MASKED, "SymPy", power_at_zero),
    Fault("ldexp", 0, "LdexpBackward0",
          "its slope is 2 to a whole number, which is 0 where that is negative", QUOTIENT, negative_whole),
    Fault("as_strided_scatter", 0, "AsStridedScatterBackward0",
          "its slope goes to the places that are overwritten, and none to the others", QUOTIENT),
    Fault("linear_cross_entropy", 1,
          "GeneratedBackwardFor_torch_nn__linear_cross_entropy_batch_chunked_defaultBackward",
          NO_GRAPH, "linear, then cross_entropy"),
    Fault("linalg.eigh", 1, "LinalgEighBackward0", APART, "trace(A @ A)", equal_values, TRACES),
    Fault("linalg.eig", 1, "LinalgEigBackward0", APART, "trace(A @ A)", equal_values, TRACES),
    Fault("linalg.svd", 1, "LinalgSvdBackward0", APART, "trace(A.mH @ A)", equal_values, TRACES),
    Fault("linalg.qr", 1, "LinalgQrBackward0", DEPENDENT, "trace(A.mH @ A)", small_pivot,
          "Write it with A.mH @ A, which is R.mH @ R"),
    Fault("linalg.det", 1, "LinalgDetBackward0", "the matrix is singular, and it solves with it",
          "the sum over permutations", small_pivot),
    Fault("torch.compile(f)", 1, "CompiledFunctionBackward", NO_GRAPH, "the function that was compiled"),
)  # fmt: skip

ONCE = Fault("a Function that is once_differentiable", 1, "", NO_GRAPH, QUOTIENT)  # any name

# The name of a node: (what is at fault, to which order the derivative of that node is right).
NODES = {name: (f, f.right_to) for f in FAULTS for name in f.nodes.split()} | {
    name.replace("Backward", "BackwardBackward"): (f, f.right_to - 1)
    for f in FAULTS
    for name in f.nodes.split()
}


def trusted(y: Tensor, *x: Tensor) -> tuple[float, Fault | None]:
    """(the highest order to which nested reverse mode over the graph of y is right, what limits it).

    x: where the graph of y is to end. Infinity, and None, where nothing of the table is in it.

    >>> x = torch.ones(2, 3, requires_grad=True)
    >>> order, fault = trusted(torch.layer_norm(x, (3,)).sin(), x)
    >>> order, fault.function
    (2, 'layer_norm')
    >>> trusted(x.sin(), x)
    (inf, None)
    """
    limit: tuple[float, Fault | None] = (math.inf, None)
    for node in graph_nodes([y], until=x):
        once = isinstance(node, BackwardCFunction) and torch_private.once(node)
        unknown = (ONCE, ONCE.right_to) if once else (None, math.inf)
        fault, right_to = NODES.get(node.name(), unknown)
        if fault and right_to < limit[0] and (fault.where is None or fault.where(node)):
            limit = right_to, fault
    return limit


def explained(fault: Fault, order: int) -> str:
    """What is to be said to someone who wants that order by nested reverse mode."""
    return (
        f"torch's own derivatives of {fault.function} are right to order {fault.right_to} only "
        f"({fault.why}), and f would need one beyond for its order {order}. {fault.instead}"
    )


class Last(torch.autograd.Function):
    """The identity, for a derivative that is right and whose own derivative would not be."""

    generate_vmap_rule = True

    @staticmethod
    def forward(y: Tensor, message: str) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.message = inputs[1]

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        raise NotImplementedError(ctx.message)


def refuse_beyond(order: int, limit: float, fault: Fault | None) -> None:
    """Raise NotImplementedError where nested reverse mode of that order would be wrong."""
    if fault is not None and order > limit:
        raise NotImplementedError(explained(fault, order))


def guarded(y: Tensor, order: int, limit: float, fault: Fault | None) -> Tensor:
    """y, a derivative of that order by nested reverse mode, which is right.

    Where it is the last one that is, its own derivative, which a loss of y needs, is an error.
    """
    if fault is None or order < limit:
        return y
    return Last.apply(y, explained(fault, order + 1))
