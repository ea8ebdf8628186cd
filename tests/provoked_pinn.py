"""A program for each message of companion.pinn in the index of error messages."""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from companion.pinn import MLP, Adam, Box, Condition, GaussNewton, Problem, check, fit
from companion.pinn.oscillator import oscillator
from companion.pinn.sir import Epidemic

LINE = Box(t=(0.0, 1.0))
ORIGIN = torch.zeros(1, 1)


def trained(residual=lambda u, t: u(0) + u(), network=None, stage=None, **rest):
    """A short fit of a residual on [0, 1]."""
    network = network or MLP(LINE, (4,))
    fit(Problem(LINE, residual, **rest), network, [stage or Adam(1)], progress=False)


def in_two_places():
    network = MLP(LINE, (4,))
    network.layers[0].float()
    return network


def of_another_problem():
    with TemporaryDirectory() as folder:
        for end in (1.0, 2.0):
            path = Path(folder) / "fit.pt"
            fit(oscillator(end), MLP(LINE, (4,)), [Adam(1)], checkpoint=path, progress=False)


def of_another_fit():
    with TemporaryDirectory() as folder:
        for steps in (1, 2):
            path = Path(folder) / "fit.pt"
            fit(oscillator(), MLP(LINE, (4,)), [Adam(steps)], checkpoint=path, progress=False)


PROVOKED = {
    "pinn-pairs": lambda: trained(lambda u, t: u() - t[:, 0]),
    "pinn-columns": lambda: trained(lambda u, t: torch.cat([u(0) * u()[:, 0], u()], 1)),
    "pinn-order": lambda: trained(lambda u, t: u(0, 0)),
    "pinn-outside": lambda: trained(conditions=(Condition("data", ORIGIN + 24, 0.0),)),
    "pinn-dropout": lambda: trained(network=nn.Sequential(nn.Dropout(), MLP(LINE, (4,)))),
    "pinn-ansatz": lambda: check(
        Problem(LINE, lambda u, t: u(0) - 1, ansatz=lambda t, n: 1 + t * n, exact=lambda t: t)
    ),
    "pinn-another-problem": of_another_problem,
    "pinn-rows": lambda: trained(lambda u, t: u().mean(0, keepdim=True)),
    "pinn-relu": lambda: trained(order=2, network=MLP(LINE, (4,), activation="relu")),
    "pinn-outputs": lambda: trained(outputs=2),
    "pinn-another-box": lambda: trained(network=MLP(Box(x=(0, 1), y=(0, 1)), (4,))),
    "pinn-ends": lambda: Box(t=5.0),
    "pinn-widths": lambda: MLP(LINE, 20),
    "pinn-activation": lambda: MLP(LINE, activation=nn.Tanh),
    "pinn-points": lambda: LINE.points([4], "grid"),
    "pinn-grid": lambda: LINE.points((4,)),
    "pinn-days": lambda: Epidemic(days=160).solve([200.0]),
    "pinn-values": lambda: Condition("start", ORIGIN, torch.zeros(1)),
    "pinn-finite": lambda: Condition("data", ORIGIN, torch.tensor([[math.nan]])),
    "pinn-check": lambda: check(Problem(LINE, lambda u, t: u(0) - 2, exact=lambda t: t)),
    "pinn-no-exact": lambda: check(Problem(LINE, lambda u, t: u(0))),
    "pinn-nan": lambda: trained(lambda u, t: torch.log(u() - 1e9)),
    "pinn-large": lambda: trained(network=MLP(LINE, (60, 60)), stage=GaussNewton(1)),
    "pinn-farsighted": lambda: trained(lambda u, t: u() - u().mean(), stage=GaussNewton(1)),
    "pinn-frozen": lambda: trained(network=MLP(LINE, (4,)).requires_grad_(False)),
    "pinn-whole": lambda: Adam(2.5),
    "pinn-above": lambda: GaussNewton(5, damping=0.0),
    "pinn-blocks": lambda: trained(stage=Adam(256, compiled=128)),
    "pinn-checkpoint": of_another_fit,
    "pinn-two-places": lambda: trained(network=in_two_places()),
    "pinn-stranger": lambda: trained(lambda u, t: u() - torch.ones(16, 1, device="meta")),
    "pinn-plain-list": lambda: trained(network=nn.Tanh()),
    "pinn-values-seen": lambda: trained(
        lambda u, t: u() if u().mean() > 0 else -u(), stage=Adam(2, compiled=2)
    ),
}
