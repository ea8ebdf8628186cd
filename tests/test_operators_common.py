"""Rules of selections, variances, attention, recurrent layers and special functions: common_calls.py.

Order 0 and 1 are torch's; each one above is held against a difference quotient of the one below,
since torch's own are no oracle there. Special functions have mpmath's to order 6. Each row is then
made wrong by a thousandth, and the same check must see it.
"""

from math import factorial

import mpmath
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.operators import RULES, Jet, Partials, laplacian, taylor
from companion.operators.names import written
from tests.common_calls import ATTENTION, CALLS, FORMULAS, M, P, f64, made
from tests.nested import derivatives
from tests.quotients import ORDER, X, check, close, curve

HIGH = 6
ROWS = [
    pytest.param(f, i, id=f"{written(f)}-{i}") for f, fs in CALLS.items() for i in range(len(fs))
]


def check_formula(name):
    """All orders at points, relative to the largest of the orders there."""
    f, g, at = FORMULAS[name]
    found = taylor(f, torch.tensor(at, **f64), order=HIGH)
    with mpmath.workdps(30):
        exact = [[float(d) for d in g(mpmath.mpf(x), HIGH)] for x in at]
    exact = torch.tensor(exact, **f64)
    for k in range(HIGH + 1):
        off = (found[k] * factorial(k) - exact[:, k]).abs()
        assert (off <= 2e-13 * exact.abs().amax(1)).all(), f"order {k} is off by {off.tolist()}"


def spied(monkeypatch, function, change=lambda y: y):
    """The rule of a function, which from now on counts its calls, and changes what it gives."""
    rule, calls = RULES[function], []

    def counting(*args, **kwargs):
        calls.append(function)
        return change(rule(*args, **kwargs))

    monkeypatch.setitem(RULES, function, counting)
    return calls


def off(y):
    """All slopes of a result made wrong by a thousandth."""
    if isinstance(y, tuple):
        return type(y)(map(off, y)) if type(y) is not tuple else tuple(map(off, y))
    return y.like(torch.cat([y.rows[:1], y.rows[1:] * 1.001])) if type(y) is Jet else y


@pytest.mark.parametrize(("function", "place"), ROWS)
def test_each_order_is_the_slope_of_the_one_below_and_a_wrong_one_is_seen(
    monkeypatch, function, place
):
    call = CALLS[function][place]
    calls = spied(monkeypatch, function)
    check(call)
    assert calls, f"the input of {written(function)} does not call it"
    if function is not torch.argsort:  # of which the value is all
        spied(monkeypatch, function, off)
        with pytest.raises(AssertionError, match="order 1"):
            check(call, 1)


@pytest.mark.parametrize("name", FORMULAS)
def test_special_functions_are_those_of_mpmath_and_a_wrong_one_is_seen(monkeypatch, name):
    function = FORMULAS[name][0]
    calls = spied(monkeypatch, function)
    check_formula(name)
    assert calls
    spied(monkeypatch, function, off)
    with pytest.raises(AssertionError, match="order 1"):
        check_formula(name)


def second_derivatives(f, at):
    axes = [torch.tensor(v, **f64).expand_as(at) for v in ([1.0, 0.0], [0.0, 1.0])]
    return sum(2 * taylor(f, at, v, order=2)[2] for v in axes)


@pytest.mark.parametrize(("function", "place"), ROWS)
def test_the_laplacian_is_the_sum_of_second_derivatives(function, place):
    at = X.reshape(6, 2)
    f = lambda x: CALLS[function][place](curve(x * x - 0.3 * x).reshape(3, 4))
    close(laplacian(f, at), second_derivatives(f, at), 1e-10, "the Laplacian")


@pytest.mark.parametrize("name", FORMULAS)
def test_the_laplacian_of_special_functions(name):
    function, _, points = FORMULAS[name]
    at = torch.tensor([[abs(points[-1]), 0.3]], **f64)
    f = lambda x: function(x[:, :1] * (0.7 + 0.1 * torch.sin(x[:, 1:])))
    close(laplacian(f, at), second_derivatives(f, at), 1e-10, "the Laplacian")


# --- what torch cannot do, or does wrong -----------------------------------------------------------


def test_partials_gives_every_order_where_torch_has_none():
    x = torch.tensor([[0.7], [3.0]], **f64)
    y = torch.special.bessel_j0(x.clone().requires_grad_())
    torchs = y.requires_grad and "NotImplemented" not in y.grad_fn.name()  # torch 2.15
    ten = 1e-10 if torchs else 1e-13  # as many digits as torch's values have
    for f, order, digits in (
        (torch.special.bessel_j0, 4, ten),
        (lambda x: F.hardsigmoid(x) * x, 2, 1e-13),
    ):
        for k in range(1, order + 1):
            axes = (0,) * k
            expected = taylor(f, x, order=k)[k] * factorial(k)
            close(Partials(f, x)(*axes), expected, digits, f"order {k}")
    j0 = Partials(torch.special.bessel_j0, x)
    bessel = j0(0, 0) + j0(0) / x + j0()  # Bessel's equation
    assert bessel.abs().max() < 1e-11


def test_ldexp_by_a_negative_whole_number_is_no_zero():
    """torch's slope is 0; the jets' is not, and Partials takes them."""
    x = torch.tensor([[0.7], [3.0]], **f64)
    f = lambda x: torch.ldexp(x, torch.tensor([-1]))
    assert Partials(f, x)(0).tolist() == [[0.5], [0.5]]
    with pytest.raises(NotImplementedError, match="ldexp are right to order 0 only"):
        Partials(f, x, method="reverse")(0)


def test_a_slope_of_a_special_function_learns():
    """The walk back through all derivatives, twice, where torch has no derivative at all."""
    scale = torch.tensor(1.3, **f64, requires_grad=True)
    at = torch.tensor([0.0, 2.0, 41.0], **f64)
    bend = lambda s: (taylor(lambda x: torch.special.bessel_j0(s * x), at, order=2)[2] * 2).sum()
    slope = lambda s: torch.autograd.grad(bend(s), s, create_graph=True)[0]
    first = slope(scale)
    (second,) = torch.autograd.grad(first, scale)
    h = 1e-5
    near = [scale.detach() + i * h for i in (-1, 1)]
    assert first.item() == pytest.approx(((bend(near[1]) - bend(near[0])) / 2 / h).item(), rel=1e-6)
    near = [slope(s.requires_grad_()) for s in near]
    assert second.item() == pytest.approx(((near[1] - near[0]) / 2 / h).item(), rel=1e-6)


ENCODER = made(nn.TransformerEncoderLayer, 4, 2, 8, batch_first=True, activation="gelu")
DECODER = made(nn.TransformerDecoderLayer, 4, 2, 8, batch_first=True, activation=torch.tanh)
STACK = nn.TransformerEncoder(ENCODER, 2, enable_nested_tensor=True).eval()
LAYERS = {
    "encoder": lambda x: ENCODER(torch.stack([x, x * x])),
    "its norm first": lambda x: made(
        nn.TransformerEncoderLayer, 4, 2, 8, batch_first=True, activation="gelu", norm_first=True
    )(x),
    "with a mask": lambda x: ENCODER(
        x[None], src_key_padding_mask=torch.tensor([[False, False, True]])
    ),
    "decoder": lambda x: DECODER(x, P),
    "memory": lambda x: DECODER(P, x),
    "several": lambda x: STACK(x[None], src_key_padding_mask=torch.tensor([[False, False, True]])),
}


@pytest.mark.parametrize("name", LAYERS)
def test_transformer_layers(name):
    check(LAYERS[name], ORDER if F.layer_norm in RULES else 2)


@pytest.mark.parametrize("name", ["sinc", "erfcx", "i0", "i1", "i0e", "spherical_bessel_j0"])
def test_forward_mode_over_a_special_function(name):
    f = FORMULAS[name][0]
    at = torch.tensor([0.4, 2.5, 45.0], **f64)
    bend = lambda x: taylor(f, x, order=2)[2]
    slope = lambda x: torch.func.jvp(bend, (x,), (torch.ones_like(x),))[1]
    curved = torch.func.jvp(slope, (at,), (torch.ones_like(at),))[1]
    exact = taylor(f, at, order=4)
    close(slope(at), 3 * exact[3], 1e-10, "one")
    close(curved, 12 * exact[4], 1e-10, "two")


# --- corners and ties ------------------------------------------------------------------------------


TIED = torch.tensor([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0], [-3.0, 0.0, 3.0, 0.5]], **f64)
TIES = {
    "hardswish": F.hardswish, "hardsigmoid": F.hardsigmoid, "softshrink": F.softshrink,
    "hardshrink": F.hardshrink, "threshold": lambda x: F.threshold(x, 0.0, 1.0), "rrelu": F.rrelu,
    "amax": lambda x: x.amax(1), "max": lambda x: x.max(), "max of an axis": lambda x: x.max(1)[0],
    "min": lambda x: x.min(), "aminmax": lambda x: torch.aminmax(x, dim=0)[1], "median": lambda x: x.median(),
    "median of an axis": lambda x: x.median(1)[0], "mode": lambda x: x.mode(1)[0], "sort": lambda x: x.sort(1)[0],
    "topk": lambda x: x.topk(2, 1)[0], "cummax": lambda x: x.cummax(1)[0], "quantile": lambda x: x.quantile(0.5, 1),
    "std": lambda x: x.std(1), "atan2": lambda x: torch.atan2(x, x - 2), "at nothing": lambda x: torch.atan2(x, x),
    "xlogy": lambda x: torch.xlogy(x, 3 + x), "xlogy of a number": lambda x: torch.xlogy(x, 0.0),
    "entr": lambda x: torch.special.entr(x + 3), "copysign": lambda x: torch.copysign(x, P), "frac": torch.frac,
    "remainder": lambda x: torch.remainder(x, 1.5), "logit": lambda x: torch.logit(x / 4, eps=0.25),
    "i0e": torch.special.i0e, "i1e": torch.special.i1e, "logaddexp": lambda x: torch.logaddexp(x, x),
    "nan_to_num": lambda x: torch.nan_to_num(x / x.relu() ** 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", TIES)
def test_the_slope_at_a_corner_is_torchs(name):
    f = TIES[name]
    v = torch.rand(TIED.shape, generator=torch.Generator().manual_seed(6), **f64) + 0.5
    x = TIED.clone().requires_grad_()
    y = f(x)
    value, slope = taylor(f, TIED, v, order=1)
    assert torch.allclose(value, y.detach(), rtol=1e-14, atol=0, equal_nan=True)
    w = torch.rand(y.shape, generator=torch.Generator().manual_seed(7), **f64) + 0.5
    (by_x,) = torch.autograd.grad((w * y).sum(), x)
    if (
        name == "quantile"
    ):  # from torch 2.14 on its slopes at a tie differ, and ours are torch.func's
        (by_x,) = torch.func.vjp(f, TIED)[1](w)
    expected = (by_x * v).sum()
    assert torch.allclose((w * slope).sum(), expected, rtol=1e-13, equal_nan=True)


def test_the_bend_of_hardswish_at_its_corners_is_that_of_torchs_slope():
    at = torch.tensor([-4.0, -3.0, 0.0, 3.0, 4.0], **f64)
    found = [c * factorial(k) for k, c in enumerate(taylor(F.hardswish, at, order=3))]
    for k, (a, b) in enumerate(zip(found, derivatives(F.hardswish, at, 3))):
        assert torch.allclose(a, b.detach(), rtol=1e-14), f"order {k}"


def test_what_is_minus_infinity_adds_nothing_to_a_running_sum():
    x = torch.tensor([-torch.inf, 0.0, -torch.inf, 1.0], **f64)
    value, slope = taylor(lambda x: torch.logcumsumexp(x, 0), x, torch.arange(4.0, **f64), order=1)
    assert torch.allclose(value, torch.logcumsumexp(x, 0))
    shares = torch.softmax(torch.tensor([0.0, 1.0], **f64), 0)
    assert torch.allclose(
        slope[1:], torch.stack([shares[0] * 0 + 1, shares[0] * 0 + 1, shares[0] + 3 * shares[1]])
    )


# --- drawn once, and refused -------------------------------------------------------------------------


def test_what_is_drawn_is_drawn_once():
    x, k = torch.linspace(-2, 1, 12, **f64).reshape(3, 4), torch.eye(3, 4, **f64)
    for f in (
        lambda x: F.rrelu(x, training=True),
        lambda x: F.scaled_dot_product_attention(x, k, k, dropout_p=0.5),
    ):
        torch.manual_seed(3)
        value, slope, _ = taylor(f, x, x, order=2)
        torch.manual_seed(3)
        again = taylor(f, x, x, order=2)[0]
        assert torch.equal(value, again) and slope.isfinite().all()
    torch.manual_seed(3)
    value, slope, bend = taylor(lambda x: F.rrelu(x, training=True), x, x, order=2)
    torch.manual_seed(3)
    assert torch.allclose(value, F.rrelu(x, training=True))
    assert torch.allclose(slope, value) and not bend.any()


PACKED = lambda x: nn.utils.rnn.PackedSequence(x, torch.tensor([2, 1]))
REFUSED = {
    "a mask and is_causal": (lambda x: F.scaled_dot_product_attention(x, x, x, M, is_causal=True),
                             ValueError, "is_causal is a mask; give no attn_mask"),
    "a hint without a mask": (lambda x: made(nn.MultiheadAttention, 4, 2)(x, x, x, is_causal=True),
                              (ValueError, RuntimeError), "attn_mask|mask too"),
    "heads that do not divide": (lambda x: F.multi_head_attention_forward(
        x, x, x, 4, 3, P, None, None, None, False, 0.0, P, None), ValueError, "a multiple of the heads"),
    "a packed sequence": (lambda x: torch.lstm(x, torch.tensor([2, 1]), (P, P), [P], False, 1, 0.0, False, False),
                          NotImplementedError, "not as a PackedSequence; pad it"),
    "max_norm": (lambda x: F.embedding(torch.tensor([0]), x, max_norm=1.0), NotImplementedError,
                 r"Write weight\[ids\]"),
    "zeta's exponent": (lambda x: torch.special.zeta(x, P), NotImplementedError, "Only the second may vary"),
    "forward mode over Bessel's": (
        lambda x: torch.func.jvp(lambda x: taylor(torch.special.bessel_j0, x, order=1)[1], (P,), (P,))[0] * x,
        NotImplementedError, "known to reverse mode alone"),
    "an unknown option": (lambda x: x.var(1, mean=P), NotImplementedError, "take no option mean"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_options_are_right_or_refused(name):
    f, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        taylor(f, X, order=2)


def test_every_kind_of_attention_is_without_the_fused_way(monkeypatch):
    """No call of torch's own attention is left to the fallback."""
    monkeypatch.setattr(
        "companion.operators.dispatch.alone", lambda *_: pytest.fail("the fallback")
    )
    for calls in ATTENTION.values():
        for call in calls:
            taylor(call, X, order=2)


def test_the_row_of_padding_has_no_slope():
    f = lambda x: F.embedding(torch.tensor([0, 1, 2]), x, padding_idx=1)
    x = X.clone().requires_grad_()
    (expected,) = torch.autograd.grad(f(x).sum(), x)
    value, slope = taylor(f, X, order=1)
    assert torch.equal(value, X) and torch.equal(slope, expected)
