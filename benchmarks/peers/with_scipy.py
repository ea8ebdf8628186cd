"""The classical solvers: SciPy's DOP853 and least squares, Chebyshev collocation in NumPy."""

import numpy as np
from numpy.polynomial import chebyshev
from problems import BETA, DAYS, GAMMA, INFECTED, least_squares_fit
from scipy.integrate import solve_ivp
from task import answer


def chebyshev_matrix(n, low, high):
    """(points x (n + 1,), D): D @ u is u′ at the Chebyshev points of [low, high]."""
    k = np.arange(n + 1)
    x = np.cos(np.pi * k / n)
    c = np.where((k == 0) | (k == n), 2.0, 1.0) * (-1.0) ** k
    gap = x[:, None] - x + np.eye(n + 1)
    d = np.outer(c, 1 / c) / gap
    d -= np.diag(d.sum(1))
    return low + (high - low) * (x + 1) / 2, d * 2 / (high - low)


def values(u, n, low, high):
    """The polynomial through u at the Chebyshev points, as a function of x."""
    nodes = np.cos(np.pi * np.arange(n + 1) / n)
    return lambda x: chebyshev.chebval(2 * (x - low) / (high - low) - 1, fit(nodes, u, n))


def fit(nodes, u, n):
    return np.linalg.solve(chebyshev.chebvander(nodes, n), u)


def oscillator(problem):
    ((low, high),) = problem.box
    found = solve_ivp(lambda t, y: (y[1], -y[0]), (low, high), (0.0, 1.0), "DOP853",
                      dense_output=True, rtol=1e-10, atol=1e-12)  # fmt: skip
    return lambda x: found.sol(x[:, 0])[:1].T


def poisson_interval(problem, n=32):
    x, d = chebyshev_matrix(n, 0.0, 1.0)
    inner, zero = slice(1, n), np.zeros((n + 1, 1))
    source = problem.residual(np, x[:, None], zero, [zero], [zero])[0]
    u = np.zeros(n + 1)
    u[inner] = np.linalg.solve((d @ d)[inner, inner], -source[inner])
    of = values(u, n, 0.0, 1.0)
    return lambda x: of(x[:, 0])[:, None]


def poisson_square(problem, n=16):
    """Δu = −f with the Laplacian as a Kronecker sum, u a product polynomial."""
    x, d = chebyshev_matrix(n, 0.0, 1.0)
    second, eye, m = (d @ d)[1:n, 1:n], np.eye(n - 1), n - 1
    a, b = (grid.ravel() for grid in np.meshgrid(x[1:n], x[1:n], indexing="ij"))
    zero = np.zeros((m * m, 1))
    source = problem.residual(np, np.stack([a, b], 1), zero, [zero] * 2, [zero] * 2)[0]
    u = np.zeros((n + 1, n + 1))
    u[1:n, 1:n] = np.linalg.solve(np.kron(second, eye) + np.kron(eye, second), -source).reshape(
        m, m
    )
    nodes = np.cos(np.pi * np.arange(n + 1) / n)
    c = fit(nodes, fit(nodes, u, n).T, n).T
    return lambda p: chebyshev.chebval2d(2 * p[:, 0] - 1, 2 * p[:, 1] - 1, c)[:, None]


def sir(problem):
    def rates(t, y):
        new = BETA * y[0] * y[1]
        return -new, new - GAMMA * y[1]

    found = solve_ivp(rates, (0, DAYS), (1 - INFECTED, INFECTED), "DOP853", dense_output=True,
                      rtol=1e-9, atol=1e-11)  # fmt: skip

    def solution(x):
        s, i = found.sol(x[:, 0])
        return np.stack([s, np.log(i)], 1)

    return solution


SOLVERS = {
    "oscillator": oscillator,
    "oscillator_long": oscillator,
    "poisson_interval": poisson_interval,
    "poisson_square": poisson_square,
    "sir": sir,
}


def classical(task):
    """Solve once more, timed, after a first run that loads the libraries."""
    problem = task.problem
    if task.timing:
        raise NotImplementedError("it has no Adam")
    if task.inverse:
        rates, data = [], problem.data
        watch = task.begin(None, lambda: rates[-1] if rates else (0.5, 0.2))
        rates.append(least_squares_fit(*data)[0])
    else:
        found = [SOLVERS[task.name](problem)]
        watch = task.begin(lambda x: found[-1](x))
        found.append(SOLVERS[task.name](problem))
    watch.look(last=True)


if __name__ == "__main__":
    answer({"DOP853, Chebyshev, least squares": classical})
