"""Partials and partial, against SymPy, against each other, and where they must refuse."""

import itertools

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from companion.operators import RULES, Jet, LeakProbe, Partials, laplacian
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


# --- rows ---------------------------------------------------------------------------------------


def test_batch_norm_is_found_and_named():
    f = nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1)).double()
    with pytest.raises(ValueError, match=r"mixes the rows of x.*BatchNorm in training.*: 1\. Call"):
        Partials(f, points(d=2)).check_rows()
    f.eval()
    Partials(f, points(d=2)).check_rows()


@pytest.mark.parametrize(
    "mixing",
    [
        lambda x: x - x.mean(0, keepdim=True),
        lambda x: x * torch.softmax(x, 0),
        lambda x: x.flip(0).sin(),
        lambda x: x.cumsum(0),
        lambda x: (x @ x.T).softmax(1) @ x,
        lambda x: x * x.roll(1, 0),  # each row looks at one other
        lambda x: torch.cat([x + x.mean(0) ** 2, x - x.mean(0) ** 2], 1),  # whose sum mixes nothing
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_other_mixing_is_found(mixing, method):
    with pytest.raises(ValueError, match="mixes the rows of x: each point's derivatives are off"):
        Partials(mixing, points(d=2), method).check_rows()


@pytest.mark.parametrize("method", METHODS)
def test_independent_rows_pass_and_nothing_is_left_behind(method):
    f, x = network(m=3), points(d=2).requires_grad_()
    state = torch.get_rng_state()
    for g in (f, field, lambda x: torch.ones(12, 1, dtype=torch.float64)):
        Partials(g, points(), method).check_rows() if g is field else Partials(
            g, x, method
        ).check_rows()
    assert torch.equal(torch.get_rng_state(), state)
    assert x.grad is None
    assert all(p.grad is None for p in f.parameters())


@pytest.mark.parametrize("n", range(2, 9))
def test_two_rows_that_look_at_each_other_are_found_wherever_they_are(n):
    for i, j in itertools.combinations(range(n), 2):
        swap = torch.arange(n)
        swap[i], swap[j] = j, i
        with pytest.raises(ValueError, match="mixes the rows of x"):
            Partials(lambda x: x * x[swap], points(n, 1)).check_rows()


def test_rows_are_not_called_independent_where_nothing_can_be_seen():
    with pytest.raises(ValueError, match="NaN or infinite: its rows cannot be told"):
        Partials(lambda x: x.mean(0) * torch.log(x - 100), points()).check_rows()


def test_the_check_of_rows_does_not_depend_on_the_default_device():
    x = points()
    with torch.device("meta"):
        Partials(torch.sin, x).check_rows()


def test_two_hundred_calls_leave_nothing_behind():
    f, x = network(), points(50, 2)
    with LeakProbe() as probe:
        for _ in range(200):
            u = Partials(f, x)
            loss = (u(0, 1) + u.laplacian() + u(0, 0, 0)).square().mean()
            loss.backward()
            f.zero_grad()
            probe.watch(u(0, 1))
            probe.watch(loss)
            del u, loss
    assert probe.alive == 0


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


def test_the_check_of_rows_can_fail_and_the_derivative_shows_it():
    """What BatchNorm does to the trick of the sum: not a rounding error."""
    f = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 1)).double()
    x = points(20, 1)
    mixed = Partials(f, x)(0)
    alone = torch.autograd.functional.jacobian(f, x)[:, 0, :, 0].diagonal()[:, None]
    assert ((mixed - alone).norm() / alone.norm()) > 0.1


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


@pytest.mark.parametrize("method", METHODS)
def test_a_millionth_of_another_row_is_found(method):
    with pytest.raises(ValueError, match="mixes the rows of x"):
        Partials(lambda x: x.sin() + 1e-6 * x.mean(0) ** 2, points(d=2), method).check_rows()


# --- one way for the other ----------------------------------------------------------------------


class Slope(torch.autograd.Function):
    """3 x², which cannot be differentiated."""

    @staticmethod
    def forward(ctx, x):
        return 3 * x**2

    @staticmethod
    def backward(ctx, cotangent):
        raise RuntimeError("no second derivative of this one")


class Cubed(torch.autograd.Function):
    """x³."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, cotangent):
        return Slope.apply(ctx.saved_tensors[0]) * cotangent


def cubed(x):
    """x³, which a rule may be given to."""
    if torch.overrides.has_torch_function_unary(x):
        return torch.overrides.handle_torch_function(cubed, (x,), x)
    return Cubed.apply(x)


def test_jets_are_tried_before_it_is_said_that_there_is_no_second_derivative(monkeypatch):
    x = points(d=2)
    f = lambda x: cubed(x).sum(1, keepdim=True)
    with pytest.raises(RuntimeError, match="no second derivative of this one") as e:
        Partials(f, x)(0, 0)
    assert (
        "Jets, the other way, fail too: NotImplementedError: no Taylor rule" in e.value.__notes__[0]
    )
    assert e.value.__cause__ is None and e.value.__context__ is None
    monkeypatch.setitem(RULES, cubed, lambda x: x * x * x)
    u = Partials(f, x)
    assert close(u(0), 3 * x[:, :1] ** 2)
    assert close(u(0, 0), 6 * x[:, :1])
    assert close(u(0, 0, 0), torch.full((12, 1), 6.0))
    assert close(u.laplacian(), 6 * x.sum(1, keepdim=True))
    with pytest.raises(RuntimeError, match="no second derivative of this one"):
        Partials(f, x, "reverse")(0, 0)


AS_A_TENSOR = {  # what a jet does not take, and torch does; each of x³ or the like
    "vmap inside": lambda x: torch.vmap(lambda row: row**3)(x),
    "func inside": lambda x: torch.func.vmap(torch.func.grad(lambda q: q[0] ** 4 / 4))(x),
    "weight of x": lambda x: F.linear(x**2, x[:1, :1] * 0 + 1) * x,
    "float": lambda x: x**3 + 0 * float(x[0, 0]),
    "isinstance": lambda x: x**3 if isinstance(x, torch.Tensor) else refused(),
    "clamp": lambda x: x.clamp(x.new_zeros(1, 1), x.new_full((1, 1), 9.0)) ** 3,
    "prepend": lambda x: torch.diff(x**3, dim=1, prepend=x.new_zeros(len(x), 1)),
    "%": lambda x: (x % 7) ** 3,
    "dict": lambda x: {torch.Tensor: x**3}[type(x)],
}


def refused():
    raise StopIteration("not a tensor")


@pytest.mark.parametrize("name", AS_A_TENSOR)
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_whatever_a_jet_fails_on_reverse_mode_is_taken(name):
    f, x = AS_A_TENSOR[name], points(d=1)
    u = Partials(f, x)
    assert close(u(0, 0, 0), torch.full((12, 1), 6.0))
    assert close(Partials(f, x).laplacian(), 6 * x)


@pytest.mark.filterwarnings("ignore")
def test_a_traced_module_is_differentiated_step_by_step():
    f, x = network(d=1), points(d=1)
    traced = torch.jit.trace(f, x)
    assert close(Partials(traced, x)(0, 0, 0), Partials(f, x, "reverse")(0, 0, 0), 1e-10)
    assert close(Partials(traced, x).laplacian(), Partials(f, x)(0, 0), 1e-10)


class Own(Exception):
    """An error of the user's."""


def fails(error):
    def f(x):
        raise error

    return f


@pytest.mark.parametrize("ask", [lambda u: u(0), lambda u: u(0, 0, 0), lambda u: u.laplacian()])
@pytest.mark.parametrize("error", [Own("mine"), ValueError("mine"), NotImplementedError("mine")])
def test_the_error_of_f_itself_stands_alone(ask, error):
    with pytest.raises(type(error), match=r"^mine$") as caught:
        ask(Partials(fails(error), points()))
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, MemoryError, torch.OutOfMemoryError, SystemExit]
)
@pytest.mark.parametrize("ask", [lambda u: u(0, 0, 0), lambda u: u.laplacian()])
def test_what_is_not_about_f_is_not_swallowed(ask, error):
    calls = []

    def f(x):
        calls.append(type(x).__name__)
        if len(calls) == 1:
            raise error
        return x**3

    with pytest.raises(error):
        ask(Partials(f, points()))
    assert calls in (["Jet"], ["LaplaceJet"])


def test_by_jets_alone_a_refusal_stays_an_error_and_the_fallback_is_remembered():
    calls = []

    def f(x):
        calls.append(type(x).__name__)
        return refused() if type(x) is Jet else x**3

    x = points(d=1)
    with pytest.raises(NotImplementedError, match="StopIteration: not a tensor"):
        Partials(f, x, "taylor")(0, 0, 0)
    calls.clear()
    u = Partials(f, x)
    u(0, 0, 0), u(0, 0, 0, 0), u.laplacian()
    assert calls[:2] == ["Jet", "Tensor"] and calls.count("Jet") == 1 and u.method == "reverse"


# --- a zero that is none ------------------------------------------------------------------------


def through_numpy(x):
    return torch.from_numpy(np.sin(x.detach().numpy()))


LOST = {  # a function and the first order at which torch has nothing
    "no_grad": (torch.no_grad()(torch.sin), (0,)),
    "numpy": (through_numpy, (0,)),
    "data": (lambda x: x.data**2, (0,)),
    "second": (lambda x: x * x.detach(), (0, 0)),
    "square at 0": (lambda x: (x - 0.5).detach() * (x - 0.5), (0, 0)),
}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_graph_is_no_zero(name):
    f, axes = LOST[name]
    for x in (points(d=1), points(d=1).requires_grad_(), torch.full((1, 1), 0.5).double()):
        if axes == (0, 0):
            Partials(f, x, "reverse")(0)
        with pytest.raises(
            ValueError, match=r"no way from x to this .* The graph was lost inside f"
        ):
            Partials(f, x, "reverse")(*axes)


def test_what_is_meant_to_be_constant_is_by_jets():
    x = points(d=1)
    assert not Partials(lambda x: x * x.detach(), x)(0, 0).any()
    assert close(Partials(lambda x: x * x.detach() ** 2, x, "taylor")(0), x**2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x > 0.5).double(),
        lambda x: torch.floor(10 * x).detach(),
        lambda x: F.one_hot((10 * x).long().clamp(0, 9)[:, 0], 10).double(),
        lambda x: x.detach() * 0 + 3,
        lambda x: x * (x > 0.5),
        nn.Linear(1, 2).double(),
        nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 1)).double(),
    ],
)
@pytest.mark.parametrize("axes", [(0,), (0, 0), (0, 0, 0)])
def test_what_is_constant_nearby_has_zeros(f, axes):
    x = torch.cat([points(200, 1), torch.full((1, 1), 0.5).double()])
    state = torch.get_rng_state()
    found = Partials(f, x, "reverse")(*axes)
    assert len(axes) == 1 or not found.any()
    if not any(isinstance(m, nn.Dropout) for m in getattr(f, "modules", list)()):
        assert torch.equal(torch.get_rng_state(), state)


def test_the_check_of_rows_is_not_content_with_a_lost_graph():
    with pytest.raises(ValueError, match="The graph was lost inside f"):
        Partials(lambda x: (x - x.mean(0)).detach(), points()).check_rows()


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
