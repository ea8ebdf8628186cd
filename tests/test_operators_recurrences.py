"""The equations on tensors, against the recurrences on lists, and against v′ = f′(u) u′."""

import pytest
import torch

from companion import series
from companion.operators.recurrences import POINTWISE, power, product
from tests.nested import assert_series

U = torch.rand(8, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 0.8 + 0.1


def constant(u, c):
    return [torch.full_like(u[0], c)] + [torch.zeros_like(u[0])] * (len(u) - 1)


def over(u, w):
    return series.div(constant(u, 1.0), w)


SERIES = {
    "exp": lambda u: (series.exp(u, u[0].exp()),) * 2,
    "log": lambda u: (series.log(u, u[0].log()), over(u, u)),
    "sin": lambda u: series.sin_cos(u, u[0].sin(), u[0].cos()),
    "cos": lambda u: (lambda s, c: (c, [-t for t in s]))(*series.sin_cos(u, u[0].sin(), u[0].cos())),
    "tanh": lambda u: (lambda t: (t, [a - b for a, b in zip(constant(u, 1.0), series.mul(t, t))]))(
        series.tanh(u, u[0].tanh())),
    "sigmoid": lambda u: (lambda s: (s, [a - b for a, b in zip(s, series.mul(s, s))]))(
        series.sigmoid(u, u[0].sigmoid())),
    "sqrt": lambda u: (lambda p: (p, [t / 2 for t in over(u, p)]))(series.power(u, 0.5, u[0].sqrt())),
    "rsqrt": lambda u: (lambda p: (p, [-t / 2 for t in series.div(p, u)]))(
        series.power(u, -0.5, u[0].rsqrt())),
    "reciprocal": lambda u: (lambda r: (r, [-t for t in series.mul(r, r)]))(over(u, u)),
}  # fmt: skip


@pytest.mark.parametrize("name", SERIES)
def test_the_recurrences_find_what_companion_series_finds(name):
    v, w = POINTWISE[name](list(U), 7)
    expected = SERIES[name](list(U))
    assert_series(v, expected[0], 1e-12)
    assert_series(w, expected[1], 1e-12)


def test_products_and_powers_find_what_companion_series_finds():
    assert_series(product(list(U), list(U.flip(0)), 7), series.mul(list(U), list(U.flip(0))))
    assert_series(power(1.7)(list(U), 7)[0], series.power(list(U), 1.7, U[0] ** 1.7))


@pytest.mark.parametrize("name", POINTWISE)
def test_the_slope_that_a_rule_gives_is_the_slope(name):
    """v′ = w u′: k vₖ = Σ j uⱼ wₖ₋ⱼ, whatever the way in which v and w were found."""
    u = list(U * 0.9)
    v, w = POINTWISE[name](u, 7)
    slope = series.mul([j * t for j, t in enumerate(u)], w)
    assert_series([k * t for k, t in enumerate(v)][1:], slope[1:], 1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
@pytest.mark.parametrize("name", POINTWISE)
def test_a_short_series_is_one_with_zeros(name, length):
    short, zeros = list(U[:length]), [torch.zeros_like(U[0])] * (6 - length)
    found, expected = POINTWISE[name](short, 5), POINTWISE[name](short + zeros, 5)
    for a, b in zip(found, expected):
        a = [t.expand_as(U[0]) for t in a] + [torch.zeros_like(U[0])] * (6 - len(a))
        assert_series(a, b, 1e-13)


@pytest.mark.parametrize("name", ["exp", "tanh", "silu", "erf"])
def test_a_recurrence_off_by_a_thousandth_is_caught(monkeypatch, name):
    rule = POINTWISE[name]
    wrong = lambda u, n: (
        [t * 1.001 if k == 5 else t for k, t in enumerate(rule(u, n)[0])],
        rule(u, n)[1],
    )
    monkeypatch.setitem(POINTWISE, name, wrong)
    with pytest.raises(AssertionError, match="coefficient"):
        test_the_slope_that_a_rule_gives_is_the_slope(name)
