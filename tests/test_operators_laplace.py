"""The collapsed 2-jet: Δf against closed forms and reverse mode, in one to five dimensions."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.operators import RULES, Partials, laplacian
from companion.operators.laplace import LaplaceJet, slopes, value_gradient_laplacian
from companion.operators.recurrences import POINTWISE
from tests.fields import close, network, points
from tests.networks import NETWORKS, built

f64 = dict(dtype=torch.float64)


def reversed_laplacian(f, x):
    return Partials(f, x, "reverse").laplacian()


CLOSED = {  # f, Δf, as functions of points (n, d)
    "square": (lambda x: (x * x).sum(1, keepdim=True), lambda x: torch.full_like(x[:, :1], 2 * x.shape[1])),
    "harmonic": (lambda x: x[:, :1] * x[:, -1:].exp(), lambda x: (
        x[:, :1] * x[:, -1:].exp() if x.shape[1] > 1 else (x + 2) * x.exp())),
    "wave": (lambda x: torch.sin(x.sum(1, keepdim=True)), lambda x: -x.shape[1] * torch.sin(x.sum(1, keepdim=True))),
    "bell": (lambda x: torch.exp(-x.square().sum(1, keepdim=True)), lambda x: (
        4 * x.square().sum(1, keepdim=True) - 2 * x.shape[1]) * torch.exp(-x.square().sum(1, keepdim=True))),
    "radius": (lambda x: x.square().sum(1, keepdim=True).sqrt(), lambda x: (
        (x.shape[1] - 1) / x.square().sum(1, keepdim=True).sqrt())),
    "linear": (lambda x: 3 * x[:, :1] + 1, lambda x: 0 * x[:, :1]),
    "constant": (lambda x: torch.ones_like(x[:, :1]), lambda x: 0 * x[:, :1]),
}  # fmt: skip

WEIGHT = torch.linspace(-1, 1, 20, **f64).reshape(5, 4)
MIXED = {  # bilinear and joint functions of several series
    "product of columns": lambda x: torch.sin(x) * torch.exp(x.flip(1)),
    "quotient": lambda x: torch.sin(x) / (2 + x.flip(1) ** 2),
    "matmul": lambda x: (torch.tanh(x)[:, :, None] @ torch.cos(x)[:, None, :]).sum(2),
    "matmul twice": lambda x: torch.bmm(
        (x @ WEIGHT[: x.shape[1]])[:, None], (x @ WEIGHT[-x.shape[1] :]).tanh()[:, :, None])[:, 0],
    "softmax": lambda x: F.softmax(torch.cat([x, x * x], 1), dim=1),
    "logsumexp": lambda x: torch.logsumexp(torch.cat([x, x * x], 1), 1, keepdim=True),
    "indexing": lambda x: x[:, [0, -1]] ** 3 * x[..., -1:] + x[:, None, 0],
    "power of a power": lambda x: (1 + x) ** x.flip(1),
    "where": lambda x: torch.where(x > 0.5, x**3, torch.sin(x)) + torch.maximum(x**2, x**3),
    "stack": lambda x: torch.stack([x, x.exp()], 2).sum(2) * x.mean(1, keepdim=True),
    "clamp": lambda x: (x**2).clamp(0.2, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name, d):
    f, exact = CLOSED[name]
    x = points(7, d) + 0.1
    assert close(laplacian(f, x), exact(x))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", MIXED)
def test_products_and_joins_of_several_series(name, d):
    x = points(7, d) + 0.1
    assert close(laplacian(MIXED[name], x), reversed_laplacian(MIXED[name], x))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.Sigmoid, nn.Softplus, nn.SiLU, nn.GELU])
def test_networks_and_their_gradients(activation, d):
    net, x = network(d, 2, activation=activation), points(7, d).requires_grad_()
    found, expected = laplacian(net, x), reversed_laplacian(net, x)
    assert close(found, expected)
    inputs = [x, *net.parameters()]
    slopes = [
        torch.autograd.grad((y * y).sum(), inputs, materialize_grads=True)
        for y in (found, expected)
    ]
    assert all(close(a, b, 1e-10) for a, b in zip(*slopes))
    assert all(t.grad is None for t in inputs)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_every_kind(name):
    net, x = built(name), points(7, 1) * 2 - 1
    assert close(laplacian(net, x), reversed_laplacian(net, x))


@pytest.mark.parametrize("name", POINTWISE)
def test_the_three_slopes_of_a_pointwise_function(name):
    x = torch.linspace(0.2, 0.8, 5, **f64)
    found = slopes(POINTWISE[name], x)
    series = POINTWISE[name]([x, torch.ones_like(x)], 3)[0]
    for a, b in zip(found, [series[0], series[1], 2 * series[2], 3 * series[3]]):
        assert close(a, b)


def test_value_gradient_and_chosen_axes():
    f, x = MIXED["quotient"], points(7, 3)
    u = Partials(f, x, "reverse")
    value, gradient, bend = value_gradient_laplacian(f, x, (0, 2))
    assert close(value, u()) and close(gradient[0], u(0)) and close(gradient[1], u(2))
    assert close(bend, u(0, 0) + u(2, 2))


def test_the_bilaplacian_by_differentiating_twice_more():
    """Δ of Δ: a collapsed jet under reverse mode, ∂⁴ of sin(x + y) twice and its mixture twice."""
    f = lambda x: torch.sin(x.sum(1, keepdim=True))
    x = points(5, 2)
    twice = Partials(lambda x: laplacian(f, x), x, "reverse").laplacian()
    assert close(twice, 4 * f(x), 1e-11)
    assert torch.autograd.gradgradcheck(
        lambda x: laplacian(MIXED["quotient"], x), x[:2].requires_grad_()
    )


def test_under_torch_func():
    net, x = network(2), points(6, 2)
    expected = laplacian(net, x)
    each = torch.vmap(lambda row: laplacian(net, row[None])[0])(x)
    assert close(each, expected)
    slope = torch.func.grad(lambda x: laplacian(net, x).sum())(x)
    leaf = x.clone().requires_grad_()
    assert close(slope, torch.autograd.grad(reversed_laplacian(net, leaf).sum(), leaf)[0], 1e-10)


def test_modes_and_dtypes():
    x, f = points(6, 2), network(2)
    with torch.no_grad():
        assert not laplacian(f, x).requires_grad
    assert close(laplacian(f.float(), x.float()).double(), laplacian(f.double(), x), 1e-4)
    assert laplacian(f, x[:0]).shape == (0, 1)
    sick = x.clone()
    sick[2] = torch.nan
    bend = laplacian(f, sick)
    assert bend[2].isnan() and close(bend[[0, 1, 3, 4, 5]], laplacian(f, x)[[0, 1, 3, 4, 5]])


def off(y):
    """The last row, Δ, made wrong by a thousandth."""
    return y.like(torch.cat([y.rows[:-1], y.rows[-1:] * 1.001])) if isinstance(y, LaplaceJet) else y


@pytest.mark.parametrize(
    "function",
    [torch.mul, torch.matmul, torch.exp, torch.tanh, torch.softmax, torch.cat, F.linear]
    + [torch.Tensor.__getitem__],
)
def test_a_wrong_row_is_caught(monkeypatch, function):
    rule = RULES[function]
    monkeypatch.setitem(RULES, function, lambda *args, **kwargs: off(rule(*args, **kwargs)))
    f = lambda x: F.softmax(torch.cat([x * x * x.flip(1), torch.exp(x)], 1), 1)
    for g in (f, network(2), MIXED["matmul"]):
        if not close(laplacian(g, points(5, 2)), reversed_laplacian(g, points(5, 2))):
            return
    pytest.fail(f"nobody noticed {function}")


@pytest.mark.parametrize("shape", [(3,), (), (2, 3, 4), (3, 0)])
def test_points_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"points have the shape \(n, d\); got"):
        laplacian(torch.sin, torch.zeros(shape))


def test_what_is_refused():
    x = points(3, 2)
    with pytest.raises(
        TypeError, match=r"x is a tensor of floats; got torch.int64. Write x.double\(\)"
    ):
        laplacian(torch.sin, torch.ones(3, 2, dtype=torch.int64))
    with pytest.raises(TypeError, match="f returns one tensor; got tuple"):
        laplacian(lambda x: (x, x), x)
    with pytest.raises(NotImplementedError, match=r"no Taylor rule for torch\.Tensor\.tolist"):
        laplacian(lambda x: torch.tensor(x.tolist()), x)
    with pytest.raises(NotImplementedError, match="cannot expand again inside"):
        laplacian(lambda x: laplacian(torch.sin, x), x)
    with pytest.raises(NotImplementedError, match="two series of different expansions met"):
        laplacian(lambda a: laplacian(lambda b: a * b, x), x)
    with pytest.raises(NotImplementedError, match="TypeError: f returns one tensor; got L"):
        laplacian(lambda a: laplacian(lambda b: a, x), x)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_finds_the_same():
    net, x = network(3), points(9, 3)
    expected = laplacian(net, x)
    assert close(laplacian(net.cuda(), x.cuda()).cpu(), expected)
