"""A program for each message of companion.operators in the index of error messages."""

import os
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from companion.operators import (
    Partials,
    check_orders,
    compiled,
    derivatives,
    device,
    gradient_audit,
    laplacian,
    partial,
    taylor,
)

X = torch.tensor([[0.1, 0.2], [0.3, 0.5], [0.7, 0.4]], dtype=torch.float64)
W = torch.ones(1, requires_grad=True)
NET = nn.Linear(2, 1).double()
NORM = nn.BatchNorm1d(2).double()


def used_up():
    """A generator of parameters that has been read before."""
    parameters = nn.Linear(1, 1).parameters()
    list(parameters)
    return parameters


def normed(x):
    return torch.layer_norm(torch.cat([x, x.sin()], 1), (4,))


def loss_of_net(f):
    """The mean of f(net), to be compiled."""
    return compiled(lambda x: f(NET(x)).mean(), NET)


def device_called(name):
    with patch.dict(os.environ, COMPANION_DEVICE=name):
        return device()


PROVOKED = {
    "points": lambda: laplacian(torch.sin, X[:, 0]),
    "values": lambda: Partials(lambda x: x[:, 0] * x[:, 1], X)(0),
    "axis": lambda: Partials(torch.sin, X)("x"),
    "column": lambda: Partials(torch.sin, X)(2),
    "component": lambda: Partials(torch.sin, X).gradient(),
    "rows": lambda: Partials(lambda x: x - x.mean(0), X).check_rows(),
    "rows-unseen": lambda: Partials(lambda x: (-x).sqrt(), X).check_rows(),
    "lost-graph": lambda: Partials(torch.no_grad()(torch.sin), X)(0),
    "torch-fault": lambda: Partials(normed, X, method="reverse")(0, 0, 0),
    "orders": lambda: check_orders(normed, X, 3),
    "partial-shape": lambda: partial(lambda x: torch.cat([x, x], 1))(X),
    "partial-mixes": lambda: partial(lambda x: x.sin() @ X.T @ X)(X),
    "floats": lambda: derivatives(torch.sin, torch.arange(5), 2),
    "one-tensor": lambda: taylor(lambda x: (x.sin(), x.cos()), X, order=1),
    "wrt": lambda: partial(lambda x, z: x * z, wrt="y"),
    "wrt-place": lambda: partial(lambda x, z: x * z)(x=X, z=X),
    "one-variable": lambda: derivatives(lambda x: x[:, :1] * x[:, 1:], X, 2),
    "no-rule": lambda: derivatives(torch.special.airy_ai, X, 2),
    "series-in-place": lambda: derivatives(lambda x: x.sin().add_(1), X, 2),
    "nested": lambda: derivatives(lambda x: derivatives(torch.sin, x, 1)[1], X, 1),
    "two-series": lambda: derivatives(lambda x: derivatives(lambda y: x * y, X, 1)[1], X, 1),
    "series-no-grad": lambda: derivatives(torch.no_grad()(lambda x: x**2), X, 1),
    "series-autograd": lambda: derivatives(
        lambda x: torch.autograd.grad(x.sin().sum(), x)[0], X, 1
    ),
    "series-numpy": lambda: derivatives(np.sin, X, 1),
    "compiled-values": lambda: loss_of_net(lambda y: y if y.sum() > 0 else -y)(X),
    "compiled-input": lambda: loss_of_net(torch.sin)(X.clone().requires_grad_()),
    "compiled-stranger": lambda: loss_of_net(lambda y: W * y)(X),
    "compiled-state": lambda: compiled(lambda x: NORM(x).square().mean(), NORM)(X),
    "audit-function": lambda: gradient_audit(W.sum(), W),
    "audit-graph": lambda: gradient_audit(lambda: W.detach().sum(), W),
    "audit-parameters": lambda: gradient_audit(lambda: W.sum(), used_up()),
    "device-name": lambda: device_called("gpu"),
    "device-missing": lambda: device_called("cuda:63"),
}
