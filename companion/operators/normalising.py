"""Norms, distances and normalisation layers, written with functions that have rules already.

So a layer is right to every order, where torch's own third derivative of layer_norm and of
batch_norm is not. The norm of 0 is a corner: its slope is 0 there, as torch has it, and beyond it
is nan.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.products import otherwise
from companion.operators.recurrences import Coefficients, SeriesRule, power

# --- norms and distances --------------------------------------------------------------------------


def root(p: float) -> SeriesRule:
    """The rule of u^(1/p) for a sum u of powers; where that is 0 torch's slope, 0, and then nan."""
    away = power(1 / p)

    def rule(u: Coefficients, order: int) -> tuple[list[Tensor], list[Tensor]]:
        zero = u[0] == 0
        v, w = away([torch.where(zero, torch.ones_like(u[0]), u[0]), *u[1:]], order)
        at_zero = lambda ts, smooth: [
            torch.where(zero, 0.0 if k < smooth else math.nan, t) for k, t in enumerate(ts)
        ]
        return at_zero(v, 2), at_zero(w, 1)

    return rule


def vector_norm(
    x: Operand, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """(Σ |xᵢ|^p)^(1/p) over some axes."""
    x = x if dtype is None else x.to(dtype)
    dim = tuple(range(x.ndim)) if dim is None or dim == () or dim == [] else dim
    over: dict[str, Any] = dict(dim=dim, keepdim=keepdim)
    if math.isinf(ord):
        return extreme(torch.abs(x), ord > 0, **over)
    if ord == 0:
        return torch.linalg.vector_norm(x.primal.detach(), 0, **over)
    if ord == 1:
        return torch.abs(x).sum(**over)
    if ord < 1:
        return NotImplemented
    powers = squares(x) ** (ord / 2) if ord % 2 == 0 else torch.abs(x) ** ord
    return powers.sum(**over).pointwise(root(ord))


def extreme(x: Any, largest: bool, dim: Any, keepdim: bool = False, shared: bool = True) -> Any:
    """The largest element, or the smallest; of several the mean, or with the slopes of all."""
    primal = x.primal.detach()
    value = (primal.amax if largest else primal.amin)(dim, keepdim=True)
    there = primal == value
    count = there.sum(dim, keepdim=keepdim)
    total = torch.where(there, x, torch.zeros_like(primal)).sum(dim, keepdim=keepdim)
    return total / count if shared else total - (count - 1) * value.view(count.shape)


def squares(x: Operand) -> Any:
    """|xᵢ|²."""
    return x.real * x.real + x.imag * x.imag if x.is_complex() else x * x


def matrix_norm(
    x: Operand, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, dtype: Any = None
) -> Any:
    """Frobenius', the nuclear one, the largest sum over columns (1) or rows (inf), or singular value."""
    x = x if dtype is None else x.to(dtype)
    dim = [axis % x.ndim for axis in dim]
    if ord == "fro":
        return torch.linalg.vector_norm(x, 2, dim, keepdim)
    if ord == "nuc" or abs(ord) == 2:
        values = torch.linalg.svdvals(x.movedim(dim, (-2, -1)))
        found = values.sum(-1) if ord == "nuc" else (values.amax if ord > 0 else values.amin)(-1)
        return (
            found.reshape([1 if i in dim else n for i, n in enumerate(x.shape)])
            if keepdim
            else found
        )
    if abs(ord) not in (1, math.inf):
        return NotImplemented
    summed, compared = dim if abs(ord) == 1 else dim[::-1]
    sums = torch.abs(x).sum(summed, keepdim=True)
    found = extreme(sums, ord > 0, compared, True)
    return found if keepdim else found.squeeze(dim)


def linalg_norm(
    x: Operand, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """That of a vector or, of two axes and with an ord, of a matrix."""
    axes = list(range(x.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if ord is None:
        return torch.linalg.vector_norm(x, 2, dim, keepdim, dtype=dtype)
    if len(axes) == 2:
        return torch.linalg.matrix_norm(x, ord, axes, keepdim, dtype=dtype)
    if len(axes) > 2 or isinstance(ord, str):
        return NotImplemented
    return torch.linalg.vector_norm(x, ord, axes, keepdim, dtype=dtype)


def norm(
    x: Operand, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """torch.norm: all elements of a tensor of any shape in one, if no axis is named."""
    if p == "nuc":
        dim = (-2, -1) if dim is None else dim
        return torch.linalg.matrix_norm(x, "nuc", dim, keepdim, dtype=dtype)
    p = 2.0 if p in ("fro", None) else p
    return torch.linalg.vector_norm(x, p, dim, keepdim, dtype=dtype)


def hypot(x: Operand, y: Operand) -> Any:
    """√(x² + y²), scaled so that no square is too large or too small."""
    value = lambda a: a.primal.detach() if isinstance(a, Series) else torch.as_tensor(a).detach()
    here = [value(a) for a in (x, y)]
    size = torch.maximum(*torch.broadcast_tensors(*[a.abs().to(here[0].dtype) for a in here]))
    size = torch.where((size == 0) | size.isinf(), torch.ones_like(size), size)
    a, b = x / size, y / size
    return torch.sqrt(a * a + b * b) * size


def pairwise_distance(
    x1: Operand, x2: Operand, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """‖x₁ − x₂ + ε‖ along the last axis."""
    return torch.linalg.vector_norm(x1 - x2 + eps, p, -1, keepdim)


def cdist(x: Operand, y: Operand, p: float = 2.0, compute_mode: Any = None) -> Any:
    """‖xᵢ − yⱼ‖ for all pairs of rows."""
    return _length(x.unsqueeze(-2) - y.unsqueeze(-3), p)


def pdist(x: Operand, p: float = 2.0) -> Any:
    """‖xᵢ − xⱼ‖ for i < j."""
    i, j = torch.triu_indices(len(x), len(x), 1, device=x.device)
    return _length(x[i] - x[j], p)


def _length(d, p):
    """Of cdist and pdist: of several largest differences torch adds the slopes."""
    if p == math.inf:
        return extreme(torch.abs(d), True, -1, shared=False)
    return torch.linalg.vector_norm(d, p, -1)


def at_least(length: Operand, eps: float) -> Any:
    """A length, or ε where it is smaller."""
    return torch.where(length < eps, torch.full_like(length, eps), length)


def normalize(x: Operand, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    """x / max(‖x‖, ε)."""
    return x / at_least(torch.linalg.vector_norm(x, p, dim, True), eps)


def cosine_similarity(x1: Operand, x2: Operand, dim: int = 1, eps: float = 1e-8) -> Any:
    """x₁ · x₂ / (‖x₁‖ ‖x₂‖), no length less than ε."""
    both = torch.broadcast_tensors(x1, x2)
    units = [x / at_least(torch.linalg.vector_norm(x, 2, dim, True), eps) for x in both]
    return (units[0] * units[1]).sum(dim)


def lp_pool(axes: int) -> Callable:
    """The rule of pooling by (Σ xᵖ)^(1/p), whose slope is 0 where the sum is."""
    average, largest = getattr(F, f"avg_pool{axes}d"), getattr(F, f"max_pool{axes}d")

    def rule(
        x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> Any:
        if math.isinf(norm_type):
            sign = 1 if norm_type > 0 else -1
            return sign * largest(sign * torch.abs(x), kernel_size, stride, 0, 1, ceil_mode)
        count = kernel_size**axes if isinstance(kernel_size, int) else math.prod(kernel_size)
        sums = average(x**norm_type, kernel_size, stride, 0, ceil_mode) * count
        return sums.pointwise(root(norm_type))

    return rule


# --- layers ---------------------------------------------------------------------------------------


def standardised(x: Operand, dims: Any, eps: float) -> Any:
    """(x − mean) / √(variance + ε) over some axes."""
    about = x - x.mean(dims, keepdim=True)
    return about * torch.rsqrt((about * about).mean(dims, keepdim=True) + eps)


def weighed(y: Operand, weight: Operand, bias: Operand, shape: Any) -> Any:
    """y · weight + bias, each of them of that shape, or None."""
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _last(x, shape):
    """The axes that have that shape, the last ones."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if not shape or tuple(x.shape[-len(shape) :]) != shape:
        raise ValueError(f"normalized_shape {list(shape)} is to end the shape {list(x.shape)}")
    return tuple(range(-len(shape), 0)), shape


def layer_norm(
    x: Operand, normalized_shape: Any, weight: Operand = None, bias: Operand = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Any:  # fmt: skip
    """Over the last axes."""
    dims, shape = _last(x, normalized_shape)
    return weighed(standardised(x, dims, eps), weight, bias, shape)


def rms_norm(
    x: Operand, normalized_shape: Any, weight: Operand = None, eps: float | None = None
) -> Any:
    """x / √(mean of x² + ε) over the last axes."""
    dims, shape = _last(x, normalized_shape)
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    return weighed(x * torch.rsqrt((x * x).mean(dims, keepdim=True) + eps), weight, None, shape)


def _channels(x):
    """The shape of one number for each channel."""
    return (1, -1, *[1] * (x.ndim - 2))


def group_norm(
    x: Operand, num_groups: int, weight: Operand = None, bias: Operand = None, eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:  # fmt: skip
    """Over some channels and all places."""
    if x.ndim < 2 or x.shape[1] % num_groups:
        raise ValueError(f"{num_groups} groups do not divide the channels of {list(x.shape)}")
    groups = x.reshape(x.shape[0], num_groups, -1)
    y = standardised(groups, -1, eps).reshape(x.shape)
    return weighed(y, weight, bias, _channels(x))


def batch_norm(
    x: Operand, running_mean: Any, running_var: Any, weight: Operand = None, bias: Operand = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """Over the batch and all places, by its own statistics in training, else by those stored."""
    return _by_statistics(
        F.batch_norm, x, running_mean, running_var, weight, bias, training, momentum, eps,
        (0, *range(2, x.ndim)),
    )  # fmt: skip


def instance_norm(
    x: Operand, running_mean: Any = None, running_var: Any = None, weight: Operand = None,
    bias: Operand = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """Over all places."""
    return _by_statistics(
        F.instance_norm, x, running_mean, running_var, weight, bias, use_input_stats, momentum, eps,
        tuple(range(2, x.ndim)),
    )  # fmt: skip


def _by_statistics(layer, x, mean, variance, weight, bias, own, momentum, eps, dims):
    """The layer of a batch. torch checks the shapes, and keeps account of the statistics."""
    shape = _channels(x)
    if not own:
        y = (x - mean.reshape(shape)) * torch.rsqrt(variance + eps).reshape(shape)
        return weighed(y, weight, bias, shape)
    with torch.no_grad():
        primal = x.primal.detach() if isinstance(x, Series) else x.detach()
        layer(primal, mean, variance, None, None, own, momentum, eps)
    return weighed(standardised(x, dims, eps), weight, bias, shape)


def native_layer_norm(x: Operand, shape: Any, weight: Operand, bias: Operand, eps: float) -> Any:
    """layer_norm, with the mean and 1 / √(variance + ε)."""
    dims, _ = _last(x, shape)
    mean, scale = _statistics(x, dims, eps)
    return layer_norm(x, shape, weight, bias, eps), mean, scale


def native_batch_norm(
    x: Operand, weight: Operand, bias: Operand, running_mean: Any, running_var: Any, training: bool,
    momentum: float, eps: float,
) -> Any:  # fmt: skip
    """batch_norm; in training with the mean and 1 / √(variance + ε) of the batch."""
    y = batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return y, y.new_empty(0), y.new_empty(0)
    mean, scale = _statistics(x, (0, *range(2, x.ndim)), eps)
    return y, mean.flatten(), scale.flatten()


def _statistics(x, dims, eps):
    mean = x.mean(dims, keepdim=True)
    return mean, torch.rsqrt(((x - mean) * (x - mean)).mean(dims, keepdim=True) + eps)


def local_response_norm(
    x: Operand, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """x / (k + α mean of x² over neighbouring channels)^β."""
    if x.ndim < 3:
        raise ValueError(f"local_response_norm takes three axes or more; got {list(x.shape)}")
    channels = (x * x).movedim(1, -1)
    padded = F.pad(channels, (size // 2, (size - 1) // 2))
    means = padded.unfold(-1, size, 1).mean(-1).movedim(-1, 1)
    return x / (alpha * means + k) ** beta


RULES.update({getattr(F, f"lp_pool{axes}d"): lp_pool(axes) for axes in (1, 2, 3)})
RULES.update({
    torch.linalg.vector_norm: otherwise(torch.linalg.vector_norm, vector_norm),
    torch.linalg.matrix_norm: otherwise(torch.linalg.matrix_norm, matrix_norm),
    torch.linalg.norm: otherwise(torch.linalg.norm, linalg_norm),
    torch.norm: norm, torch.hypot: hypot, torch.cdist: cdist, F.pdist: pdist,
    torch.dist: lambda x, y, p=2: torch.linalg.vector_norm(x - y, p),
    F.pairwise_distance: pairwise_distance, F.cosine_similarity: cosine_similarity,
    F.normalize: normalize, torch.native_layer_norm: native_layer_norm,
    torch.native_batch_norm: native_batch_norm, F.layer_norm: layer_norm, F.rms_norm: rms_norm,
    F.group_norm: group_norm, F.batch_norm: batch_norm, F.instance_norm: instance_norm,
    F.local_response_norm: local_response_norm,
    torch.batch_norm: lambda x, weight, bias, mean, var, training, momentum, eps, _:
        batch_norm(x, mean, var, weight, bias, training, momentum, eps),
    torch.instance_norm: lambda x, weight, bias, mean, var, own, momentum, eps, _:
        instance_norm(x, mean, var, weight, bias, own, momentum, eps),
})  # fmt: skip
