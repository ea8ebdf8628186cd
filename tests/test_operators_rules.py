"""Every row of RULES: the closed form by mpmath, or torch's nested derivatives, to order 6.

The tests run over the table itself: a row that neither FORMULAS nor CALLS knows fails, and asks for
an input. Each row is then made wrong by a thousandth, and the same check must see it.
"""

import operator

import mpmath
import pytest
import torch
from torch.nn import functional as F

from companion.operators import RULES, Jet, complexes, linear_algebra, taylor
from companion.operators.dispatch import Series
from companion.operators.names import canonical, written
from tests import common_calls
from tests.composed_calls import CALLS as COMPOSED
from tests.composed_calls import REFUSED
from tests.nested import assert_series, coefficients

ORDER = 6
f64 = dict(dtype=torch.float64)
P = torch.rand(3, 4, generator=torch.Generator().manual_seed(1), **f64) + 0.2
M = torch.rand(3, 4, generator=torch.Generator().manual_seed(2)) > 0.4
W = torch.linspace(-1, 1, 8, **f64).reshape(2, 4)
I = torch.tensor([[0, 2], [1, 1], [3, 0]])


FORMULAS = {  # name -> (torch's function, mpmath's, points)
    "exp": (torch.exp, mpmath.exp, [-1.3, 0.0, 2.0]),
    "expm1": (torch.expm1, mpmath.expm1, [-1.0, 1e-9, 0.5]),
    "log": (torch.log, mpmath.log, [0.3, 1.0, 4.5]),
    "log1p": (torch.log1p, mpmath.log1p, [-0.5, 1e-9, 2.0]),
    "sqrt": (torch.sqrt, mpmath.sqrt, [0.2, 1.0, 9.0]),
    "rsqrt": (torch.rsqrt, lambda x: 1 / mpmath.sqrt(x), [0.2, 1.0, 9.0]),
    "reciprocal": (torch.reciprocal, lambda x: 1 / x, [-2.0, 0.4, 3.0]),
    "sin": (torch.sin, mpmath.sin, [-2.0, 0.0, 0.5]),
    "cos": (torch.cos, mpmath.cos, [-2.0, 0.0, 0.5]),
    "tan": (torch.tan, mpmath.tan, [-1.0, 0.0, 0.4]),
    "sinh": (torch.sinh, mpmath.sinh, [-2.0, 0.0, 0.5]),
    "cosh": (torch.cosh, mpmath.cosh, [-2.0, 0.0, 0.5]),
    "tanh": (torch.tanh, mpmath.tanh, [-2.0, 0.0, 0.5]),
    "asin": (torch.asin, mpmath.asin, [-0.6, 0.0, 0.3]),
    "acos": (torch.acos, mpmath.acos, [-0.6, 0.0, 0.3]),
    "atan": (torch.atan, mpmath.atan, [-2.0, 0.0, 0.5]),
    "asinh": (torch.asinh, mpmath.asinh, [-2.0, 0.0, 0.5]),
    "acosh": (torch.acosh, mpmath.acosh, [1.3, 2.0, 5.0]),
    "atanh": (torch.atanh, mpmath.atanh, [-0.6, 0.0, 0.3]),
    "sigmoid": (torch.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), [-3.0, 0.0, 2.0]),
    "softplus": (F.softplus, lambda x: mpmath.log(1 + mpmath.exp(x)), [-3.0, 0.0, 2.0]),
    "silu": (F.silu, lambda x: x / (1 + mpmath.exp(-x)), [-3.0, 0.0, 2.0]),
    "gelu": (F.gelu, lambda x: x * mpmath.ncdf(x), [-3.0, 0.0, 2.0]),
    "erf": (torch.erf, mpmath.erf, [-1.0, 0.0, 0.7]),
    "special_ndtr": (torch.special.ndtr, mpmath.ncdf, [-1.0, 0.0, 0.7]),
    "logsigmoid": (F.logsigmoid, lambda x: -mpmath.log(1 + mpmath.exp(-x)), [-3.0, 2.0]),
    "mish": (F.mish, lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))), [-2.0, 0.5]),
    "tanhshrink": (F.tanhshrink, lambda x: x - mpmath.tanh(x), [-2.0, 0.5]),
    "softsign": (F.softsign, lambda x: x / (1 + abs(x)), [-2.0, 0.5]),
    "log2": (torch.log2, lambda x: mpmath.log(x, 2), [0.3, 4.5]),
    "log10": (torch.log10, mpmath.log10, [0.3, 4.5]),
    "exp2": (torch.exp2, lambda x: mpmath.mpf(2) ** x, [-1.0, 0.5]),
    "square": (torch.square, lambda x: x**2, [-1.0, 0.0, 0.5]),
    "relu": (F.relu, lambda x: max(x, 0), [-1.0, 0.5]),
    "relu6": (F.relu6, lambda x: min(max(x, 0), 6), [-1.0, 0.5, 7.0]),
    "abs": (torch.abs, abs, [-1.0, 0.5]),
    "elu": (lambda x: F.elu(x, 0.5), lambda x: x if x > 0 else mpmath.expm1(x) / 2, [-1.0, 0.5]),
    "celu": (lambda x: F.celu(x, 0.5), lambda x: x if x > 0 else mpmath.expm1(2 * x) / 2, [-1.0, 0.5]),
    "pow": (lambda x: x**2.5, lambda x: x ** mpmath.mpf(2.5), [0.5, 3.0]),
    "rpow": (lambda x: 3**x, lambda x: mpmath.mpf(3) ** x, [-1.0, 2.0]),
    "rtruediv": (lambda x: 2 / x, lambda x: 2 / x, [-1.0, 2.0]),
    "special_expit": (torch.special.expit, lambda x: 1 / (1 + mpmath.exp(-x)), [-3.0, 2.0]),
    "special_erf": (torch.special.erf, mpmath.erf, [-1.0, 0.7]),
    "special_expm1": (torch.special.expm1, mpmath.expm1, [-1.0, 0.5]),
    "special_log1p": (torch.special.log1p, mpmath.log1p, [-0.5, 2.0]),
    "arcsin": (torch.arcsin, mpmath.asin, [-0.6, 0.3]),
    "arccos": (torch.arccos, mpmath.acos, [-0.6, 0.3]),
    "arctan": (torch.arctan, mpmath.atan, [-2.0, 0.5]),
    "arcsinh": (torch.arcsinh, mpmath.asinh, [-2.0, 0.5]),
    "arccosh": (torch.arccosh, mpmath.acosh, [1.3, 5.0]),
    "arctanh": (torch.arctanh, mpmath.atanh, [-0.6, 0.3]),
    "absolute": (torch.absolute, abs, [-1.0, 0.5]),
}  # fmt: skip

CALLS = {  # name -> a call of it on x (3, 4), right for a tensor and for a series
    "reshape": lambda x: x.reshape(2, -1), "view": lambda x: x.view(6, 2),
    "flatten": lambda x: torch.flatten(x[None], 1), "unflatten": lambda x: x.unflatten(-1, (2, 2)),
    "squeeze": lambda x: x[:, :1].squeeze(-1), "unsqueeze": lambda x: x.unsqueeze(-1),
    "transpose": lambda x: x.transpose(0, -1), "swapaxes": lambda x: x.swapaxes(0, 1),
    "movedim": lambda x: x.movedim(0, -1), "permute": lambda x: x.permute(1, 0),
    "t": lambda x: x.t(), "expand": lambda x: x[:, :1].expand(-1, 5),
    "broadcast_to": lambda x: torch.broadcast_to(x, (2, 3, 4)), "repeat": lambda x: x.repeat(2, 1),
    "tile": lambda x: x.tile((1, 2)), "select": lambda x: x.select(1, -1),
    "narrow": lambda x: x.narrow(1, 1, 2), "index_select": lambda x: x.index_select(1, I[0]),
    "take_along_dim": lambda x: torch.take_along_dim(x, I, 1), "gather": lambda x: x.gather(1, I),
    "roll": lambda x: x.roll(1, 0), "flip": lambda x: x.flip(0, 1),
    "cumsum": lambda x: x.cumsum(-1), "sum": lambda x: x.sum(-1, keepdim=True),
    "mean": lambda x: torch.mean(x, axis=0), "trace": lambda x: torch.trace(x[:, :3]),
    "diagonal": lambda x: x.diagonal(1), "diag": lambda x: x[:, :3].diag(),
    "tril": lambda x: x.tril(), "triu": lambda x: x.triu(1), "clone": lambda x: x.clone(),
    "adjoint": lambda x: x.adjoint(), "contiguous": lambda x: x.T.contiguous(),
    "prod": lambda x: x.prod(1, keepdim=True) + torch.prod(x[:2]),
    "to": lambda x: x.to(**f64) * P.to(x), "cpu": lambda x: x.cpu(), "double": lambda x: x.double(),
    "neg": lambda x: -x, "negative": lambda x: torch.negative(x),
    "unbind": lambda x: x.unbind(1)[2], "split": lambda x: torch.cat(x.split([3, 1], -1)[::-1], 1),
    "chunk": lambda x: x.chunk(2, -1)[1], "tensor_split": lambda x: x.tensor_split(2, 1)[0],
    "hsplit": lambda x: x.hsplit(2)[1], "vsplit": lambda x: x.vsplit(3)[1],
    "repeat_interleave": lambda x: x.repeat_interleave(2, 0),
    "atleast_1d": lambda x: torch.atleast_1d(x.sum()), "atleast_2d": lambda x: torch.atleast_2d(x[0]),
    "cat": lambda x: torch.cat([x, P, x * x], -1), "concat": lambda x: torch.concat([P, x]),
    "concatenate": lambda x: torch.concatenate([x, P], axis=1),
    "stack": lambda x: torch.stack([P, x, x * x], 1), "hstack": lambda x: torch.hstack([x, P]),
    "vstack": lambda x: torch.vstack([x, P[:1]]), "dstack": lambda x: torch.dstack([x, P]),
    "getitem": lambda x: x[..., None, [0, 2]][M[:, 0]] * x[-1, 1:3],
    "add": lambda x: torch.add(x, x * x, alpha=2) + 1 + P[None] + P[0],
    "radd": lambda x: 1 + x, "mul": lambda x: x * (x + 1) * 2 * P[None] * P[0],
    "multiply": lambda x: torch.multiply(x, other=x), "rmul": lambda x: 2 * x,
    "matmul": lambda x: torch.matmul(x, x.T) @ P @ P[0] + P[:, 0] @ (P @ x.T),
    "rmatmul": lambda x: x.__rmatmul__(P.T) if isinstance(x, Series) else operator.matmul(P.T, x),
    "mm": lambda x: torch.mm(x, x.T), "bmm": lambda x: torch.bmm(x[None], P.T[None]),
    "mv": lambda x: torch.mv(x, x[0]), "dot": lambda x: torch.dot(x[0], P[1]),
    "outer": lambda x: torch.outer(x[0], x[:, 1]), "linear": lambda x: F.linear(x, W, W[:, 0]) + F.linear(x[0], W),
    "addmm": lambda x: torch.addmm(x, x[:, :3], x, beta=0.5, alpha=2),
    "addcmul": lambda x: torch.addcmul(x, x, P, value=0.3),
    "div": lambda x: torch.div(x, 2 + x * x) / torch.arange(1, 5) / 3 + P / (2 + x),
    "truediv": lambda x: x.__truediv__(3), "divide": lambda x: torch.divide(x, P),
    "true_divide": lambda x: torch.true_divide(P, 2 + x), "rdiv": lambda x: x.__rdiv__(2),
    "sub": lambda x: torch.sub(x * x, x, alpha=3) - P, "subtract": lambda x: torch.subtract(P, x),
    "rsub": lambda x: torch.rsub(x, P, alpha=2) + (1 - x), "pos": lambda x: +x,
    "T": lambda x: x.T, "H": lambda x: x.H, "mT": lambda x: x.mT, "mH": lambda x: x.mH,
    "real": lambda x: torch.real(x) * x.real, "diff": lambda x: torch.diff(x, 2, -1),
    "nansum": lambda x: torch.where(M, x, torch.nan).nansum(1),
    "masked_fill": lambda x: x.masked_fill(M, 5.0) * x.masked_fill(M, P[0, 0]),
    "type_as": lambda x: x.type_as(P), "expand_as": lambda x: x[:1].expand_as(P),
    "view_as": lambda x: x.view_as(P.view(6, 2)), "reshape_as": lambda x: x.reshape_as(P.T),
    "where": lambda x: torch.where(M, x, 0) + x.where(M, x * x) + torch.where(M, P, other=x),
    "maximum": lambda x: torch.maximum(x, P) + torch.maximum(x, x), "minimum": lambda x: torch.minimum(P, x),
    "clamp": lambda x: x.clamp(0.1, 0.6) + torch.clamp(x, max=P), "clip": lambda x: torch.clip(x, min=P),
    "clamp_min": lambda x: x.clamp_min(0.2), "clamp_max": lambda x: x.clamp_max(0.2),
    "hardtanh": lambda x: F.hardtanh(x, -0.1, 0.4), "glu": lambda x: F.glu(x, -1),
    "prelu": lambda x: F.prelu(x, P[0]) + F.prelu(x[None], P[:, 0]), "selu": lambda x: F.selu(x),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2), "softmax": lambda x: F.softmax(x, -1),
    "special_softmax": lambda x: torch.special.softmax(x, 0), "softmin": lambda x: F.softmin(x, 1),
    "log_softmax": lambda x: x.log_softmax(-1), "special_log_softmax": lambda x: torch.special.log_softmax(x, 0),
    "logsumexp": lambda x: x.logsumexp((0, 1)),
    "special_logsumexp": lambda x: torch.special.logsumexp(x, 1, keepdim=True),
    "dropout": lambda x: F.dropout(x, 0.4, training=False),
}  # fmt: skip

FLOATS = {  # these leave float64: held against a cast of the series
    "float": (lambda x: x.float(), torch.float32), "half": (lambda x: x.half(), torch.float16),
    "bfloat16": (lambda x: x.bfloat16(), torch.bfloat16),
    "cuda": (lambda x: x.cuda(), torch.float64),
}  # fmt: skip

VALUES = {  # name -> a call that sees the value only, on x (3, 4)
    **{name: lambda x, name=name: getattr(torch, name)(x, P) for name in
       "floor_divide lt le gt ge eq ne less less_equal greater greater_equal not_equal allclose equal".split()},
    **{name: getattr(torch, name) for name in
       "isnan isinf isfinite sign sgn floor ceil round trunc argmax argmin numel is_floating_point "
       "zeros_like ones_like any all is_complex".split()},
    **{name: lambda x, name=name: getattr(x, name)() for name in
       "size dim int long bool detach get_device stride is_contiguous".split()},
    "heaviside": lambda x: torch.heaviside(x, values=x), "full_like": lambda x: torch.full_like(x, 3),
    "rfloordiv": lambda x: 3 // x, "new_zeros": lambda x: x.new_zeros(2), "new_ones": lambda x: x.new_ones(2),
    "new_full": lambda x: x.new_full((2,), 3.0), "new_tensor": lambda x: x.new_tensor([1.0]),
}  # fmt: skip
SHAPES = {  # random or uninitialised: shape and dtype are all there is to see
    **{name: getattr(torch, name) for name in ("empty_like", "rand_like", "randn_like")},
    "new_empty": lambda x: x.new_empty(x.shape),
}
INPUTS = {**FORMULAS, **CALLS, **FLOATS, **VALUES, **SHAPES}


def row(name):
    """The function of torch that a row is named after: torch.special.expit for special_expit."""
    space, _, last = name.rpartition("special_")
    spaces = [torch.special] if space or last != name else [torch.Tensor, torch, F]
    spelled = [getattr(s, n) for s in spaces for n in (last, f"__{name}__") if hasattr(s, n)]
    return spelled[0] if callable(spelled[0]) else spelled[0].__get__


def curve(x):
    """Of full degree in t, on both sides of 0, and off every corner of the calls above."""
    return torch.sin(3 * x) * 0.7 + 0.05 * x * x


def points():
    return torch.rand(3, 4, generator=torch.Generator().manual_seed(0), **f64) * 2


def check_formula(name):
    """The Taylor coefficients at points, relative to the largest."""
    f, g, at = FORMULAS[name]
    found = taylor(f, torch.tensor(at, **f64), order=ORDER)
    with mpmath.workdps(40):
        exact = [[float(c) for c in mpmath.taylor(g, mpmath.mpf(x), ORDER)] for x in at]
    exact = torch.tensor(exact, **f64)
    scale = exact.abs().amax(1)
    for k in range(ORDER + 1):
        assert ((found[k] - exact[:, k]).abs() <= 1e-12 * scale).all(), f"coefficient {k}"


def check_call(name):
    """The series of the call along a curve, against nested reverse mode."""
    f = lambda x: CALLS[name](curve(x))
    assert_series(taylor(f, points(), order=ORDER), coefficients(f, points(), ORDER), 1e-12)


def check(name):
    check_formula(name) if name in FORMULAS else check_call(name)


def spied(monkeypatch, name, change=lambda y: y):
    """RULES[name], which from now on counts its calls, and changes what it gives."""
    rule, calls = RULES[row(name)], []

    def counting(*args, **kwargs):
        calls.append(name)
        return change(rule(*args, **kwargs))

    monkeypatch.setitem(RULES, row(name), counting)
    return calls


def off(y):
    """All slopes of a result made wrong by a thousandth."""
    if isinstance(y, tuple):
        return tuple(map(off, y))
    if not isinstance(y, Jet):
        return y
    return y.like(torch.cat([y.rows[:1], y.rows[1:] * 1.001]))


def test_every_row_has_an_input():
    known = {canonical(row(name)) for name in INPUTS} | {*map(canonical, common_calls.CALLS)}
    known |= {canonical(f) for f, *_ in common_calls.FORMULAS.values()}
    known |= {canonical(f) for f in (*linear_algebra.TABLE, *complexes.TABLE, *COMPOSED, *REFUSED)}
    missing = [written(function) for function in RULES if function not in known]
    assert not missing, f"give {missing} a formula in FORMULAS or a call in CALLS"
    assert all(row(name) in RULES for name in INPUTS)


@pytest.mark.parametrize("name", {**FORMULAS, **CALLS})
def test_a_row_is_right_to_order_6_and_a_wrong_one_is_seen(monkeypatch, name):
    calls = spied(monkeypatch, name)
    check(name)
    assert calls, f"the input of {name} does not call it"
    spied(monkeypatch, name, off)
    with pytest.raises(AssertionError, match="coefficient"):
        check(name)


@pytest.mark.parametrize("name", FLOATS)
def test_a_cast_is_made_of_every_coefficient(name):
    f, dtype = FLOATS[name]
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    found = taylor(lambda x: f(curve(x)), points(), order=3)
    expected = [c.to(dtype) for c in taylor(curve, points(), order=3)]
    assert_series([c.cpu() for c in found], expected, 0)


@pytest.mark.parametrize("name", VALUES)
def test_what_sees_the_value_only_is_constant(monkeypatch, name):
    calls = spied(monkeypatch, name)
    f, x = VALUES[name], points()
    found, expected = f(Jet(torch.stack([x, x]), 1)), f(x)
    assert type(found) is type(expected) and calls
    assert torch.equal(torch.as_tensor(found), torch.as_tensor(expected))


@pytest.mark.parametrize("name", SHAPES)
def test_random_and_empty_tensors_have_the_shape_of_the_value(monkeypatch, name):
    calls = spied(monkeypatch, name)
    found = SHAPES[name](Jet(points()[None], 3))
    assert isinstance(found, torch.Tensor) and found.shape == (3, 4) and calls
