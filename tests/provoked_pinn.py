"""A program for each message of companion.pinn in the index of error messages."""

import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
from torch import nn

from companion import pinn
from companion.pinn import (
    MLP,
    Adam,
    Box,
    Causal,
    Condition,
    LevenbergMarquardt,
    Problem,
    Start,
    Unknown,
    batch_of,
    check,
    fit,
    levenberg_marquardt,
)
from companion.pinn.processes import Processes, joined
from companion.pinn.trial import Objective, Trial
from companion.problems import Epidemic, oscillator

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
        for seed in (1, 2):
            options = {"checkpoint": Path(folder) / "fit.pt", "seed": seed, "progress": False}
            fit(oscillator(), MLP(LINE, (4,)), [Adam(1)], **options)


def of_no_fit():
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fit.pt"
        path.write_text("no checkpoint")
        fit(oscillator(), MLP(LINE, (4,)), [Adam(1)], checkpoint=path, progress=False)


def compiled_among_two():
    problem = oscillator()
    network, x = MLP(problem.domain, (4,)), problem.domain.points(4)
    goal = Objective(Trial(problem, network), processes=Processes(0, 2))
    Adam(2, compiled=2).init(goal, goal.trial.theta(), batch_of(problem, x))


def joined_after_restarts():
    there = {"WORLD_SIZE": "2", "TORCHELASTIC_MAX_RESTARTS": "3"}
    with patch.dict(os.environ, there | {"TORCHELASTIC_USE_AGENT_STORE": "True"}):
        joined()


def without_room():
    room, levenberg_marquardt.ROOM = levenberg_marquardt.ROOM, 100
    try:
        trained(lambda u, t: u(0) - 1, stage=LevenbergMarquardt(1))
    finally:
        levenberg_marquardt.ROOM = room


def unseen():
    wave = Problem(LINE, lambda u, t: u(0) - torch.sin(20 * t), hard=(Start(0.0),))
    network = MLP(LINE, (40,), spread=8.0)
    fit(wave, network, [LevenbergMarquardt(9)], points=8, progress=False)


def beam(length):
    """u″ = −1 with u = 0 at both ends."""
    ends = Condition("ends", torch.tensor([[0.0], [length]]))
    return Problem(Box(x=(0.0, length)), lambda u, x: u(0, 0) + 1, (ends,), order=2)


def plane():
    return Problem(Box(x=(0.0, 1.0), t=(0.0, 1.0)), lambda u, x: u(1) - 1)


RATE = nn.Parameter(torch.ones(()))

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
    "pinn-products": without_room,
    "pinn-farsighted": lambda: trained(lambda u, t: u() - u().mean(), stage=LevenbergMarquardt(1)),
    "pinn-alone": compiled_among_two,
    "pinn-restarts": joined_after_restarts,
    "pinn-frozen": lambda: trained(network=MLP(LINE, (4,)).requires_grad_(False)),
    "pinn-whole": lambda: Adam(2.5),
    "pinn-above": lambda: LevenbergMarquardt(5, damping=0.0),
    "pinn-checkpoint": of_another_fit,
    "pinn-no-checkpoint": of_no_fit,
    "pinn-not-trained": lambda: trained(lambda u, t: u(0) - RATE * u()),
    "pinn-interface": lambda: check(
        Problem(
            LINE,
            lambda u, t: torch.where(t < 0.5, 1.0, 10.0) * u(0, 0),
            exact=lambda t: t,
            order=2,
        )
    ),
    "pinn-units": lambda: fit(beam(6000.0), MLP(beam(6000.0).domain), [Adam(1)], progress=False),
    "pinn-loss": lambda: trained(lambda u, t: 1e6 * (u(0) + u() - 1)),
    "pinn-zero": lambda: trained(lambda u, t: u(0) + u()),
    "pinn-light": lambda: trained(
        lambda u, t: 1e-6 * (u(0) + u()), conditions=(Condition("start", ORIGIN, 1.0),)
    ),
    "pinn-unanswered": lambda: trained(
        lambda u, t, k: u(0) - k.detach(), unknowns={"k": Unknown(1.0)}
    ),
    "pinn-beyond": lambda: trained(lambda u, t: u(0) + u.f(t - 1) - 1),
    "pinn-missing": lambda: trained(lambda u, t: u(0, 0) + u() - 1, hard=(Start(0.0),), order=2),
    "pinn-unseen": unseen,
    "pinn-complex": lambda: Condition("wave", ORIGIN, 1j),
    "pinn-chance": lambda: trained(lambda u, t: u(0) - torch.randn_like(t)),
    "pinn-differences": lambda: check(
        Problem(LINE, lambda u, t: u(0) - 1, exact=lambda t: t.detach())
    ),
    "pinn-stuck": lambda: trained(
        lambda u, t: u() - 2 * u().detach() + 1, stage=LevenbergMarquardt(9)
    ),
    "pinn-stalled": lambda: trained(
        lambda u, t: u(0) ** 2 + 1, stage=LevenbergMarquardt(150), hard=(Start(0.0),)
    ),
    "pinn-asked": lambda: trained(lambda u, t, rate: u(0) + rate * u()),
    "pinn-idle": lambda: trained(unknowns={"rate": Unknown(1.0)}),
    "pinn-sigma": lambda: Condition("data", ORIGIN, 1.0, weight=100.0, sigma=0.1),
    "pinn-time": lambda: fit(
        plane(), MLP(plane().domain), [Adam(1)], causal=Causal(), progress=False
    ),
    "pinn-gauss-newton": lambda: pinn.GaussNewton,
    "pinn-two-places": lambda: trained(network=in_two_places()),
    "pinn-stranger": lambda: trained(lambda u, t: u() - torch.ones(16, 1, device="meta")),
    "pinn-plain-list": lambda: trained(network=nn.Tanh()),
    "pinn-values-seen": lambda: trained(
        lambda u, t: u() if u().mean() > 0 else -u(), stage=Adam(2, compiled=2)
    ),
}
