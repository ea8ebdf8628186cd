"""Points, networks and a comparison, for the tests of companion.operators."""

import torch
from torch import nn


def points(n=12, d=3, seed=0, dtype=torch.float64):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def close(found, expected, tolerance=1e-12):
    return bool(((found - expected).abs() <= tolerance * (1 + expected.abs())).all())


def network(d=2, m=1, seed=0, activation=nn.Tanh):
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Linear(d, 9), activation(), nn.Linear(9, 9), activation())
    return nn.Sequential(layers, nn.Linear(9, m)).double()
