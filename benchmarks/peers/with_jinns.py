"""jinns: Adam of optax, or its natural gradient (vanilla_ngd), in float64, conditions built in."""

import warnings
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import jinns
import numpy as np
import optax
from look_of_jinns import Look
from task import answer

warnings.filterwarnings("ignore")


def network(task, key):
    """jinns's PINN, scaled inside, with the ansatz as its output transform."""
    problem = task.problem
    widths = (len(problem.box), *task.settings[0], problem.outputs)
    layers = [(eqx.nn.Linear, a, b) for a, b in pairwise(widths)]
    between = [item for layer in layers for item in (layer, (jnp.tanh,))][:-1]
    return jinns.nn.PINN_MLP.create(
        key=key,
        eqx_list=tuple(between),
        eq_type="ODE" if len(problem.box) == 1 else "PDEStatio",
        input_transform=lambda x, _: problem.centred(jnp, x),
        output_transform=lambda x, n, _: problem.ansatz(jnp, x, jnp.atleast_1d(n)),
    )


def equation(problem):
    """The dynamic loss: residual rows at one point."""
    base = jinns.loss.ODE if len(problem.box) == 1 else jinns.loss.PDEStatio

    class Equation(base):
        def equation(self, x, u, params):
            of = lambda x: u(x, params)
            du, ddu = [], []
            for e in jnp.eye(len(problem.box)):
                slope = lambda x, e=e: jax.jvp(of, (x,), (e,))[1]
                first = slope(x)
                if problem.order == 2:
                    first, second = jax.jvp(slope, (x,), (e,))
                    ddu.append(second)
                du.append(first)
            return jnp.stack(problem.residual(jnp, x, of(x), du, ddu))

    return Equation()


def points(task, key):
    (low, high), count = zip(*task.problem.box), task.settings[1]
    if len(low) == 1:
        return jinns.data.DataGeneratorODE(
            key=key, nt=count, tmin=low[0], tmax=high[0], method="grid"
        )
    return jinns.data.CubicMeshPDEStatio(
        key=key, n=count, dim=2, min_pts=low, max_pts=high, method="grid"
    )


def train(task, optimiser, every, most):
    if task.inverse:
        raise NotImplementedError("not tried: its observations are outputs, and here I = exp(ln I)")
    jax.config.update("jax_enable_x64", not task.timing)
    key = jax.random.PRNGKey(task.seed)
    u, start = network(task, key)
    params = jinns.parameters.Params(nn_params=start, eq_params={})
    batch = jax.jit(jax.vmap(u, (0, None)))
    state = [params]
    watch = task.begin(lambda x: np.asarray(batch(jnp.asarray(x), state[0])))
    one = len(task.problem.box) == 1
    weights = jinns.loss.LossWeightsODE if one else jinns.loss.LossWeightsPDEStatio
    of = jinns.loss.LossODE if one else jinns.loss.LossPDEStatio
    loss = of(
        u=u,
        dynamic_loss=equation(task.problem),
        loss_weights=weights(dyn_loss=1.0),
        params=params,
    )

    def ask(found):
        if not watch.compiled:
            watch.compiled = watch.seconds  # the first step runs after the compilation
            watch.budget += watch.compiled if task.timing else 0.0
        state[0] = found
        return np.array(watch.look(every if watch.steps else 1))

    jinns.solve(
        n_iter=most,
        init_params=params,
        data=points(task, key),
        loss=loss,
        optimizer=optimiser,
        validation=Look(ask=ask, call_every=every),
        verbose=False,
        print_loss_every=most,
    )


def adam(task):
    train(task, optax.adam(1e-3), 200, 1_000_000)


def natural_gradient(task):
    search = optax.scale_by_backtracking_linesearch(max_backtracking_steps=15)
    train(task, jinns.optimizers.vanilla_ngd(linesearch=search), 1, 20_000)


if __name__ == "__main__":
    answer({"natural gradient": natural_gradient, "Adam": adam})
