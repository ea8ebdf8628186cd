"""The problems of the gallery hold on their references, and a few are solved by their settings."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from companion.operators import Partials
from companion.pinn import check
from companion.pinn.differences import by_differences
from companion.problems.burgers import burgers, cole_hopf
from companion.problems.closed import beam, eigenvalue, heat_space, kovasznay, poisson_cube
from companion.problems.gallery import GALLERY, frozen, marched, trained
from companion.problems.reactions import allen_cahn, gray_scott
from companion.problems.solved import by_dop853, on_a_ring
from companion.problems.systems import heat_inverse, lorenz_inverse, lotka_volterra, van_der_pol
from companion.problems.waves import advection, helmholtz, wave

CLOSED = [advection, wave, helmholtz, beam, eigenvalue, heat_space, kovasznay, poisson_cube]


@pytest.mark.parametrize("make", CLOSED)
def test_a_closed_form_solves_its_problem(make):
    assert max(check(make()).values()) < 1e-10


def test_a_flow_at_another_reynolds_number_and_a_cube_of_another_dimension():
    assert max(check(kovasznay(10.0)).values()) < 1e-10
    assert max(check(poisson_cube(3)).values()) < 1e-10


SOLVED = [
    (lambda: van_der_pol(1.0, 10.0), 1e-3),
    (lambda: lotka_volterra(10.0), 1e-3),
]


@pytest.mark.parametrize(("make", "tolerance"), SOLVED)
def test_a_reference_by_a_solver_solves_its_problem(make, tolerance):
    with pytest.warns(UserWarning, match="takes its derivatives by differences"):
        check(make(), 50, tolerance=tolerance)


def test_the_reference_of_gray_and_scott_solves_it():
    problem = gray_scott(4.0)
    x = problem.domain.points(20, seed=3)
    x = x[(x[:, 0] > 0.1) & (x[:, 0] < 3.9)]
    u = Partials(by_differences(problem.exact, problem.domain), x)
    assert problem.residual(u, x).abs().max() < 1e-4
    ends = torch.tensor([[3.0, -1.0], [3.0, 1.0]]).double()
    torch.testing.assert_close(*problem.exact(ends))


def test_the_reference_of_allen_cahn_solves_it_away_from_its_layers():
    problem = allen_cahn()
    x = problem.domain.points(200, seed=3)
    x = x[(x[:, 1].abs() < 0.2) & (x[:, 0] > 0.05)]
    step = 1e-3 * torch.tensor([[1.0, 0], [0, 1]]).double()
    u = [problem.exact(x + k * h) for h in step for k in (-1, 0, 1)]
    rate, bend = (u[2] - u[0]) / 2e-3, (u[3] - 2 * u[4] + u[5]) / 1e-6
    assert (rate - 1e-4 * bend - 5 * (u[1] - u[1] ** 3)).abs().max() < 1e-3
    ends = torch.tensor([[0.7, -1.0], [0.7, 1.0]]).double()
    low, high = problem.exact(ends)
    assert abs(low - high) < 1e-9


def test_cole_and_hopf_solve_burgers_equation_and_have_its_known_slope():
    exact = cole_hopf(0.01 / math.pi)
    x = torch.tensor([[0.1, 0.3], [0.4, -0.6], [0.9, 0.05], [1.0, 0.001]]).double()
    u = Partials(exact, x)
    rows = u(0) + u() * u(1) - 0.01 / math.pi * u(1, 1)
    assert (rows / (1 + u(1).abs())).abs().max() < 1e-6
    steepest = Partials(exact, torch.tensor([[1.6037 / math.pi, 0.0]]).double())(1)
    assert steepest.item() == pytest.approx(-152.00516, abs=1e-4)  # Basdevant et al. (1986)
    assert check(burgers(0.1))["equation"] < 1e-10


def test_a_ring_against_a_stiff_solver_on_differences():
    """Fisher's equation by finite differences of the fourth order and Radau, on other points."""
    n, x = 240, np.linspace(0, 2 * np.pi, 240, endpoint=False)

    def rates(_, u):
        r = lambda k: np.roll(u, k)
        bend = (-r(2) - r(-2) + 16 * (r(1) + r(-1)) - 30 * u) / (12 * (2 * np.pi / n) ** 2)
        return 0.1 * bend + u * (1 - u)

    start = lambda x: (0.5 + 0.4 * np.cos(x))[None]
    found = solve_ivp(rates, (0, 1), start(x)[0], "Radau", rtol=1e-8, atol=1e-10).y[:, -1]
    ring = on_a_ring(lambda u, bend: 0.1 * bend + u * (1 - u), start, (0, 2 * np.pi), 1.0, 64)
    at = torch.tensor(np.stack([np.ones(n), x], 1))
    assert np.abs(ring(at)[:, 0].numpy() - found).max() < 1e-6


def test_a_system_by_dop853_has_its_closed_form():
    turn = by_dop853(lambda t, y: [y[1], -y[0]], [0.0, 1.0], 7.0)
    t = torch.linspace(0, 7, 20).double()[:, None]
    torch.testing.assert_close(turn(t), torch.cat([t.sin(), t.cos()], 1), rtol=0, atol=1e-10)


def test_the_data_of_the_inverse_problems():
    lorenz, heat = lorenz_inverse(), heat_inverse(3)
    assert len(lorenz.conditions[0].points) == 25
    assert {n: p.truth for n, p in lorenz.unknowns.items()} == {
        "sigma": 10,
        "rho": 15,
        "beta": 8 / 3,
    }
    noise = heat.conditions[0].values - heat.exact(heat.conditions[0].points)
    assert 0.015 < noise.std() < 0.025
    assert not torch.equal(
        noise, heat_inverse(4).conditions[0].values - heat.exact(heat.conditions[0].points)
    )


def test_every_entry_has_a_problem_and_a_reference():
    for entry in GALLERY.values():
        problem = entry.problem()
        x = problem.domain.points(4)
        assert problem.exact(x).shape == (4, problem.outputs)
        assert entry.difficulty


def test_the_settings_solve():
    line = eigenvalue()
    assert GALLERY["eigenvalue"].solve(line, 1).unknowns["k"] == pytest.approx(1.0, abs=1e-6)
    assert frozen(150, {"t": 2.0, "x": 0.5}, 500)(advection(6.0), 0).error < 1e-4
    assert trained((12,), 2.0, 40, 150)(heat_inverse(), 0).error < 0.05
    assert marched(2, (12,), 2.0, 15, 40)(van_der_pol(1.0, 2.0), 0).error < 1e-3


def test_the_error_of_an_inverse_problem_is_that_of_its_unknowns():
    found = {"sigma": 10.0, "rho": 15.0, "beta": 8 / 3 * 0.99}
    assert GALLERY["Lorenz, inverse"].error(0.5, found) == pytest.approx(0.01)
    assert GALLERY["beam"].error(0.5, {}) == 0.5
