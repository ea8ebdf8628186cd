"""PINA on the gallery: the problems of its own zoo where it has them, else stated as in its tutorials; float64.

As its tutorials 3 and 9: its solver PINN with Adam at 1e-3, as it comes, 1000 random points in each
domain, a network of two layers of 64, inside PeriodicBoundaryEmbedding where the problem is periodic.
They make 1000 and 2000 epochs; here it goes on until the minute is over.
"""

# ruff: noqa: RUF012 - a problem is stated by attributes of its class

import logging
import os
import warnings

os.environ["PINA_DISABLE_TELEMETRY"] = "1"

from dataclasses import dataclass

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from minute import answer
from pina import Condition, LabelTensor, Trainer
from pina.domain import CartesianDomain
from pina.equation import Equation
from pina.equation.zoo import FixedValue, HelmholtzEquation
from pina.model import FeedForward
from pina.model.block import PeriodicBoundaryEmbedding
from pina.operator import grad
from pina.problem import SpatialProblem, TimeDependentProblem
from pina.problem.zoo import (
    AcousticWaveProblem,
    AdvectionProblem,
    AllenCahnProblem,
    BurgersProblem,
)
from pina.solver import PINN

PI = torch.pi


@dataclass
class Plan:
    """A problem, a network, and the names of the columns as the gallery has them."""

    problem: object
    model: object
    columns: tuple = ("t", "x")
    end: float = 1.0  # of the time that is brought to [0, 1]
    scale: float = 1.0  # of the solution


def network(inputs, outputs):
    return FeedForward(inputs, outputs, layers=[64, 64])


class Periodic(torch.nn.Module):
    """The network of tutorial 9; the embedding leaves out what is not periodic, so t goes beside it."""

    def __init__(self, period):
        super().__init__()
        self.embedding = PeriodicBoundaryEmbedding(1, {"x": period})
        self.network = network(4, 1)

    def forward(self, x):
        both = [self.embedding(x), x.extract("t")]
        return self.network(torch.cat([part.as_subclass(torch.Tensor) for part in both], 1))


def burgers(given):
    """pina.problem.zoo.BurgersProblem"""
    return Plan(BurgersProblem(nu=0.01 / PI), network(2, 1))


def allen_cahn(given):
    """pina.problem.zoo.AllenCahnProblem, the period as in tutorial 9"""
    return Plan(AllenCahnProblem(), Periodic(2.0))


def wave(given):
    """pina.problem.zoo.AcousticWaveProblem"""
    return Plan(AcousticWaveProblem(c=2.0), network(2, 1))


def advection(given):
    """pina.problem.zoo.AdvectionProblem, the period as in tutorial 9"""
    return Plan(AdvectionProblem(c=30.0), Periodic(2 * PI))


def helmholtz(given):
    """as pina.problem.zoo.HelmholtzProblem, which is on another square"""
    k = 4 * PI

    def source(x):
        return -(k**2) * torch.sin(k * x["x"]) * torch.sin(k * x["y"])

    class Helmholtz(SpatialProblem):
        output_variables = ["u"]
        spatial_domain = CartesianDomain({"x": [0, 1], "y": [0, 1]})
        domains = {"D": spatial_domain, "edge": spatial_domain.partial()}
        conditions = {
            "D": Condition(domain="D", equation=HelmholtzEquation(k**2, source)),
            "edge": Condition(domain="edge", equation=FixedValue(0.0)),
        }

    return Plan(Helmholtz(), network(2, 1), ("x", "y"))


def lotka_volterra(given):
    """none of its own: as the equation of tutorial 1"""
    end, scale = 40.0, 10.0

    def equation(t, u):
        x, y, du = u["x"], u["y"], grad(u, t, d=["t"])
        first = du["dxdt"] - end * (1.1 * x - 0.4 * scale * x * y)
        return torch.cat([first, du["dydt"] - end * (0.1 * scale * x * y - 0.4 * y)], 1)

    def start(t, u):
        return u - torch.tensor([[10.0, 5.0]]) / scale

    class Species(TimeDependentProblem):
        output_variables = ["x", "y"]
        temporal_domain = CartesianDomain({"t": [0, 1]})
        domains = {"D": temporal_domain, "t0": CartesianDomain({"t": 0.0})}
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "t0": Condition(domain="t0", equation=Equation(start)),
        }

    return Plan(Species(), network(1, 2), ("t",), end, scale)


PROBLEMS = {
    "advection": advection,
    "wave": wave,
    "Helmholtz": helmholtz,
    "Burgers": burgers,
    "Allen-Cahn": allen_cahn,
    "Lotka-Volterra": lotka_volterra,
}


class Look(Callback):
    """Counts the steps; stops when the minute is over."""

    def __init__(self, over):
        self.over = over

    def on_train_batch_end(self, trainer, *_):
        trainer.should_stop |= self.over()


def solve(statement, given, seed, minute):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    plan = statement(given)
    plan.problem.discretise_domain(1000, "random")
    solver = PINN(plan.problem, plan.model)
    Trainer(
        solver,
        max_epochs=10**8,
        callbacks=[Look(minute.over)],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).train()
    minute.said = {"settings": "PINN as it comes: Adam 1e-3, until the minute is over"}

    def solution(x):
        points = LabelTensor(torch.as_tensor(x / plan.end), list(plan.columns))
        points = points.extract(plan.problem.input_variables)
        with torch.no_grad():
            return plan.scale * np.asarray(solver(points).as_subclass(torch.Tensor))

    return solution


if __name__ == "__main__":
    answer("pina-mathlab", PROBLEMS, solve)
