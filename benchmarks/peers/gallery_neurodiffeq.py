"""neurodiffeq on the gallery, as the two examples of its README, in float64.

Conditions are built in by its own classes. Networks, Adam at 1e-3 and the points, 32 along an axis, drawn
anew at each step, are those of the README's system of equations in time and of its Laplace equation; they
make 3000 and 2000 epochs there, here it goes on until the minute is over.
"""

from dataclasses import dataclass

import numpy as np
import torch
from minute import answer
from neurodiffeq import diff
from neurodiffeq.conditions import IBVP1D, IVP, DirichletBVP2D
from neurodiffeq.networks import FCNN, SinActv
from neurodiffeq.solvers import Solver1D, Solver2D

PI = np.pi


@dataclass
class Plan:
    """A solver, the order of its columns, and what time and the solution are divided by."""

    solver: object
    columns: tuple = (0,)
    end: float = 1.0
    scale: float = 1.0


def wide():
    """The network of the README's Laplace equation."""
    return FCNN(n_input_units=2, n_output_units=1, hidden_units=(512,))


def lotka_volterra(given):
    """README, "ODE system example": time brought to its [0, 12], the species by a factor of 10"""
    end, scale = 40 / 12, 10.0

    def system(x, y, t):
        first = diff(x, t) - end * (1.1 * x - 0.4 * scale * x * y)
        return [first, diff(y, t) - end * (0.1 * scale * x * y - 0.4 * y)]

    conditions = [IVP(t_0=0.0, u_0=10.0 / scale), IVP(t_0=0.0, u_0=5.0 / scale)]
    nets = [FCNN(actv=SinActv), FCNN(actv=SinActv)]
    solver = Solver1D(system, conditions, t_min=0.0, t_max=12.0, nets=nets, n_batches_valid=0)
    return Plan(solver, (0,), end, scale)


def van_der_pol(given):
    """README, "ODE system example": time brought to its [0, 12]"""
    end = 20 / 12

    def equation(y, t):
        return [diff(y, t, order=2) - end * (1 - y**2) * diff(y, t) + end**2 * y]

    condition = IVP(t_0=0.0, u_0=2.0, u_0_prime=0.0)
    nets = [FCNN(actv=SinActv)]
    solver = Solver1D(equation, [condition], t_min=0.0, t_max=12.0, nets=nets, n_batches_valid=0)
    return Plan(solver, (0,), end)


def helmholtz(given):
    """README, "PDE system example" """
    k = 4 * PI

    def equation(u, x, y):
        source = torch.sin(k * x) * torch.sin(k * y)
        return [diff(u, x, order=2) + diff(u, y, order=2) + k**2 * (u + source)]

    def zero(s):
        return 0.0 * s

    edge = DirichletBVP2D(0, zero, 1, zero, 0, zero, 1, zero)
    solver = Solver2D(equation, [edge], (0, 0), (1, 1), nets=[wide()], n_batches_valid=0)
    return Plan(solver, (0, 1))


def burgers(given):
    """README, "PDE system example", with its condition of a start and two ends, IBVP1D"""

    def equation(u, x, t):
        return [diff(u, t) + u * diff(u, x) - 0.01 / PI * diff(u, x, order=2)]

    def zero(t):
        return 0.0 * t

    condition = IBVP1D(
        t_min=0.0,
        t_min_val=lambda x: -torch.sin(PI * x),
        x_min=-1.0,
        x_min_val=zero,
        x_max=1.0,
        x_max_val=zero,
    )
    solver = Solver2D(equation, [condition], (-1, 0), (1, 1), nets=[wide()], n_batches_valid=0)
    return Plan(solver, (1, 0))


PROBLEMS = {
    "Helmholtz": helmholtz,
    "Burgers": burgers,
    "van der Pol, μ = 1": van_der_pol,
    "Lotka-Volterra": lotka_volterra,
}


def solve(statement, given, seed, minute):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    plan = statement(given)

    def look(solver):
        solver._stop_training = minute.over()  # as its own callback StopCallback does

    plan.solver.fit(10**8, callbacks=[look], tqdm_file=None)
    minute.said = {"settings": "Adam 1e-3, until the minute is over"}
    found = plan.solver.get_solution(best=False)

    def solution(x):
        columns = [torch.as_tensor(x[:, i : i + 1] / plan.end) for i in plan.columns]
        u = found(*columns, to_numpy=True)
        return plan.scale * (np.concatenate(u, 1) if isinstance(u, list) else u)

    return solution


if __name__ == "__main__":
    answer("neurodiffeq", PROBLEMS, solve)
