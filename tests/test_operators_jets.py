"""Taylor mode through torch: networks, torch.func, random compositions.

The oracles: nested reverse mode (tests/nested.py) for networks and compositions, identities and
closed forms. The rows of RULES, the recurrences, and what is refused have files of their own.
"""

import gc

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from companion import series
from companion.operators import RULES, Jet, LeakProbe, derivatives, laplacian, taylor
from companion.operators.recurrences import POINTWISE
from tests import nested
from tests.fields import close, points
from tests.nested import assert_series
from tests.networks import NETWORKS, built, mlp

f64 = dict(dtype=torch.float64)
U = torch.rand(8, 5, generator=torch.Generator().manual_seed(3), **f64) * 0.8 + 0.1
X = points(6, 1) * 2 - 1


# --- networks, as they are ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_to_order_6_and_their_gradients(name):
    """Values to 1e-12, gradients of a loss with all orders to 1e-10, and no .grad written.

    The outputs are joined with fixed weights, so that the oracle walks once and not once for each.
    """
    net = built(name)
    c = torch.linspace(0.5, 1.5, net(X).shape[1], **f64)[:, None]
    found = [d @ c for d in derivatives(net, X, 6)]
    expected = nested.derivatives(lambda x: net(x) @ c, X, 6)
    assert_series([d.detach() for d in found], [d.detach() for d in expected])
    scales = [1 + d.detach().abs().amax() for d in expected]
    losses = [sum((d / s).square().sum() for d, s in zip(ds, scales)) for ds in (found, expected)]
    slopes = [
        torch.autograd.grad(loss, list(net.parameters()), materialize_grads=True) for loss in losses
    ]
    for a, b in zip(*slopes):
        assert (a - b).abs().max() <= 1e-10 * (1 + b.abs().max())
    assert all(p.grad is None for p in net.parameters())


def test_a_wrong_walk_back_is_caught(monkeypatch):
    """The gradients' check can fail: the slopes' series off by a thousandth at one coefficient."""
    rule = POINTWISE["tanh"]
    wrong = lambda u, n: (
        rule(u, n)[0],
        [t * 1.001 if k == 2 else t for k, t in enumerate(rule(u, n)[1])],
    )
    monkeypatch.setitem(RULES, torch.tanh, lambda x: x.pointwise(wrong))
    with pytest.raises(AssertionError):
        test_networks_to_order_6_and_their_gradients("tanh")


def test_a_linear_network_without_a_batch():
    """x (1,) and no batch: the bias is in the value alone, and its gradient has its shape."""
    net = nn.Linear(4, 2).double()
    y = taylor(net, U[0, :4], order=2)
    assert_series(y, [net(U[0, :4]), net.weight.sum(1), torch.zeros(2, **f64)])
    weight, bias = torch.autograd.grad((y[0] + y[1]).sum(), list(net.parameters()))
    assert torch.equal(bias, torch.ones(2, **f64)) and close(weight, (U[0, :4] + 1).expand(2, 4))


# --- identities and closed forms ------------------------------------------------------------------


def test_identities():
    x = U * 2
    n, zero, one = 6, torch.zeros_like(x), torch.ones_like(x)
    d = derivatives(torch.sin, x, n + 2)
    assert all(((a + b).abs() < 1e-15).all() for a, b in zip(d, d[2:]))
    line = [x, one] + [zero] * (n - 1)
    flat = [one] + [zero] * n
    assert_series(taylor(lambda x: x.sin() ** 2 + x.cos() ** 2, x, order=n), flat, 1e-14)
    assert_series(taylor(lambda x: x.cosh() ** 2 - x.sinh() ** 2, x, order=n), flat, 1e-13)
    assert_series(taylor(lambda x: x.log().exp(), x, order=n), line)
    assert_series(taylor(lambda x: x.exp().log(), x, order=n), line)
    assert_series(taylor(lambda x: x.tan().atan(), x / 2, order=n), [x / 2, *line[1:]], 1e-10)
    assert_series(taylor(lambda x: F.softplus(x) - F.softplus(-x), x, order=n), line)
    assert_series(
        taylor(lambda x: x**4, x, order=n), [x**4, 4 * x**3, 6 * x**2, 4 * x, one, zero, zero]
    )


def test_derivatives_of_a_tensor_of_any_shape():
    for shape in [(), (0,), (3,), (2, 1, 3), (4, 1), (0, 2)]:
        x = torch.rand(shape, **f64)
        found = derivatives(lambda x: x.exp() * x, x, 6)
        assert_series(found, [(x + k) * x.exp() for k in range(7)], 1e-13)


def test_orders_0_and_1_constants_lines_and_what_is_not_connected():
    x = torch.tensor([0.5, 2.0], **f64)
    assert_series(taylor(torch.exp, x, order=0), [x.exp()])
    assert_series(derivatives(torch.exp, x, 1), [x.exp()] * 2)
    zero = torch.zeros_like(x)
    assert_series(taylor(lambda x: 3 * x + 1, x, order=3), [3 * x + 1, zero + 3, zero, zero])
    assert_series(
        taylor(lambda x: torch.ones(2, 2, **f64), x, order=1),
        [torch.ones(2, 2, **f64), torch.zeros(2, 2, **f64)],
    )
    assert_series(taylor(lambda x: x.detach() ** 2, x, order=1), [x**2, zero])
    w = torch.ones((), requires_grad=True, **f64)
    slope = taylor(lambda x: x * 0 + w, x, order=2)[2]
    assert not slope.any()
    assert taylor(lambda x: x, x, order=np.int64(2))[1].tolist() == [1.0, 1.0]


def test_a_direction_is_a_tensor_a_number_or_a_list():
    x = torch.tensor([0.3, 0.8], **f64)
    f = lambda x: x[0].exp() * x[1].sin()
    for v in (2.0, torch.tensor(2.0), [1.0, -2.0], torch.tensor([1.0, -2.0])):
        assert_series(taylor(f, x, v, order=3), nested.coefficients(f, x, 3, v))


def test_a_jet_by_hand_may_be_of_lower_degree_than_its_order():
    y = torch.exp(Jet(torch.zeros(1, 2, **f64), 3))
    assert torch.equal(y.rows, torch.ones(1, 2, **f64))
    rows = (Jet(U[:2], 3) * Jet(U[:3], 3)).rows
    assert_series(list(rows), series.mul([*U[:2], 0 * U[0], 0 * U[0]], [*U[:3], 0 * U[0]]))


# --- modes, types, places -------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
@pytest.mark.parametrize("wanted", [False, True])
def test_dtypes_no_grad_and_whether_x_requires_a_gradient(dtype, tolerance, wanted):
    x = torch.rand(4, 1).to(dtype).requires_grad_(wanted)
    torch.manual_seed(0)
    net = mlp(nn.Tanh()).to(dtype)
    expected = derivatives(net, x, 3)
    assert expected[3].dtype == dtype and expected[3].requires_grad
    with torch.no_grad():
        found = derivatives(net, x, 3)
    assert not any(d.requires_grad for d in found)
    assert_series(found, [d.detach() for d in expected], tolerance)
    with torch.inference_mode():
        assert_series(derivatives(net, x, 3), found, tolerance)
    assert_series(derivatives(net.requires_grad_(False), x.detach(), 3), found, tolerance)
    assert x.grad is None


def test_a_row_that_is_nan_stays_alone():
    x = torch.linspace(-1, 1, 5, **f64)[:, None]
    sick = x.clone()
    sick[2] = torch.nan
    net = built("silu")
    for a, b in zip(derivatives(net, sick, 4), derivatives(net, x, 4)):
        assert a[2].isnan().all() or not b[2].any()
        assert close(a[[0, 1, 3, 4]], b[[0, 1, 3, 4]])


@pytest.mark.parametrize("f", [torch.tanh, F.gelu, lambda x: x.exp() / (1 + x * x), F.softplus])
def test_a_coefficient_can_be_differentiated_again_and_again(f):
    x = U[0, :3].clone().requires_grad_()
    v = U[1, :3].clone().requires_grad_()
    for k in range(4):
        coefficient = lambda x, v, k=k: taylor(f, x, v, order=3)[k]
        assert torch.autograd.gradcheck(coefficient, (x, v))
        assert torch.autograd.gradgradcheck(coefficient, (x, v))
    slope = torch.autograd.grad(derivatives(f, x, 3)[3].sum(), x)[0]
    assert close(slope, derivatives(f, x.detach(), 4)[4])


def test_under_torch_func():
    net = built("tanh")
    third = lambda x: derivatives(net, x, 3)[3]
    assert close(torch.vmap(third)(X[:, None])[:, 0], third(X))
    fourth = torch.func.jacrev(lambda x: derivatives(torch.tanh, x, 3)[3])(U[0])
    assert close(fourth, torch.diag(derivatives(torch.tanh, U[0], 4)[4]))
    fifth = torch.func.grad(torch.func.grad(lambda x: derivatives(torch.tanh, x, 3)[3]))(U[0, 0])
    assert close(fifth, derivatives(torch.tanh, U[0, 0], 5)[5])
    each = torch.func.vmap(torch.func.grad(lambda x: derivatives(torch.sigmoid, x, 2)[2]))(U[0])
    assert close(each, derivatives(torch.sigmoid, U[0], 3)[3])

    def loss(parameters):
        call = lambda x: torch.func.functional_call(net, parameters, (x,))
        return derivatives(call, X, 3)[3].square().sum()

    parameters = dict(net.named_parameters())
    found = torch.func.grad(loss)(parameters)
    expected = torch.autograd.grad(third(X).square().sum(), list(net.parameters()))
    assert all(close(a, b) for a, b in zip(found.values(), expected))


def test_nothing_is_left_behind_after_200_calls():
    net = built("tanh")
    with LeakProbe() as probe:
        for _ in range(100):
            x = probe.watch(X.clone().requires_grad_())
            probe.watch(derivatives(net, x, 3)[3]).square().sum().backward()
            probe.watch(laplacian(net, x)).square().sum().backward()
    del x
    gc.collect()
    assert probe.alive == 0


# --- random compositions --------------------------------------------------------------------------

SAFE = {
    "sin": torch.sin, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "atan": torch.atan, "erf": torch.erf,
    "softplus": F.softplus, "gelu": F.gelu, "silu": F.silu, "asinh": torch.asinh, "neg": torch.neg,
    "bell": lambda x: torch.exp(-x * x), "root": lambda x: torch.sqrt(2 + x * x),
    "log": lambda x: torch.log1p(x * x), "inverse": lambda x: 1 / (2 + torch.cos(x)),
    "cube": lambda x: torch.tanh(x) ** 3, "flip": lambda x: x.flip(-1), "half": lambda x: x / 2,
    "mean": lambda x: x - x.mean(), "cumsum": lambda x: x.cumsum(-1) / 3,
}  # fmt: skip
JOINED = {
    "+": torch.add, "-": torch.sub, "*": lambda a, b: torch.sin(a) * b,
    "/": lambda a, b: a / (1 + b * b), "where": lambda a, b: torch.where(torch.arange(a.shape[-1]) > 0, a, b),
    "**": lambda a, b: (1 + a * a) ** torch.tanh(b),
    "cat": lambda a, b: torch.cat([a[..., :1], b[..., 1:]], -1),
}  # fmt: skip
TREES = st.recursive(
    st.just("x"),
    lambda tree: (
        st.tuples(st.sampled_from(sorted(SAFE)), tree)
        | st.tuples(st.sampled_from(sorted(JOINED)), tree, tree)
    ),
    max_leaves=5,
)


def evaluated(tree, x):
    if tree == "x":
        return x
    name, *branches = tree
    return (SAFE | JOINED)[name](*[evaluated(b, x) for b in branches])


@given(
    tree=TREES,
    shape=st.lists(st.integers(1, 3), max_size=2).map(lambda s: (*s, 2)),
    seed=st.integers(0, 999),
    order=st.integers(0, 4),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_compositions(tree, shape, seed, order, dtype):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(seed), **f64).to(dtype) * 2 - 1
    f = lambda x: evaluated(tree, x)
    found, expected = taylor(f, x, order=order), nested.coefficients(f, x, order)
    size = 1 + max(c.abs().max() for c in expected)
    tolerance = 1e-11 if dtype == torch.float64 else 2e-4
    assert_series([c / size for c in found], [c / size for c in expected], tolerance)
