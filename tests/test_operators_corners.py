"""torch's meaning, where a series could differ without a word: corners, constants, NaN, types, seeds."""

import math

import mpmath
import pytest
import torch
from torch.nn import functional as F

from companion.operators import RULES, Jet, activations, rules, taylor
from tests.nested import assert_series, coefficients, derivatives
from tests.test_operators_rules import curve, points

f64 = dict(dtype=torch.float64)
P = torch.rand(3, 4, generator=torch.Generator().manual_seed(1), **f64) + 0.2
M = torch.rand(3, 4, generator=torch.Generator().manual_seed(2)) > 0.4


SPECIAL = torch.tensor([-6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 6.0], **f64)
BOUNDS = torch.tensor([-6.0, 0.0, -1.0, 0.5, 0.0, 0.0, 0.5, 3.0, 2.0, 1.0, 7.0], **f64)
CORNERS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardtanh of other ends": lambda x: F.hardtanh(x, -0.5, 3.0),
    "abs": torch.abs,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.3], **f64)),
    "elu": F.elu,
    "elu 0.5": lambda x: F.elu(x, 0.5),
    "celu": F.celu,
    "celu 2": lambda x: F.celu(x, 2.0),
    "selu": F.selu,
    "softsign": F.softsign,
    "glu": lambda x: F.glu(torch.stack([F.relu(x), x]), 0)[0],
    "maximum of two": lambda x: torch.maximum(x, 2 * x),
    "maximum of itself": lambda x: torch.maximum(x, x),
    "maximum": lambda x: torch.maximum(x, BOUNDS),
    "minimum": lambda x: torch.minimum(BOUNDS, x),
    "minimum of two": lambda x: torch.minimum(-x, x * x),
    "clamp": lambda x: x.clamp(-1, 2),
    "clamp to one place": lambda x: x.clamp(1, 1),
    "clamp, one end": lambda x: x.clamp(min=0.5) + torch.clamp(x, max=0.0),
    "clamp_min": lambda x: x.clamp_min(0.0) * torch.clamp_max(x, 3.0),
    "clamp to tensors": lambda x: torch.clip(x, min=BOUNDS) + torch.clamp(x, BOUNDS, BOUNDS + 1),
    "clamp of a bound": lambda x: torch.clamp(BOUNDS, min=x) + torch.clamp(x, max=x * x),
    "pow 2": lambda x: x**2,
    "pow 0": lambda x: x**0 * x,
    "pow 3": lambda x: torch.pow(x, 3),
    "sign": lambda x: torch.sign(x) * x,
    "steps": lambda x: x * x + torch.floor(x) + torch.round(x) + torch.trunc(x) + torch.ceil(x),
    "rounded quotients": lambda x: (
        x * torch.div(x, 0.7, rounding_mode="floor")
        + torch.div(BOUNDS, x + 9, rounding_mode="trunc")
    ),
    "nansum": lambda x: torch.nansum(torch.stack([x.relu(), x * x]), 0),
}


def check_corners(f, order=5):
    """The slope is that of the installed torch; the rest is that slope, differentiated as a function."""
    found, expected = taylor(f, SPECIAL, order=order), by_hand(f, order)
    assert torch.equal(found[0], expected[0])
    assert torch.allclose(found[1], expected[1], rtol=1e-15, atol=0)
    assert_series(found, expected)


def by_hand(f, order):
    """The Taylor coefficients at the special points, by walk after walk back, with their graph."""
    return [d / math.factorial(k) for k, d in enumerate(derivatives(f, SPECIAL, order))]


@pytest.mark.parametrize("name", CORNERS)
def test_corners_are_torchs(name):
    check_corners(CORNERS[name])


def bent(slope):
    """|x| with another slope at 0, as another release of torch might have it."""

    class Bent(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x.abs()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * torch.where(x == 0, slope, x.sign())

    return Bent.apply


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_another_torch_is_asked_another_slope(monkeypatch, slope):
    monkeypatch.setitem(RULES, torch.abs, rules.straight(bent(slope)))
    found = taylor(torch.abs, SPECIAL, order=1)[1]
    assert found[SPECIAL == 0].tolist() == [slope, slope]
    monkeypatch.setitem(RULES, torch.abs, lambda x: x * (2.0 * (x > 0) - 1))  # written down
    with pytest.raises(AssertionError):
        check_corners(torch.abs)


def test_at_a_corner_the_rest_of_a_rule_is_torchs_too():
    """A function of another slope and bend at its corner than on either side."""
    odd = lambda x: torch.where(x > 0, x, 3 * x + 5 * x * x)
    rule = lambda x: activations.cornered(x, 0.0, RULES[torch.abs](x), odd)
    value, slope, bend, third = rule(Jet(torch.tensor([[0.0, 2.0], [1.0, 1.0]], **f64), 3)).rows
    assert value.tolist() == [0, 2] and slope.tolist() == [3, 1]
    assert bend.tolist() == [5, 0] and third.tolist() == [0, 0]


@pytest.mark.parametrize("f", [torch.relu, F.elu, lambda x: torch.maximum(x, 2 * x)])
def test_corners_under_transforms_and_without_gradients(f):
    """The torch that is asked is not disturbed by who is looking on."""
    slope = lambda x: taylor(f, x, order=2)[1]
    expected = slope(SPECIAL)
    assert torch.equal(torch.func.vmap(slope)(SPECIAL), expected)
    by_row, below = torch.func.jacrev(lambda x: (slope(x),) * 2, has_aux=True)(SPECIAL)
    assert torch.equal(below, expected)
    bend = coefficients(f, SPECIAL, 2)[2]
    assert torch.equal(by_row.diagonal(), 2 * bend)
    with torch.inference_mode():
        assert torch.equal(slope(SPECIAL.clone()), expected)
    with torch.no_grad():
        assert torch.equal(slope(SPECIAL), expected) and not slope(SPECIAL).requires_grad


def test_the_weights_of_prelu_and_the_ends_of_clamp_learn():
    for f in (F.prelu, lambda x, w: torch.clamp(x * w, min=w)):
        w = torch.tensor([0.3], **f64, requires_grad=True)
        loss = lambda found: sum((c * (k + 1)).sum() for k, c in enumerate(found))
        mine = loss(taylor(lambda x: f(torch.sin(x), w), SPECIAL, order=3))
        (expected,) = torch.autograd.grad(loss(by_hand(lambda x: f(torch.sin(x), w), 3)), w)
        (found,) = torch.autograd.grad(mine, w)
        assert torch.allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2.0**x,
        lambda x: 3**x,
        lambda x: torch.tensor(2) ** x,
        lambda x: x / torch.arange(1, 5),
        lambda x: x ** torch.tensor(2),
        lambda x: x ** torch.tensor([2, 3, -1, -2]),
        lambda x: (x * x) ** x,
        lambda x: x**-3 + x**65,
        lambda x: F.softplus(x, 2.0, 0.5),
        lambda x: F.softplus(x, beta=3.0),
        lambda x: F.softplus(30 * x),  # a line beyond 20, by torch's choice
        lambda x: F.logsigmoid(-30 * x) + F.mish(30 * x),  # and these are none
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: torch.pow(x, exponent=2) * torch.mul(input=x, other=x),
        lambda x: F.softmax(x.float(), 1, dtype=torch.float64).sum(1) * 0 + x.sum(1),
        lambda x: x.to(torch.int64) * x + x.long() * x.int(),
        lambda x: sum(row for row in x) * len(x),
        lambda x: x.data * x.detach() * x,
        lambda x: torch.floor(x) * x,
        lambda x: (x * 1j).real + (x * (2 - 1j)).real,
    ],
)
def test_constants_exponents_and_casts(f):
    x = curve(points()) + torch.where(M, 0.5, -1.5).to(**f64)
    assert_series(taylor(f, x, order=4), coefficients(f, x, 4), 1e-11)


def test_a_broken_power_of_a_negative_number_is_nan():
    x = torch.tensor([-1.0, 4.0], **f64)
    for n in (2.5, torch.tensor(2.5, **f64)):
        slope = taylor(lambda x, n=n: x**n, x, order=1)[1]
        assert slope[0].isnan() and slope[1] == pytest.approx(20.0)


@pytest.mark.parametrize(
    "f",
    [
        F.relu, F.leaky_relu, F.elu, F.relu6, F.hardswish, torch.abs, torch.square, F.softplus,
        F.gelu, torch.acosh,
    ],
)  # fmt: skip
def test_nan_and_infinity_pass(f):
    x = torch.tensor([torch.nan, 1.0, torch.inf], **f64)
    value = taylor(f, x, order=2)[0]
    assert torch.equal(value.isnan(), torch.tensor([True, False, False]))
    assert torch.equal(value[1:], f(x)[1:])


def test_acosh_of_large_numbers_and_below_one():
    """Whose square is no number: mpmath's acosh(1e200) and its slopes; torch's NaN below 1."""
    found = taylor(torch.acosh, torch.tensor([1e200, 1.0 + 1e-8, -1e200], **f64), order=1)
    with mpmath.workdps(30):
        at = [mpmath.mpf(x) for x in (1e200, 1.0 + 1e-8)]
        exact = [[float(f(x)) for x in at] for f in (mpmath.acosh, lambda x: (x * x - 1) ** -0.5)]
    assert found[0][:2].tolist() == pytest.approx(exact[0], rel=1e-11)
    assert found[1][:2].tolist() == pytest.approx(exact[1], rel=1e-11)
    assert found[0][2].isnan()


def test_celu_is_more_exact_than_torchs():
    """torch takes 1/α in float32 in the slope of celu; off its corner the jet does not."""
    x = torch.tensor([-0.5], **f64)
    slope = taylor(lambda x: F.celu(x, 0.7), x, order=1)[1]
    assert slope.item() == pytest.approx(float(mpmath.exp(-0.5 / 0.7)), rel=1e-14)


def test_dropout_drops_the_same_in_every_coefficient():
    torch.manual_seed(0)
    y = taylor(lambda x: F.dropout(torch.exp(x), 0.5), torch.zeros(64, **f64), order=2)
    dropped = y[0] == 0
    assert dropped.any() and not dropped.all()
    assert all(torch.equal(c == 0, dropped) for c in y)
    assert torch.equal(y[1][~dropped], torch.full_like(y[1][~dropped], 2.0))


def test_whole_powers_of_any_size_are_right_at_zero():
    x = torch.tensor([0.0, 1.0], **f64)
    for n in (64, 65, 1000, 65.0):
        value, slope, bend = taylor(lambda x: x**n, x, order=2)
        assert value.tolist() == [0, 1] and slope.tolist() == [0, n]
        assert bend.tolist() == [0, n * (n - 1) / 2]


@pytest.mark.parametrize("f", [torch.softmax, torch.log_softmax])
def test_softmax_takes_its_dtype_by_place_too(f):
    found = taylor(lambda x: f(x, 1, torch.float64), P.float(), order=2)
    wanted = taylor(lambda x: f(x, 1), P.float().double(), order=2)
    for a, b in zip(found, wanted):
        assert a.dtype == torch.float64 and torch.equal(a, b)


@pytest.mark.parametrize("infinity", [torch.inf, -torch.inf])
def test_logsumexp_of_the_infinite_is_infinite_as_in_torch(infinity):
    x = torch.tensor([[infinity, infinity], [0.0, 1.0], [infinity, 1.0]], **f64)
    value = taylor(lambda x: torch.logsumexp(x, 1), x, order=1)[0]
    assert torch.equal(value, torch.logsumexp(x, 1))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_logsumexp_of_a_wholly_masked_row_does_not_move(order):
    x = torch.tensor([[0.3, -1.0], [0.5, 2.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True], [False, True]])
    f = lambda x: x.masked_fill(mask, -torch.inf).logsumexp(1, True)
    found = taylor(f, x, torch.ones_like(x), order=order)
    assert found[0].tolist() == [[-torch.inf], [0.5]]
    slopes = torch.autograd.grad(
        (y := x.clone().requires_grad_()).masked_fill(mask, -torch.inf).logsumexp(1).sum(), y
    )
    assert slopes[0].tolist() == [[0.0, 0.0], [1.0, 0.0]]  # torch's own
    assert found[1].tolist() == [[0.0], [1.0]]
    assert all(d.tolist() == [[0.0], [0.0]] for d in found[2:])
