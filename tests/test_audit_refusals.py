"""What the audit refuses, and in what words."""

import pytest
import torch
from torch import nn

from companion.operators import gradient_audit

X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(6, 1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda net: net(X).mean(), TypeError, "needs a function that builds the loss.*got a Tensor"),
        (lambda net: lambda: 1.5, TypeError, "must be a tensor; got a float.*cut the graph"),
        (lambda net: lambda: net(X), ValueError, r"one real number; got shape \(6, 1\).*\.mean\(\)"),
        (lambda net: lambda: net(X).mean() * 1j, ValueError, r"got shape \(\), torch.complex128"),
        (lambda net: lambda: net(X).mean().detach(), ValueError, "the loss has no graph"),
    ],
)  # fmt: skip
def test_losses_that_cannot_be_audited(net, loss, error, message):
    with pytest.raises(error, match=message):
        gradient_audit(loss(net), net)
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], ValueError, "no parameters: layers in a plain list are invisible"),
        (nn.Tanh(), ValueError, "no parameters"),
        ([torch.ones(2)], ValueError, "none of the 1 parameters requires a gradient"),
        (["w"], TypeError, "must be tensors, pairs.*got a str. Write gradient_audit"),
        ([torch.ones(2, requires_grad=True) * 2], ValueError, "computed from other tensors"),
        ([("w", torch.ones(2, requires_grad=True))] * 2, ValueError, "two parameters are called w"),
    ],
)
def test_parameters_that_cannot_be_audited(net, parameters, error, message):
    with pytest.raises(error, match=message):
        gradient_audit(lambda: net(X).mean(), parameters)


def test_references_that_do_not_fit(net):

    def loss():
        return net(X).square().mean()

    with pytest.raises(ValueError, match="reference has 1 tensors for 4 parameters"):
        gradient_audit(loss, net, reference=[torch.ones(4, 1)])
    with pytest.raises(ValueError, match=r"shape \(2,\) for 0.bias \(4,\): expected \(4,\)"):
        gradient_audit(loss, net, reference=[None, torch.ones(2), None, None])
    own = torch.autograd.grad(loss(), list(net.parameters()))
    assert gradient_audit(loss, net, reference=[2 * g for g in own]).ratio == pytest.approx(0.5)
    nothing = gradient_audit(loss, net, reference=[None] * 4)
    assert "difference inf: another gradient." in " ".join(repr(nothing).split())
