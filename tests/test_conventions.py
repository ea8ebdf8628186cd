"""Conventions: each entry is a corner indeed, and the operators say there what the installed torch says."""

import math

import pytest
import torch
import torch.nn.functional as F

from companion.operators import Partials
from companion.operators.conventions import CONVENTIONS, Convention

each = pytest.mark.parametrize("c", CONVENTIONS, ids=lambda c: f"{c.function} at {c.at:g}")


def by_torch(c: Convention, at: float, order: int) -> float:
    """The derivative that torch's own first derivative gives, differentiated as a function."""
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    y = c.f(x)
    for _ in range(order):
        if not y.requires_grad:  # a constant slope
            return 0.0
        (y,) = torch.autograd.grad(y, x, create_graph=True, materialize_grads=True)
    return y.item()


def jump(c: Convention, order: int, h: float = 1e-7) -> float:
    return abs(by_torch(c, c.at + h, order) - by_torch(c, c.at - h, order))


@each
def test_the_derivative_of_that_order_jumps_and_no_lower_one(c: Convention) -> None:
    assert jump(c, c.order) > 1e-9
    assert all(jump(c, order) < 1e-6 for order in range(1, c.order))


def test_a_smooth_point_is_found_to_be_none() -> None:
    assert jump(Convention("softplus", F.softplus, 19.0, 1, "nothing"), 1) < 1e-9


@each
def test_each_side_is_what_a_difference_quotient_says(c: Convention) -> None:
    h = 1e-4
    for at in (c.at - 0.01, c.at + 0.01):
        lower = [by_torch(c, at + side * h, c.order - 1) for side in (-1, 1)]
        quotient = (lower[1] - lower[0]) / (2 * h)
        assert by_torch(c, at, c.order) == pytest.approx(quotient, rel=1e-6, abs=1e-7)


@each
def test_the_operators_say_what_the_installed_torch_says(c: Convention) -> None:
    x = torch.tensor([[c.at]], dtype=torch.float64)
    ours = Partials(lambda x: c.f(x[0, 0]).reshape(1, 1), x)(*[0] * c.order).item()
    theirs = by_torch(c, c.at, c.order)
    assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))


def test_no_convention_stands_twice() -> None:
    names = [(c.function, c.at, c.order) for c in CONVENTIONS]
    assert len(set(names)) == len(names)
