"""Losses, written with functions that have rules already; of an input, a target or a weight.

With the deprecated size_average and reduce, and where a rule has no formula for an option, a loss
is differentiated alone (fallback.py).
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from companion import torch_private
from companion.operators.activations import log1pexp
from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.fallback import alone

SMALL = 9.999999960041972e-13  # what torch adds to squares: 1e-12 as a float32
EDGE = 1e-12  # nearer to 0 and 1 than this torch cuts the slope of binary_cross_entropy off


def reduced(loss: Operand, reduction: str) -> Any:
    """The loss of each element, their mean or their sum."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction is 'none', 'mean' or 'sum'; got {reduction!r}")
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def rule(function: Callable, loss: Callable) -> Callable:
    """The rule of a loss function of torch's, from the loss of its elements, which it reduces.

    Where that is NotImplemented, the function is differentiated alone.
    """

    def reducing(
        *args: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
        **options: Any,
    ) -> Any:  # fmt: skip
        legacy = size_average is not None or reduce is not None
        found = NotImplemented if legacy else loss(*args, reduction=reduction, **options)
        if found is NotImplemented:
            options |= dict(reduction=reduction)
            options |= dict(size_average=size_average, reduce=reduce) if legacy else {}
            return alone(function, args, options, Series)
        return found

    return reducing


def elementwise(distance: Callable, by_weight: bool = True) -> Callable:
    """The loss of a function of x − y, each element times a weight, if there is one.

    by_weight: whether the weights are divided out of the mean.
    """

    def loss(
        x: Operand, y: Operand, *, reduction: str, weight: Operand = None, **options: Any
    ) -> Any:
        found = distance(x - y, **options)
        if weight is None:
            return reduced(found, reduction)
        if weight.shape != x.shape:
            raise ValueError(
                f"weights of the shape of x, {list(x.shape)}; got {list(weight.shape)}"
            )
        found = found * weight
        weighed = by_weight and reduction == "mean"
        return found.sum() / weight.sum() if weighed else reduced(found, reduction)

    return loss


def l1_loss(x: Operand, y: Operand, *, reduction: str, weight: Operand = None) -> Any:
    """|x − y|. torch 2.13's own function drops its weight on the way here; its frame still has it."""
    frame = sys._getframe() if weight is None else None
    while frame and frame.f_code is not F.l1_loss.__code__:
        frame = frame.f_back
    weight = frame.f_locals["weight"] if frame else weight
    return elementwise(torch.abs)(x, y, reduction=reduction, weight=weight)


def smooth_l1(d: Operand, beta: float = 1.0) -> Any:
    """d² / 2β where |d| < β, |d| − β/2 elsewhere."""
    if beta == 0:
        return torch.abs(d)
    return torch.where(torch.abs(d) < beta, 0.5 / beta * d * d, torch.abs(d) - 0.5 * beta)


def huber(d: Operand, delta: float = 1.0) -> Any:
    """d² / 2 where |d| < δ, δ (|d| − δ/2) elsewhere."""
    return torch.where(torch.abs(d) < delta, 0.5 * d * d, delta * (torch.abs(d) - 0.5 * delta))


# --- likelihoods ----------------------------------------------------------------------------------


def binary_cross_entropy(x: Operand, y: Operand, weight: Operand = None, *, reduction: str) -> Any:
    """−y log x − (1 − y) log(1 − x), in the open interval."""
    primal = x.primal if isinstance(x, Series) else x
    if not (torch_private.transforming() or ((primal > EDGE) & (primal < 1 - EDGE)).all()):
        return NotImplemented
    logs = [torch.clamp_min(log, -100.0) for log in (torch.log(x), torch.log1p(-x))]
    loss = (y - 1) * logs[1] - y * logs[0]
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    x: Operand, y: Operand, weight: Operand = None, *, reduction: str, pos_weight: Operand = None
) -> Any:
    """The same of the sigmoid of x; pos_weight multiplies what has y = 1."""
    if x.shape != y.shape:
        raise ValueError(f"a target of the shape of x, {list(x.shape)}; got {list(y.shape)}")
    weighed = 1 if pos_weight is None else 1 + (pos_weight - 1) * y
    loss = (1 - y) * x - weighed * F.logsigmoid(x)
    return reduced(loss if weight is None else loss * weight, reduction)


def nll_loss(
    x: Operand, y: Any, weight: Operand = None, *, ignore_index: int = -100, reduction: str
) -> Any:
    """−x of the class y, weighed by class; the mean is one by weight."""
    axis = min(1, x.ndim - 1)
    counted = y != ignore_index
    classes = torch.where(counted, y, torch.zeros_like(y))
    shares = counted.to(x.dtype) if weight is None else weight[classes] * counted
    picked = -x.gather(axis, classes.unsqueeze(axis)).squeeze(axis)
    loss = torch.where(counted, picked, torch.zeros_like(shares)) * shares
    return loss.sum() / shares.sum() if reduction == "mean" else reduced(loss, reduction)


def cross_entropy(
    x: Operand, y: Operand, weight: Operand = None, *, ignore_index: int = -100, reduction: str,
    label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    """−log softmax(x) of the class y, or weighed by the probabilities y of all classes."""
    axis = min(1, x.ndim - 1)
    logs, classes = F.log_softmax(x, axis), x.shape[axis]
    scales = 1 if weight is None else weight.reshape(-1, *[1] * (x.ndim - axis - 1))
    if x.shape == y.shape:
        y = (1 - label_smoothing) * y + label_smoothing / classes if label_smoothing else y
        loss = -(logs * y * scales).sum(axis)
        return reduced(loss, reduction)
    hard = nll_loss(logs, y, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return hard
    counted = y != ignore_index
    loss = torch.where(counted, -(logs * scales).sum(axis), torch.zeros_like(y, dtype=x.dtype))
    if reduction == "mean":
        shares = counted if weight is None else weight[torch.where(counted, y, 0)] * counted
        soft = loss.sum() / shares.sum()
    else:
        soft = reduced(loss, reduction)
    return (1 - label_smoothing) * hard + label_smoothing / classes * soft


def linear_cross_entropy(
    x: Operand, weights: Operand, y: Any, *, linear_bias: Operand = None, weight: Operand = None,
    reduction: str, ignore_index: int | None = None, label_smoothing: float = 0.0, options: Any = None,
) -> Any:  # fmt: skip
    """cross_entropy of a linear layer; its options say how memory is used."""
    bias = None if linear_bias is None else linear_bias.flatten()
    logits = F.linear(x, weights.flatten(0, -2), bias).unflatten(-1, weights.shape[:-1])
    return F.cross_entropy(
        logits, y, weight, reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index, label_smoothing=label_smoothing,
    )  # fmt: skip


def kl_div(x: Operand, y: Operand, *, reduction: str, log_target: bool = False) -> Any:
    """y (log y − x), with log y as the target where it is said to be."""
    if isinstance(y, Series) and not log_target and bool((y.primal <= 0).any()):
        return NotImplemented
    loss = torch.exp(y) * (y - x) if log_target else torch.xlogy(y, y) - y * x
    if reduction == "batchmean":
        return loss.sum() / x.shape[0] if x.ndim else loss.sum()
    return reduced(loss, reduction)


def poisson_nll_loss(
    x: Operand, y: Operand, log_input: bool = True, full: bool = False, *, eps: float = 1e-8,
    reduction: str,
) -> Any:  # fmt: skip
    """eˣ − y x, or x − y log x; with Stirling's formula for log y! in full."""
    loss = torch.exp(x) - y * x if log_input else x - y * torch.log(x + eps)
    if full:
        if isinstance(y, Series):
            return NotImplemented
        stirling = y * torch.log(y) - y + 0.5 * torch.log(2 * math.pi * y)
        loss = loss + torch.where(y <= 1, 0.0, stirling)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    x: Operand, y: Operand, var: Any, full: bool = False, eps: float = 1e-6, *, reduction: str
) -> Any:
    """(log σ² + (x − y)² / σ²) / 2, σ² no less than ε but with the slope that it has, as in torch."""
    if not isinstance(var, (Series, torch.Tensor)):
        var = torch.full(x.shape, float(var), dtype=x.dtype, device=x.device)
    primal = (var.primal if isinstance(var, Series) else var).detach()
    if not torch_private.transforming() and (primal < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.shape != x.shape and tuple(x.shape[:-1]) == tuple(var.shape):
        var = var.unsqueeze(-1)
    if var.ndim != x.ndim or any(m not in (1, n) for m, n in zip(var.shape, x.shape)):
        return NotImplemented
    raised: Any = (eps - primal).clamp_min(0)
    var = var + raised
    d = x - y
    loss = 0.5 * (torch.log(var) + d * d / var) + (0.5 * math.log(2 * math.pi) if full else 0)
    return reduced(loss, reduction)


# --- margins --------------------------------------------------------------------------------------


def soft_margin_loss(x: Operand, y: Operand, *, reduction: str) -> Any:
    """log(1 + e^{−y x})."""
    return reduced(log1pexp(-(y * x)), reduction)


def multilabel_soft_margin_loss(
    x: Operand, y: Operand, weight: Operand = None, *, reduction: str
) -> Any:
    """The mean over the classes of binary_cross_entropy_with_logits."""
    loss = -(y * F.logsigmoid(x) + (1 - y) * F.logsigmoid(-x))
    loss = loss if weight is None else loss * weight
    return reduced(loss.sum(-1) / x.shape[-1], reduction)


def hinge_embedding_loss(x: Operand, y: Any, margin: float = 1.0, *, reduction: str) -> Any:
    """x where y = 1, max(0, margin − x) where it is −1."""
    zero = torch.zeros_like(x)
    hinge = torch.where(y != 1, torch.clamp_min(margin - x, 0), zero)
    return reduced(hinge + torch.where(y != -1, x, zero), reduction)


def margin_ranking_loss(
    x1: Operand, x2: Operand, y: Operand, margin: float = 0, *, reduction: str
) -> Any:
    """max(0, margin − y (x₁ − x₂))."""
    return reduced(torch.clamp_min(margin - y * (x1 - x2), 0), reduction)


def multi_margin_loss(
    x: Operand, y: Any, p: int = 1, margin: float = 1.0, weight: Operand = None, *, reduction: str
) -> Any:
    """Σ max(0, margin − x of the class y + xⱼ)ᵖ over the other classes, by their number."""
    table, classes = (x, y) if x.ndim == 2 else (x.reshape(1, -1), y.reshape(1))
    own = classes.unsqueeze(1)
    hinge = torch.relu(margin - table.gather(1, own) + table)
    hinge = hinge if p == 1 else hinge * hinge
    hinge = hinge if weight is None else hinge * weight[own]
    others = own != torch.arange(table.shape[1], device=classes.device)
    loss = (hinge * others).sum(1) / table.shape[1]
    return reduced(loss if x.ndim == 2 else loss.squeeze(0), reduction)


def multilabel_margin_loss(x: Operand, y: Any, *, reduction: str) -> Any:
    """Σ max(0, 1 − xᵢ + xⱼ) over labels i, before the first −1 of y, and classes j that are none."""
    x, y = (x, y) if x.ndim else (x.reshape(1), y.reshape(1))
    labels = (y != -1).cumprod(-1).bool()
    classes = torch.where(labels, y, 0)
    none = torch.zeros_like(y).scatter_add(-1, classes, labels.to(y.dtype)) == 0
    own = x.gather(-1, classes)
    hinge = torch.relu(1 - own.unsqueeze(-1) + x.unsqueeze(-2))
    loss = (hinge * (labels.unsqueeze(-1) & none.unsqueeze(-2))).sum((-1, -2)) / x.shape[-1]
    return reduced(loss, reduction)


def cosine_embedding_loss(
    x1: Operand, x2: Operand, y: Any, margin: float = 0, *, reduction: str
) -> Any:
    """1 − cos where y = 1, max(0, cos − margin) where it is −1."""
    axis = 1 if y.ndim else 0
    lengths = [(x * x).sum(axis) + SMALL for x in (x1, x2)]
    cosine = (x1 * x2).sum(axis) / torch.sqrt(lengths[0] * lengths[1])
    zero = torch.zeros_like(cosine)
    apart = torch.where(y == -1, torch.clamp_min(cosine - margin, 0), zero)
    return reduced(torch.where(y == 1, 1 - cosine, zero) + apart, reduction)


def triplet_margin_loss(
    anchor: Operand, positive: Operand, negative: Operand, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, *, reduction: str,
) -> Any:  # fmt: skip
    """max(0, margin + ‖a − p‖ − ‖a − n‖)."""
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, margin=margin, swap=swap, reduction=reduction,
        distance_function=lambda a, b: F.pairwise_distance(a, b, p, eps),
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor: Operand, positive: Operand, negative: Operand, *, distance_function: Any = None,
    margin: float = 1.0, swap: bool = False, reduction: str,
) -> Any:  # fmt: skip
    """The same with any distance; swap: the negative's distance from the nearer of the others."""
    if margin <= 0:
        raise ValueError(f"margin is greater than 0; got {margin}")
    distance = distance_function or F.pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    far = torch.minimum(far, distance(positive, negative)) if swap else far
    return reduced(torch.clamp_min(margin + near - far, 0), reduction)


LOSSES: dict[Callable, Callable] = {
    F.mse_loss: elementwise(lambda d: d * d),
    F.l1_loss: l1_loss,
    F.smooth_l1_loss: elementwise(smooth_l1),
    F.huber_loss: elementwise(huber, by_weight=False),
    F.binary_cross_entropy: binary_cross_entropy,
    F.binary_cross_entropy_with_logits: binary_cross_entropy_with_logits,
    F.nll_loss: nll_loss,
    F.cross_entropy: cross_entropy,
    F.linear_cross_entropy: linear_cross_entropy,
    F.kl_div: kl_div,
    F.poisson_nll_loss: poisson_nll_loss,
    F.gaussian_nll_loss: gaussian_nll_loss,
    F.soft_margin_loss: soft_margin_loss,
    F.multilabel_soft_margin_loss: multilabel_soft_margin_loss,
    F.hinge_embedding_loss: hinge_embedding_loss,
    F.margin_ranking_loss: margin_ranking_loss,
    F.multi_margin_loss: multi_margin_loss,
    F.multilabel_margin_loss: multilabel_margin_loss,
    F.cosine_embedding_loss: cosine_embedding_loss,
    F.triplet_margin_loss: triplet_margin_loss,
    F.triplet_margin_with_distance_loss: triplet_margin_with_distance_loss,
}
RULES.update({function: rule(function, loss) for function, loss in LOSSES.items()})
