"""The step of Adam that one writes first, in plain torch: what a torch peer's step is divided by.

The epidemic in (S, ln I), MLP 1-32-32-32-2, 256 points, float32, a call of autograd.grad for each
unknown. It is timed in the peer's own process, before and after the peer, since machines drift.
"""

from itertools import pairwise
from statistics import median
from time import perf_counter

import torch
from problems import PROBLEMS
from task import SETTINGS
from torch import nn


def step_of():
    """A function that makes one step."""
    problem, (widths, count) = PROBLEMS["sir_step"], SETTINGS["sir_step"]
    sizes = (1, *widths, problem.outputs)
    layers = [nn.Linear(i, o, dtype=torch.float32) for i, o in pairwise(sizes)]
    net = nn.Sequential(*[m for layer in layers for m in (layer, nn.Tanh())][:-1])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    t = torch.linspace(*problem.box[0], count, dtype=torch.float32)[:, None].requires_grad_()

    def step():
        optimizer.zero_grad()
        u = problem.ansatz(torch, t, net(problem.centred(torch, t)))
        slopes = [torch.autograd.grad(v.sum(), t, create_graph=True)[0] for v in u.unbind(1)]
        rows = problem.residual(torch, t, u, [torch.cat(slopes, 1)], None)
        loss = torch.stack(rows).square().mean()
        loss.backward()
        optimizer.step()

    return step


def by_hand_us(rounds=5, calls=40):
    """Microseconds a step, the median of some rounds."""
    step, found = step_of(), []
    step()
    for _ in range(rounds):
        begun = perf_counter()
        for _ in range(calls):
            step()
        found.append((perf_counter() - begun) / calls)
    return 1e6 * median(found)


def beside(train):
    """train(task), and with a task that asks for times the step by hand before and after."""

    def run(task):
        before = by_hand_us() if task.timing else 0.0
        train(task)
        if task.timing:
            task.more["by_hand_us"] = (before + by_hand_us()) / 2

    return run
