"""partial: the derivative of an op as a new op, for use inside a model."""

import pytest
import torch
from torch import nn

from companion.operators import Partials, partial
from tests.fields import close, network, points


def functional(x, z):
    return 100 + (x + 0.01 * z**2) ** 2


def test_partial_holds_what_was_computed_from_x():
    layer = nn.Linear(1, 1).double()
    x = points(9, 1).requires_grad_()
    z = layer(x)
    by_x, by_z = partial(functional)(x, z), partial(functional, wrt="z")(x, z)
    assert close(by_x, 2 * (x + 0.01 * z**2))
    assert close(by_z, 0.04 * z * (x + 0.01 * z**2))
    (total,) = torch.autograd.grad(functional(x, z).sum(), x, create_graph=True)
    assert close(total, by_x + by_z * layer.weight)
    assert x.grad is None
    assert layer.weight.grad is None


def test_partial_lets_the_gradient_through_to_every_layer():
    below, beside = nn.Linear(1, 1).double(), nn.Linear(1, 1).double()

    def gradients(derivative):
        x = below(points(9, 1))
        loss = derivative(x, beside(x)).square().mean()
        return torch.autograd.grad(loss, [*below.parameters(), *beside.parameters()])

    by_hand = gradients(lambda x, z: 2 * (x + 0.01 * z**2))
    assert all(close(*pair) for pair in zip(gradients(partial(functional)), by_hand))


def test_partial_of_partial_and_of_a_module():
    x, z = points(7, 1), points(7, 1, seed=1).requires_grad_()

    def f(x, z):
        return x**3 * z**2

    assert close(partial(partial(f))(x, z), 6 * x * z**2)
    assert close(partial(partial(f, 0), 1)(x, z), 6 * x**2 * z)
    assert close(partial(partial(partial(f, 1), 0), 0)(x, z), 12 * x * z)
    net = network(d=1)
    assert close(partial(net)(x), Partials(net, x)(0))
    assert close(partial(net, "input")(x), Partials(net, x)(0))
    assert close(partial(partial(f, "x"), "z")(x, z), 6 * x**2 * z)
    assert close(partial(partial(torch.mul), 1)(x, z), torch.ones_like(x))


def test_partial_inside_torch_func():
    x = points(7, 1)[:, 0]
    df = partial(functional)
    whole = torch.func.grad(lambda q: df(q, q**2).sum())(x)  # d/dx 2 (x + .01 x⁴)
    assert close(whole, 2 + 0.08 * x**3)
    assert close(torch.func.vmap(df)(x, x), 2 * (x + 0.01 * x**2))
    _, tangent = torch.func.jvp(lambda q: df(q, x), (x,), (torch.ones_like(x),))
    assert close(tangent, torch.full_like(x, 2))


def test_partial_without_gradients_and_of_a_constant():
    x = points(4, 1)
    with torch.no_grad():
        slope = partial(functional)(x, x)
    assert not slope.requires_grad
    assert close(slope, 2 * (x + 0.01 * x**2))
    assert partial(lambda x, z: z)(x, x).tolist() == [[0.0]] * 4
    assert not partial(lambda x: 3 * x)(x).requires_grad


def rows(x):
    """(n, 1) → (n, 3), (n,) → (n, 3), () → (3,)."""
    x = x if x.shape[-1:] == (1,) else x[..., None]
    return torch.cat([x.sin(), x**2, 1 + 0 * x.detach()], -1)


@pytest.mark.parametrize("x", [points(7, 1), points(7, 1)[:, 0], points(1, 1)[0, 0]])
def test_each_output_of_a_row_has_a_column(x):
    one = x if x.shape[-1:] == (1,) else x[..., None]
    expected = torch.cat([one.cos(), 2 * one, 0 * one], -1)
    assert close(partial(rows)(x), expected)
    assert close(torch.func.jvp(partial(rows), (x,), (torch.ones_like(x),))[0], expected)
    second = torch.cat([-one.sin(), 0 * one + 2, 0 * one], -1)
    assert close(partial(partial(rows))(x), second) if x.ndim == 1 else True
    net = network(d=1, m=3)
    assert close(partial(net)(points(7, 1)), Partials(net, points(7, 1))(0))


def test_a_row_of_numbers_to_one_value_has_its_gradient():
    x = points(7, 3)
    for f in (
        lambda x: (x**2).sum(1),
        lambda x: (x**2).sum(1, keepdim=True),
        lambda x: (x**2).sum(),
    ):
        assert close(partial(f)(x), 2 * x)
    assert close(partial(torch.sin)(x), x.cos())
    assert close(partial(lambda x: x.relu().sqrt())(-x), 0 * x)


def test_both_parts_of_a_complex_value():
    x = points(7, 2)
    f = lambda x: torch.exp(1j * x) + 1j * x
    expected = 1j * torch.exp(1j * x) + 1j
    assert close(partial(f)(x), expected)
    assert close(torch.func.vmap(partial(f))(x), expected)
    assert close(partial(partial(f))(x), -torch.exp(1j * x))
    assert close(partial(lambda x: 1j + 0 * x.detach())(x), torch.zeros(7, 2) + 0j)


def test_a_zero_is_asked_for():
    x = points(4, 1)
    assert not partial(lambda x: torch.floor(x.detach() + 0.5))(x).any()
    assert partial(lambda x: x > 0)(x).tolist() == [[0.0]] * 4
    with pytest.raises(ValueError, match="The graph was lost inside f"):
        partial(torch.no_grad()(torch.sin))(x)
    with pytest.raises(ValueError, match="The graph was lost inside f"):
        partial(partial(lambda x: x * x.detach()))(x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: partial(functional, wrt=2)(*[points()] * 2), ValueError, "2 arguments.*no number 2"),
        (lambda: partial(functional, wrt="y"), ValueError, "arguments x, z, counted from 0; got wrt='y'"),
        (lambda: partial(functional, wrt=-1), ValueError, "counted from 0; got wrt=-1"),
        (lambda: partial(functional)(x=points(), z=points()), ValueError, "0 arguments.*without its name"),
        (lambda: partial(torch.mul, "other"), ValueError, "no names: wrt is a place, 0, 1 ...; got 'other'"),
        (lambda: partial(functional)(1.0, 2.0), TypeError, "x is a tensor.*got float"),
        (lambda: partial(lambda x: torch.cat([x, x], 1))(points()), ValueError,
         r"x of shape \(12, 3\) to \(12, 6\): neither .*, nor each row to one value, nor each number"),
        (lambda: partial(lambda a: a * points())(points(3, 1)[:, 0]), ValueError, r"\(3,\) to \(12, 3\)"),
        (lambda: partial(network(d=2, m=2))(points(5, 2)), ValueError,
         r"x of shape \(5, 2\) to the same shape, and its elements mix: .*jacobian\(\), or partial of"),
        (lambda: partial(lambda x: x.softmax(1) * 1j)(points()), ValueError, "its elements mix"),
        (lambda: partial(lambda x: 1.0)(points()), TypeError, "one tensor; got float"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()
