"""neurodiffeq: Adam, then L-BFGS, a network for each unknown, conditions enforced by construction.

Importing neurodiffeq sets torch's default dtype to float64; the Adam step is timed in float32.
"""

import neurodiffeq.callbacks  # noqa: F401
import numpy as np
import torch
from by_hand import beside
from neurodiffeq import diff
from neurodiffeq.conditions import BaseCondition
from neurodiffeq.generators import Generator1D, Generator2D
from neurodiffeq.networks import FCNN
from neurodiffeq.solvers import Solver1D, Solver2D
from task import WARM_UP, answer


class Built(BaseCondition):
    """Component k of the ansatz of a problem."""

    def __init__(self, problem, k):
        super().__init__()
        self.problem, self.k = problem, k

    def parameterize(self, output, *coordinates):
        x, columns = torch.cat(coordinates, 1), [torch.zeros_like(output)] * self.problem.outputs
        columns[self.k] = output
        return self.problem.ansatz(torch, x, torch.cat(columns, 1))[:, self.k : self.k + 1]


class Scaled(torch.nn.Module):
    """An FCNN of coordinates brought to [−1, 1]ᵈ."""

    def __init__(self, problem, widths):
        super().__init__()
        self.problem = problem
        self.net = FCNN(len(problem.box), 1, hidden_units=widths, actv=torch.nn.Tanh)

    def forward(self, x):
        return self.net(self.problem.centred(torch, x))


def system(problem):
    """(u₀, …, x₀, …) → residual columns."""

    def equations(*given):
        unknowns, coordinates = given[: problem.outputs], given[problem.outputs :]

        def all_of(order, x):
            return torch.cat([diff(u, x, order=order) for u in unknowns], 1)

        du = [all_of(1, x) for x in coordinates]
        ddu = [all_of(2, x) for x in coordinates] if problem.order == 2 else None
        u, x = torch.cat(unknowns, 1), torch.cat(coordinates, 1)
        return [row[:, None] for row in problem.residual(torch, x, u, du, ddu)]

    return equations


def solver(task):
    problem, (widths, points) = task.problem, task.settings
    nets = [Scaled(problem, widths) for _ in range(problem.outputs)]
    conditions = [Built(problem, k) for k in range(problem.outputs)]
    rest = {"nets": nets, "n_batches_valid": 0}
    low, high = zip(*problem.box)
    if len(problem.box) == 1:
        how = Generator1D(points, low[0], high[0], "equally-spaced")
        rest |= {"train_generator": how, "valid_generator": how}
        return Solver1D(system(problem), conditions, low[0], high[0], **rest)
    side = round(points**0.5)
    how = Generator2D((side, side), low, high, "equally-spaced")
    rest |= {"train_generator": how, "valid_generator": how}
    return Solver2D(system(problem), conditions, low, high, **rest)


def adam_lbfgs(task):
    if task.inverse:
        raise NotImplementedError("its guide describes no fit of an equation's rates to data")
    torch.set_default_dtype(torch.float32 if task.timing else torch.float64)
    torch.manual_seed(task.seed)
    solving = solver(task)
    parameters = [p for net in solving.nets for p in net.parameters()]

    def solution(x):
        coordinates = [torch.as_tensor(c).to(parameters[0])[:, None] for c in x.T]
        with torch.no_grad():
            u = [c.enforce(n, *coordinates) for n, c in zip(solving.nets, solving.conditions)]
        return torch.cat(u, 1).numpy()

    watch = task.begin(solution)

    def train(optimizer, share, steps=1):
        def look(solving):
            stop = watch.look(steps)
            solving._stop_training = stop or watch.spent > share

        solving.optimizer = optimizer
        solving.fit(10**8, callbacks=[look], tqdm_file=None)

    train(torch.optim.Adam(parameters, lr=1e-3), 1.0 if task.timing else WARM_UP)
    if task.timing or watch.look(0):
        return
    train(torch.optim.LBFGS(parameters, max_iter=20, history_size=50, tolerance_grad=0,
                            tolerance_change=0, line_search_fn="strong_wolfe"), 1.0, 20)  # fmt: skip
    watch.look(0, last=True)


if __name__ == "__main__":
    np.seterr(over="ignore")
    answer({"Adam, L-BFGS": beside(adam_lbfgs)})
