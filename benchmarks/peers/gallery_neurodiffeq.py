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
    end, mu = 20 / 12, float(given["mu"])

    def equation(y, t):
        return [diff(y, t, order=2) - end * mu * (1 - y**2) * diff(y, t) + end**2 * y]

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


def gray_scott(given):
    """README, "PDE system example", with its condition of a start and two ends, IBVP1D, time to [0, 1]"""
    end = 20.0

    def system(u, v, x, t):
        made = u * v**2
        u_rate = 1e-4 * diff(u, x, order=2) + 0.04 * (1 - u) - made
        v_rate = 5e-5 * diff(v, x, order=2) - 0.1 * v + made
        return [diff(u, t) - end * u_rate, diff(v, t) - end * v_rate]

    def hill(x):
        return torch.exp(20 * (torch.cos(PI * x) - 1) / PI**2)

    def flat(start):
        def zero(t):
            return 0.0 * t

        return IBVP1D(
            t_min=0.0, t_min_val=start, x_min=-1.0, x_min_prime=zero, x_max=1.0, x_max_prime=zero
        )

    conditions = [flat(lambda x: 1 - hill(x) / 2), flat(lambda x: hill(x) / 4)]
    nets = [wide(), wide()]
    solver = Solver2D(system, conditions, (-1, 0), (1, 1), nets=nets, n_batches_valid=0)
    return Plan(solver, (1, 0), end)


def kovasznay(given):
    """README, "PDE system example"; p, as in DeepXDE's example, on the whole of a side"""
    rate = 20 - np.sqrt(400 + 4 * PI**2)

    def first(x, y):
        return 1 - torch.exp(rate * x) * torch.cos(2 * PI * y)

    def second(x, y):
        return rate / (2 * PI) * torch.exp(rate * x) * torch.sin(2 * PI * y)

    def system(u, v, p, x, y):
        u_x, u_y, v_x, v_y = diff(u, x), diff(u, y), diff(v, x), diff(v, y)
        return [
            u * u_x + v * u_y + diff(p, x) - (diff(u_x, x) + diff(u_y, y)) / 40,
            u * v_x + v * v_y + diff(p, y) - (diff(v_x, x) + diff(v_y, y)) / 40,
            u_x + v_y,
        ]

    def held(f):
        low, high, bottom, top = (torch.tensor([[end]]) for end in (-0.5, 1.0, -0.5, 1.5))
        sides = (-0.5, lambda y: f(low, y), 1.0, lambda y: f(high, y))
        return DirichletBVP2D(*sides, -0.5, lambda x: f(x, bottom), 1.5, lambda x: f(x, top))

    conditions = [held(first), held(second), IVP(t_0=1.0, u_0=(1 - np.exp(2 * rate)) / 2)]
    nets = [wide(), wide(), wide()]
    solver = Solver2D(system, conditions, (-0.5, -0.5), (1, 1.5), nets=nets, n_batches_valid=0)
    return Plan(solver, (0, 1))


PROBLEMS = {
    "Helmholtz": helmholtz,
    "Burgers": burgers,
    "Gray-Scott": gray_scott,
    "van der Pol, μ = 1": van_der_pol,
    "van der Pol, μ = 5": van_der_pol,
    "Lotka-Volterra": lotka_volterra,
    "Kovasznay": kovasznay,
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
        scaled = np.concatenate([x[:, :1] / plan.end, x[:, 1:]], 1)
        columns = [torch.as_tensor(scaled[:, i : i + 1]) for i in plan.columns]
        u = found(*columns, to_numpy=True)
        return plan.scale * (np.concatenate(u, 1) if isinstance(u, list) else u)

    return solution


if __name__ == "__main__":
    answer("neurodiffeq", PROBLEMS, solve)
