"""Partials, against SymPy, against each other, and where they must refuse."""

import itertools

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from companion.operators import Partials, laplacian
from companion.operators.partials import directions
from tests.fields import close, network, points

METHODS = ("reverse", "taylor", None)
SYMBOLS = sp.symbols("a b c")
A, B, C = SYMBOLS
FORMULAS = [sp.sin(A * B) * sp.exp(C), A**3 * B + C**4 / (1 + A)]


def field(x):
    """FORMULAS, for torch."""
    a, b, c = x.split(1, dim=1)
    return torch.cat([torch.sin(a * b) * torch.exp(c), a**3 * b + c**4 / (1 + a)], 1)


def exact(axes, x, formulas=FORMULAS):
    """The derivative by SymPy, (n, m)."""
    columns = []
    for formula in formulas:
        derivative = formula.diff(*[SYMBOLS[i] for i in axes]) if axes else formula
        values = sp.lambdify(SYMBOLS[: x.shape[1]], derivative, "numpy")(*x.double().numpy().T)
        columns.append(np.broadcast_to(values, len(x)))
    return torch.as_tensor(np.stack(columns, 1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "axes",
    [axes for k in range(4) for axes in itertools.combinations_with_replacement(range(3), k)]
    + [(0, 0, 1, 1), (0, 1, 1, 2), (2, 2, 2, 2), (0, 0, 1, 1, 2), (0, 0, 0, 1, 1, 2), (2,) * 6],
)
def test_derivatives_are_those_of_sympy(method, axes):
    x = points()
    assert close(Partials(field, x, method)(*axes), exact(axes, x))


@pytest.mark.parametrize("method", METHODS)
def test_gradient_jacobian_divergence_laplacian(method):
    x = points()
    u = Partials(field, x, method)
    jacobian = torch.stack([exact((i,), x) for i in range(3)], 2)
    assert close(u.jacobian(), jacobian)
    assert close(u.laplacian(), sum(exact((i, i), x) for i in range(3)))
    assert close(u.laplacian(0, 2), exact((0, 0), x) + exact((2, 2), x))
    first = Partials(lambda x: field(x)[:, :1], x, method)
    assert close(first.gradient(), jacobian[:, 0])
    plane = Partials(lambda x: field(x), x[:, :3], method)
    turned = Partials(lambda x: torch.cat([field(x), x[:, :1] * x[:, 2:]], 1), x, method)
    assert close(turned.divergence(), plane(0)[:, :1] + plane(1)[:, 1:] + x[:, :1])


@pytest.mark.parametrize("method", METHODS)
@given(order=st.permutations([0, 0, 1, 2]))
@settings(max_examples=12, deadline=None)
def test_the_order_of_the_axes_does_not_matter(method, order):
    x = points(4)
    u = Partials(field, x, method)
    assert u(*order) is u(0, 0, 1, 2)
    assert close(u(*order), exact((0, 0, 1, 2), x))


class Counting(nn.Module):
    """A network that counts how often it is evaluated."""

    def __init__(self):
        super().__init__()
        self.net, self.calls = network(), 0

    def forward(self, x):
        self.calls += 1
        return self.net(x)


def test_reverse_evaluates_f_once_and_each_derivative_once():
    f = Counting()
    u = Partials(f, points(d=2), "reverse")
    assert f.calls == 0
    first = u(0, 1)
    u(), u(0), u(1), u(1, 0), u(0, 0), u.laplacian(), u.gradient()
    assert f.calls == 1
    assert u(1, 0) is first
    assert u.laplacian(1, 0) is u.laplacian()


def test_taylor_evaluates_f_once_for_each_direction():
    f = Counting()
    u = Partials(f, points(d=2), "taylor")
    u(0, 0, 0), u(0, 0), u(0)
    assert f.calls == 1
    u(0, 1)  # along (1, 1) and (1, −1)
    assert f.calls == 3


@given(
    axes=st.lists(st.integers(0, 2), min_size=1, max_size=5),
    powers=st.tuples(*[st.integers(0, 4)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_directions_give_the_derivatives_of_monomials_exactly(axes, powers):
    """On xᵃyᵇzᶜ of degree k, c_k along v is Π vᵢ^{pᵢ}, and the derivative Π pᵢ! or 0."""
    found = sum(
        w * sp.prod([c**p for c, p in zip(v, powers)]) for v, w in directions(axes, 3).items()
    )
    if sum(powers) == len(axes):
        wanted = [axes.count(i) for i in range(3)] == list(powers)
        assert found == (sp.prod([sp.factorial(p) for p in powers]) if wanted else 0)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.SiLU, nn.GELU, nn.Softplus])
@pytest.mark.parametrize("axes", [(0,), (0, 1), (0, 0, 0), (0, 0, 1, 1)])
def test_the_two_ways_agree_on_networks_and_in_their_parameters(activation, axes):
    f, x = network(activation=activation), points(d=2)
    parameters = list(f.parameters())
    values, gradients = [], []
    for method in ("reverse", "taylor"):
        values.append(Partials(f, x, method)(*axes))
        loss = values[-1].square().mean()
        gradients.append(torch.autograd.grad(loss, parameters, materialize_grads=True))
    assert close(*values)
    assert all(close(*pair, 1e-10) for pair in zip(*gradients))
    assert all(p.grad is None for p in parameters)


@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_depend_on_x_has_zero_derivatives(method):
    x = points(d=2)
    constant, linear = torch.ones(12, 1, dtype=torch.float64), nn.Linear(2, 3).double()
    for axes in [(0,), (0, 1), (1, 1, 1)]:
        assert Partials(lambda x: constant, x, method)(*axes).tolist() == [[0.0]] * 12
    u = Partials(linear, x, method)
    assert torch.equal(u(1), linear.weight[:, 1].expand(12, 3))
    assert not u(0, 1).any()
    assert not u(0, 0, 0).any()
    assert not u.laplacian().any()
    only_first = Partials(lambda x: x[:, :1].sin(), x, method)
    assert not only_first(1).any()
    assert not only_first(0, 1).any()
    learned = nn.Parameter(torch.ones(12, 1, dtype=torch.float64))
    assert not Partials(lambda x: learned, x, method)(0).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes_and_whether_x_requires_a_gradient(method, requires_grad, dtype):
    x = points(dtype=dtype).requires_grad_(requires_grad)
    u = Partials(field, x, method)
    tolerance = 1e-12 if dtype is torch.float64 else 2e-4
    for axes in [(), (0,), (0, 1), (0, 0, 1)]:
        assert u(*axes).dtype is dtype
        assert close(u(*axes).detach(), exact(axes, x.detach()), tolerance)
    assert x.grad is None
    if requires_grad:  # the next derivative, by the caller's own hand
        (slope,) = torch.autograd.grad(u(0, 0).sum(), x)
        assert close(
            slope[:, 1:2], exact((0, 0, 1), x.detach()).sum(1, keepdim=True), 10 * tolerance
        )


@pytest.mark.parametrize("method", METHODS)
def test_without_gradients_and_in_inference(method):
    f, x = network(), points(d=2)
    expected = {axes: Partials(f, x, method)(*axes).detach() for axes in [(0, 1), (0, 0, 1)]}
    outside = Partials(f, x, method)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            inner = Partials(f, points(d=2), method)
            for axes, value in expected.items():
                assert not inner(*axes).requires_grad
                assert not outside(*axes).requires_grad
                assert close(inner(*axes), value)
            assert not inner.laplacian().requires_grad
    assert outside(0, 1).requires_grad  # the graph is kept for those who want it


@pytest.mark.parametrize("method", METHODS)
def test_no_points_and_one_point_and_nan(method):
    f = network(m=2)
    none = Partials(f, torch.empty(0, 2, dtype=torch.float64), method)
    assert none().shape == none(0).shape == none(0, 0, 1).shape == none.laplacian().shape == (0, 2)
    none.check_rows()
    one = Partials(f, points(1, 2), method)
    assert one.jacobian().shape == (1, 2, 2)
    x = points(5, 2)
    x[3, 0] = torch.nan
    for found in (Partials(f, x, method)(0, 1, 1), Partials(f, x, method).laplacian()):
        assert found.isnan().any(1).tolist() == [False, False, False, True, False]


def test_a_function_without_taylor_rule_is_differentiated_step_by_step():
    x = points(d=2)

    def f(x):
        return torch.special.airy_ai(x[:, :1]) * 0 + torch.lgamma(1 + x[:, 1:]) * x[:, :1] ** 3

    u = Partials(f, x)
    reference = 6 * torch.lgamma(1 + x[:, 1:])
    with pytest.raises(NotImplementedError, match=r"no Taylor rule for torch\.special\.airy_ai"):
        Partials(f, x, "taylor")(0, 0, 0)
    u = Partials(lambda x: torch.lgamma(1 + x[:, 1:]) * x[:, :1] ** 3, x)
    assert close(u(0, 0, 0), reference)
    assert close(u.laplacian(0), reference * x[:, :1])


def test_functions_that_differentiate_inside():
    f, x = network(), points(d=2)
    twice = Partials(lambda x: laplacian(f, x), x)
    u = Partials(f, x)
    assert close(twice.laplacian(), u(0, 0, 0, 0) + 2 * u(0, 0, 1, 1) + u(1, 1, 1, 1), 1e-11)
    slope = Partials(lambda x: Partials(f, x)(0), x)
    assert close(slope(0, 1, 1), u(0, 0, 1, 1), 1e-11)


def test_inside_torch_func():
    f, x = network(), points(6, 2)
    parameters = dict(f.named_parameters())

    def residual(parameters, point):
        u = Partials(lambda x: torch.func.functional_call(f, parameters, (x,)), point[None])
        return (u(0, 1) + u(0, 0, 0) + u.laplacian()).squeeze()

    rows = torch.func.vmap(torch.func.jacrev(residual), (None, 0))(parameters, x)
    u = Partials(f, x, "reverse")
    whole = u(0, 1) + u(0, 0, 0) + u.laplacian()
    for i in range(6):
        expected = torch.autograd.grad(
            whole[i], list(f.parameters()), retain_graph=True, materialize_grads=True
        )
        assert all(close(rows[n][i], e, 1e-10) for n, e in zip(parameters, expected))


# --- residuals, as a reader writes them ---------------------------------------------------------

T, X, Y = 0, 1, 1
NU = 0.1


def test_burgers_korteweg_de_vries_and_biharmonic_vanish_on_their_solutions():
    x = 4 * points(200, 2) - 2

    def wave(x):  # Burgers: u = 1 − tanh((x − t) / 2ν)
        return 1 - torch.tanh((x[:, X:] - x[:, :X]) / (2 * NU))

    u = Partials(wave, x)
    burgers = u(T) + u() * u(X) - NU * u(X, X)
    scale = u(X, X).abs().amax() * NU

    def soliton(x):  # Korteweg–de Vries: u = ½ sech²((x − t) / 2)
        return 0.5 / torch.cosh((x[:, X:] - x[:, :X]) / 2) ** 2

    v = Partials(soliton, x)
    korteweg = v(T) + 6 * v() * v(X) + v(X, X, X)

    w = Partials(lambda x: torch.sin(x[:, :1]) * torch.exp(x[:, 1:]) * x[:, :1], x)
    biharmonic = w(0, 0, 0, 0) + 2 * w(0, 0, Y, Y) + w(Y, Y, Y, Y)
    assert burgers.abs().max() < 1e-10 * (1 + scale)
    assert korteweg.abs().max() < 1e-10
    assert biharmonic.abs().max() < 1e-10  # x sin x eʸ: Δ = 2 cos x eʸ, and Δ² = 0


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Partials(field, [[1.0]]), TypeError, "x is a tensor.*got list"),
        (lambda: Partials(field, torch.ones(3, 2, dtype=int)), TypeError, r"got torch.int64.*double"),
        (lambda: Partials(field, torch.ones(3)), ValueError, r"\(n, d\); got \(3,\).*x\[:, None\]"),
        (lambda: Partials(field, torch.ones(3, 0)), ValueError, r"\(n, d\); got \(3, 0\)"),
        (lambda: Partials(field, points(), "forward"), ValueError, "\"reverse\".*got 'forward'"),
        (lambda: Partials(field, points())(3), IndexError, "columns 0 to 2; got axis 3"),
        (lambda: Partials(field, points())(-1), IndexError, "columns 0 to 2; got axis -1"),
        (lambda: Partials(field, points())("x"), TypeError, "number of a column.*got 'x'"),
        (lambda: Partials(field, points())(True), TypeError, "number of a column.*got True"),
        (lambda: Partials(field, points()).laplacian(1, 1), ValueError, r"each column once; got \(1, 1"),
        (lambda: Partials(field, points()).gradient(), ValueError, "f has 2. Use jacobian"),
        (lambda: Partials(field, points()).divergence(), ValueError, "as many.*got 2 and 3"),
        (lambda: Partials(lambda x: x[:, 0], points())(), ValueError, r"got \(12,\). Write u\[:, None\]"),
        (lambda: Partials(lambda x: x.sum(), points())(0), ValueError, r"one row for each; got \(\)"),
        (lambda: Partials(lambda x: x[:3], points())(0, 0, 0), ValueError, r"got \(3, 3\)"),
        (lambda: Partials(lambda x: (x, x), points())(0), TypeError, "one tensor; got tuple"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("method", METHODS)
def test_the_same_on_a_gpu(method):
    f, x = network(), points(d=2)
    expected = [Partials(f, x, method)(*axes) for axes in [(0, 1), (0, 0, 1), (1,) * 4]]
    u = Partials(f.cuda(), x.cuda(), method)
    for axes, value in zip([(0, 1), (0, 0, 1), (1,) * 4], expected):
        assert close(u(*axes).cpu(), value, 1e-11)
    assert u.laplacian().is_cuda
    u.check_rows()


# --- complex values of a real x -----------------------------------------------------------------

WAVE = sp.exp(sp.I * A * B) + sp.I * A**3


def wave(x):
    a, b = x.split(1, dim=1)
    return torch.exp(1j * a * b) + 1j * a**3


@pytest.mark.parametrize("method", ["reverse", None])
@pytest.mark.parametrize("axes", [(), (0,), (1,), (0, 0), (0, 1), (0, 0, 1)])
def test_both_parts_of_a_complex_value(method, axes):
    x = points(d=2)
    for f, formula in ((wave, WAVE), (lambda x: 1j * x[:, :1] + x[:, 1:], sp.I * A + B)):
        found = Partials(f, x, method)(*axes)
        formula = formula.diff(*[SYMBOLS[i] for i in axes]) if axes else formula
        values = sp.lambdify((A, B), formula, "numpy")
        assert found.dtype is torch.complex128
        assert close(found, torch.as_tensor(values(*x.numpy().T) + 0j).expand(12)[:, None])


@pytest.mark.parametrize("method", ["reverse", None])
def test_operators_of_a_complex_value(method):
    x = points(d=2)
    u = Partials(wave, x, method)
    assert close(u.laplacian(), u(0, 0) + u(1, 1))
    assert close(u.gradient(), torch.cat([u(0), u(1)], 1))
    u.check_rows()
    with pytest.raises(ValueError, match="mixes the rows"):
        Partials(lambda x: wave(x) * 1j * x.mean(), x, method).check_rows()


def test_the_orders_are_those_of_what_was_asked():
    u = Partials(lambda x: x.prod(1, keepdim=True) ** 3, torch.ones(2, 3).double())
    assert u.order == 0 and u.orders == (0, 0, 0)
    u(0, 0), u(1, 0)
    assert u.order == 2 and u.orders == (2, 1, 0)
    u.laplacian(2)
    assert u.orders == (2, 1, 2)
