"""A call, or several with other options, of what selects, spreads, attends, recurs, or is special.

Of x (3, 4), right for a tensor and for a series; off the corners of the functions.
"""

from functools import lru_cache

import mpmath
import torch
from torch import nn
from torch.nn import functional as F

f64 = dict(dtype=torch.float64)
P = torch.rand(3, 4, generator=torch.Generator().manual_seed(1), **f64) + 0.2
M = torch.tensor([[True, False, True], [True, True, False], [True, False, False]])
DARK = torch.tensor([[True, True, False], [False, False, False], [True, False, True]])
PADDED = torch.tensor([[False, False, True], [False, True, True]])
DARKENED = torch.zeros(2, 3, **f64).masked_fill(PADDED, -torch.inf)
LATER = nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)
K = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(3), **f64)
special = torch.special


def made(module, *args, **options):
    """A module with weights that are always the same, in evaluation."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return module(*args, **options, **f64).eval()


def batch(x):
    """(2, 3, 4)."""
    return torch.stack([x, x * x - 1])


def of(found):
    """All results of a layer as one tensor."""
    if isinstance(found, torch.Tensor) or not isinstance(found, tuple):
        return found
    return torch.cat([of(y).reshape(-1) for y in found if y is not None])


HEADS = made(nn.MultiheadAttention, 4, 2)
MORE = made(nn.MultiheadAttention, 4, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True)
OTHER = made(nn.MultiheadAttention, 4, 2, kdim=3, vdim=5, bias=False)
DEEP = dict(num_layers=2, bidirectional=True, batch_first=True)
shrinking, threshold = nn.Softshrink(1.1), nn.Threshold(1.2, 0.3)


def recurrent(layer, **options):
    """A layer of one kind on a sequence, and a deep one from both ends."""
    one, deep = made(layer, 4, 3, **options), made(layer, 4, 3, **DEEP, **options)
    bare = made(layer, 4, 3, bias=False, **options)
    return [
        lambda x: of(one(batch(x))),
        lambda x: of(deep(batch(x))),
        lambda x: of(bare(x)),
    ]


def cell(kind):
    """A cell with and without a bias."""
    one, bare = made(kind, 4, 4), made(kind, 4, 4, bias=False)
    return [lambda x: of(one(x)), lambda x: of(bare(x, *STATE[kind](x)))]


STATE = {
    nn.LSTMCell: lambda x: ((x * P, x * x),),
    nn.GRUCell: lambda x: (x * P,),
    nn.RNNCell: lambda x: (x * P,),
}
lstm, small = made(nn.LSTM, 4, 3), made(nn.LSTM, 4, 3, proj_size=2)
relu_cell = made(nn.RNNCell, 4, 4, nonlinearity="relu")

SELECTIONS = {
    torch.max: [lambda x: torch.max(x), lambda x: x.max(1).values, lambda x: torch.max(x, P + 0.7),
                lambda x: x.max(dim=0, keepdim=True)[0]],
    torch.min: [lambda x: x.min(), lambda x: torch.min(x, dim=1).values, lambda x: x.min(x * x)],
    torch.amax: [lambda x: x.amax((0, 1), keepdim=True), lambda x: torch.amax(x, 1)],
    torch.amin: [lambda x: x.amin(), lambda x: torch.amin(x, (0, 1))],
    torch.aminmax: [lambda x: of(tuple(torch.aminmax(x))), lambda x: x.aminmax(dim=1).max],
    torch.median: [lambda x: x.median(), lambda x: x.median(1).values],
    torch.nanmedian: [lambda x: x.nanmedian(), lambda x: torch.nanmedian(x, 0, True).values],
    torch.mode: [lambda x: torch.mode(x, 1).values],
    torch.kthvalue: [lambda x: x.kthvalue(3, 1).values],
    torch.sort: [lambda x: x.sort(1, descending=True).values, lambda x: torch.sort(x, stable=True, dim=0)[0]],
    torch.msort: [lambda x: torch.msort(x)],
    torch.topk: [lambda x: x.topk(2, 1, largest=False).values],
    torch.cummax: [lambda x: x.cummax(1).values],
    torch.cummin: [lambda x: torch.cummin(x, 0)[0]],
    torch.quantile: [lambda x: torch.quantile(x, 0.3), lambda x: x.quantile(torch.tensor([0.1, 0.6], **f64), 1, True),
                     lambda x: torch.quantile(x, 0.5, dim=0, interpolation="midpoint")],
    torch.nanquantile: [lambda x: torch.nanquantile(torch.where(P > 0.4, x, torch.nan), 0.4, dim=1)],
    torch.argsort: [lambda x: x.gather(1, x.argsort(1)) * x],
}  # fmt: skip
SPREAD = {
    torch.var: [lambda x: x.var(), lambda x: x.var(1, False, True), lambda x: torch.var(x, (0, 1), correction=2),
                lambda x: x.var(unbiased=False)],
    torch.std: [lambda x: x.std(-1), lambda x: torch.std(x, dim=0, correction=0, keepdim=True)],
    torch.var_mean: [lambda x: of(torch.var_mean(x, 1))],
    torch.std_mean: [lambda x: of(torch.std_mean(x, (0, 1), unbiased=False))],
    torch.nanmean: [lambda x: torch.where(P > 0.4, x, torch.nan).nanmean(1), lambda x: torch.nanmean(x)],
    torch.cumprod: [lambda x: x.cumprod(1), lambda x: torch.cumprod(x, 0)],
    torch.logcumsumexp: [lambda x: torch.logcumsumexp(4 * x, 1), lambda x: x.logcumsumexp(dim=0)],
    torch.logaddexp: [lambda x: torch.logaddexp(x, P[0]) + torch.logaddexp(2 * x, x * x)],
    torch.logaddexp2: [lambda x: torch.logaddexp2(x, x * x)],
    torch.lerp: [lambda x: torch.lerp(x, P, x) + torch.lerp(P, x, 0.3) + torch.lerp(x, P, P)],
    torch.remainder: [lambda x: torch.remainder(x, 0.37) + P % x, lambda x: (5 * x) % (0.7 + x * x)],
    torch.Tensor.__rmod__: [lambda x: 7 % x if type(x) is torch.Tensor else x.__rmod__(7)],
    torch.fmod: [lambda x: torch.fmod(3 * x, x * x), lambda x: x.fmod(-0.4)],
    torch.frac: [lambda x: torch.frac(3 * x) + x.frac()],
    torch.copysign: [lambda x: torch.copysign(x, 1 - x) + torch.copysign(x, -1.0)],
    torch.nan_to_num: [lambda x: torch.nan_to_num(torch.where(P > 0.4, x, torch.nan), nan=2.0)],
    torch.float_power: [lambda x: torch.float_power(x, 2.5) + x.float_power(x)],
    torch.ldexp: [lambda x: torch.ldexp(x, torch.tensor([0, 1, 2, 3])) + torch.ldexp(P, x)],
}  # fmt: skip
ACTIVATIONS = {
    F.hardsigmoid: [lambda x: F.hardsigmoid(x - 1) * x],
    F.hardswish: [lambda x: F.hardswish(5 * x - 6)],
    F.softshrink: [lambda x: shrinking(x) * x],
    torch.hardshrink: [lambda x: F.hardshrink(x, 1.1) * x],
    F.threshold: [lambda x: F.threshold(x, 1.1, 2.0) * x, lambda x: threshold(x)],
    torch.rrelu: [lambda x: F.rrelu(x - 1.2) * x],
    F.embedding: [lambda x: F.embedding(torch.tensor([[0, 2], [1, 1]]), x)],
}
ATTENTION = {
    F.scaled_dot_product_attention: [
        lambda x: F.scaled_dot_product_attention(batch(x), K, K * K),
        lambda x: F.scaled_dot_product_attention(K, batch(x), batch(x), M, scale=0.7),
        lambda x: F.scaled_dot_product_attention(batch(x), batch(x), K, DARK),
        lambda x: F.scaled_dot_product_attention(x, x, x * x, is_causal=True),
        lambda x: F.scaled_dot_product_attention(K, K, K, attn_mask=x[:, :3]),
        lambda x: F.scaled_dot_product_attention(
            batch(x).reshape(1, 4, 3, 2), K.reshape(1, 2, 6, 2), x.reshape(1, 2, 3, 2).repeat(1, 1, 2, 1),
            enable_gqa=True),
    ],
    F.multi_head_attention_forward: [
        lambda x: of(HEADS(x, x, x)),
        lambda x: of(HEADS(batch(x), batch(x), batch(x), need_weights=False)),
        lambda x: of(HEADS(x, K[0] * x, K[1], average_attn_weights=False, attn_mask=~M)),
        lambda x: of(MORE(batch(x), batch(x), batch(x), key_padding_mask=PADDED)),
        lambda x: of(MORE(batch(x), K, batch(x), DARKENED, False, LATER)),
        lambda x: of(MORE(batch(x), K, K, attn_mask=LATER, is_causal=True, need_weights=False)),
        lambda x: of(OTHER(x, x[:, :3], K[1, :, :1].expand(3, 5))),
    ],
}  # fmt: skip
RECURRENT = {
    torch.lstm: [
        *recurrent(nn.LSTM),
        lambda x: of(small(x)),
        lambda x: of(lstm(P, (x[:1, :3], x[1:2, 1:]))),
    ],
    torch.gru: recurrent(nn.GRU),
    torch.rnn_tanh: recurrent(nn.RNN),
    torch.rnn_relu: recurrent(nn.RNN, nonlinearity="relu"),
    torch.lstm_cell: cell(nn.LSTMCell),
    torch.gru_cell: cell(nn.GRUCell),
    torch.rnn_tanh_cell: cell(nn.RNNCell),
    torch.rnn_relu_cell: [lambda x: relu_cell(x)],
}
SPECIAL = {
    torch.atan2: [lambda x: torch.atan2(x - 1, P) + torch.atan2(P, x - 1.1) + torch.atan2(1 - x, x * x - 2)],
    torch.xlogy: [lambda x: torch.xlogy(x, P) + torch.xlogy(P[0], x) + torch.xlogy(x, x * x) + torch.xlogy(2.0, x)],
    special.xlog1py: [lambda x: special.xlog1py(x, x * x) + special.xlog1py(x, 2.0)],
    special.entr: [lambda x: special.entr(x)],
    torch.logit: [lambda x: torch.logit(x / 2) + x.sigmoid().logit(0.2), lambda x: torch.logit(x - 1, eps=0.3)],
    special.zeta: [lambda x: special.zeta(torch.tensor(2.5, **f64), x)],
    torch.polygamma: [lambda x: x.polygamma(2), lambda x: special.polygamma(3, x)],
    torch.mvlgamma: [lambda x: torch.mvlgamma(x + 1, 3)],
}  # fmt: skip
CALLS = {**SELECTIONS, **SPREAD, **ACTIVATIONS, **ATTENTION, **RECURRENT, **SPECIAL}


# Derivatives by mpmath of f at a number, as a function of their order, where a rule knows of them all.
def bessel(g, order):
    return lambda x, n: [g(order, x, derivative=k) for k in range(n + 1)]


def expanded(g):
    """By mpmath's Taylor series."""
    return lambda x, n: [c * mpmath.factorial(k) for k, c in enumerate(mpmath.taylor(g, x, n))]


def psi(shift):
    """log Γ and its derivatives from the one of that number."""
    gamma = lambda x: mpmath.log(abs(mpmath.gamma(x)))
    return lambda x, n: [
        mpmath.psi(k, x) if k >= 0 else gamma(x) for k in range(shift, n + shift + 1)
    ]


def modified(order, sign=1, first=mpmath.besseli):
    """I or K and their derivatives from 2 f′ᵢ = ± (fᵢ₋₁ + fᵢ₊₁)."""

    def at(x, n, order=order):
        weights = {order: mpmath.mpf(1)}
        found = []
        for _ in range(n + 1):
            found.append(sum(w * first(abs(i), x) for i, w in weights.items()))
            new = {}
            for i, w in weights.items():
                for j in (i - 1, i + 1):
                    new[j] = new.get(j, 0) + sign * w / 2
            weights = new
        return found

    return at


def scaled(order):
    """e^{−|x|} I(x), x ≠ 0."""

    def at(x, n):
        sign = 1 if x > 0 else -1
        wave = modified(order)(x, n)
        return [
            mpmath.exp(-abs(x))
            * sum(mpmath.binomial(k, j) * (-sign) ** (k - j) * wave[j] for j in range(k + 1))
            for k in range(n + 1)
        ]

    return at


BESSEL_K = lru_cache(mpmath.besselk)
sine_over = lambda scale: expanded(lambda x: mpmath.sinc(scale * x))
FORMULAS = {  # name -> (torch's function, [f, f′, …] by mpmath, points)
    "erfc": (special.erfc, expanded(mpmath.erfc), [-2.0, 0.0, 0.5, 5.0]),
    "erfinv": (special.erfinv, expanded(mpmath.erfinv), [-0.9, 0.0, 0.3]),
    "ndtri": (special.ndtri, expanded(lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)), [0.01, 0.5]),
    "erfcx": (special.erfcx, expanded(lambda x: mpmath.exp(x * x) * mpmath.erfc(x)), [-2.0, 0.0, 0.3, 3.0, 20.0]),
    "ndtr": (special.ndtr, expanded(mpmath.ncdf), [-2.0, 0.0, 3.0]),
    "log_ndtr": (special.log_ndtr, expanded(lambda x: mpmath.log(mpmath.ncdf(x))), [-20.0, -3.0, 0.9, 1.1, 6.0]),
    "logit": (torch.logit, expanded(lambda x: mpmath.log(x / (1 - x))), [0.01, 0.5]),
    "sinc": (torch.sinc, sine_over(mpmath.pi), [-3.3, 0.0, 1e-9, 1e-3, 12.6, 13.0]),
    "spherical_bessel_j0": (special.spherical_bessel_j0, sine_over(1), [0.0, 1e-5, 3.0, 50.0]),
    "bessel_j0": (special.bessel_j0, bessel(mpmath.besselj, 0), [-3.0, 0.0, 1e-6, 5.1, 39.0, 41.0]),
    "bessel_j1": (special.bessel_j1, bessel(mpmath.besselj, 1), [-3.0, 0.0, 1e-6, 5.1, 39.0, 41.0]),
    "bessel_y0": (special.bessel_y0, bessel(mpmath.bessely, 0), [1e-3, 1.49, 5.1, 39.0, 41.0]),
    "bessel_y1": (special.bessel_y1, bessel(mpmath.bessely, 1), [1e-3, 1.49, 5.1, 39.0, 41.0]),
    "i0": (torch.i0, modified(0), [-3.0, 0.0, 1e-6, 39.0, 41.0]),
    "i1": (special.i1, modified(1), [-3.0, 0.0, 1e-6, 39.0, 41.0]),
    "modified_bessel_i0": (special.modified_bessel_i0, modified(0), [-1.0, 0.0, 2.0]),
    "modified_bessel_i1": (special.modified_bessel_i1, modified(1), [-1.0, 0.0, 2.0]),
    "modified_bessel_k0": (special.modified_bessel_k0, modified(0, -1, BESSEL_K), [1e-3, 1.0, 30.0]),
    "modified_bessel_k1": (special.modified_bessel_k1, modified(1, -1, BESSEL_K), [1e-3, 1.0, 30.0]),
    "i0e": (special.i0e, scaled(0), [-3.0, 1e-6, 39.0, 41.0, 1e3]),
    "i1e": (special.i1e, scaled(1), [-3.0, 1e-6, 39.0, 41.0, 1e3]),
    "digamma": (torch.digamma, psi(0), [-1.5, 0.1, 2.0, 30.0]),
    "lgamma": (torch.lgamma, psi(-1), [0.1, 2.0, 30.0]),
}  # fmt: skip
