"""Where the one way to a derivative fails, Partials takes the other, and a zero that is none is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from companion.operators import RULES, Jet, Partials
from tests.fields import close, network, points

METHODS = ("reverse", "taylor", None)


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


@pytest.mark.parametrize("name", ["no_grad", "numpy", "data"])
@pytest.mark.parametrize("ask", [lambda u: u(0), lambda u: u(0, 0, 0), lambda u: u.laplacian()])
def test_nor_is_it_where_the_way_is_left_open(name, ask):
    """Jets would take sin x, computed by NumPy, for a constant, and reverse mode is asked."""
    with pytest.raises(ValueError, match="The graph was lost inside f"):
        ask(Partials(LOST[name][0], points(d=1)))
    assert not ask(Partials(lambda x: torch.floor(10 * x).detach(), points(d=1))).any()
    assert not ask(Partials(through_numpy, points(d=1), "taylor")).any()  # as one has asked for


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
