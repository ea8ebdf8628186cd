"""A program for each message of companion.operators in the index of error messages."""

import os
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from companion.operators import (
    Partials,
    derivatives,
    device,
    gradient_audit,
    laplacian,
    partial,
    taylor,
)

X = torch.tensor([[0.1, 0.2], [0.3, 0.5], [0.7, 0.4]], dtype=torch.float64)
W = torch.ones(1, requires_grad=True)


def used_up():
    """A generator of parameters that has been read before."""
    parameters = nn.Linear(1, 1).parameters()
    list(parameters)
    return parameters


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
    "series-numpy": lambda: derivatives(np.sin, X, 1),
    "audit-function": lambda: gradient_audit(W.sum(), W),
    "audit-graph": lambda: gradient_audit(lambda: W.detach().sum(), W),
    "audit-parameters": lambda: gradient_audit(lambda: W.sum(), used_up()),
    "device-name": lambda: device_called("gpu"),
    "device-missing": lambda: device_called("cuda:63"),
}
