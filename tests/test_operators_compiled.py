"""A loss and its gradient as one program: the numbers of the loss itself, and what it refuses.

The programs are made by a stand-in for inductor, which runs the graph as it is: only the last test
compiles.
"""

import pytest
import torch
from torch import nn

from companion import torch_private
from companion.operators import Partials, compiled, derivatives, laplacian
from tests.fields import close

f64 = dict(dtype=torch.float64)
X = torch.linspace(-1, 1, 6, **f64).view(3, 2)


class Scale(nn.Module):
    """Times a number that it keeps, and that training changes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("factor", torch.tensor(1.5))

    def forward(self, x):
        if self.training:
            self.factor += 1
        return self.factor * x


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), Scale(), nn.Linear(5, 1)).double().eval()


@pytest.fixture
def made(monkeypatch):
    """The programs made in a test: graphs that are not compiled."""
    graphs = []
    monkeypatch.setattr(torch_private, "program", lambda graph, *_: graphs.append(graph) or graph)
    return graphs


LOSSES = {
    "laplacian": lambda net, x: laplacian(net, x).square().mean(),
    "Partials": lambda net, x: (Partials(net, x)(0, 0, 1) + Partials(net, x)(1)).square().sum(),
    "reverse": lambda net, x: Partials(net, x, "taylor")(1, 1).abs().sum(),
    "plain": lambda net, x: net(x).square().mean(),
    "of one number by hand": lambda net, x: net(x)[:1],
}


def gradient(loss, net, *x):
    net.zero_grad()
    loss(*x).sum().backward()
    return [p.grad for p in net.parameters() if p.requires_grad]


@pytest.mark.parametrize("name", LOSSES)
def test_a_compiled_loss_is_the_loss_with_its_gradient(net, made, name):
    loss = lambda x: LOSSES[name](net, x)
    quick = compiled(loss, net)
    for x in (X, X * 0.3, X.flip(0)):  # other values, the same program
        assert close(quick(x), loss(x), 1e-13) and quick(x).shape == loss(x).shape
        expected = gradient(loss, net, x)
        value, slopes = quick.gradient(x)
        assert close(value, loss(x), 1e-13) and not value.requires_grad
        for a, b, c in zip(gradient(quick, net, x), slopes, expected, strict=True):
            c = torch.zeros_like(b) if c is None else c
            assert close(a, c, 1e-12) and close(b, c, 1e-12)
    with torch.no_grad():
        net[0].weight += 0.1
    assert close(quick(X), loss(X), 1e-13) and len(made) == 1
    scaled = gradient(lambda x: 3 * quick(x), net, X)
    assert all(close(a, 3 * b, 1e-13) for a, b in zip(scaled, quick.gradient(X)[1]))


def test_another_shape_mode_or_set_of_parameters_is_another_program(net, made):
    quick = compiled(lambda x: net(x).square().mean(), net)
    quick(X), quick(X[:2])
    assert len(made) == 2
    net[0].weight.requires_grad_(False)
    assert [s.shape for s in quick.gradient(X)[1]] == [
        p.shape for p in net.parameters() if p.requires_grad
    ]
    assert len(made) == 3
    net.train()
    with pytest.raises(ValueError, match="changes what the module keeps"):
        quick(X)


def test_what_a_buffer_is_now_counts(net, made):
    quick = compiled(lambda x: net(x).square().mean(), net)
    before = quick(X).item()
    net[2].factor += 1
    assert quick(X).item() != before and close(quick(X), net(X).square().mean(), 1e-13)


def test_what_cannot_be_compiled_is_refused(net, made):
    foreign = torch.ones((), **f64, requires_grad=True)
    with pytest.raises(ValueError, match=r"no parameter of net, so its\s+gradient would be lost"):
        compiled(lambda x: (foreign * net(x)).sum(), net)(X)
    with pytest.raises(ValueError, match="looks at a value"):
        compiled(lambda x: net(x).sum() * (2 if x.sum() > 0 else 1), net)(X)
    with pytest.raises(ValueError, match="At other points the graph would be another"):
        compiled(lambda x: net(x).sum() * float(x.detach().numpy()[0, 0]), net)(X)
    with pytest.raises(ValueError, match=r"returns one number; got \(3, 1\)"):
        compiled(net, net)(X)
    with pytest.raises(TypeError, match=r"the nn\.Module whose parameters learn; got function"):
        compiled(net, lambda x: x)
    with pytest.raises(TypeError, match=r"takes tensors; got float"):
        compiled(lambda x: net(X).sum() * x, net)(0.5)
    with pytest.raises(ValueError, match=r"hand over\s+x.detach\(\)"):
        compiled(lambda x: net(x).sum(), net)(X.clone().requires_grad_())
    quick = compiled(lambda x: net(x).square().sum(), net)
    with pytest.raises(NotImplementedError, match="cannot be differentiated again"):
        torch.autograd.grad(quick(X), list(net.parameters()), create_graph=True)


def test_without_a_compiler_the_loss_is_computed_as_it_is_and_says_so_once(
    net, monkeypatch, recwarn
):
    def refused(*_):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch_private, "program", refused)
    loss = lambda x: laplacian(net, x).square().mean()
    quick = compiled(loss, net)
    for _ in range(2):
        assert close(quick(X), loss(X), 1e-14)
        assert all(close(a, b, 1e-13) for a, b in zip(quick.gradient(X)[1], gradient(loss, net, X)))
    said = [str(w.message) for w in recwarn if "as it is" in str(w.message)]
    assert len(said) == 1 and "no C++ compiler" in said[0] and "CXX" in said[0]


def test_what_the_loss_itself_raises_is_raised_as_it_is(net, made):
    for fault, error, words in (
        (lambda x: net(x).sum() * unknown, NameError, "unknown"),  # noqa: F821
        (lambda x: (net(x) @ net(x)).sum(), RuntimeError, "cannot be multiplied"),
        (lambda x: net(x).sum() * {}["rate"], KeyError, "rate"),
    ):
        with pytest.raises(error, match=words):
            compiled(fault, net)(X)
    assert made == []


def test_what_torch_alone_cannot_write_down_is_computed_as_it_is(net, made, monkeypatch):
    def refused(*_):
        raise KeyError("of torch's own")

    monkeypatch.setattr(torch_private, "traced", refused)
    loss = lambda x: laplacian(net, x).square().mean()
    quick, state = compiled(loss, net), torch.get_rng_state()
    with pytest.warns(UserWarning, match="as it is.*fails to write it down .KeyError: .of torch's"):
        assert close(quick(X), loss(X), 1e-14)
    assert made == [] and torch.equal(torch.get_rng_state(), state)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch about itself
def test_inductor_makes_the_same_numbers():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    of = torch.expm1, torch.atanh, nn.functional.selu  # the compiler's own have no digits here
    small = lambda x: sum((1e12 * f(-1e-12 * x)).square().mean() for f in of)
    loss = lambda x: derivatives(net, x, 2)[2].square().mean() + small(x)
    quick = compiled(loss, net)
    x = X[:, :1]
    assert close(quick(x), loss(x), 1e-12)
    assert all(close(a, b, 1e-12) for a, b in zip(quick.gradient(x)[1], gradient(loss, net, x)))
