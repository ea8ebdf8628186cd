"""A step of Levenberg–Marquardt is bent by the second derivative of the residuals along it."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from companion.pinn import (
    LevenbergMarquardt,
    Problem,
    batch_of,
    levenberg_marquardt,
)
from companion.pinn.levenberg_marquardt import (
    bent,
    by_cholesky,
    by_matrix,
    by_qr,
)
from companion.pinn.linearise import linearised
from companion.problems import oscillator, sir
from tests.fits import LINE, decay, least_squares, objective, train


@pytest.mark.parametrize("marquardt", [False, True])
@pytest.mark.parametrize("factor", [by_cholesky, by_qr])
@pytest.mark.parametrize("make", [decay, sir, lambda: oscillator(hard=False)])
def test_a_step_is_bent_by_the_second_derivative_along_it(make, factor, marquardt):
    """a against NumPy's least squares on the exact ∂²ᵥr, by forward mode over forward mode."""
    goal, mu = objective(make()), 1e-2
    theta, problem = goal.trial.theta().detach(), goal.trial.problem
    batch = batch_of(problem, problem.domain.points(12))
    line = linearised(goal, theta, batch)
    model = by_matrix(line, torch.tensor(mu).double(), marquardt, factor)
    h = 1e-3 * model.solve(line.rows)  # so short that third derivatives do not count
    v = h / model.units

    def rows(theta):
        found = goal.rows(theta, batch).items()
        return torch.cat([(line.scales[term] * r).flatten() for term, (r, _) in found])

    along = lambda theta: torch.func.jvp(rows, (theta,), (v,))[1]
    bend = torch.func.jvp(along, (theta,), (v,))[1].detach()
    size = model.units.expand(len(theta))
    expected = least_squares(line.jacobian.numpy(), bend.numpy(), mu, size.numpy())
    near = rows(theta - levenberg_marquardt.NEAR * v).detach()
    found = (bent(model, h, line.rows, near, math.inf) - h) * 2 / size
    error = np.linalg.norm((found.numpy() - expected) * size.numpy())
    assert error < 1e-2 * np.linalg.norm(expected * size.numpy())
    least = 2 * (2 * (bent(model, h, line.rows, near, math.inf) - h)).norm() / h.norm()
    assert torch.equal(bent(model, h, line.rows, near, 0.99 * least.item()), h)
    assert not torch.equal(bent(model, h, line.rows, near, 1.01 * least.item()), h)
    assert torch.equal(bent(model, h, line.rows, near * math.nan, 1.0), h)


@pytest.mark.filterwarnings("ignore:the residuals of equation 2")  # a thousand times as light
@pytest.mark.parametrize("acceleration", [0.0, 0.75])
def test_a_curved_valley_takes_far_fewer_steps_with_acceleration(acceleration):
    """Rosenbrock's valley, a hundred times as narrow: r = (1000 (b − a²), 1 − a), from (−1.2, 1)."""
    valley = lambda t, n: torch.cat([1000 * (n[:, 1:] - n[:, :1] ** 2), 1 - n[:, :1]], 1)
    problem = Problem(LINE, lambda u, t: u(), ansatz=valley, outputs=2)
    stage = LevenbergMarquardt(200, damping=1e-9, acceleration=acceleration)
    _, solution = train([stage], problem, Pair(), points=1, log_interval=1)
    losses = solution.history.column("loss")
    steps = next(k for k, loss in enumerate(losses) if loss < 1e-12)
    assert steps < 60 if acceleration else steps > 100, steps


class Pair(nn.Module):
    """Two numbers, whatever t."""

    def __init__(self):
        super().__init__()
        self.pair = nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))

    def forward(self, t):
        return self.pair.expand(len(t), 2)
