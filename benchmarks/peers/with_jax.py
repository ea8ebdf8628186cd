"""Plain JAX: Adam in a compiled scan, and Levenberg–Marquardt, both by hand, in one float type."""

from itertools import pairwise
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.flatten_util import ravel_pytree
from problems import GUESS, SIGMA, TRUST
from scipy.stats import qmc
from task import answer

# widths, steepness of the first layer, points
SETTINGS = {
    "oscillator": ((30,), 4.0, 100),
    "oscillator_long": ((60,), 20.0, 200),
    "poisson_interval": ((24,), 4.0, 64),
    "poisson_square": ((20, 20), 1.0, 400),
    "sir": ((20, 20), 2.0, 200),
    "sir_inverse": ((20,), 3.0, 128),
    "sir_raw": ((20, 20), 2.0, 200),
    "sir_step": ((32, 32, 32), 1.0, 256),
}
CHUNK = 200  # steps of Adam in one compiled scan


def network(sizes, spread, seed):
    """[(weight, bias)]: Glorot's, the first layer's ramps laid over the whole domain."""
    rng = np.random.default_rng(seed)
    layers = [
        (rng.standard_normal((i, o)) * np.sqrt(2 / (i + o)), np.zeros(o))
        for i, o in pairwise(sizes)
    ]
    if spread != 1.0:
        ways = rng.standard_normal(layers[0][0].shape)
        ways *= spread * (0.5 + rng.random(ways.shape[1])) / np.linalg.norm(ways, axis=0)
        layers[0] = ways, -(ways * rng.uniform(-1, 1, ways.shape)).sum(0)
    return jax.tree.map(jnp.asarray, layers)


def forward(layers, x):
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        x = jnp.tanh(x @ w + b)
    return x @ weight + bias


class Trial:
    """u and the residual rows of a problem, as functions of one flat vector of parameters."""

    def __init__(self, task):
        jax.config.update("jax_enable_x64", not task.timing)
        self.task, self.problem = task, task.problem
        widths, spread, count = SETTINGS[task.name]
        d = len(self.problem.box)
        layers = network((d, *widths, self.problem.outputs), spread, task.seed)
        rates = jnp.array(GUESS) if task.inverse else jnp.zeros(0)
        self.start, self.unpack = ravel_pytree((layers, rates))
        self.x = jnp.asarray(collocation(self.problem.box, count, task.seed))

    def rates(self, flat):
        return self.unpack(flat)[1]

    def u(self, flat, x):
        layers, _ = self.unpack(flat)
        return self.problem.ansatz(jnp, x, forward(layers, self.problem.centred(jnp, x)))

    def row(self, flat, x):
        """The residual (k,) at one point."""

        def u(x):
            return self.u(flat, x)

        du, ddu = [], []
        for e in jnp.eye(len(x)):
            slope = lambda x, e=e: jax.jvp(u, (x,), (e,))[1]
            if self.problem.order == 2:
                first, second = jax.jvp(slope, (x,), (e,))
                ddu.append(second)
            else:
                first = slope(x)
            du.append(first)
        more = tuple(self.rates(flat)) if self.task.inverse else ()
        return jnp.stack(self.problem.residual(jnp, x, u(x), du, ddu, *more))

    def seen(self, flat, t, value):
        """(data − I) / σ at one time."""
        return (jnp.exp(self.u(flat, t)[1:]) - value) / SIGMA

    def rows(self, of):
        """All weighted rows: of(f) maps a row of one point, f(flat, …), to those of many points."""
        n = len(self.x)
        if not self.task.inverse:
            return of(self.row)(self.x) / np.sqrt(n)
        times, values = self.problem.data
        parts = [
            of(self.row)(self.x) * np.sqrt(TRUST / n),
            of(self.seen)(jnp.asarray(times), jnp.asarray(values)) / np.sqrt(len(times)),
        ]
        return jnp.concatenate([p.reshape(-1, *p.shape[2:]) for p in parts])

    def residual(self, flat):
        """r (m,)."""
        return self.rows(lambda f: jax.vmap(lambda *at: f(flat, *at))).ravel()

    def jacobian(self, flat):
        """∂r/∂θ (m, p), point by point."""
        rows = self.rows(lambda f: jax.vmap(lambda *at: jax.jacrev(f)(flat, *at)))
        return rows.reshape(-1, len(flat))

    def begin(self, state):
        """The watch; state[0] is the flat vector as it is."""
        batch = jax.jit(jax.vmap(self.u, (None, 0)))
        return self.task.begin(
            lambda x: np.asarray(batch(state[0], jnp.asarray(x))),
            lambda: np.asarray(self.rates(state[0])),
        )


def collocation(box, count, seed):
    """A grid on an interval, Sobol's points on a square."""
    if len(box) == 1:
        return np.linspace(*box[0], count)[:, None]
    low, high = zip(*box)
    return qmc.scale(qmc.Sobol(len(box), rng=seed).random(count), low, high)


def adam(task, rate=3e-3):
    """optax.adam, CHUNK steps in a scan; the rate falls by half each 5000 steps."""
    trial = Trial(task)
    optimiser = optax.adam(optax.exponential_decay(1e-3 if task.timing else rate, 5000, 0.5))
    gradient = jax.grad(lambda flat: (trial.residual(flat) ** 2).sum())

    def step(carry, _):
        flat, state = carry
        updates, state = optimiser.update(gradient(flat), state)
        return (optax.apply_updates(flat, updates), state), None

    state = [trial.start]
    carry = trial.start, optimiser.init(trial.start)
    watch = trial.begin(state)
    begun = perf_counter()
    many = jax.jit(lambda c: lax.scan(step, c, length=CHUNK)[0]).lower(carry).compile()
    watch.compiled = perf_counter() - begun
    while True:
        carry = jax.block_until_ready(many(carry))
        state[0] = carry[0]
        if watch.look(CHUNK):
            return


def levenberg_marquardt(task):
    """θ ← θ − (JᵀJ + μI)⁻¹ Jᵀr; μ falls when the step helps, else rises, all in one program."""
    trial = Trial(task)

    def step(flat, mu):
        r, jacobian = trial.residual(flat), trial.jacobian(flat)
        normal, slope, before = jacobian.T @ jacobian, jacobian.T @ r, r @ r
        eye = jnp.eye(len(flat))

        def attempt(state):
            mu, _, _, tries = state
            factor = jax.scipy.linalg.cho_factor(normal + mu * eye)
            moved = flat - jax.scipy.linalg.cho_solve(factor, slope)
            better = (trial.residual(moved) ** 2).sum() < before  # false for NaN
            return jnp.where(better, mu / 3, mu * 4), moved, better, tries + 1

        start = mu, flat, False, 0
        mu, moved, better, _ = lax.while_loop(lambda s: ~s[2] & (s[3] < 12), attempt, start)
        return jnp.where(better, moved, flat), jnp.clip(mu, 1e-15, 1e10)

    state, mu = [trial.start], jnp.asarray(1e-3)
    watch = trial.begin(state)
    begun = perf_counter()
    compiled = jax.jit(step).lower(trial.start, mu).compile()
    watch.compiled = perf_counter() - begun
    while True:
        state[0], mu = jax.block_until_ready(compiled(state[0], mu))
        if watch.look():
            return


if __name__ == "__main__":
    answer({"Adam": adam, "LM": levenberg_marquardt})
