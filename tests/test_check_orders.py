"""check_orders: the orders to which torch's nested derivatives of a function are right, and what is said."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.operators import check_orders
from tests.networks import layered_and_grouped

X = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_layer_norm_is_found_at_order_three_and_group_norm_is_right(dtype):
    layered, grouped = (net.to(dtype) for net in layered_and_grouped())
    check_orders(layered, X.to(dtype), 2)
    check_orders(grouped, X.to(dtype), 3)
    words = (
        r"torch's derivative of order 3 is \S+, and a difference quotient of its derivative of "
        r"order 2 is \S+ \(along.*\)\. f calls layer_norm, whose derivatives torch has right to "
        r"order 2: its double backward .* Partials, derivatives and taylor take jets instead"
    )
    with pytest.raises(ValueError, match=words):
        check_orders(layered, X.to(dtype), 4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.SiLU, nn.GELU, nn.Softplus, nn.Sigmoid])
def test_smooth_networks_are_right_to_order_four_whatever_their_scale(activation, dtype):
    for seed, scale in enumerate((1, 1, 0.01, 5, 100, 1e-6)):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(2, 16), activation(), nn.Linear(16, 1)).to(dtype)
        check_orders(net, scale * torch.rand(5, 2, dtype=dtype), 4)


@pytest.mark.parametrize("f", [torch.relu, torch.abs, F.elu, torch.floor, lambda x: x.clamp(-1, 0)])
@pytest.mark.parametrize("at", [0.01, -0.003, 0.3, 0.0])
def test_a_corner_is_no_alarm(f, at):
    check_orders(f, torch.tensor([at], dtype=torch.float64), 4)


@pytest.mark.parametrize(
    ("f", "at", "order", "words"),
    [
        (torch.sinc, 0.0, 2, "order 2 is nan.* calls sinc"),
        (torch.special.i0, 0.0, 4, r"order 4 is 0, .* calls special\.i0"),
        (torch.special.i1, 0.0, 3, r"order 3 is 0, .* calls special\.i1"),
        (lambda x: x**x, 1.0, 3, "order 3 .* calls pow"),
        (lambda x: torch.pow(0.0, x), 2.0, 2, "order 2 is nan.* calls pow"),
        (lambda x: x.detach() ** 2, 0.3, 1,
         "order 1 is 0, .*No function in f is known for that: is x on a corner, .*or a detach in f"),
        (lambda x: x.detach() * x, 0.3, 1, "order 1 is .*or a detach in f"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(f, at, order, words):
    x = torch.tensor([at], dtype=torch.float64)
    if order > 1:
        check_orders(f, x, order - 1)
    with pytest.raises(ValueError, match=words):
        check_orders(f, x, 4)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: check_orders(torch.sin, X, 0), ValueError, "order is a whole number, 1 or more; got 0"),
        (lambda: check_orders(torch.sin, X, 1.5), ValueError, r"1 or more; got 1\.5"),
        (lambda: check_orders(torch.sin, 1.0, 1), TypeError, "x is a tensor"),
        (lambda: check_orders(lambda x: (x, x), X, 1), TypeError, "f returns one tensor"),
        (lambda: check_orders(lambda x: (x - 9).log(), X, 2), ValueError,
         "derivatives of order 0 of f are NaN or infinite beside x: whether that of order 1"),
    ],
)  # fmt: skip
def test_what_it_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_nothing_is_left_behind():
    x = torch.rand(3, 2, dtype=torch.float64, requires_grad=True)
    state = torch.get_rng_state()
    with torch.no_grad():
        check_orders(torch.sin, x, 2)
    assert x.grad is None and torch.equal(torch.get_rng_state(), state)
