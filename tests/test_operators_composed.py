"""Rules of linear functions, products, norms, normalisation layers and losses: tests/composed_calls.py.

Beyond order 2 torch's nested derivatives are no oracle, so the value and the slope are torch's, and
each derivative from there on is held against a difference quotient of the one below. Each row is
then made wrong by a thousandth, and the same check must see it.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.operators import RULES, Jet, Partials, laplacian, taylor
from companion.operators.names import written
from tests.composed_calls import CALLS, P, f64
from tests.nested import coefficients
from tests.quotients import X, check, close, curve

ROWS = [
    pytest.param(f, i, id=f"{written(f)}-{i}") for f, fs in CALLS.items() for i in range(len(fs))
]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The tensors are small; to wait for a second thread takes longer than to do without."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    if isinstance(y, (tuple, list)):
        return type(y)(map(off, y))
    if type(y) is not Jet:
        return y
    return y.like(torch.cat([y.rows[:1], y.rows[1:] * 1.001]))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("function", "place"), ROWS)
def test_each_order_is_the_slope_of_the_one_below_and_a_wrong_one_is_seen(
    monkeypatch, function, place
):
    call = CALLS[function][place]
    calls = spied(monkeypatch, function)
    check(call)
    assert calls, f"the input of {written(function)} does not call it"
    spied(monkeypatch, function, off)
    with pytest.raises(AssertionError, match="order 1"):
        check(call)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("function", "place"), ROWS)
def test_the_laplacian_is_the_sum_of_second_derivatives(function, place):
    at = X.reshape(6, 2)
    f = lambda x: CALLS[function][place](curve(x * x - 0.3 * x).reshape(3, 4))
    axes = [torch.tensor(v, **f64).expand_as(at) for v in ([1.0, 0.0], [0.0, 1.0])]
    second = sum(2 * taylor(f, at, v, order=2)[2] for v in axes)
    close(laplacian(f, at), second, 1e-11, "the Laplacian")


# --- layers: right where torch is not -------------------------------------------------------------


def test_the_third_derivative_of_layer_norm_is_that_of_group_norm():
    torch.manual_seed(0)
    x, v, c = (torch.randn(5, **f64) for _ in range(3))
    f = lambda x: (c * F.layer_norm(x, (5,))).sum()
    g = lambda x: (c * F.group_norm(x.reshape(1, 5, 1), 1).flatten()).sum()
    third = 6 * taylor(f, x + 0.1 * v, v, order=3)[3]
    assert third.item() == pytest.approx(0.206680, abs=1e-6)
    nested = coefficients(g, x + 0.1 * v, 3, v)[3]
    assert third.item() == pytest.approx(6 * nested.item(), rel=1e-9)


def test_partials_of_a_network_with_layer_norm():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 1)).double()
    u = Partials(net, torch.tensor([[0.3]], **f64))
    h = 1e-3
    for order in (3, 4):
        axes = (0,) * order
        at = lambda t: Partials(net, torch.tensor([[0.3 + t]], **f64))(*axes[1:]).item()
        slope = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h)
        assert u(*axes).item() == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(4), nn.InstanceNorm1d(4, track_running_stats=True)]
)
def test_a_layer_in_training_keeps_account_of_its_batches_as_torch_does(layer):
    ours, theirs = layer.double(), type(layer)(4, **f64, track_running_stats=True)
    z = torch.rand(3, 4, 5, **f64)
    taylor(ours, z, order=3)
    theirs(z)
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.running_var, theirs.running_var)
    with pytest.raises(ValueError, match="more than 1"):
        taylor(ours, torch.rand(1, 4, 1, **f64), order=1)


LOSSES_TO_WALK_BACK = {
    "layer_norm": lambda x, w: F.layer_norm(x, (4,), w),
    "vector_norm": lambda x, w: torch.linalg.vector_norm(x * w, 2.5, 1),
    "einsum": lambda x, w: torch.einsum("ij,kj,kl->il", x, w * x, x),
    "conv1d": lambda x, w: torch.tanh(F.conv1d(x, w[None, None, :2].expand(2, 3, 2), x[:2, 0])),
    "max_pool1d": lambda x, w: F.max_pool1d((w * x) ** 4, 2),
    "cross_entropy": lambda x, w: F.cross_entropy(w * x, torch.tensor([3, 0, 1])),
    "index_add": lambda x, w: x.index_add(0, torch.tensor([0, 2]), (w * x)[:2] ** 3),
}


@pytest.mark.parametrize("name", LOSSES_TO_WALK_BACK)
def test_the_third_derivative_walks_back_to_the_weights(name):
    f, w = LOSSES_TO_WALK_BACK[name], (P[0] + 0.5).requires_grad_()
    at = lambda w: taylor(lambda x: f(curve(x), w), X, order=3)[3].square().sum()
    (found,) = torch.autograd.grad(at(w), w)
    h, v = 1e-4, torch.tensor([0.3, -0.2, 0.5, 0.1], **f64)
    with torch.no_grad():
        a, b, c, d = (at(w + i * h * v) for i in (-2, -1, 1, 2))
    close((found * v).sum(), (a - 8 * b + 8 * c - d) / (12 * h), 1e-7, name)


# --- corners: torch's first slope, and no finite number beyond where there is none ----------------


@pytest.mark.parametrize("p", [1, 2, 3, 2.5, torch.inf])
def test_the_norm_of_zero_has_the_slope_of_torchs(p):
    f = lambda x: torch.linalg.vector_norm(x, p, 1)
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], **f64)
    value, slope, bend = taylor(f, x, torch.tensor([[1.0, 2.0], [1.0, 0.5]], **f64), order=2)
    z = x.clone().requires_grad_()
    by_torch = torch.autograd.grad(f(z).sum(), z)[0] * torch.tensor([[1.0, 2.0], [1.0, 0.5]], **f64)
    assert torch.allclose(value, f(x)) and torch.allclose(slope, by_torch.sum(1))
    assert bend[1].isfinite() and (bend[0].isnan() or p in (1, torch.inf))


ONE, TRIPLE = torch.tensor([[1.0, 1.0, 1.0]], **f64), torch.tensor([[1.0, 0.5, -0.3]], **f64)
each = dict(reduction="none")
CORNERS = {  # at a tie or a kink: a function, and where
    "largest": (lambda x: torch.linalg.vector_norm(x, torch.inf, 1), [2.0, -2.0, 2.0]),
    "smallest": (lambda x: torch.linalg.vector_norm(x, -torch.inf, 1), [2.0, -2.0, 2.0]),
    "matrix": (lambda x: torch.linalg.matrix_norm(x[0].expand(2, 3), 1), [2.0, -2.0, 2.0]),
    "1.5 and a zero": (lambda x: torch.linalg.vector_norm(x, 1.5, 1), [0.0, -2.0, 2.0]),
    "0.5 and a zero": (lambda x: torch.linalg.vector_norm(x, 0.5, 1), [0.0, -2.0, 2.0]),
    "cdist": (lambda x: torch.cdist(x, ONE, torch.inf), [0.0, 0.0, 0.0]),
    "cdist 1.5": (lambda x: torch.cdist(x, ONE, 1.5), [1.0, 1.0, 0.0]),
    "max_pool": (lambda x: F.max_pool1d(x, 3), [2.0, 2.0, 2.0]),
    "adaptive": (lambda x: F.adaptive_max_pool1d(x, 1), [2.0, 2.0, 2.0]),
    "lp_pool": (lambda x: F.lp_pool1d(x, 2, 3), [0.0, 0.0, 0.0]),
    "normalize": (lambda x: F.normalize(x), [0.0, 0.0, 0.0]),
    "cosine": (lambda x: F.cosine_similarity(x, ONE), [0.0, 0.0, 0.0]),
    "l1": (lambda x: F.l1_loss(x, ONE, **each), [1.0, 2.0, 0.0]),
    "smooth l1": (lambda x: F.smooth_l1_loss(x, 0 * ONE, beta=0.5, **each), [0.5, -0.5, 0.0]),
    "l1 as a smooth one": (lambda x: F.smooth_l1_loss(x, ONE, beta=0.0, **each), [1.0, 2.0, 0.0]),
    "huber": (lambda x: F.huber_loss(x, 0 * ONE, delta=0.5, **each), [0.5, -0.5, 0.0]),
    "hinge": (lambda x: F.hinge_embedding_loss(x, TRIPLE.sign(), **each), [1.0, 0.5, 1.0]),
    "ranking": (lambda x: F.margin_ranking_loss(x, 0 * x, TRIPLE.sign(), 0.5, **each), [0.5, 0.5, -0.5]),
    "cosine apart": (lambda x: F.cosine_embedding_loss(x, ONE, -ONE[0, :1], **each), [1.0, -1.0, 0.0]),
    "cosine of zero": (lambda x: F.cosine_embedding_loss(x, ONE, ONE[0, :1], **each), [0.0, 0.0, 0.0]),
    "margins": (lambda x: F.multi_margin_loss(x, torch.tensor([0]), **each), [2.0, 1.0, 0.0]),
    "labels": (lambda x: F.multilabel_margin_loss(x, torch.tensor([[0, -1, 1]]), **each), [2.0, 1.0, 0.0]),
    "a variance of zero": (lambda x: F.gaussian_nll_loss(x, 0 * ONE, x * x, **each), [0.0, 0.0, 1.0]),
    "equal numbers": (lambda x: F.layer_norm(x, (3,)), [1.0, 1.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", CORNERS)
def test_the_slope_at_a_corner_is_torchs(name):
    f, x = CORNERS[name][0], torch.tensor([CORNERS[name][1]], **f64)
    value, slope = taylor(f, x, TRIPLE, order=1)
    by_torch = torch.autograd.functional.jacobian(f, x)
    close(value, f(x), 1e-13, "the value")
    close(slope, (by_torch * TRIPLE).sum((-2, -1)), 1e-13, "the slope")


def test_the_bend_of_huber_at_its_end_is_torchs():
    x = torch.tensor([0.5, -0.5], **f64)
    assert taylor(lambda x: F.huber_loss(x, 0 * x, "none", 0.5), x, order=2)[2].tolist() == [0, 0]


def test_the_fourth_power_is_smooth_at_zero():
    x = torch.tensor([0.0, 1.0], **f64)
    v = torch.tensor([1.0, 0.0], **f64)
    fourth = taylor(lambda x: torch.linalg.vector_norm(x, 4), x, v, order=4)[4]  # (1 + t⁴)^¼
    assert fourth.item() == pytest.approx(0.25, rel=1e-14)


def test_the_laplacian_of_a_norm_at_zero_is_no_number_and_right_beside_it():
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], **f64)
    found = laplacian(lambda x: x.norm(dim=1, keepdim=True), x)
    assert found[0].isnan() and found[1].item() == pytest.approx(1 / 5, rel=1e-14)


def test_hypot_neither_overflows_nor_underflows():
    x = torch.tensor([3e200, 3e-200, 0.0, torch.inf], **f64)
    y = torch.tensor([4e200, 4e-200, 0.0, 1.0], **f64)
    value, slope = taylor(lambda x: torch.hypot(x, y), x, order=1)
    assert value.tolist() == pytest.approx([5e200, 5e-200, 0.0, torch.inf], rel=1e-14)
    assert slope[:2].tolist() == pytest.approx([0.6, 0.6], rel=1e-14) and slope[2].isnan()


def test_cdist_of_equal_points_has_torchs_slope():
    x = torch.tensor([[1.0, 2.0], [0.0, 1.0]], **f64)
    slope = taylor(lambda x: torch.cdist(x, x.detach()), x, order=1)[1]
    assert slope.diagonal().tolist() == [0, 0]


def test_cross_entropy_at_the_ends_of_the_interval_is_torchs_or_refused():
    x, y = torch.tensor([0.0, 0.4, 1.0], **f64), torch.tensor([0.0, 0.3, 1.0], **f64)
    f = lambda x: F.binary_cross_entropy(x, y, reduction="none")
    for found, expected in zip(taylor(f, x, order=1), coefficients(f, x, 1)):
        assert torch.equal(found, expected)


def test_a_power_that_is_no_whole_number_walks_back_away_from_zero():
    w = torch.tensor([1.5, 0.5], **f64, requires_grad=True)
    third = taylor(lambda x: (x * w) ** 2.5, torch.ones(2, **f64), order=3)[3]
    (found,) = torch.autograd.grad(third.sum(), w)
    assert torch.allclose(found, 2.5 * 2.5 * 1.5 * 0.5 / 6 * w.detach() ** 1.5, rtol=1e-13)


# --- what a rule cannot see, or does not take -----------------------------------------------------


def test_the_weight_of_l1_loss_is_not_lost():
    f = lambda x: F.l1_loss(x, P - 3, weight=P)
    assert taylor(f, X, order=0)[0].item() == pytest.approx(f(X).item(), rel=1e-14)
    g = lambda x: F.l1_loss(x, P - 3)
    assert taylor(g, X, order=0)[0].item() == pytest.approx(g(X).item(), rel=1e-14)


@pytest.mark.parametrize("f", [
    lambda x: torch.as_strided(x, (2, 2), (1, 2)),
    lambda x: torch.as_strided_scatter(x, P[:2, :2], (2, 2), (1, 2)),
])  # fmt: skip
def test_what_reads_memory_is_refused(f):
    with pytest.raises(NotImplementedError, match="it reads memory, and a series lies in memory"):
        taylor(f, X, order=1)


def test_torchs_slope_of_as_strided_scatter_is_wrong_and_refused():
    f = lambda x: torch.as_strided_scatter(x, P[:1, :1], (1, 1), (2, 2))
    with pytest.raises(NotImplementedError, match="as_strided_scatter are right to order 0 only"):
        Partials(f, torch.ones(2, 1, **f64), "reverse")(0)


@pytest.mark.parametrize(("message", "f"), [
    ("normalized_shape", lambda x: F.layer_norm(x, (3,))),
    ("groups do not divide", lambda x: F.group_norm(x, 3)),
    ("three axes or more", lambda x: F.local_response_norm(x, 2)),
    ("reduction is 'none', 'mean' or 'sum'; got 'batch'", lambda x: F.soft_margin_loss(x, P, reduction="batch")),
    ("weights of the shape of x", lambda x: F.mse_loss(x, P, weight=P[0])),
    ("a target of the shape of x", lambda x: F.binary_cross_entropy_with_logits(x, P[0])),
    ("negative", lambda x: F.gaussian_nll_loss(x, P, -P)),
    ("margin is greater than 0; got 0", lambda x: F.triplet_margin_loss(x, P, P, 0)),
])  # fmt: skip
def test_what_torch_refuses_is_refused(message, f):
    with pytest.raises((ValueError, RuntimeError)):
        f(X)
    with pytest.raises(ValueError, match=message):
        taylor(f, X, order=1)


def test_a_mean_of_distances_that_torch_cannot_differentiate_twice():
    u = Partials(lambda x: torch.cdist(x, P[:, :2]).sum(1, keepdim=True), X[:, :2].clone())
    r = torch.cdist(X[:, :2], P[:, :2])
    assert torch.allclose(u.laplacian(), (1 / r).sum(1, keepdim=True), rtol=1e-12)
