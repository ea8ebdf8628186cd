"""J as outer products: the same J, the same steps, and J as it was where there are none."""

import pytest
import torch
from torch import nn

from companion.pinn import (
    MLP,
    Causal,
    Condition,
    Field,
    LevenbergMarquardt,
    Problem,
    Siren,
    batch_of,
    fit,
    outer_products,
)
from companion.pinn.levenberg_marquardt import by_outer_products
from companion.pinn.linearise import linearised
from companion.pinn.outer_products import Layer
from companion.problems import oscillator, poisson_square, sir
from tests.fits import LINE, decay, objective
from tests.test_pinn_linearise import tables


@pytest.fixture(autouse=True)
def every_layer(monkeypatch):
    """As if matrices and J were large."""
    monkeypatch.setattr(outer_products, "LARGE", 0)
    monkeypatch.setattr(outer_products, "SMALL", -1000)


CASES = {
    "oscillator": oscillator,
    "conditions of other orders": lambda: oscillator(hard=False),
    "laplacian": lambda: poisson_square(hard=False, edge_points=2),
    "two outputs": sir,
    "unknown": decay,
    "tables": tables,
}


def case(problem, causal=None, family=MLP):
    """(objective, θ, batch): few points, many parameters."""
    net = family(problem.domain, (7, 6), outputs=problem.outputs, seed=2)
    goal = objective(problem, net, causal)
    return goal, goal.trial.theta(), batch_of(problem, problem.domain.points(9))


@pytest.mark.parametrize("family", [MLP, Siren])
@pytest.mark.parametrize("name", CASES)
def test_they_are_the_jacobian(name, family):
    goal, theta, batch = case(CASES[name](), family=family)
    line, found = linearised(goal, theta, batch), outer_products.outer_products(goal, theta, batch)
    layers = [piece for piece in found.pieces if isinstance(piece, Layer)]
    assert len(layers) == 3  # the matrices
    assert torch.equal(found.rows, line.rows) and found.losses == line.losses
    j, random = line.jacobian, torch.Generator().manual_seed(0)
    v, w = (torch.randn(n, generator=random).double() for n in j.T.shape)
    close = {"rtol": 1e-10, "atol": 1e-10 * j.abs().max()}
    assert torch.allclose(found.forward(v), j @ v, **close)
    assert torch.allclose(found.transposed(w), j.T @ w, **close)
    assert torch.allclose(found.gram().triu(), (j @ j.T).triu(), **close)


def test_a_gram_matrix_of_several_blocks(monkeypatch):
    monkeypatch.setattr(outer_products, "ROWS", 4)
    goal, theta, batch = case(sir(), Causal(epsilon=0.1))
    j = linearised(goal, theta, batch).jacobian
    found = outer_products.outer_products(goal, theta, batch).gram()
    assert torch.allclose(found.triu(), (j @ j.T).triu(), rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore:the equation and its conditions leave")  # of so few points
@pytest.mark.parametrize("name", CASES)
def test_the_steps_are_those_with_the_jacobian(name, monkeypatch):
    problem, ends = CASES[name](), []
    for large in (0, 2**60):
        monkeypatch.setattr(outer_products, "LARGE", large)
        net = MLP(problem.domain, (7, 6), outputs=problem.outputs, seed=2)
        fit(problem, net, [LevenbergMarquardt(4)], points=9, progress=False)
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.allclose(*ends, rtol=1e-6, atol=1e-8)


def asked_twice():
    """u at t and elsewhere: a parameter's columns are sums."""
    return Problem(LINE, lambda u, t: u(0) + u() + u.f(t / 2))


def with_a_field():
    start = Condition("start", torch.zeros(1, 1), 1.0)
    field = {"k": Field(MLP(LINE, (5, 4), seed=1))}
    return Problem(LINE, lambda u, t, k: u(0) + k() * u(), (start,), unknowns=field)


@pytest.mark.parametrize(("make", "there"), [(asked_twice, False), (with_a_field, True)])
def test_of_several_networks_they_are_found_and_of_one_that_is_asked_twice_not(make, there):
    goal, theta, batch = case(make())
    found = outer_products.outer_products(goal, theta, batch)
    assert (found is not None) == there
    if there:
        j = linearised(goal, theta, batch).jacobian
        assert torch.allclose(found.gram().triu(), (j @ j.T).triu(), rtol=1e-10, atol=1e-12)


def test_of_more_rows_than_parameters_there_are_none():
    goal, theta, _ = case(oscillator())
    batch = batch_of(goal.trial.problem, goal.trial.problem.domain.points(len(theta)))
    assert outer_products.outer_products(goal, theta, batch) is None


def test_where_no_matrix_is_large_enough_there_are_none(monkeypatch):
    monkeypatch.setattr(outer_products, "SMALL", 1000)
    goal, theta, batch = case(oscillator())
    assert outer_products.outer_products(goal, theta, batch) is None
    assert outer_products.outer_products(goal, theta, batch) is None


def test_where_a_row_is_not_finite_no_step_is_made():
    goal, theta, batch = case(oscillator())
    found = outer_products.outer_products(goal, theta, batch)
    found.pieces[0].b[0, 0, 0] = torch.inf
    model = by_outer_products(found, torch.tensor(1.0).double())
    assert model.solve(found.rows).isnan().all()


class Middle(nn.Module):
    """Of three matrices the middle one is trained, and nothing else."""

    def __init__(self):
        super().__init__()
        self.first, self.last = (
            nn.Linear(1, 7).requires_grad_(False),
            nn.Linear(6, 1).requires_grad_(False),
        )
        self.middle = nn.Linear(7, 6, bias=False)

    def forward(self, x):
        return self.last(torch.tanh(self.middle(torch.sin(self.first(x)))))


class Flat(nn.Module):
    """36 numbers as a matrix of six rows; a condition may see four."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(1, 6), nn.Linear(6, 1)
        self.flat = nn.Parameter(torch.linspace(-1, 1, 36))

    def forward(self, x):
        return self.last(torch.tanh(torch.tanh(self.first(x)) @ self.flat.view(6, 6)))


def seen_otherwise(network):
    t = torch.linspace(0, 1, 3).double()[:, None]
    of = lambda u, t: (t.expand(-1, 4) @ network.flat.view(4, 9)).mean(1, keepdim=True)
    return Problem(LINE, lambda u, t: u(0) + u(), (Condition("four rows", t, 0.0, of=of),))


def test_of_a_matrix_in_two_shapes_there_are_none():
    network = Flat().double()
    goal = objective(seen_otherwise(network), network)
    batch = batch_of(goal.trial.problem, LINE.points(9))
    assert outer_products.outer_products(goal, goal.trial.theta(), batch) is None


def test_without_plain_columns():
    network = Middle().double()
    goal = objective(oscillator(), network)
    theta, batch = goal.trial.theta(), batch_of(goal.trial.problem, oscillator().domain.points(9))
    j = linearised(goal, theta, batch).jacobian
    found = outer_products.outer_products(goal, theta, batch)
    assert torch.allclose(found.gram().triu(), (j @ j.T).triu(), rtol=1e-10, atol=1e-12)
    assert torch.allclose(found.transposed(found.rows), j.T @ found.rows, rtol=1e-10, atol=1e-12)
