"""Integrals in equations and conditions: against closed forms, and their Jacobian against torch's."""

import dataclasses
import math

import pytest
import torch

from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Box,
    Condition,
    Field,
    Integral,
    LevenbergMarquardt,
    Problem,
    Unknown,
    batch_of,
    check,
    residuals,
    scaled,
)
from companion.pinn.linearise import Products, linearised, rows_at
from companion.pinn.units import sizes_of
from tests.fits import LINE, bits, column, objective, train

X = Box(x=(0.0, 1.0))
PLANE = Box(t=(0.0, 2.0), x=(0.0, 1.0))
ARC = Box(x=(0.0, math.pi))


# --- quadrature ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3, 8])
def test_a_quadrature_is_exact_for_polynomials_below_twice_its_points(n):
    points, weights = Box(x=(-1.0, 3.0)).quadrature(n)
    for power in range(2 * n):
        exact = (3.0 ** (power + 1) - (-1.0) ** (power + 1)) / (power + 1)
        assert (weights * points**power).sum().item() == pytest.approx(exact, rel=1e-12)


def test_in_two_dimensions_and_on_a_face():
    points, weights = PLANE.quadrature((5, 9))
    assert points.shape == (45, 2) and weights.shape == (45, 1)
    f = lambda x: torch.exp(x[:, :1]) * torch.cos(x[:, 1:])
    whole = (math.exp(2) - 1) * math.sin(1)
    assert (weights * f(points)).sum().item() == pytest.approx(whole, rel=1e-8)
    points, weights = PLANE.quadrature(9, t=2.0)
    assert (points[:, 0] == 2).all() and points.shape == (9, 2)
    assert (weights * f(points)).sum().item() == pytest.approx(math.exp(2) * math.sin(1), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: PLANE.quadrature((5,)), "a tuple with one for each of 2 axes"),
        (lambda: PLANE.quadrature(3, t=0.0, x=0.0), "an axis to integrate along; got 3"),
        (lambda: PLANE.quadrature(0), "the number of points along an axis is a whole number, 1 or"),
        (lambda: PLANE.quadrature(2, y=0.0), "y: this box has t, x"),
        (lambda: PLANE.quadrature(2, t=3.0), "t=3.0 lies outside"),
    ],
)
def test_what_a_quadrature_refuses(call, said):
    with pytest.raises(ValueError, match=said):
        call()


# --- problems with closed forms ------------------------------------------------------------------


def eigenvalue():
    """−u″ = λ u, u(0) = u(π) = 0, ∫ u² = π/2: u = sin x, λ = 1."""
    return Problem(
        ARC,
        lambda u, x, k: u(0, 0) + k * u(),
        (Condition("norm", column(0.0), math.pi / 2, of=lambda u, x, square: square),),
        ansatz=lambda x, n: x * (math.pi - x) * n,
        unknowns={"k": Unknown(1.5, truth=1.0)},
        integrals={"square": Integral(*ARC.quadrature(24), of=lambda u, y: u() ** 2)},
        exact=torch.sin,
        order=2,
    )


HALF = (1 + math.exp(-1) * (2 * math.sin(2) - math.cos(2))) / 5 / 2  # ½ ∫₀¹ e⁻ʸ cos 2y dy


def fredholm():
    """u(x) = f(x) + ½ ∫₀¹ eˣ⁻ʸ u(y) dy with u = cos 2x."""
    return Problem(
        X,
        lambda u, x, past: u() - torch.cos(2 * x) + HALF * torch.exp(x) - past / 2,
        integrals={"past": Integral(*X.quadrature(12), kernel=lambda x, y: torch.exp(x - y))},
        exact=lambda x: torch.cos(2 * x),
        order=0,
    )


def volterra():
    """u′ = 1 − ∫₀ˣ u dy, u(0) = 0: u = sin x."""
    return Problem(
        X,
        lambda u, x, past: u(0) - 1 + past,
        ansatz=lambda x, n: x * n,
        integrals={"past": Integral(*X.quadrature(8), axes=("x",), upto=True)},
        exact=torch.sin,
    )


def memory():
    """u′ = −∫₀ˣ e^{−(x − y)} u dy, u(0) = 1: u″ + u′ + u = 0, u′(0) = 0. The rate of memory is 1."""

    def exact(t):
        w = math.sqrt(3) / 2
        return torch.exp(-t / 2) * (torch.cos(w * t) + torch.sin(w * t) / (2 * w))

    fades = lambda x, y, k: torch.exp(-k * (x - y))
    data = Condition("data", LINE.points(9, "grid"), exact(LINE.points(9, "grid")))
    return Problem(
        LINE,
        lambda u, x, past: u(0) + past,
        (data,),
        unknowns={"k": Unknown(0.3, truth=1.0)},
        integrals={"past": Integral(*LINE.quadrature(10), kernel=fades, axes=("t",), upto=True)},
        exact=exact,
    )


def population():
    """u_t = (1 − ∫ u dx) u from u(0, x) = (1 + x) / 3: P = ∫ u is a logistic curve from ½."""
    start = lambda x: (1 + x[:, 1:]) / 3

    def exact(x):
        return start(x) * 2 * torch.sigmoid(x[:, :1])

    return Problem(
        PLANE,
        lambda u, x, total: u(0) - (1 - total) * u(),
        ansatz=lambda x, n: start(x) + x[:, :1] * n,
        integrals={"total": Integral(*X.quadrature(4), axes=("x",))},
        exact=exact,
    )


def smoothed():
    """Two outputs, a field in the integrand, two integrals, a derivative in one of them."""
    near = Integral(
        *X.quadrature(5),
        of=lambda u, y, a: u() * a(),
        kernel=lambda x, y, k: torch.exp(-k * (x - y) ** 2),
    )
    slope = Integral(*X.quadrature(4), of=lambda u, y, k: k * u(0) ** 2)
    return Problem(
        X,
        lambda u, x, near, slope: u(0) - near + slope * u(),
        (
            Condition("norm", column(0.0), of=lambda u, x, slope: slope),
            Condition("edge", column(0.0, 1.0), of=lambda u, x, near, k: u() - k * near),
        ),
        unknowns={"k": Unknown(0.5), "a": Field(MLP(X, (3,)))},
        integrals={"near": near, "slope": slope},
        outputs=2,
    )


PROBLEMS = {p.__name__: p for p in (eigenvalue, fredholm, volterra, memory, population, smoothed)}


@pytest.mark.parametrize("name", ["eigenvalue", "fredholm", "volterra", "memory", "population"])
def test_check_finds_the_exact_solution_right_and_another_wrong(name):
    problem = PROBLEMS[name]()
    assert max(check(problem, 40, tolerance=1e-8).values()) < 1e-8
    wrong = dataclasses.replace(problem, exact=lambda x: 1.1 * problem.exact(x))
    with pytest.raises(ValueError, match="leaves a residual above"):
        check(wrong, 40, tolerance=1e-3)


# --- the Jacobian --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_jacobian_is_that_of_the_whole_residual(name):
    """The chain rule through the integrals, against reverse mode through everything at once."""
    problem = PROBLEMS[name]()
    goal = objective(problem)
    theta, batch = goal.trial.theta(), batch_of(problem, problem.domain.points(7))
    for moved in (theta, 1.3 * theta):  # as traced, and elsewhere
        line = linearised(goal, moved, batch)

        def rows(theta):
            found = goal.trial.at(theta, batch, "taylor")
            return torch.cat([(r / len(r) ** 0.5).flatten() for r, _ in found.values()])

        assert torch.allclose(line.rows, rows(moved), atol=1e-13)
        assert torch.allclose(rows_at(goal, moved, batch, line.scales), line.rows, atol=1e-13)
        whole = torch.func.jacrev(rows)(moved)
        assert torch.allclose(line.jacobian, whole, atol=1e-11 * whole.abs().max())
        v = torch.randn(len(theta), generator=torch.Generator().manual_seed(0)).double()
        products = Products(goal, moved, batch)
        assert torch.allclose(products.forward(v), whole @ v, atol=1e-10)


def test_the_integrand_is_evaluated_at_its_own_points_once_for_all_others():
    seen = []

    def square(u, y):
        seen.append(len(y))
        return u() ** 2

    problem = Problem(
        X,
        lambda u, x, mass: u(0) - mass,
        (Condition("edge", column(0.0, 0.5), of=lambda u, x, mass: u() - mass),),
        integrals={"mass": Integral(*X.quadrature(6), of=square)},
    )
    residuals(problem, {"u": torch.sin}, batch_of(problem, X.points(50)))
    assert seen == [6]


def test_residuals_by_hand():
    """∫₀¹ sin² = ½ − ¼ sin 2, and ∫₀¹ (x + 2y) sin y dy."""
    both = {
        "mass": Integral(*X.quadrature(12), of=lambda u, y: u() ** 2),
        "near": Integral(*X.quadrature(12), kernel=lambda x, y: (x + 2 * y)[:, :, 0]),
    }
    problem = Problem(
        X, lambda u, x, mass, near: torch.cat([0 * x + mass, near], 1), integrals=both
    )
    x = X.points(5)
    rows, _ = residuals(problem, {"u": torch.sin}, batch_of(problem, x))["equation"]
    first, second = 1 - math.cos(1), math.sin(1) - math.cos(1)
    assert torch.allclose(rows[:, 0], torch.tensor(0.5 - math.sin(2) / 4).double())
    assert torch.allclose(rows[:, 1:], x * first + 2 * second)


# --- every stage ---------------------------------------------------------------------------------


def test_an_eigenvalue_is_found_to_nine_digits():
    net = MLP(ARC, (16,), spread=2.0)
    _, solution = train([LevenbergMarquardt(120)], eigenvalue(), net, points=80)
    assert solution.unknowns["k"] == pytest.approx(1.0, abs=1e-9)
    x = ARC.points(50)
    assert (solution(x).abs() - torch.sin(x)).abs().max() < 1e-7  # −sin x is as good


def test_the_size_of_a_solution_is_seen_in_its_norm():
    """∫ u² = 10⁴ · π/2 asks for a u of the size 100."""
    problem = eigenvalue()
    norm = dataclasses.replace(problem.conditions[0], values=1e4 * math.pi / 2)
    (size,) = sizes_of(dataclasses.replace(problem, conditions=(norm,))).outputs.tolist()
    assert 10 < size < 1000


@pytest.mark.parametrize(
    ("stage", "error"),
    [
        (LevenbergMarquardt(40), 1e-4),
        (LevenbergMarquardt(10, solver="cg", iterations=30), 1e-2),
        (LevenbergMarquardt(15, solver="qr"), 1e-3),
        (LBFGS(8), 0.1),
        (Adam(150, 0.02), 0.2),
    ],
)
def test_a_fredholm_equation_by_every_stage(stage, error):
    net = MLP(X, (10,), spread=2.0)
    _, solution = train([stage], fredholm(), net, points=40)
    assert solution.error < error


@pytest.mark.parametrize("name", ["volterra", "memory", "population"])
def test_equations_with_integrals_along_an_axis(name):
    problem = PROBLEMS[name]()
    net = MLP(problem.domain, (12,), spread=2.0)
    _, solution = train([LevenbergMarquardt(60)], problem, net, points=40)
    assert solution.error < (1e-3 if name == "population" else 1e-5)
    if name == "memory":
        assert solution.unknowns["k"] == pytest.approx(1.0, abs=1e-3)


def test_a_problem_in_other_units_keeps_its_integrals():
    """u = 10⁴ x: u′ = 2 ∫ u dx, ∫ u dx = 5000."""
    problem = Problem(
        X,
        lambda u, x, mass: u(0) - 2 * mass,
        (Condition("mass is", column(0.0), 5e3, of=lambda u, x, mass: mass),),
        integrals={"mass": Integral(*X.quadrature(4))},
        ansatz=lambda x, n: x * n,
        exact=lambda x: 1e4 * x,
    )
    _, solution = train([LevenbergMarquardt(30)], scaled(problem), MLP(X, (6,)))
    assert solution.error < 1e-6


def test_in_single_precision():
    net = MLP(X, (8,)).float()
    _, solution = train([LevenbergMarquardt(30)], fredholm(), net)
    assert solution.error < 1e-3


def test_a_fit_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path):
    finals = []
    for stops in ([12], [5, 12]):
        path = tmp_path / str(len(stops))
        for steps in stops:
            net = MLP(X, (5,))
            train([LevenbergMarquardt(steps)], fredholm(), net, checkpoint=path, log_interval=5)
        finals.append(bits(net))
    assert torch.equal(*finals)
