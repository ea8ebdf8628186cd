"""DeepXDE: Adam, then L-BFGS in float64, hard conditions by an output transform, as its guide says."""

import os

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import numpy as np
import torch
from by_hand import beside
from deepxde.optimizers.config import LBFGS_options
from problems import GUESS, SIGMA, TRUST
from task import WARM_UP, answer


def geometry(box):
    if len(box) == 1:
        return dde.geometry.Interval(*box[0])
    return dde.geometry.Rectangle(*zip(*box))


def equation(problem, rates):
    """The residual as DeepXDE calls it: columns (n, 1)."""

    def derivatives(x, u, i):
        components = range(problem.outputs)
        first = [dde.grad.jacobian(u, x, i=k, j=i) for k in components]
        if problem.order == 1:
            return torch.cat(first, 1), None
        second = [dde.grad.hessian(u, x, component=k, i=i, j=i) for k in components]
        return torch.cat(first, 1), torch.cat(second, 1)

    def residual(x, u):
        du, ddu = zip(*[derivatives(x, u, i) for i in range(len(problem.box))])
        return [row[:, None] for row in problem.residual(torch, x, u, du, ddu, *rates)]

    return residual


def model(task, rates):
    """The model, not compiled yet, and the weights of its losses."""
    problem, (widths, points) = task.problem, task.settings
    conditions, weights = [], [1.0] * (len(rates) or 1)
    if task.inverse:
        times, values = problem.data
        seen = dde.icbc.PointSetOperatorBC(
            times, values[:, None], lambda x, u, X: torch.exp(u[:, 1:])
        )
        conditions, weights = [seen], [TRUST, TRUST, 1 / SIGMA**2]
    how = "uniform" if len(problem.box) == 1 else "Hammersley"
    data = dde.data.PDE(
        geometry(problem.box),
        equation(problem, rates),
        conditions,
        num_domain=points,
        train_distribution=how,
        num_test=points,
    )
    sizes = [len(problem.box), *widths, problem.outputs]
    net = dde.nn.FNN(sizes, "tanh", "Glorot normal")
    net.apply_feature_transform(lambda x: problem.centred(torch, x))
    net.apply_output_transform(lambda x, n: problem.ansatz(torch, x, n))
    return dde.Model(data, net), weights if task.inverse else None


class Look(dde.callbacks.Callback):
    """Looks at the watch after every call of the optimiser; stops at a share of the budget."""

    def __init__(self, watch, share, steps=1):
        super().__init__()
        self.watch, self.share, self.steps = watch, share, steps

    def on_epoch_end(self):
        stop = self.watch.look(self.steps)
        if stop or self.watch.spent > self.share:
            self.model.stop_training = True


def adam_lbfgs(task):
    dde.config.set_default_float("float32" if task.timing else "float64")
    dde.config.set_random_seed(task.seed)
    rates = [dde.Variable(g) for g in GUESS] if task.inverse else []
    net, weights = model(task, rates)

    def solution(x):
        with torch.no_grad():
            return net.net(torch.as_tensor(x, dtype=next(net.net.parameters()).dtype)).numpy()

    watch = task.begin(solution, lambda: [r.item() for r in rates])
    given = {"loss_weights": weights, "external_trainable_variables": rates or None, "verbose": 0}
    net.compile("adam", lr=1e-3, **given)
    share = 1.0 if task.timing else WARM_UP
    net.train(10**8, display_every=1000, callbacks=[Look(watch, share)], verbose=0)
    if task.timing or watch.look(0):
        return
    dde.optimizers.set_LBFGS_options(maxcor=50, ftol=0, gtol=0, maxiter=10**9)
    LBFGS_options.update(iter_per_step=20, fun_per_step=25)  # how often callbacks are called
    net.compile("L-BFGS", **given)
    net.train(callbacks=[Look(watch, 1.0, steps=20)], verbose=0, display_every=1000)
    watch.look(0, last=True)


if __name__ == "__main__":
    np.seterr(over="ignore")
    answer({"Adam, L-BFGS": beside(adam_lbfgs)})
