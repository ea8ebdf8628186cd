"""Where torch's nested reverse mode is wrong: the table, and what Partials does there."""

import math
from contextlib import suppress

import mpmath
import pytest
import sympy as sp
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from companion.operators import RULES, Partials, check_orders, partial
from companion.operators.torch_faults import FAULTS, NODES, trusted
from tests import nested
from tests.fields import close
from tests.networks import layered_and_grouped

NORMS = {
    "layer_norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "instance_norm": lambda x: F.instance_norm(x[None])[0],
    "logcumsumexp": lambda x: torch.logcumsumexp(x, 1),
}


@pytest.fixture(scope="module")
def pair():
    return layered_and_grouped()


X = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]


def centred(x, shape, weight=None, bias=None, eps=1e-5):
    """layer_norm over the last axis, in functions that have rules."""
    mean = x.mean(-1, keepdim=True)
    y = (x - mean) / torch.sqrt(((x - mean) ** 2).mean(-1, keepdim=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


# --- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [pytest.param(f, id=f.function) for f in FAULTS])
def test_each_entry_is_complete(f):
    assert f.right_to >= 0 and f.why and f.oracle and f.nodes
    for name in f.nodes.split():
        assert NODES[name] == (f, f.right_to)
        assert NODES[name.replace("Backward", "BackwardBackward")] == (f, f.right_to - 1)


def quotient(f, k, h=1e-3):
    """The five-point difference quotient of the (k − 1)-th derivative of f at 0, by torch."""
    d = lambda t: float(nested.coefficients(f, torch.tensor([t]).double(), k - 1)[k - 1])
    return (8 * (d(h) - d(-h)) - d(2 * h) + d(-2 * h)) / (12 * h) * math.factorial(k - 1)


@pytest.mark.parametrize("name", NORMS)
def test_what_is_said_to_be_wrong_is_wrong_and_what_is_below_is_right(name):
    """If this fails on a newer torch, it was mended there; the order in the table may rise.

    torch 2.14 says of batch_norm that it has no third order, where 2.13 gave a wrong number.
    """
    torch.manual_seed(0)
    x, v, c = (torch.randn(4, 5, dtype=torch.float64) for _ in range(3))
    f = lambda t: (c * NORMS[name](x + t * v)).sum()[None]
    limit, fault = trusted(NORMS[name](x.requires_grad_()), x)
    x = x.detach()
    assert limit == 2 and fault.function in (name, "batch_norm")
    try:
        found = nested.coefficients(f, torch.zeros(1).double(), 3)
    except RuntimeError as error:
        if "batch_norm does not support 3rd+ order derivatives" not in str(error):
            raise
        found = nested.coefficients(f, torch.zeros(1).double(), 2)
    for k in range(1, len(found)):
        off = abs(float(found[k]) * math.factorial(k) - quotient(f, k))
        assert (off < 1e-6) == (k < 3), (k, off)


BESIDE = {  # function: (point, its first wrong order, mpmath's)
    "sinc": (torch.sinc, 1e-9, 2, lambda x: mpmath.sincpi(x)),
    "i0": (torch.special.i0, 1e-10, 4, lambda x: mpmath.besseli(0, x)),
    "i1": (torch.special.i1, 1e-10, 3, lambda x: mpmath.besseli(1, x)),
    "i0e": (torch.special.i0e, 1e-10, 4, lambda x: mpmath.besseli(0, x) * mpmath.exp(-x)),
    "i1e": (torch.special.i1e, 1e-10, 3, lambda x: mpmath.besseli(1, x) * mpmath.exp(-x)),
}


@pytest.mark.parametrize("name", BESIDE)
def test_beside_zero_mpmath_says_otherwise(name):
    f, at, wrong, exact = BESIDE[name]
    x = torch.tensor([at], dtype=torch.float64)
    found = nested.derivatives(f, x, wrong)
    with mpmath.workdps(80):
        right = [mpmath.diff(exact, at, k, h=mpmath.mpf(10) ** -30) for k in range(wrong + 1)]
    off = [abs(a.item() - float(b)) for a, b in zip(found, right)]
    limit, _ = trusted(f(x.requires_grad_()), x)
    assert off[wrong] > 1e-2
    assert limit < wrong and max(off[: limit + 1]) < 1e-7


POWERS = {  # (x, e): is torch's second derivative wrong there?
    "x ** tensor(0) at 0": (lambda x: x ** torch.zeros(1).double(), 0.0, True),
    "0 ** x": (lambda x: torch.zeros(1).double() ** x, 2.0, True),
    "pow(0, x)": (lambda x: torch.pow(0.0, x), 2.0, True),
    "x ** x at 1": (lambda x: x**x, 1.0, True),
    "x ** x": (lambda x: x**x, 1.5, False),
    "x ** 2.0": (lambda x: x**2.0, 0.0, False),
    "x ** tensor(2)": (lambda x: x ** torch.tensor(2.0).double(), 0.5, False),
    "2 ** x": (lambda x: 2.0**x, 1.0, False),
}


@pytest.mark.parametrize("name", POWERS)
def test_a_power_is_at_fault_only_where_it_is(name):
    f, at, at_fault = POWERS[name]
    x = torch.tensor([at], dtype=torch.float64, requires_grad=True)
    limit, fault = trusted(f(x), x)
    assert (limit, fault and fault.function) == ((1, "pow") if at_fault else (math.inf, None))


def test_x_to_the_x_by_sympy():
    z = sp.symbols("z")
    right = [float((z**z).diff(z, k).subs(z, 1)) for k in range(1, 5)]
    x = torch.ones(1, dtype=torch.float64)
    torchs = [d.item() for d in nested.derivatives(lambda x: x**x, x, 4)[1:]]
    assert right == [1, 2, 3, 8] and torchs == [1, 2, 2, 7]


TWIN = torch.diag(torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64))
FLAT = torch.ones(3, 3, dtype=torch.float64)
PAIR = torch.block_diag(FLAT[:2, :2], FLAT[:1, :1])
MOVE = torch.tensor([[0.3, 1.0, -0.2], [1.0, 0.1, 0.7], [-0.2, 0.7, -0.4]], dtype=torch.float64)
TURN = torch.linalg.matrix_exp(MOVE.tril(-1) - MOVE.tril(-1).mT)
squares = lambda values: (values * values).sum().real
MATRICES = {  # function: (of a symmetric matrix, where, exact)
    "linalg.eigh": (lambda a: squares(torch.linalg.eigvalsh(a)), TWIN, lambda a: (a * a).trace()),
    "linalg.eig": (lambda a: squares(torch.linalg.eigvals(a)), TWIN, lambda a: (a * a).trace()),
    "linalg.svd": (lambda a: squares(torch.linalg.svdvals(a)), TWIN, lambda a: (a * a).trace()),
    "linalg.qr": (lambda a: squares(torch.linalg.qr(a)[1]), PAIR, lambda a: (a * a).trace()),
    "linalg.det": (torch.linalg.det, FLAT, lambda a: a.det()),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_is_at_fault_where_it_divides_by_zero_and_sympy_says_otherwise(name):
    f, a, exact = MATRICES[name]
    t = sp.Symbol("t")
    curve = exact(sp.Matrix(a.tolist()) + t * sp.Matrix(MOVE.tolist()))
    right = [float(curve.diff(t, k).subs(t, 0)) for k in range(4)]
    along = lambda t: f(a + t * MOVE)[None]
    with suppress(*[RuntimeError] * (name == "linalg.eig")):  # which torch may refuse itself
        found = nested.coefficients(along, torch.zeros(1).double(), 3)
        off = [abs(float(c) * math.factorial(k) - r) for k, (c, r) in enumerate(zip(found, right))]
        assert max(off[:2]) < 1e-12 and not max(off[2:]) < 1e-3
    for at, wrong in ((a, True), (TURN @ a @ TURN.mT, True), (a + 0.1 * MOVE, False)):
        at = at.clone().requires_grad_()
        limit, fault = trusted(f(at), at)
        assert (limit, fault and fault.function) == ((1, name) if wrong else (math.inf, None))
    u = Partials(lambda x: torch.stack([along(t) for t in x]), torch.zeros(1, 1).double())
    assert u(0).isnan() or u(0).item() == pytest.approx(right[1], abs=1e-12)
    for k in (2, 3):
        if name == "linalg.det":  # by jets
            assert u(*[0] * k).item() == pytest.approx(right[k], abs=1e-12)
        else:
            with pytest.raises(
                NotImplementedError, match=rf"{name} are right to order 1.*A\.mH @ A"
            ):
                u(*[0] * k)


def test_a_singular_value_0_of_a_matrix_that_is_not_square():
    """The third derivative of σ₁ of (1 0; 0 0; 0 0) + t V is that of the matrix Vᵀ V by mpmath."""
    a, v = torch.zeros(3, 2).double(), MOVE[:, :2]
    a[0, 0] = 1
    at = a.clone().requires_grad_()
    assert trusted(torch.linalg.svdvals(at)[0], at)[0] == 1
    square = a[:2].clone().requires_grad_()
    assert trusted(torch.linalg.svdvals(square)[0], square)[0] == math.inf
    found = nested.coefficients(
        lambda t: torch.linalg.svdvals(a + t * v)[:1], torch.zeros(1).double(), 3
    )
    with mpmath.workdps(60):
        matrices = [mpmath.matrix(m.tolist()) for m in (a, v)]
        first = lambda t: mpmath.svd_r(matrices[0] + t * matrices[1], compute_uv=False)[0]
        right = float(mpmath.diff(first, 0, 3, h=mpmath.mpf(10) ** -12))
    assert not abs(6 * float(found[3]) - right) < 1e-3


def test_batch_norm_with_stored_statistics_is_affine():
    x = torch.rand(6, 3, dtype=torch.float64, requires_grad=True)
    f = nn.BatchNorm1d(3).double()
    assert trusted(f(x), x)[0] == 2
    assert trusted(f.eval()(x), x) == (math.inf, None)


def test_what_came_before_x_is_not_looked_at():
    before = torch.rand(3, 4, requires_grad=True)
    x = F.layer_norm(before, (4,)).view_as(before)
    assert trusted(x.sin(), x) == (math.inf, None)
    assert trusted(x.sin(), before)[0] == 2


def test_a_derivative_inside_f_counts():
    x = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    y = F.layer_norm(x, (4,)).sin().sum()
    (slope,) = torch.autograd.grad(y, x, create_graph=True)
    assert trusted(slope, x)[0] == 1


# --- Partials -------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(1, 6))
def test_with_a_rule_layer_norm_is_that_of_group_norm_at_every_order(monkeypatch, pair, k):
    monkeypatch.setitem(RULES, F.layer_norm, centred)
    layered, grouped = pair
    found = Partials(layered, X)(*[0] * k)
    expected = Partials(grouped, X, "reverse")(*[0] * k)
    assert close(found, expected, 1e-9)
    weights = [net[0].weight for net in pair]
    slopes = [torch.autograd.grad(u.sum(), w)[0] for u, w in zip((found, expected), weights)]
    assert close(*slopes, 1e-8)  # of a loss: one order more


@pytest.mark.parametrize("axes", [(0, 0, 0), (0, 0, 0, 0)])
@pytest.mark.parametrize("method", [None, "reverse"])
def test_without_a_rule_it_is_an_error_and_never_the_wrong_number(monkeypatch, pair, method, axes):
    monkeypatch.delitem(RULES, F.layer_norm, raising=False)
    monkeypatch.setattr("companion.operators.partials.taylor", refusing)
    with pytest.raises(
        NotImplementedError,
        match=r"torch's own derivatives of layer_norm are right to order 2 only \(its double "
        rf"backward .*for its order {len(axes)}. Take jets: Partials\(f, x, method='taylor'\)",
    ) as caught:
        Partials(pair[0], X, method)(*axes)
    assert hasattr(caught.value, "__notes__") == (method is None)


def refusing(*args, **options):
    raise NotImplementedError("no rule, as a test wants it")


@pytest.mark.parametrize("method", [None, "reverse"])
def test_the_last_right_order_has_its_number_and_a_loss_of_it_is_an_error(
    monkeypatch, pair, method
):
    monkeypatch.setattr("companion.operators.partials.taylor", refusing)
    monkeypatch.setattr("companion.operators.partials.value_gradient_laplacian", refusing)
    layered, grouped = pair
    for ask in (lambda u: u(0, 0), lambda u: u.laplacian()):
        found = ask(Partials(layered, X, method))
        assert close(found, ask(Partials(grouped, X)), 1e-9)
        with pytest.raises(NotImplementedError, match=r"layer_norm are right to .* its order 3\."):
            found.sum().backward()
    Partials(layered, X, method)(0).sum().backward()


def test_partial_of_partial_counts_too(pair):
    twice = [partial(partial(net)) for net in pair]
    assert close(twice[0](X), twice[1](X), 1e-9)
    with pytest.raises(NotImplementedError, match="layer_norm are right to order 2 only"):
        partial(twice[0])(X)


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_function_has_no_second_derivative_by_reverse_mode(monkeypatch):
    """Of sin + compiled torch would say −sin, since the rest comes without a graph."""
    fast = torch.compile(lambda x: x**3, backend="aot_eager")
    f = lambda x: x.sin() + fast(x)
    assert close(Partials(f, X, "reverse")(0), X.cos() + 3 * X**2)
    monkeypatch.setattr("companion.operators.partials.taylor", refusing)  # the compiler is slow
    for method in (None, "reverse"):
        with pytest.raises(NotImplementedError, match=r"torch.compile\(f\) are right to order 1"):
            Partials(f, X, method)(0, 0)


class Once(torch.autograd.Function):
    """x³, whose first derivative has no graph."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @once_differentiable
    def backward(ctx, cotangent):
        return 3 * ctx.saved_tensors[0] ** 2 * cotangent


def test_what_is_once_differentiable_is_not_left_out_of_the_second_derivative():
    f = lambda x: x.sin() + Once.apply(x)
    x = X.clone().requires_grad_()
    (first,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert close(second, -X.sin())  # torch's; right is 6 x more
    assert close(Partials(f, X)(0), X.cos() + 3 * X**2)
    for method in (None, "reverse"):
        with pytest.raises(NotImplementedError, match="once_differentiable are right to order 1"):
            Partials(f, X, method)(0, 0)
    with pytest.raises(ValueError, match=r"order 2 is .*once_differentiable, whose derivatives"):
        check_orders(f, X, 2)


def test_linear_cross_entropy_with_chunks():
    torch.manual_seed(0)
    w, target = torch.randn(50, 1, dtype=torch.float64), torch.tensor([3])
    options = nn.LinearCrossEntropyOptions()
    f = lambda x: F.linear_cross_entropy(x, w, target, options=options)[None, None]
    g = lambda x: F.cross_entropy(x @ w.T, target)[None, None]
    assert close(Partials(f, X[:1])(0), Partials(g, X[:1])(0))
    assert Partials(g, X[:1])(0, 0).abs() > 0.1
    try:
        found = Partials(f, X[:1])(0, 0)
    except (NotImplementedError, ValueError):
        return
    assert close(found, Partials(g, X[:1])(0, 0))
