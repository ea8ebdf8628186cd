"""Rules of attention: softmax(q kᵀ / √d + mask) v, and the layer around it.

torch has no second derivative of scaled_dot_product_attention; a series needs products and a
softmax alone, to any order. nn.MultiheadAttention and the Transformer layers take their fused ways
only where all arguments are plain tensors, so that a series passes through what stands here.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.operators.dispatch import RULES, Operand, Series


def scaled_dot_product_attention(
    query: Operand,
    key: Operand,
    value: Operand,
    attn_mask: Operand | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """softmax(q kᵀ scale + mask) v; a query that may see nothing gets 0. query (…, L, E)."""
    if is_causal and attn_mask is not None:
        raise ValueError("scaled_dot_product_attention: is_causal is a mask; give no attn_mask")
    if enable_gqa:  # a key for several heads of queries
        key, value = (x.repeat_interleave(query.size(-3) // x.size(-3), -3) for x in (key, value))
    scale = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    if is_causal:
        attn_mask = ~_later(_primal(query), key)
    weights = _softmax(_masked((query * scale) @ key.transpose(-2, -1), attn_mask))
    return (F.dropout(weights, dropout_p) if dropout_p else weights) @ value


def _later(query, key):
    """Where a key comes after a query, (L, S)."""
    return query.new_ones(query.size(-2), key.size(-2), dtype=torch.bool).triu(1)


def _masked(scores, mask):
    """Scores, −∞ where a mask of booleans is False; any other mask is added."""
    if mask is None:
        return scores
    return torch.where(mask, scores, -math.inf) if mask.dtype == torch.bool else scores + mask


def _softmax(scores, dim=-1):
    """softmax; 0 where all scores are −∞."""
    masked = _primal(scores).detach().amax(dim, keepdim=True) == -math.inf
    return torch.where(masked, 0.0, F.softmax(torch.where(masked, 0.0, scores), dim))


def _shares(q, k, mask, softmax):
    """What each query takes of each value."""
    scores = (q / math.sqrt(q.size(-1))) @ k.transpose(-2, -1)
    return softmax(scores if mask is None else scores + mask, -1)


def multi_head_attention_forward(
    query: Operand,
    key: Operand,
    value: Operand,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Operand | None = None,
    static_v: Operand | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """Attention of several heads between a projection of each argument and one of the result.

    query (L, n, E) or (L, E), key and value (S, n, E) or (S, E); True in a mask forbids.
    """
    if query.size(-1) != embed_dim_to_check or embed_dim_to_check % num_heads:
        raise ValueError(
            f"attention of {num_heads} heads wants queries of size {embed_dim_to_check}, a multiple "
            f"of the heads; got {tuple(query.shape)}"
        )
    if is_causal and attn_mask is None:
        raise ValueError("is_causal is a hint about attn_mask; give the mask too")
    batched = query.dim() == 3
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask[None]
    length, count = query.shape[:2]
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    q, k, v = _projected(
        (query, key, value), weights if use_separate_proj_weight else in_proj_weight, in_proj_bias
    )
    if bias_k is not None and bias_v is not None:
        k, v = (torch.cat([x, b.repeat(1, count, 1)]) for x, b in ((k, bias_k), (v, bias_v)))
    heads = lambda x: x.reshape(len(x), count, num_heads, -1).permute(1, 2, 0, 3)
    given = lambda x: x.reshape(count, num_heads, *x.shape[-2:])
    q = heads(q)
    k = heads(k) if static_k is None else given(static_k)
    v = heads(v) if static_v is None else given(static_v)
    if add_zero_attn:
        k, v = (torch.cat([x, torch.zeros_like(_primal(x)[..., :1, :])], 2) for x in (k, v))
    hinted = is_causal and key_padding_mask is None and not need_weights
    attn_mask = _later(_primal(q), k) if hinted else attn_mask  # the hint takes the mask's place
    mask = _joined_mask(attn_mask, key_padding_mask, _primal(q), k.size(2))
    shares = _shares(q, k, mask, F.softmax if need_weights else _softmax)
    shares = F.dropout(shares, dropout_p) if training and dropout_p else shares
    y = (shares @ v).permute(2, 0, 1, 3).reshape(length, count, -1)
    y = F.linear(y, out_proj_weight, out_proj_bias)
    shown = shares.mean(1) if average_attn_weights else shares
    y, shown = (y, shown) if batched else (y.squeeze(1), shown.squeeze(0))
    return y, shown if need_weights else None


def _primal(x):
    return x.primal if isinstance(x, Series) else x


def _projected(points, weights, bias):
    """Three projections; one product for what is the same tensor."""
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    q, k, v = points
    if not isinstance(weights, tuple) and q is k is v:
        return F.linear(q, weights, bias).chunk(3, -1)
    weights = weights if isinstance(weights, tuple) else weights.chunk(3)
    return [F.linear(x, w, b) for x, w, b in zip(points, weights, biases)]


def _joined_mask(mask, padding, like, source):
    """Both masks as one that is added to scores (n, heads, L, S), with 0 for keys that came later."""
    total: Any = None
    if mask is not None:
        mask = _additive(mask, like)
        mask = mask.reshape(*like.shape[:2], *mask.shape[1:]) if mask.dim() == 3 else mask
        total = F.pad(mask, (0, source - mask.size(-1)))
    if padding is not None:
        padding = _additive(padding, like)
        padding = F.pad(padding, (0, source - padding.size(-1)))[:, None, None]
        total = padding if total is None else total + padding
    return total


def _additive(mask, like):
    """−∞ where a mask of booleans forbids."""
    zeros = torch.zeros(mask.shape, dtype=like.dtype, device=like.device)
    return zeros.masked_fill(mask, -math.inf) if mask.dtype == torch.bool else mask


RULES.update({
    F.scaled_dot_product_attention: scaled_dot_product_attention,
    F.multi_head_attention_forward: multi_head_attention_forward,
})  # fmt: skip
