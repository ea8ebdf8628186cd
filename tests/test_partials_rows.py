"""Rows that look at one another: Partials(f, x).check_rows()."""

import itertools

import pytest
import torch
from torch import nn

from companion.operators import LeakProbe, Partials
from tests.fields import network, points

METHODS = ("reverse", "taylor", None)


def test_batch_norm_is_found_and_named():
    f = nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1)).double()
    with pytest.raises(ValueError, match=r"mixes the rows of x.*BatchNorm in training.*: 1\. Call"):
        Partials(f, points(d=2)).check_rows()
    f.eval()
    Partials(f, points(d=2)).check_rows()


@pytest.mark.parametrize(
    "mixing",
    [
        lambda x: x - x.mean(0, keepdim=True),
        lambda x: x * torch.softmax(x, 0),
        lambda x: x.flip(0).sin(),
        lambda x: x.cumsum(0),
        lambda x: (x @ x.T).softmax(1) @ x,
        lambda x: x * x.roll(1, 0),  # each row looks at one other
        lambda x: torch.cat([x + x.mean(0) ** 2, x - x.mean(0) ** 2], 1),  # whose sum mixes nothing
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_other_mixing_is_found(mixing, method):
    with pytest.raises(ValueError, match="mixes the rows of x: each point's derivatives are off"):
        Partials(mixing, points(d=2), method).check_rows()


@pytest.mark.parametrize("method", METHODS)
def test_independent_rows_pass_and_nothing_is_left_behind(method):
    f, x = network(m=3), points(d=2).requires_grad_()
    state = torch.get_rng_state()
    three = lambda x: torch.cat([torch.sin(x[:, :1] * x[:, 1:2]) * torch.exp(x[:, 2:]), x**3], 1)
    flat = lambda x: torch.ones(12, 1, dtype=torch.float64)
    for g, at in ((f, x), (three, points()), (flat, x)):
        Partials(g, at, method).check_rows()
    assert torch.equal(torch.get_rng_state(), state)
    assert x.grad is None
    assert all(p.grad is None for p in f.parameters())


@pytest.mark.parametrize("n", range(2, 9))
def test_two_rows_that_look_at_each_other_are_found_wherever_they_are(n):
    for i, j in itertools.combinations(range(n), 2):
        swap = torch.arange(n)
        swap[i], swap[j] = j, i
        with pytest.raises(ValueError, match="mixes the rows of x"):
            Partials(lambda x: x * x[swap], points(n, 1)).check_rows()


def test_rows_are_not_called_independent_where_nothing_can_be_seen():
    with pytest.raises(ValueError, match="NaN or infinite: its rows cannot be told"):
        Partials(lambda x: x.mean(0) * torch.log(x - 100), points()).check_rows()


def test_the_check_of_rows_does_not_depend_on_the_default_device():
    x = points()
    with torch.device("meta"):
        Partials(torch.sin, x).check_rows()


def test_two_hundred_calls_leave_nothing_behind():
    f, x = network(), points(50, 2)
    with LeakProbe() as probe:
        for _ in range(200):
            u = Partials(f, x)
            loss = (u(0, 1) + u.laplacian() + u(0, 0, 0)).square().mean()
            loss.backward()
            f.zero_grad()
            probe.watch(u(0, 1))
            probe.watch(loss)
            del u, loss
    assert probe.alive == 0


def test_the_check_of_rows_can_fail_and_the_derivative_shows_it():
    """What BatchNorm does to the trick of the sum: not a rounding error."""
    f = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 1)).double()
    x = points(20, 1)
    mixed = Partials(f, x)(0)
    alone = torch.autograd.functional.jacobian(f, x)[:, 0, :, 0].diagonal()[:, None]
    assert ((mixed - alone).norm() / alone.norm()) > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_a_millionth_of_another_row_is_found(method):
    with pytest.raises(ValueError, match="mixes the rows of x"):
        Partials(lambda x: x.sin() + 1e-6 * x.mean(0) ** 2, points(d=2), method).check_rows()
