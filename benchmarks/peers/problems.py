"""The problems of Part III once more, in NumPy and in whatever array library a peer brings.

A formula takes xp, that library (numpy, torch, jax.numpy), and arrays whose last axis is the
component: points x (…, d), the solution u (…, k), its derivatives du[i] and ddu[i] by xᵢ (…, k).
A test holds these formulas to those of companion.problems.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy import pi
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.optimize import least_squares

BETA, GAMMA, INFECTED, DAYS = 0.3, 0.1, 0.01, 160.0
SIGMA, COUNT = 0.01, 30  # noise of the measured I, and how many there are
GUESS = (0.4, 0.2)  # of β and γ, where they are unknown
TRUST = 100 / SIGMA**2  # weight of the equations beside the data


@dataclass(frozen=True)
class Problem:
    """residual(xp, x, u, du, ddu) → list of (…,); ansatz(xp, x, n) → u from the network's n."""

    box: tuple[tuple[float, float], ...]
    residual: Callable
    ansatz: Callable
    solution: Callable  # x (n, d) → u (n, k), in NumPy
    outputs: int = 1
    order: int = 2
    target: float = 1e-6

    @cached_property
    def grid(self):
        """About 1000 points (n, d), evenly, at which errors are taken."""
        count = round(1000 ** (1 / len(self.box)))
        axes = np.meshgrid(*[np.linspace(*ends, count) for ends in self.box], indexing="ij")
        return np.stack([axis.ravel() for axis in axes], 1)

    @cached_property
    def exact(self):
        """The solution on the grid."""
        return self.solution(self.grid)

    def error(self, u):
        """‖u − exact‖ / ‖exact‖ of u (n, k) on the grid."""
        return np.linalg.norm(np.asarray(u, float) - self.exact) / np.linalg.norm(self.exact)

    def more(self, solution):
        """What else is said of a solution (n, d) → (n, k) at the end of its training."""
        return {}

    def centred(self, xp, x):
        """x brought to [−1, 1]ᵈ."""
        columns = [
            (x[..., i : i + 1] - low) / (high - low) * 2 - 1
            for i, (low, high) in enumerate(self.box)
        ]
        return xp.concatenate(columns, -1)


class Epidemic(Problem):
    """SIR in the variables (S, ln I); its error is that of (S, I)."""

    def error(self, u):
        return super().error(np.stack([u[:, 0], np.exp(np.clip(u[:, 1], None, 300))], 1))


class Raw(Problem):
    """SIR in the variables (S, I)."""

    def more(self, solution, count=4001):
        """The loss, a mean over time of S's and I's squared residuals; the days that S is late."""
        t = np.linspace(*self.box[0], count)[:, None]
        u = np.asarray(solution(t), float)
        slope = CubicSpline(t[:, 0], u).derivative()(t[:, 0])
        rows = raw_residual(np, t, u, [slope], None)
        late = half_way(t, u) - half_way(t, self.solution(t))
        loss = float(sum((row**2).mean() for row in rows))
        return {"loss": loss, "late": float(late) if np.isfinite(late) else None}


class Inverse(Epidemic):
    """The same with β and γ unknown; the error is that of (β, γ), in standard errors."""

    data = cached_property(lambda self: measured())
    best = cached_property(lambda self: least_squares_fit(*self.data))

    def rates_error(self, beta, gamma):
        """The larger distance from the least squares estimate, in its standard errors."""
        estimate, spread = self.best
        return float(np.max(np.abs(np.array([beta, gamma]) - estimate) / spread))


def oscillator(end):
    """y″ + y = 0, y(0) = 0, y′(0) = 1."""

    def ansatz(xp, t, n):
        return xp.tanh(t) + xp.tanh(t) ** 2 * n

    return Problem(
        ((0.0, end),),
        lambda xp, t, y, dy, ddy: [ddy[0][..., 0] + y[..., 0]],
        ansatz,
        np.sin,
        target=1e-6 if end < 7 else 1e-4,
    )


def poisson_interval():
    """u″ = −f on (0, 1), zero at both ends."""

    def residual(xp, x, u, du, ddu):
        x = x[..., 0]
        return [ddu[0][..., 0] + pi**2 * xp.sin(pi * x) + 8 * pi**2 * xp.sin(4 * pi * x)]

    return Problem(
        ((0.0, 1.0),),
        residual,
        lambda xp, x, n: x * (1 - x) * n,
        lambda x: np.sin(pi * x) + 0.5 * np.sin(4 * pi * x),
    )


def poisson_square():
    """Δu = −f on the unit square, zero on its edge."""

    def exact(xp, x):
        return xp.sin(pi * x[..., :1]) * xp.sin(pi * x[..., 1:])

    def residual(xp, x, u, du, ddu):
        return [(ddu[0] + ddu[1] + 2 * pi**2 * exact(xp, x))[..., 0]]

    def ansatz(xp, x, n):
        a, b = x[..., :1], x[..., 1:]
        return a * (1 - a) * b * (1 - b) * n

    return Problem(((0.0, 1.0),) * 2, residual, ansatz, lambda x: exact(np, x))


def sir_residual(xp, t, u, du, ddu, beta=BETA, gamma=GAMMA):
    """S′ + β S I and (ln I)′ − β S + γ."""
    s, log_i = u[..., 0], u[..., 1]
    return [du[0][..., 0] + beta * s * xp.exp(log_i), du[0][..., 1] - beta * s + gamma]


def sir_ansatz(xp, t, n):
    """The start, and (1 − e^{−t/10}) n."""
    grown = 1 - xp.exp(-t / 10)
    first, second = n[..., :1], n[..., 1:]
    return xp.concatenate([1 - INFECTED + grown * first, np.log(INFECTED) + grown * second], -1)


def raw_residual(xp, t, u, du, ddu):
    """S′ + β S I and I′ − β S I + γ I."""
    s, i = u[..., 0], u[..., 1]
    new = BETA * s * i
    return [du[0][..., 0] + new, du[0][..., 1] - new + GAMMA * i]


def raw_ansatz(xp, t, n):
    """The start, and (1 − e^{−t/10}) n."""
    grown = 1 - xp.exp(-t / 10)
    first, second = n[..., :1], n[..., 1:]
    return xp.concatenate([1 - INFECTED + grown * first, INFECTED + grown * second], -1)


def half_way(t, u):
    """The first time at which S is below 1/2; nan if there is none."""
    below = np.flatnonzero(u[:, 0] < 0.5)
    return t[below[0], 0] if len(below) else np.nan


def sir_solution(t, beta=BETA, gamma=GAMMA):
    """(S, I) at t (n, 1), by DOP853."""

    def rates(t, y):
        return [-beta * y[0] * np.exp(y[1]), beta * y[0] - gamma]

    start = (1 - INFECTED, np.log(INFECTED))
    found = solve_ivp(rates, (0, DAYS), start, "DOP853", dense_output=True, rtol=1e-12, atol=1e-14)
    s, log_i = found.sol(t[:, 0])
    return np.stack([s, np.exp(log_i)], 1)


def measured(seed=0):
    """(times, I with noise): the data of the inverse problem."""
    times = np.linspace(0, DAYS, COUNT + 1)[1:, None]
    noise = np.random.default_rng(seed).standard_normal(COUNT)
    return times, sir_solution(times)[:, 1] + SIGMA * noise


def least_squares_fit(times, infected):
    """((β, γ), their standard errors) by nonlinear least squares over DOP853."""

    def residual(rates):
        return (sir_solution(times, *rates)[:, 1] - infected) / SIGMA

    found = least_squares(residual, GUESS, x_scale="jac", diff_step=1e-5, xtol=1e-12, ftol=1e-12)
    return found.x, np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)))


SIR = (((0.0, DAYS),), sir_residual, sir_ansatz, sir_solution, 2, 1)
PROBLEMS = {
    "oscillator": oscillator(2 * pi),
    "oscillator_long": oscillator(10 * pi),
    "poisson_interval": poisson_interval(),
    "poisson_square": poisson_square(),
    "sir": Epidemic(*SIR),
    "sir_inverse": Inverse(*SIR, target=2.0),
    "sir_raw": Raw(((0.0, DAYS),), raw_residual, raw_ansatz, sir_solution, 2, 1),
    "sir_step": Epidemic(*SIR),  # the same, for the time of a step of Adam
}
