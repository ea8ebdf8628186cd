"""DeepXDE on the gallery, by the settings of its own examples, in float64.

Where it ships an example of the problem, all is as there, but for the numbers of the equation; where it
ships none, as in its nearest. Adam goes on until the minute is over, or until half of it where L-BFGS
follows: the examples make 5000 to 60000 steps, which take longer. Time is the last column, as there.
"""

import os

os.environ["DDE_BACKEND"] = "pytorch"

from dataclasses import dataclass
from functools import partial

import deepxde as dde
import numpy as np
import torch
from deepxde.geometry import Cuboid, GeometryXTime, Interval, Rectangle, TimeDomain
from deepxde.icbc import IC, DirichletBC, NeumannBC, OperatorBC, PeriodicBC, PointSetBC
from deepxde.optimizers.config import LBFGS_options
from minute import answer

PI = np.pi
hessian, jacobian = dde.grad.hessian, dde.grad.jacobian
sin, cos = torch.sin, torch.cos


@dataclass
class Plan:
    """Data, a network, how many steps of Adam, and whether L-BFGS follows."""

    data: object
    net: object
    adam: int
    lbfgs: bool = False
    rates: dict | None = None  # name: variable
    time_last: bool = False  # the gallery has it first
    decay: tuple | None = None
    weigh: bool = False  # the losses, by what they are at first
    more: tuple = ()  # callbacks
    scale: float = 1.0  # of the solution
    end: float = 1.0  # of the time that is brought to [0, 1]


def everywhere(_, on):
    return on


def burgers(given):
    """examples/pinn_forward/Burgers.py"""

    def equation(x, u):
        u_x, u_t = jacobian(u, x, i=0, j=0), jacobian(u, x, i=0, j=1)
        return u_t + u * u_x - 0.01 / PI * hessian(u, x, i=0, j=0)

    box = GeometryXTime(Interval(-1, 1), TimeDomain(0, 1))
    edge = DirichletBC(box, lambda x: 0, everywhere)
    start = IC(box, lambda x: -np.sin(PI * x[:, :1]), everywhere)
    data = dde.data.TimePDE(
        box, equation, [edge, start], num_domain=2540, num_boundary=80, num_initial=160
    )
    net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")
    return Plan(data, net, 15000, lbfgs=True, time_last=True)


def helmholtz(given):
    """examples/pinn_forward/Helmholtz_Dirichlet_2d.py"""
    k = 4 * PI

    def equation(x, u):
        bend = hessian(u, x, i=0, j=0) + hessian(u, x, i=1, j=1)
        return -bend - k**2 * u - k**2 * sin(k * x[:, :1]) * sin(k * x[:, 1:])

    def held(x, n):
        return x[:, :1] * (1 - x[:, :1]) * x[:, 1:] * (1 - x[:, 1:]) * n

    data = dde.data.PDE(
        Rectangle([0, 0], [1, 1]), equation, [], num_domain=400, num_boundary=80, num_test=400
    )
    net = dde.nn.FNN([2] + [150] * 3 + [1], "sin", "Glorot uniform")
    net.apply_output_transform(held)
    return Plan(data, net, 5000)


def kovasznay(given):
    """examples/pinn_forward/Kovasznay_flow.py"""
    rate = 20 - np.sqrt(400 + 4 * PI**2)

    def equation(x, w):
        u, v = w[:, :1], w[:, 1:2]
        u_x, u_y = jacobian(w, x, i=0, j=0), jacobian(w, x, i=0, j=1)
        v_x, v_y = jacobian(w, x, i=1, j=0), jacobian(w, x, i=1, j=1)
        bend = [hessian(w, x, component=k, i=i, j=i) for k in (0, 1) for i in (0, 1)]
        return [
            u * u_x + v * u_y + jacobian(w, x, i=2, j=0) - (bend[0] + bend[1]) / 40,
            u * v_x + v * v_y + jacobian(w, x, i=2, j=1) - (bend[2] + bend[3]) / 40,
            u_x + v_y,
        ]

    def along(x):
        return np.exp(rate * x[:, :1])

    box = Rectangle([-0.5, -0.5], [1, 1.5])
    conditions = [
        DirichletBC(box, lambda x: 1 - along(x) * np.cos(2 * PI * x[:, 1:]), everywhere),
        DirichletBC(
            box,
            lambda x: rate / (2 * PI) * along(x) * np.sin(2 * PI * x[:, 1:]),
            everywhere,
            component=1,
        ),
        DirichletBC(
            box,
            lambda x: (1 - along(x) ** 2) / 2,
            lambda x, on: on and np.isclose(x[0], 1),
            component=2,
        ),
    ]
    data = dde.data.PDE(box, equation, conditions, num_domain=2601, num_boundary=400)
    return Plan(data, dde.nn.FNN([2] + 4 * [50] + [3], "tanh", "Glorot normal"), 30000, lbfgs=True)


def beam(given):
    """examples/pinn_forward/Euler_beam.py"""

    def bend(x, u):
        return hessian(u, x)

    def left(x, on):
        return on and np.isclose(x[0], 0)

    def right(x, on):
        return on and np.isclose(x[0], 1)

    box = Interval(0, 1)
    conditions = [
        DirichletBC(box, lambda x: 0, left),
        NeumannBC(box, lambda x: 0, left),
        OperatorBC(box, lambda x, u, _: bend(x, u), right),
        OperatorBC(box, lambda x, u, _: jacobian(bend(x, u), x), right),
    ]
    data = dde.data.PDE(
        box, lambda x, u: hessian(bend(x, u), x) + 1, conditions, num_domain=10, num_boundary=2
    )
    return Plan(data, dde.nn.FNN([1] + [20] * 3 + [1], "tanh", "Glorot uniform"), 10000)


def lorenz(given):
    """examples/pinn_inverse/Lorenz_inverse.py; the first guesses are the gallery's"""
    rates = {"sigma": dde.Variable(5.0), "rho": dde.Variable(5.0), "beta": dde.Variable(1.0)}

    def equation(t, u):
        x, y, z = u[:, :1], u[:, 1:2], u[:, 2:]
        return [
            jacobian(u, t, i=0) - rates["sigma"] * (y - x),
            jacobian(u, t, i=1) - x * (rates["rho"] - z) + y,
            jacobian(u, t, i=2) - x * y + rates["beta"] * z,
        ]

    box, times, readings = TimeDomain(0, 3), given["points"], given["readings"]
    starts = [
        IC(box, lambda t: -8, everywhere, component=0),
        IC(box, lambda t: 7, everywhere, component=1),
        IC(box, lambda t: 27, everywhere, component=2),
    ]
    seen = [PointSetBC(times, readings[:, k : k + 1], component=k) for k in range(3)]
    data = dde.data.PDE(box, equation, starts + seen, num_domain=400, num_boundary=2, anchors=times)
    net = dde.nn.FNN([1] + [40] * 3 + [3], "tanh", "Glorot uniform")
    return Plan(data, net, 60000, rates=rates)


def lotka_volterra(given):
    """examples/pinn_forward/Lotka_Volterra.py: time to [0, 1], the species by a factor, here 20"""
    scale, end = 20.0, 40.0

    def equation(t, u):
        x, y = u[:, :1], u[:, 1:]
        return [
            jacobian(u, t, i=0) - end * (1.1 * x - 0.4 * scale * x * y),
            jacobian(u, t, i=1) - end * (0.1 * scale * x * y - 0.4 * y),
        ]

    def held(t, n):
        start = torch.tensor([[10.0, 5.0]]) / scale
        return torch.tanh(t) * n + start

    data = dde.data.PDE(TimeDomain(0, 1), equation, [], 3000, 2, num_test=3000)
    net = dde.nn.FNN([7] + [64] * 6 + [2], "tanh", "Glorot normal")
    net.apply_feature_transform(lambda t: torch.cat([t] + [sin(k * t) for k in range(1, 7)], 1))
    net.apply_output_transform(held)
    return Plan(data, net, 50000, lbfgs=True, scale=scale, end=end)


def allen_cahn(given):
    """examples/pinn_forward/Allen_Cahn.py; periodic ends, as in Poisson_periodic_1d.py, for its fixed"""

    def equation(x, u):
        u_t, bend = jacobian(u, x, i=0, j=1), hessian(u, x, i=0, j=0)
        return u_t - 1e-4 * bend - 5 * (u - u**3)

    def held(x, n):
        return x[:, :1] ** 2 * cos(PI * x[:, :1]) + x[:, 1:] * n

    def right(x, on):
        return on and np.isclose(x[0], 1)

    box = GeometryXTime(Interval(-1, 1), TimeDomain(0, 1))
    ends = [PeriodicBC(box, 0, right, derivative_order=k) for k in (0, 1)]
    data = dde.data.TimePDE(box, equation, ends, num_domain=8000, num_boundary=400, num_initial=800)
    net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")
    net.apply_output_transform(held)
    return Plan(data, net, 40000, lbfgs=True, time_last=True)


def wave(given):
    """examples/pinn_forward/wave_1d.py; its network of Fourier's features is not there for PyTorch"""

    def equation(x, u):
        return hessian(u, x, i=1, j=1) - 4 * hessian(u, x, i=0, j=0)

    def exact(x):
        x, t = PI * x[:, :1], PI * x[:, 1:]
        return np.sin(x) * np.cos(2 * t) + np.sin(4 * x) * np.cos(8 * t) / 2

    box = GeometryXTime(Interval(0, 1), TimeDomain(0, 1))
    conditions = [
        DirichletBC(box, exact, everywhere),
        IC(box, exact, everywhere),
        OperatorBC(box, lambda x, u, _: jacobian(u, x, i=0, j=1), lambda x, _: np.isclose(x[1], 0)),
    ]
    data = dde.data.TimePDE(
        box, equation, conditions, num_domain=360, num_boundary=360, num_initial=360
    )
    net = dde.nn.FNN([2] + [100] * 3 + [1], "tanh", "Glorot uniform")
    net.apply_feature_transform(lambda x: (x - 0.5) * 2 * 3**0.5)
    return Plan(
        data,
        net,
        10000,
        time_last=True,
        decay=("inverse time", 2000, 0.9),
        weigh=True,
        more=(dde.callbacks.PDEPointResampler(period=1),),
    )


def heat_inverse(given):
    """examples/pinn_inverse/diffusion_1d_inverse.py; the readings and the first guess are the gallery's"""
    rate = dde.Variable(0.2)

    def equation(x, u):
        return jacobian(u, x, i=0, j=1) - rate * hessian(u, x, i=0, j=0)

    box, points = GeometryXTime(Interval(0, 1), TimeDomain(0, 1)), given["points"][:, ::-1]
    conditions = [
        DirichletBC(box, lambda x: 0, everywhere),
        IC(box, lambda x: np.sin(PI * x[:, :1]), everywhere),
        PointSetBC(points, given["readings"]),
    ]
    data = dde.data.TimePDE(
        box,
        equation,
        conditions,
        num_domain=40,
        num_boundary=20,
        num_initial=10,
        anchors=points,
    )
    net = dde.nn.FNN([2] + [32] * 3 + [1], "tanh", "Glorot uniform")
    return Plan(data, net, 50000, rates={"D": rate}, time_last=True)


def advection(given):
    """none of its own: as Burgers.py, with the periodic ends of Poisson_periodic_1d.py"""
    box = GeometryXTime(Interval(0, 2 * PI), TimeDomain(0, 1))
    conditions = [
        PeriodicBC(box, 0, lambda x, on: on and np.isclose(x[0], 2 * PI)),
        IC(box, lambda x: np.sin(x[:, :1]), everywhere),
    ]
    data = dde.data.TimePDE(
        box,
        lambda x, u: jacobian(u, x, i=0, j=1) + 30 * jacobian(u, x, i=0, j=0),
        conditions,
        num_domain=2540,
        num_boundary=80,
        num_initial=160,
    )
    net = dde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal")
    return Plan(data, net, 15000, lbfgs=True, time_last=True)


def poisson(given):
    """none of its own: as Poisson_Lshape.py, on a hypercube"""

    def exact(x):
        return np.sin(PI / 2 * x).sum(1)[:, None]

    def equation(x, u):
        bend = sum(hessian(u, x, i=i, j=i) for i in range(5))
        return -bend - (PI / 2) ** 2 * sin(PI / 2 * x).sum(1)[:, None]

    box = dde.geometry.Hypercube([0] * 5, [1] * 5)
    edge = DirichletBC(box, exact, everywhere)
    data = dde.data.PDE(box, equation, edge, num_domain=1200, num_boundary=120, num_test=1500)
    return Plan(data, dde.nn.FNN([5] + [50] * 4 + [1], "tanh", "Glorot uniform"), 50000, lbfgs=True)


def heat_space(given):
    """examples/pinn_forward/heat.py, in the cube of Beltrami_flow.py"""

    def equation(x, u):
        bend = sum(hessian(u, x, i=i, j=i) for i in range(3))
        return jacobian(u, x, i=0, j=3) - bend / (3 * PI**2)

    def bump(x):
        return np.sin(PI * x[:, :3]).prod(1)[:, None]

    box = GeometryXTime(Cuboid([0] * 3, [1] * 3), TimeDomain(0, 1))
    conditions = [DirichletBC(box, lambda x: 0, everywhere), IC(box, bump, everywhere)]
    data = dde.data.TimePDE(
        box, equation, conditions, num_domain=2540, num_boundary=80, num_initial=160
    )
    net = dde.nn.FNN([4] + [20] * 3 + [1], "tanh", "Glorot normal")
    return Plan(data, net, 20000, lbfgs=True, time_last=True)


def gray_scott(given):
    """examples/pinn_inverse/reaction_inverse.py, all known; flat ends, as in Poisson_Neumann_1d.py"""

    def equation(x, w):
        u, v = w[:, :1], w[:, 1:]
        u_t, v_t = jacobian(w, x, i=0, j=1), jacobian(w, x, i=1, j=1)
        u_xx, v_xx = (hessian(w, x, component=k, i=0, j=0) for k in (0, 1))
        made = u * v**2
        return [u_t - 1e-4 * u_xx - 0.04 * (1 - u) + made, v_t - 5e-5 * v_xx + 0.1 * v - made]

    def hill(x):
        return np.exp(20 * (np.cos(PI * x[:, :1]) - 1) / PI**2)

    box = GeometryXTime(Interval(-1, 1), TimeDomain(0, 20))
    conditions = [
        IC(box, lambda x: 1 - hill(x) / 2, everywhere, component=0),
        IC(box, lambda x: hill(x) / 4, everywhere, component=1),
        NeumannBC(box, lambda x: 0, everywhere, component=0),
        NeumannBC(box, lambda x: 0, everywhere, component=1),
    ]
    data = dde.data.TimePDE(
        box, equation, conditions, num_domain=2000, num_boundary=100, num_initial=100
    )
    net = dde.nn.FNN([2] + [20] * 3 + [2], "tanh", "Glorot uniform")
    return Plan(data, net, 80000, time_last=True)


def van_der_pol(given):
    """none of its own: as Lotka_Volterra.py, with the start and its slope held by a factor t²"""
    end, mu = 20.0, float(given["mu"])

    def equation(t, y):
        slope = jacobian(y, t)
        return hessian(y, t) - end * mu * (1 - y**2) * slope + end**2 * y

    data = dde.data.PDE(TimeDomain(0, 1), equation, [], 3000, 2, num_test=3000)
    net = dde.nn.FNN([7] + [64] * 6 + [1], "tanh", "Glorot normal")
    net.apply_feature_transform(lambda t: torch.cat([t] + [sin(k * t) for k in range(1, 7)], 1))
    net.apply_output_transform(lambda t, n: 2 + torch.tanh(t) ** 2 * n)
    return Plan(data, net, 50000, lbfgs=True, end=end)


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


class Look(dde.callbacks.Callback):
    """Counts the steps; stops at a share of the minute."""

    def __init__(self, over):
        super().__init__()
        self.over = over

    def on_epoch_end(self):
        if self.over():
            self.model.stop_training = True


def solve(statement, given, seed, minute):
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(seed)
    plan = statement(given)
    model = dde.Model(plan.data, plan.net)
    rates = plan.rates or {}
    known = {"external_trainable_variables": list(rates.values()) or None, "verbose": 0}
    quiet = {"verbose": 0, "display_every": 10**9}
    stages = [f"Adam 1e-3 ({plan.adam} steps in the example)"]
    model.compile("adam", lr=1e-3, decay=plan.decay, **known)
    if plan.weigh:
        losses = model.train(0, **quiet)[0].loss_train[0]
        model.compile("adam", lr=1e-3, decay=plan.decay, loss_weights=5 / losses, **known)
    look = Look(partial(minute.over, share=0.5 if plan.lbfgs else 1.0))
    model.train(plan.adam if plan.lbfgs else 10**8, callbacks=[look, *plan.more], **quiet)
    said = {"adam_steps": minute.steps}
    if plan.lbfgs:
        stages.append("L-BFGS")
        LBFGS_options.update(iter_per_step=20, fun_per_step=25)  # how often callbacks are called
        model.compile("L-BFGS", **known)
        model.train(callbacks=[Look(partial(minute.over, steps=20))], **quiet)
    minute.said = said | {
        "settings": ", then ".join(stages),
        "unknowns": {name: float(rate.detach()) for name, rate in rates.items()},
    }
    return lambda x: (
        plan.scale * model.predict(x[:, ::-1].copy() if plan.time_last else x / plan.end)
    )


if __name__ == "__main__":
    answer("deepxde", PROBLEMS, solve)
