"""What jets refuse, in which words, and that the words help; and where tensors live."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.operators import RULES, Jet, Partials, derivatives, device, laplacian, taylor
from tests.fields import close
from tests.nested import assert_series, coefficients
from tests.networks import NETWORKS, built

X = torch.tensor([[0.3, 0.8], [0.5, 0.2]], dtype=torch.float64)


def expanded(f):
    return taylor(f, X, order=2)


def test_an_operation_without_a_derivative_is_named_and_the_cure_works(monkeypatch):
    f = lambda x: torch.special.airy_ai(x) * 2
    with pytest.raises(NotImplementedError) as caught:
        expanded(f)
    message = str(caught.value)
    assert (
        "no Taylor rule for torch.special.airy_ai, and torch has no derivative of order 1"
        in message
    )
    assert "companion.operators.RULES[torch.special.airy_ai] = lambda x: ..." in message
    assert "Partials(f, x, method='reverse')" in message
    monkeypatch.setitem(RULES, torch.special.airy_ai, lambda x: torch.exp(x * x))
    assert_series(expanded(f), coefficients(lambda x: 2 * torch.exp(x * x), X, 2))


@pytest.mark.parametrize("key", ["logit", ("torch", "logit"), None])
def test_a_rule_is_kept_by_its_function_not_by_a_name(key):
    with pytest.raises(TypeError, match=r"RULES is asked by the function, RULES\[torch.logit\]"):
        RULES[key] = torch.sin


OUTSIDE = {
    "item": lambda x: x[0, 0].item(),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "register_hook": lambda x: x.register_hook(print),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_leaves_torch_is_an_error_and_never_a_number(name):
    words = rf"no Taylor rule for torch\.Tensor\.{name}: what leaves torch has no slope"
    with pytest.raises(NotImplementedError, match=words):
        expanded(OUTSIDE[name])


def added(x):
    x += 1
    return x


def put(x):
    x[0] = 1.0
    return x


def put_into(x):
    y = torch.zeros_like(X)
    y[0] = x[0]
    return y


def added_to(x):
    y = torch.zeros_like(X)
    y += x
    return y


IN_PLACE = {
    "add_": lambda x: torch.sin(x).add_(1),
    "relu": lambda x: F.relu(x, inplace=True),
    "silu": nn.SiLU(inplace=True),
    "__iadd__": added,
    "__setitem__": put,
    "__setitem": put_into,
    "add": added_to,  # torch calls it add_
    "sin": lambda x: torch.sin(x, out=torch.zeros(2, 2)),
    "requires_grad_": lambda x: x.requires_grad_(),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_changing_a_series_in_place(name):
    """x += 1 too: another name for x would see it in torch, and not here."""
    words = f"{name}.* would change a series in place; write the form that returns a new value"
    with pytest.raises(NotImplementedError, match=words):
        expanded(IN_PLACE[name])


def test_an_inplace_that_is_off_is_no_obstacle():
    assert_series(expanded(nn.ReLU(inplace=False)), coefficients(torch.relu, X, 2))
    assert_series(expanded(lambda x: torch.sin(x, out=None)), coefficients(torch.sin, X, 2))


class Straight(torch.autograd.Function):
    """Rounds, and claims the slope 1."""

    @staticmethod
    def forward(ctx, x):
        return 2 * torch.round(x)

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent


@torch.no_grad()
def stopped(x):
    return 2 * x


def halted(x):
    with torch.no_grad():
        w = torch.cat([x, x])
    return w[:2] * x


@pytest.mark.parametrize(
    "f", [lambda x: (x * 2).sin() * Straight.apply(torch.sin(x)), stopped, halted]
)
def test_a_series_does_not_obey_no_grad_so_it_is_refused(f):
    """The two ways in which f may tell autograd another derivative than the true one."""
    for expand in (expanded, lambda f: laplacian(f, X)):
        if f is not halted and expand is expanded:
            x = X.clone().requires_grad_()
            assert not f(x).requires_grad or torch.autograd.grad(f(x).sum(), x)[0].any()
        with pytest.raises(
            NotImplementedError, match=r"under no_grad or inside an autograd.Function"
        ):
            expand(f)
    for method in (None, "reverse"):
        if f in (stopped, halted):  # neither zero, nor what torch's graph says
            with pytest.raises(ValueError, match=r"graph was lost inside f.*leave out no_grad"):
                Partials(f, X, method).laplacian()
    if f not in (stopped, halted):
        reverse = Partials(f, X, "reverse")
        assert torch.equal(Partials(f, X).laplacian(), reverse.laplacian())
    with torch.no_grad():
        expanded(lambda x: x * x.detach())


REFUSED = [
    (NotImplementedError, "cannot expand again inside. Ask for the mixed derivative with Partials",
     lambda: taylor(lambda x: taylor(torch.sin, x, order=2)[2], X, order=2)),
    (NotImplementedError, "two series of different expansions met",
     lambda: taylor(lambda x: taylor(lambda y: x * y, X, order=2)[2], X, order=2)),
    (NotImplementedError, "two series of different expansions met",
     lambda: taylor(lambda x: taylor(lambda y: x + y, X, order=2)[2], X, order=2)),
    (NotImplementedError, "two series of different expansions met",
     lambda: taylor(lambda x: taylor(lambda y: torch.cat([x, y]), X, order=2)[2], X, order=2)),
    (NotImplementedError, "two series of different expansions met",
     lambda: taylor(lambda x: laplacian(lambda y: x @ y, X), X, order=2)),
    (NotImplementedError, "cannot expand again inside",
     lambda: expanded(lambda x: Partials(torch.sin, x)(0))),
    (NotImplementedError, "TypeError: f returns one tensor; got Jet",
     lambda: taylor(lambda x: taylor(lambda y: x, X, order=2)[0], X, order=2)),
    (TypeError, r"x is a tensor of floats; got torch.int64. Write x.double\(\)",
     lambda: taylor(torch.sin, torch.arange(3), order=1)),
    (TypeError, "x is a tensor of floats; got torch.bool",
     lambda: derivatives(torch.sin, torch.ones(3, dtype=torch.bool), 1)),
    (TypeError, r"x is a tensor, e\.g\. torch\.tensor\(\[0\.5\], dtype=torch\.float64\); got ndarray",
     lambda: taylor(torch.sin, np.ones(3), order=1)),
    (TypeError, "x is a tensor, e.g.*; got float", lambda: derivatives(torch.sin, 0.5, 1)),
    (ValueError, r"a direction has the shape of x, \(2, 2\); got \(2,\)",
     lambda: taylor(torch.sin, X, X[0], order=1)),
    (TypeError, r"a direction is real, as x is; got 1j", lambda: taylor(torch.sin, X, 1j, order=1)),
    (TypeError, "a direction is real", lambda: taylor(torch.sin, X, X + 0j, order=1)),
    (ValueError, "order is a whole number, 0 or more; got -1", lambda: taylor(torch.sin, X, order=-1)),
    (ValueError, "order is a whole number, 0 or more; got 2.5", lambda: taylor(torch.sin, X, order=2.5)),
    (ValueError, "order is a whole number, 0 or more; got None", lambda: derivatives(torch.sin, X, None)),
    (TypeError, "f returns one tensor; got tuple. Join several by torch.cat",
     lambda: expanded(lambda x: (x, x))),
    (TypeError, "f returns one tensor; got tuple", lambda: expanded(lambda x: x.split(1))),
    (TypeError, "f returns one tensor; got NoneType", lambda: expanded(lambda x: None)),
    (TypeError, "f returns one tensor; got float", lambda: expanded(lambda x: 1.0)),
    (ValueError, r"f took x of shape \(2, 2\) to \(\), so it is not a function of one variable. Name "
     r"the direction, taylor\(f, x, v, order=...\), or take Partials\(f, x\)",
     lambda: derivatives(torch.sum, X, 1)),
    (ValueError, "not a function of one variable", lambda: derivatives(lambda x: x[:, :1], X, 1)),
    (TypeError, r"NumPy cannot see a series; call torch's function, torch.sin\(x\)",
     lambda: expanded(np.sin)),
    (TypeError, "NumPy cannot see a series", lambda: expanded(np.asarray)),
    (IndexError, "index_select", lambda: expanded(lambda x: x.index_select(0, x))),
    (TypeError, r"softmax needs the axis that it sums over: softmax\(x, dim=-1\)", lambda: expanded(F.softmax)),
    (TypeError, "softmax needs the axis", lambda: expanded(F.log_softmax)),
    (AttributeError, "no attribute 'sinus'", lambda: expanded(lambda x: x.sinus())),
]  # fmt: skip


@pytest.mark.parametrize(("error", "words", "call"), REFUSED)
def test_what_is_refused_and_in_which_words(error, words, call):
    with pytest.raises(error, match=words):
        call()


def test_numpys_numbers_and_arrays_may_be_constants():
    a = np.arange(1.0, 5.0).reshape(2, 2)
    for f in (
        lambda x: x * np.float64(2),
        lambda x: np.float32(2) * x,
        lambda x: 1 - x / np.int64(3),
    ):
        assert_series(expanded(f), coefficients(f, X, 2))
    b = torch.from_numpy(a)
    assert_series(expanded(lambda x: x * a + a - x / a), expanded(lambda x: x * b + b - x / b))
    assert_series(expanded(lambda x: a * x + a / x), expanded(lambda x: b * x + b / x))
    tall = np.ones((3, 2, 2))
    assert expanded(lambda x: x * tall)[1].shape == (3, 2, 2)


def test_a_constant_array_has_the_dtype_that_torch_gives():
    x, a = X.float(), np.arange(1.0, 5.0).reshape(2, 2)
    for f in (lambda x: x + a, lambda x: a - x, lambda x: x * a, lambda x: x / a):
        assert {y.dtype for y in taylor(f, x, order=2)} == {torch.float64}
    assert taylor(lambda x: x + a.astype("f4"), X, order=1)[1].dtype == torch.float64


ELSEWHERE = {  # constants on the CPU that torch joins with a tensor of any device
    "sum": lambda x: x + torch.tensor(1.0),
    "difference": lambda x: torch.tensor(1.0) - x.sin(),
    "product": lambda x: torch.tensor(2.0) * x,
    "quotient": lambda x: torch.tensor(2.0) / x,
    "power": lambda x: x ** torch.tensor(2.0),
    "where": lambda x: torch.where(x > 0, x, torch.tensor(0.0)),
    "maximum": lambda x: torch.maximum(x, torch.tensor(0.0)),
    "clamp": lambda x: x.clamp(torch.tensor(0.0), torch.tensor(1.0)),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_tensor_of_one_number_joins_a_series_of_another_device(name):
    """As in torch. The device "meta" stands for a GPU: it has shapes and no numbers."""
    f, x = ELSEWHERE[name], X.to("meta")
    assert f(x).device.type == "meta"
    assert {y.device.type for y in taylor(f, x, order=2)} == {"meta"}
    assert laplacian(f, x).device.type == "meta"
    assert_series(expanded(f), coefficients(f, X, 2))


def test_an_array_meets_a_series_of_another_device():
    a = np.ones((2, 2))
    for f in (lambda x: x + a, lambda x: x * a, lambda x: a - x):
        assert taylor(f, X.to("meta"), order=2)[2].device.type == "meta"


def test_a_series_looks_like_its_value():
    x = Jet(torch.stack([X, X]), 2)
    assert x.shape == X.shape and x.ndim == 2 and x.dtype == X.dtype and len(x) == 2
    assert x.size(0) == 2 and x.device == X.device and not x.requires_grad
    assert bool((x > 0).all()) and not isinstance(x > 0, Jet) and bool(x[0, 0])
    assert repr(x).startswith("Jet(tensor(") and hash(x) == hash(x)
    assert torch.equal(x.primal, X) and [type(row) for row in x] == [Jet, Jet]


# --- devices --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "", "cpu"])
def test_the_cpu_unless_told_otherwise(monkeypatch, name):
    monkeypatch.delenv("COMPANION_DEVICE", raising=False)
    if name is not None:
        monkeypatch.setenv("COMPANION_DEVICE", name)
    assert device() == torch.device("cpu")


def test_a_name_that_is_no_device(monkeypatch):
    monkeypatch.setenv("COMPANION_DEVICE", "gpu")
    with pytest.raises(
        ValueError, match='COMPANION_DEVICE is "cpu", "cuda", "cuda:1" or "mps"; got \'gpu\''
    ):
        device()


@pytest.mark.parametrize("name", ["cuda:63", "mps:5", "cuda", "mps"])
def test_a_device_that_is_not_there(monkeypatch, name):
    monkeypatch.setenv("COMPANION_DEVICE", name)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(":" in name))
    monkeypatch.setattr(torch.mps, "device_count", lambda: int(":" in name))
    with pytest.raises(
        RuntimeError, match=f"COMPANION_DEVICE is '{name}', but torch .* sees no such device"
    ):
        device()


def test_a_device_that_is_there(monkeypatch):
    monkeypatch.setenv("COMPANION_DEVICE", "cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device() == torch.device("cuda:1")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_finds_the_same(name):
    net, x = built(name), torch.linspace(-1, 1, 6, dtype=torch.float64)[:, None]
    expected = [d.detach() for d in derivatives(net, x, 6)]
    found = [d.detach().cpu() for d in derivatives(net.cuda(), x.cuda(), 6)]
    assert all(close(a, b, 1e-11) for a, b in zip(found, expected))
