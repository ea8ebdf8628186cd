"""Parameters that a term uses: the network's own are trained wherever they are, others are refused."""

import functools
import warnings

import pytest
import torch
from torch import nn

from companion import torch_private
from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Condition,
    Field,
    LevenbergMarquardt,
    Problem,
    Unknown,
    fit,
)
from tests.fits import bits

BOX = Box(t=(0.0, 2.0))
T = BOX.points(20, "grid")
DATA = Condition("data", T, torch.exp(-0.7 * T), weight=100.0)
STAGES = {
    "LevenbergMarquardt": LevenbergMarquardt(20),
    "Adam": Adam(500, lr=0.1),
    "compiled": Adam(500, lr=0.1, compiled=50),
    "LBFGS": LBFGS(15),
    "cg": LevenbergMarquardt(25, solver="cg", iterations=30),
}


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    """The graph of compiled steps run operation by operation."""
    monkeypatch.setattr(torch_private, "program", lambda module, inputs: module)


def trained(stage, residual, net, *conditions, **rest):
    problem = Problem(BOX, residual, conditions=(DATA, *conditions), **rest)
    return fit(problem, net, [stage], points=64, progress=False)


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_parameter_of_the_network_itself_is_trained_in_every_stage(stage):
    """u′ + k u = 0 and data of e^{−0.7 t}: k is 0.7."""
    net = MLP(BOX, (8,))
    net.k = nn.Parameter(torch.tensor(0.2).double())
    trained(stage, lambda u, t: u(0) + net.k * u(), net)
    assert net.k.item() == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_the_network_called_in_a_condition_is_trained(stage):
    """n(0) = 1 is said by the network itself, and no data: u = e^{−0.7 t}."""
    net = MLP(BOX, (8,))
    start = Condition("start", T[:1], 1.0, of=lambda u, x: net(x), weight=100.0)
    exact = lambda t: torch.exp(-0.7 * t)
    problem = Problem(BOX, lambda u, t: u(0) + 0.7 * u(), (start,), exact=exact)
    error = fit(problem, net, [stage], points=64, progress=False).error
    assert error < (0.3 if isinstance(stage, Adam) else 0.03)  # 0.9 where it is 1


SHORT = {
    "LevenbergMarquardt": LevenbergMarquardt(2),
    "Adam": Adam(2),
    "compiled": Adam(2, compiled=2),
    "LBFGS": LBFGS(2),
    "cg": LevenbergMarquardt(2, solver="cg"),
}


def outside(how):
    """A problem, and the name of what it uses that is not trained."""
    k = nn.Parameter(torch.tensor(0.2).double())
    other = MLP(BOX, (5,))

    class Law:
        def __init__(self):
            self.k = k

        def __call__(self, u, t):
            return u(0) + self.k * u()

    def rest(u, t, rate):
        return u(0) + rate * u()

    terms = {
        "a number": (lambda u, t: u(0) + k * u(), r"k \(\)"),
        "a second network": (
            lambda u, t: u(0) + other(t) * u(),
            r".*other\.layers\.1\.weight \(1, 5\)",
        ),
        "a partial": (functools.partial(rest, rate=k), r".*\(\)"),
        "an object": (Law(), r".*\(\)"),
        "what was made of it": (lambda u, t, twice=2 * k: u(0) + twice * u(), r".*\(\)"),
    }
    return terms[how]


@pytest.mark.parametrize("stage", SHORT.values(), ids=SHORT)
@pytest.mark.parametrize("how", ["a number", "a second network", "a partial", "an object"])
def test_what_is_used_and_not_trained_is_refused_by_name_before_anything_is_trained(how, stage):
    residual, name = outside(how)
    net = MLP(BOX, (6,))
    before = bits(net)
    message = rf"equation uses a parameter that this fit does not train: {name}.*Unknown.*Field"
    with pytest.raises(ValueError, match=message):
        trained(stage, residual, net)
    assert torch.equal(bits(net), before)


def test_what_was_made_of_it_before_is_refused_too():
    residual, name = outside("what was made of it")
    with pytest.raises(ValueError, match=f"does not train: .*{name}"):
        trained(Adam(1), residual, MLP(BOX, (6,)))


@pytest.mark.parametrize("stage", SHORT.values(), ids=SHORT)
@pytest.mark.parametrize("what", ["condition", "ansatz"])
def test_in_a_condition_or_an_ansatz_it_is_refused_as_well(what, stage):
    k = nn.Parameter(torch.tensor(0.2).double())
    start = Condition("start", T[:1], of=lambda u, x: u() - k)
    used = {
        "condition": ("start", {"conditions": (DATA, start)}),
        "ansatz": ("equation", {"conditions": (DATA,), "ansatz": lambda x, n: 1 + k * x * n}),
    }
    term, declared = used[what]
    problem = Problem(BOX, lambda u, t: u(0) + u(), **declared)
    with pytest.raises(ValueError, match=f"{term} uses a parameter .*does not train: k"):
        fit(problem, MLP(BOX, (6,)), [stage], progress=False)


@pytest.mark.parametrize("stage", SHORT.values(), ids=SHORT)
def test_what_wants_no_gradient_may_be_used(stage):
    """A detached parameter, a frozen network, a tensor, the network itself and a field."""
    k, other = nn.Parameter(torch.tensor(0.2).double()), MLP(BOX, (5,)).requires_grad_(False)
    source, net = torch.tensor(2.0).double(), MLP(BOX, (6,))
    residual = lambda u, t, a, c: u(0) + k.detach() * other(t) * net(t) * source + a() * c
    unknowns = {"a": Field(MLP(BOX, (3,))), "c": Unknown(1.0)}
    assert trained(stage, residual, net, unknowns=unknowns).history.stopped is None


@pytest.mark.parametrize(
    ("residual", "idle"),
    [
        (lambda u, t, k: u(0) + k.detach() * u(), "k"),
        (lambda u, t, k: u(0) + u() * torch.floor(k), "k"),
        (lambda u, t, k: 0 * u(0) + k - 1, "network"),
        (lambda u, t, k: u(0) + k * u(), None),
    ],
)
def test_what_no_residual_answers_to_is_said(residual, idle):
    problem = Problem(BOX, residual, unknowns={"k": Unknown(0.2)})
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        fit(problem, MLP(BOX, (4,)), [Adam(1)], points=8, progress=False)
    said = [str(w.message) for w in heard if "no residual answers to" in str(w.message)]
    assert [f"answers to {idle}:" in words for words in said] == [True] * (idle is not None)


def test_an_unknown_is_found_beside_a_frozen_network_and_a_condition_that_it_is_not_in():
    """k' of the least squares −k u = u′: k = −∫ u u′ / ∫ u², by NumPy."""
    net = MLP(BOX, (4,)).requires_grad_(False)
    problem = Problem(BOX, lambda u, t, k: u(0) + k * u(), (DATA,), unknowns={"k": Unknown(0.2)})
    found = fit(problem, net, [LevenbergMarquardt(5)], points=T, progress=False)
    u = found.partials(T)
    value, slope = (v.detach().numpy() for v in (u(), u(0)))
    assert abs(found.unknowns["k"] + (value * slope).sum() / (value**2).sum()) < 1e-9
