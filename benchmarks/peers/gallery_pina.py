"""PINA on the gallery: the problems of its own zoo where it has them, else stated as in its tutorials; float64.

As its tutorials 3 and 9: its solver PINN with Adam at 1e-3, as it comes, 1000 random points in each
domain, a network of two layers of 64, inside PeriodicBoundaryEmbedding where the problem is periodic.
They make 1000 and 2000 epochs; here it goes on until the minute is over. With unknown coefficients as its
tutorial 7: three layers of 20 with Softplus, Adam at 5e-3. PINA draws the first guesses of these; here
they are the gallery's.
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
from pina.equation import Equation, SystemEquation
from pina.equation.zoo import FixedGradient, FixedValue, HelmholtzEquation, PoissonEquation
from pina.model import FeedForward
from pina.model.block import PeriodicBoundaryEmbedding
from pina.operator import grad, laplacian
from pina.optim import TorchOptimizer
from pina.problem import InverseProblem, SpatialProblem, TimeDependentProblem
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
    guess: dict | None = None  # of what is unknown


def network(inputs, outputs):
    return FeedForward(inputs, outputs, layers=[64, 64])


def small(inputs, outputs):
    """The network of tutorial 7, for unknown coefficients."""
    return FeedForward(inputs, outputs, layers=[20, 20, 20], func=torch.nn.Softplus)


def parts(u):
    """The columns of a tensor, without their labels."""
    return u.as_subclass(torch.Tensor).split(1, 1)


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


def van_der_pol(given):
    """none of its own: as the equation of tutorial 1, the start as that of pina.problem.zoo's wave"""
    end, mu = 20.0, float(given["mu"])

    def equation(t, y):
        slope, bend = grad(y, t, d=["t"]), laplacian(y, t, d=["t"])
        return bend - end * mu * (1 - y**2) * slope + end**2 * y

    class Oscillator(TimeDependentProblem):
        output_variables = ["y"]
        temporal_domain = CartesianDomain({"t": [0, 1]})
        domains = {"D": temporal_domain, "t0": CartesianDomain({"t": 0.0})}
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "t0": Condition(
                domain="t0", equation=SystemEquation([FixedValue(2.0), FixedGradient(0.0, d="t")])
            ),
        }

    return Plan(Oscillator(), network(1, 1), ("t",), end)


def gray_scott(given):
    """none of its own: as pina.problem.zoo.BurgersProblem, time to [0, 1], ends by its FixedGradient"""
    end = 20.0

    def equation(x, w):
        (u, v), (u_t, v_t) = parts(w), parts(grad(w, x, d=["t"]))
        u_xx, v_xx = parts(laplacian(w, x, d=["x"]))
        made = u * v**2
        first = u_t - end * (1e-4 * u_xx + 0.04 * (1 - u) - made)
        return torch.cat([first, v_t - end * (5e-5 * v_xx - 0.1 * v + made)], 1)

    def start(x, w):
        hill = torch.exp(20 * (torch.cos(PI * x["x"]) - 1) / PI**2)
        return torch.cat([w["u"] - 1 + hill / 2, w["v"] - hill / 4], 1)

    class Species(TimeDependentProblem, SpatialProblem):
        output_variables = ["u", "v"]
        spatial_domain = CartesianDomain({"x": [-1, 1]})
        temporal_domain = CartesianDomain({"t": [0, 1]})
        domains = {
            "D": spatial_domain.update(temporal_domain),
            "ends": spatial_domain.partial().update(temporal_domain),
            "t0": spatial_domain.update(CartesianDomain({"t": 0})),
        }
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "ends": Condition(domain="ends", equation=FixedGradient(0.0, d="x")),
            "t0": Condition(domain="t0", equation=Equation(start)),
        }

    return Plan(Species(), network(2, 2), end=end)


def heat_space(given):
    """none of its own: as pina.problem.zoo.DiffusionReactionProblem, in space"""

    def equation(x, u):
        return grad(u, x, d=["t"]) - laplacian(u, x, d=["x", "y", "z"]) / (3 * PI**2)

    def start(x, u):
        return u - torch.sin(PI * x["x"]) * torch.sin(PI * x["y"]) * torch.sin(PI * x["z"])

    class Heat(TimeDependentProblem, SpatialProblem):
        output_variables = ["u"]
        spatial_domain = CartesianDomain({"x": [0, 1], "y": [0, 1], "z": [0, 1]})
        temporal_domain = CartesianDomain({"t": [0, 1]})
        domains = {
            "D": spatial_domain.update(temporal_domain),
            "faces": spatial_domain.partial().update(temporal_domain),
            "t0": spatial_domain.update(CartesianDomain({"t": 0})),
        }
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "faces": Condition(domain="faces", equation=FixedValue(0.0)),
            "t0": Condition(domain="t0", equation=Equation(start)),
        }

    return Plan(Heat(), network(4, 1), ("t", "x", "y", "z"))


def poisson(given):
    """as pina.problem.zoo.Poisson2DSquareProblem, in five dimensions"""
    names = ("x1", "x2", "x3", "x4", "x5")

    def exact(x):
        return torch.sin(PI / 2 * x.as_subclass(torch.Tensor)).sum(1, keepdim=True)

    class Poisson(SpatialProblem):
        output_variables = ["u"]
        spatial_domain = CartesianDomain({name: [0, 1] for name in names})
        domains = {"D": spatial_domain, "faces": spatial_domain.partial()}
        conditions = {
            "D": Condition(
                domain="D", equation=PoissonEquation(lambda x: -((PI / 2) ** 2) * exact(x))
            ),
            "faces": Condition(domain="faces", equation=Equation(lambda x, u: u - exact(x))),
        }

    return Plan(Poisson(), network(5, 1), names)


def kovasznay(given):
    """none of its own: as the equations of tutorial 1 and of pina.problem.zoo"""
    rate = 20 - np.sqrt(400 + 4 * PI**2)

    def equation(x, w):
        (u, v, _), bend = parts(w), laplacian(w, x, components=["u", "v"], d=["x", "y"]) / 40
        (u_x, v_x, p_x), (u_y, v_y, p_y) = (parts(grad(w, x, d=[axis])) for axis in "xy")
        first = u * u_x + v * u_y + p_x - parts(bend)[0]
        return torch.cat([first, u * v_x + v * v_y + p_y - parts(bend)[1], u_x + v_y], 1)

    def edge(x, w):
        along, turn = torch.exp(rate * x["x"]), 2 * PI * x["y"]
        second = w["v"] - rate / (2 * PI) * along * torch.sin(turn)
        return torch.cat([w["u"] - 1 + along * torch.cos(turn), second], 1)

    class Flow(SpatialProblem):
        output_variables = ["u", "v", "p"]
        spatial_domain = CartesianDomain({"x": [-0.5, 1], "y": [-0.5, 1.5]})
        corner = CartesianDomain({"x": -0.5, "y": -0.5})
        domains = {"D": spatial_domain, "edge": spatial_domain.partial(), "corner": corner}
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "edge": Condition(domain="edge", equation=Equation(edge)),
            "corner": Condition(
                domain="corner", equation=FixedValue((1 - np.exp(-rate)) / 2, components="p")
            ),
        }

    return Plan(Flow(), network(2, 3), ("x", "y"))


def beam(given):
    """none of its own: as pina.problem.zoo's wave, the fourth derivative by its operators in turn"""

    def equation(x, u):
        return laplacian(laplacian(u, x), x) + 1

    def free(x, u):
        bend = laplacian(u, x)
        return torch.cat([bend, grad(bend, x)], 1)

    class Beam(SpatialProblem):
        output_variables = ["u"]
        spatial_domain = CartesianDomain({"x": [0, 1]})
        left, right = CartesianDomain({"x": 0.0}), CartesianDomain({"x": 1.0})
        domains = {"D": spatial_domain, "left": left, "right": right}
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "left": Condition(
                domain="left", equation=SystemEquation([FixedValue(0.0), FixedGradient(0.0)])
            ),
            "right": Condition(domain="right", equation=Equation(free)),
        }

    return Plan(Beam(), network(1, 1), ("x",))


def lorenz(given):
    """none of its own: as tutorial 7, time to [0, 1]; its ranges hold the truth and the first guess"""
    end = 3.0

    def equation(t, u, rates):
        x, y, z = parts(u)
        dx, dy, dz = parts(grad(u, t))
        first = dx - end * rates["sigma"] * (y - x)
        second = dy - end * (x * (rates["rho"] - z) - y)
        return torch.cat([first, second, dz - end * (x * y - rates["beta"] * z)], 1)

    def start(t, u):
        return u - torch.tensor([[-8.0, 7.0, 27.0]])

    class Lorenz(TimeDependentProblem, InverseProblem):
        output_variables = ["x", "y", "z"]
        temporal_domain = CartesianDomain({"t": [0, 1]})
        unknown_parameter_domain = CartesianDomain(
            {"sigma": [0, 20], "rho": [0, 20], "beta": [0, 20]}
        )
        domains = {"D": temporal_domain, "t0": CartesianDomain({"t": 0.0})}
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "t0": Condition(domain="t0", equation=Equation(start)),
            "seen": Condition(
                input=LabelTensor(torch.as_tensor(given["points"] / end), ["t"]),
                target=LabelTensor(torch.as_tensor(given["readings"]), ["x", "y", "z"]),
            ),
        }

    guess = {"sigma": 5.0, "rho": 5.0, "beta": 1.0}
    return Plan(Lorenz(), small(1, 3), ("t",), end, guess=guess)


def heat_inverse(given):
    """none of its own: as tutorial 7; the range of D holds the truth and the first guess"""

    def equation(x, u, rates):
        return grad(u, x, d=["t"]) - rates["D"] * laplacian(u, x, d=["x"])

    class Heat(TimeDependentProblem, SpatialProblem, InverseProblem):
        output_variables = ["u"]
        spatial_domain = CartesianDomain({"x": [0, 1]})
        temporal_domain = CartesianDomain({"t": [0, 1]})
        unknown_parameter_domain = CartesianDomain({"D": [0, 1]})
        domains = {
            "D": spatial_domain.update(temporal_domain),
            "ends": spatial_domain.partial().update(temporal_domain),
            "t0": spatial_domain.update(CartesianDomain({"t": 0})),
        }
        conditions = {
            "D": Condition(domain="D", equation=Equation(equation)),
            "ends": Condition(domain="ends", equation=FixedValue(0.0)),
            "t0": Condition(
                domain="t0", equation=Equation(lambda x, u: u - torch.sin(PI * x["x"]))
            ),
            "seen": Condition(
                input=LabelTensor(torch.as_tensor(given["points"]), ["t", "x"]).extract(["x", "t"]),
                target=LabelTensor(torch.as_tensor(given["readings"]), ["u"]),
            ),
        }

    return Plan(Heat(), small(2, 1), guess={"D": 0.2})


PROBLEMS = {
    "advection": advection,
    "wave": wave,
    "Helmholtz": helmholtz,
    "Burgers": burgers,
    "Allen-Cahn": allen_cahn,
    "Gray-Scott": gray_scott,
    "van der Pol, μ = 1": van_der_pol,
    "van der Pol, μ = 5": van_der_pol,
    "Lotka-Volterra": lotka_volterra,
    "Lorenz, inverse": lorenz,
    "heat, inverse": heat_inverse,
    "beam": beam,
    "Poisson, 5 dimensions": poisson,
    "heat, 3 + 1 dimensions": heat_space,
    "Kovasznay": kovasznay,
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
    rate, guess = "5e-3" if plan.guess else "1e-3", plan.guess or {}
    for name, value in guess.items():
        plan.problem.unknown_parameters[name].data.fill_(value)
    solver = PINN(plan.problem, plan.model, TorchOptimizer(torch.optim.Adam, lr=float(rate)))
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
    minute.said = {"settings": f"PINN as it comes: Adam {rate}, until the minute is over"}
    if guess:
        found = plan.problem.unknown_parameters
        minute.said["unknowns"] = {name: found[name].item() for name in guess}

    def solution(x):
        scaled = np.concatenate([x[:, :1] / plan.end, x[:, 1:]], 1)
        points = LabelTensor(torch.as_tensor(scaled), list(plan.columns))
        points = points.extract(plan.problem.input_variables)
        with torch.no_grad():
            return plan.scale * np.asarray(solver(points).as_subclass(torch.Tensor))

    return solution


if __name__ == "__main__":
    answer("pina-mathlab", PROBLEMS, solve)
