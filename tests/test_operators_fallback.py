"""What has no rule: nested derivatives of that one operation, in the midst of a series.

The oracle is torch's nested reverse mode over the whole function, to order 2, and beyond it where
torch is right there; and functions of the user's whose derivatives are known.
"""

import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import handle_torch_function, has_torch_function

from companion.operators import RULES, Jet, Partials, gradient_audit, laplacian, taylor
from companion.operators.graphs import graph_leaves
from companion.operators.names import KEYS, canonical, written
from tests.fields import close
from tests.nested import assert_series, coefficients

f64 = dict(dtype=torch.float64)
X = torch.rand(4, 3, generator=torch.Generator().manual_seed(0), **f64) + 0.3
W = torch.rand(3, 3, generator=torch.Generator().manual_seed(1), **f64)


def smooth(x, y=None, *, scale=1.0):
    """A user's function that has no rule, of one or two arguments."""
    if has_torch_function((x, y)):
        return handle_torch_function(smooth, (x, y), x, y, scale=scale)
    return (
        torch.exp(scale * x)
        if y is None
        else torch.sin(scale * x) * torch.exp(y) + x.cumsum(-1) * y
    )


def several(tensors, power):
    """A list in, a dict, a number and whole numbers out."""
    if has_torch_function(tensors):
        return handle_torch_function(several, tensors, tensors, power)
    a, b = tensors
    return {"product": a * b**power, "largest": (a.argmax(1), [b.tanh()]), "count": a.ndim}


CALLS = {
    "one argument": lambda x: smooth(torch.sin(x)),
    "two series": lambda x: smooth(torch.sin(x), x * x, scale=0.5),
    "a series and a constant": lambda x: smooth(W[0], x.exp()),
    "keyword": lambda x: smooth(x=x, y=None),
    "a list": lambda x: several([x, torch.cos(x)], 2)["product"],
    "in a nest": lambda x: several((x, x * x), 2)["largest"][1][0] * x,
    "a constant in a list": lambda x: several([x.sin(), W[:1]], 2)["product"],
    "twice": lambda x: smooth(smooth(x * 0.3)),
    "of a constant series": lambda x: smooth(x * 0) * x,
    "linear": lambda x: torch.fft.fft(x.exp()).real,
    "complex": lambda x: torch.fft.ifft(torch.fft.fft(x.exp()) * (1 + 2j)).imag,
    "householder": lambda x: torch.linalg.householder_product(x, x[:1, :2].squeeze(0)),
}


@pytest.mark.parametrize("order", [0, 1, 2, 5])
@pytest.mark.parametrize("name", CALLS)
def test_the_coefficients_are_those_of_nested_reverse_mode(name, order):
    f = CALLS[name]
    assert_series(taylor(f, X, order=order), coefficients(f, X, order), 1e-11)


@pytest.mark.parametrize("name", [n for n in CALLS if n != "householder"])
def test_the_collapsed_jet_too(name):
    f = CALLS[name]
    assert close(laplacian(f, X), Partials(f, X, "reverse").laplacian(), 1e-11)


def test_the_coefficients_of_exp_are_exact():
    f = lambda x: smooth(x, scale=2.0)
    for k, y in enumerate(taylor(f, X, order=7)):
        assert close(y, 2**k / math.factorial(k) * torch.exp(2 * X), 1e-13)
    assert close(laplacian(f, X), 4 * torch.exp(2 * X), 1e-13)


def test_whole_numbers_and_facts_are_those_of_the_value():
    found = several([Jet(torch.stack([X, X]), 2), X], 2)
    assert torch.equal(found["largest"][0], X.argmax(1)) and found["count"] == 2
    assert isinstance(found["product"], Jet) and not isinstance(found["largest"][0], Jet)
    values, places = torch.max(Jet(torch.stack([X, X]), 2).exp(), 1)
    assert isinstance(values, Jet) and torch.equal(places, X.argmax(1))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_loss_of_it_reaches_points_and_weights(order):
    x, w = X.clone().requires_grad_(), W.clone().requires_grad_()
    f = lambda x: smooth(torch.tanh(x @ w), w[0] * 0.5)
    loss = lambda found: sum((k + 1) * (c**2).sum() for k, c in enumerate(found))
    mine = torch.autograd.grad(loss(taylor(f, x, order=order)), [x, w])
    factor = torch.ones((), **f64, requires_grad=True)
    by_hand = [f(x + (factor - 1))]
    one = torch.ones_like(by_hand[0], requires_grad=True)
    s = (one * by_hand[0]).sum()
    for k in range(1, order + 1):
        (s,) = torch.autograd.grad(s / k, factor, create_graph=True)
        by_hand += torch.autograd.grad(s, one, create_graph=True)
    theirs = torch.autograd.grad(loss(by_hand), [x, w])
    assert all(close(a, b, 1e-10) for a, b in zip(mine, theirs))
    bend = laplacian(lambda x: smooth(x @ w), x).square().sum()
    theirs = Partials(lambda x: smooth(x @ w), x, "reverse").laplacian().square().sum()
    for a, b in zip(*[torch.autograd.grad(y, [x, w]) for y in (bend, theirs)]):
        assert close(a, b, 1e-10)


def test_the_callers_modes_and_transforms():
    f = lambda x: smooth(torch.sin(x))
    expected = taylor(f, X, order=2)
    assert not expected[2].requires_grad
    with torch.no_grad():
        assert_series(taylor(f, X.clone().requires_grad_(), order=2), expected)
    with torch.inference_mode():
        weight = W.clone()
        assert close(taylor(lambda x: smooth(x, weight[0]), X.clone(), order=2)[0], smooth(X, W[0]))
    second = lambda x: taylor(f, x, order=2)[2]
    assert close(torch.func.vmap(second)(X), expected[2], 1e-13)
    third = torch.func.jacrev(lambda x: second(x).sum(0))(X[:1]).squeeze(1)
    assert close(third.diagonal(), 3 * taylor(f, X[:1], order=3)[3][0], 1e-12)
    bend = torch.func.vmap(lambda x: laplacian(f, x[None])[0])(X)
    assert close(bend, laplacian(f, X), 1e-12)


def test_nothing_stays_behind_with_a_leaf_of_ours():
    """t, by which is differentiated, gets no .grad: that would be a leak under create_graph."""
    w = W.clone().requires_grad_()
    loss = taylor(lambda x: smooth(x @ w), X, order=2)[2].square().sum()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of the very leak
        loss.backward(create_graph=True)
    assert all(leaf.grad is None for leaf in graph_leaves([loss]) if leaf is not w)
    assert w.grad is not None
    w.grad = None


@pytest.mark.parametrize(
    "expand", [lambda f, x: taylor(f, x, order=2)[0], lambda f, x: laplacian(f, x)]
)
def test_random_numbers_are_drawn_once(expand):
    f = lambda x: F.alpha_dropout(x * 1.0, 0.5, True)
    if canonical(F.alpha_dropout) in RULES:
        pytest.skip("has a rule")  # pragma: no cover
    torch.manual_seed(3)
    expand(f, X)
    after = torch.rand(1)
    torch.manual_seed(3)
    f(X)
    assert torch.equal(after, torch.rand(1))


# --- what torch cannot, or has wrong --------------------------------------------------------------


def stepless(x):
    """A function whose graph is lost: its result is a plain number for torch."""
    if has_torch_function((x,)):
        return handle_torch_function(stepless, (x,), x)
    return x.detach() * 2


class Lost(torch.autograd.Function):
    """x³, whose slope comes without a graph, or without what x does to it."""

    @staticmethod
    def forward(ctx, x, how):
        ctx.save_for_backward(x)
        ctx.how = how
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        if ctx.how == "refused":
            raise RuntimeError("cube has no double backward")
        slope = 3 * x.detach() ** 2
        return (g.detach() if ctx.how == "graph" else g) * slope, None


def lossy(x, how):
    if has_torch_function((x,)):
        return handle_torch_function(lossy, (x,), x, how)
    return Lost.apply(x, how)


REFUSED = {
    "no graph at all": (stepless, "stepless, and torch has no derivative of order 1 of it, which is not"),
    "slope without graph": (lambda x: lossy(x, "graph"), "its derivative of order 1 comes without a graph"),
    "slope that forgets x": (lambda x: lossy(x, "x"), "torch has no derivative of order 2 of it, which is not zero"),
    "refused": (lambda x: lossy(x, "refused"), "no Taylor rule for lossy, and torch does not .*: cube has no double"),
    "no derivative in torch": (torch.special.airy_ai, r"RULES\[torch.special.airy_ai\] = lambda x: ..., or"),
    "wrong in torch": (lambda x: layered(x), "derivatives of layer_norm are right to order 2 only"),
    "a number": (lambda x: counted(x), "counted, whose result is a float: what leaves torch"),
}  # fmt: skip


def layered(x):
    """layer_norm inside of another's function; by itself it may have a rule."""
    if has_torch_function((x,)):
        return handle_torch_function(layered, (x,), x)
    return F.layer_norm(x, x.shape[-1:])


def counted(x):
    if has_torch_function((x,)):
        return handle_torch_function(counted, (x,), x)
    return x.sum().item()


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_has_not_or_has_wrong_is_an_error(name):
    f, words = REFUSED[name]
    with pytest.raises(NotImplementedError, match=words):
        taylor(f, X, order=3)


@pytest.mark.parametrize("name", REFUSED)
def test_torch_func_gives_no_zero_for_it(name):
    f, words = REFUSED[name]
    with pytest.raises(
        NotImplementedError, match=words if name != "a number" else "no Taylor rule"
    ):
        torch.func.jacrev(lambda x: taylor(f, x, order=3)[2])(X)


def test_wrong_orders_are_refused_in_a_loss_too():
    direct = lambda x: taylor(lambda x: layered(x) * x, x, order=2)[2]
    assert close(direct(X), coefficients(lambda x: layered(x) * x, X, 2)[2], 1e-12)
    loss = direct(X.clone().requires_grad_()).sum()
    with pytest.raises(NotImplementedError, match="layer_norm are right to order 2 only"):
        loss.backward()


def test_a_users_own_error_is_his_own():
    with pytest.raises(RuntimeError, match=r"must match the size of tensor b") as caught:
        taylor(lambda x: smooth(x, x[:, :2]), X, order=2)
    assert not isinstance(caught.value, NotImplementedError)


# --- functions are told apart by what they are ----------------------------------------------------


def test_one_rule_serves_all_names_of_an_operation(monkeypatch):
    monkeypatch.setitem(RULES, torch.special.logit, lambda x: 5 * x)
    for f in (torch.logit, torch.special.logit, lambda x: x.logit()):
        assert close(taylor(f, X, order=1)[1], torch.full_like(X, 5.0))
    assert torch.logit in RULES and torch.Tensor.logit in RULES


def mul(x, y):
    """A user's own function of a name that torch has too."""
    if has_torch_function((x,)):
        return handle_torch_function(mul, (x,), x, y)
    return torch.sin(x) + y


def test_a_name_is_not_enough(monkeypatch):
    assert_series(
        taylor(lambda x: mul(x, 2.0), X, order=2), coefficients(lambda x: mul(x, 2.0), X, 2)
    )
    monkeypatch.setitem(RULES, torch.norm, lambda x: x.sum() * 0 + 7)
    assert close(taylor(torch.linalg.norm, X, order=0)[0], torch.linalg.norm(X))
    monkeypatch.setitem(RULES, torch.Tensor.unfold, lambda x, *args: 7 * x)
    image = X.view(1, 3, 2, 2)
    assert close(taylor(lambda x: F.unfold(x, 2), image, order=1)[0], F.unfold(image, 2))


APART = [
    (F.unfold, torch.Tensor.unfold), (torch.linalg.norm, torch.norm), (F.embedding, torch.embedding),
    (F.batch_norm, torch.batch_norm), (torch.linalg.diagonal, torch.diagonal),
    (torch.Tensor.__rsub__, torch.sub), (torch.Tensor.__rpow__, torch.pow),
    (torch.Tensor.add_, torch.add),
]  # fmt: skip
TOGETHER = [
    (torch.Tensor.__rsub__, torch.rsub), (torch.Tensor.__mod__, torch.remainder),
    (F.relu, torch.Tensor.relu), (torch.special.expit, torch.sigmoid),
    (torch.linalg.det, torch.Tensor.det), (torch.Tensor.__pow__, torch.pow),
    (torch.Tensor.real.__get__, torch.real), (torch.linalg.inv, torch.inverse),
    (torch.concat, torch.cat),
]  # fmt: skip


def test_which_functions_are_one():
    assert all(canonical(a) is not canonical(b) for a, b in APART)
    assert all(canonical(a) == canonical(b) for a, b in TOGETHER)
    assert all(canonical(key) == key for key in KEYS.values())


def test_every_key_can_be_written_as_it_is_told():
    for function in RULES:
        assert canonical(eval(written(function), {"torch": torch})) == canonical(function)


# --- what it costs --------------------------------------------------------------------------------


def test_the_audit_tells_which_operation_was_dear():
    net = nn.Linear(3, 3).double()
    loss = lambda: taylor(lambda x: smooth(net(x)), X, order=2)[2].square().mean()
    audit = gradient_audit(loss, net)
    (label,) = audit.stepwise
    assert label.startswith("smooth (order 2, ") and audit.clean
    assert "step by step, for want of a Taylor rule: smooth" in repr(audit).replace("\n  ", " ")
    assert not gradient_audit(lambda: net(X).square().mean(), net).stepwise
