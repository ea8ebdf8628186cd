"""PINA: Adam, then L-BFGS, hard conditions in the model, on one core of Lightning's CPU."""

import logging
import os
import warnings

os.environ["PINA_DISABLE_TELEMETRY"] = "1"

import numpy as np
import torch
from by_hand import beside
from lightning.pytorch.callbacks import Callback
from pina import Condition, LabelTensor, Trainer
from pina.domain import CartesianDomain
from pina.equation import Equation
from pina.model import FeedForward
from pina.operator import grad, laplacian
from pina.optim import TorchOptimizer
from pina.problem import InverseProblem, SpatialProblem
from pina.solver import PhysicsInformedSingleModelSolver
from problems import GUESS, SIGMA, TRUST
from task import WARM_UP, answer

AXES, NAMES = ("x", "y"), ("u", "v", "w")
QUIETLY = {
    "max_epochs": 10**8,
    "accelerator": "cpu",
    "logger": False,
    "shuffle": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def columns(found):
    """A plain tensor of what PINA's operators return."""
    return found.as_subclass(torch.Tensor)


def residual(problem, names, axes, x, u, rates=()):
    """The residual rows of a problem, with PINA's grad and laplacian."""
    du = [columns(grad(u, x, components=names, d=[axis])) for axis in axes]
    ddu = None
    if problem.order == 2:
        ddu = [columns(laplacian(u, x, components=names, d=[axis])) for axis in axes]
    rows = problem.residual(torch, columns(x), columns(u), du, ddu, *rates)
    return torch.stack(rows, 1)


def declared(task):
    """The problem in PINA's words."""
    problem, inverse = task.problem, task.inverse
    axes, names = list(AXES[: len(problem.box)]), list(NAMES[: problem.outputs])
    box = CartesianDomain({a: list(map(float, ends)) for a, ends in zip(axes, problem.box)})

    def forward(x, u):
        return residual(problem, names, axes, x, u)

    def backward(x, u, rates):
        found = residual(problem, names, axes, x, u, (rates["beta"], rates["gamma"]))
        return TRUST**0.5 * found

    conditions = {"D": Condition(domain="D", equation=Equation(backward if inverse else forward))}
    bases = (SpatialProblem,)
    given = {"output_variables": names, "spatial_domain": box, "domains": {"D": box}}
    if inverse:
        times, values = problem.data
        values = torch.as_tensor(values)[:, None]

        def seen(x, u):
            return (torch.exp(columns(u)[:, 1:]) - values) / SIGMA

        points = LabelTensor(torch.as_tensor(times), axes)
        conditions["seen"] = Condition(input=points, equation=Equation(seen))
        bases = (SpatialProblem, InverseProblem)
        rates = {"beta": [0.0, 1.0], "gamma": [0.0, 1.0]}
        given["unknown_parameter_domain"] = CartesianDomain(rates)
    made = type("Declared", bases, given | {"conditions": conditions})()
    if inverse:
        for name, guess in zip(("beta", "gamma"), GUESS):
            made.unknown_parameters[name].data.fill_(guess)
    count = task.settings[1]
    if len(axes) == 1:
        made.discretise_domain(count, "grid", domains="D")
    else:
        made.discretise_domain(round(count**0.5), "grid", domains="D")
    return made, names


class Hard(torch.nn.Module):
    """PINA's FeedForward inside the ansatz, as in its tutorial on hard constraints."""

    def __init__(self, problem, names, widths):
        super().__init__()
        self.problem, self.names = problem, names
        self.net = FeedForward(
            len(problem.box), problem.outputs, layers=list(widths), func=torch.nn.Tanh
        )

    def forward(self, x):
        x = columns(x)
        n = self.net(self.problem.centred(torch, x))
        return LabelTensor(self.problem.ansatz(torch, x, n), self.names)


class Look(Callback):
    """Looks at the watch after every batch; stops at a share of the budget."""

    def __init__(self, watch, share, steps=1):
        self.watch, self.share, self.steps = watch, share, steps

    def on_train_batch_end(self, trainer, *_):
        stop = self.watch.look(self.steps)
        trainer.should_stop |= stop or self.watch.spent > self.share


def adam_lbfgs(task):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_default_dtype(torch.float32 if task.timing else torch.float64)
    torch.manual_seed(task.seed)
    problem, names = declared(task)
    model = Hard(task.problem, names, task.settings[0])

    def solution(x):
        with torch.no_grad():
            return columns(model(torch.as_tensor(x).to(next(model.parameters())))).numpy()

    def rates():
        return [problem.unknown_parameters[name].item() for name in ("beta", "gamma")]

    watch = task.begin(solution, rates)

    def train(share, steps, optimiser, **options):
        solver = PhysicsInformedSingleModelSolver(
            problem, model, optimizer=TorchOptimizer(optimiser, **options)
        )
        Trainer(solver, callbacks=[Look(watch, share, steps)], **QUIETLY).train()

    # PINA gives unknown rates a group of parameters of their own, which torch's L-BFGS refuses.
    alone = task.timing or task.inverse
    train(1.0 if alone else WARM_UP, 1, torch.optim.Adam, lr=5e-3 if task.inverse else 1e-3)
    if alone or watch.look(0):
        return
    train(1.0, 20, torch.optim.LBFGS, max_iter=20, history_size=50, tolerance_grad=0,
          tolerance_change=0, line_search_fn="strong_wolfe")  # fmt: skip
    watch.look(0, last=True)


if __name__ == "__main__":
    np.seterr(over="ignore")
    answer({"Adam, L-BFGS": beside(adam_lbfgs)})
