"""Stencils: the published tables, exactness on polynomials, the leading error, every message."""

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.engines.stencils import leading_error, scheme_offsets, stencil

TABLES = {  # Fornberg (1988), tables 1 to 3
    ((-1, 0, 1), 1): "-1/2 0 1/2",
    ((-2, -1, 0, 1, 2), 1): "1/12 -2/3 0 2/3 -1/12",
    ((-3, -2, -1, 0, 1, 2, 3), 1): "-1/60 3/20 -3/4 0 3/4 -3/20 1/60",
    ((-1, 0, 1), 2): "1 -2 1",
    ((-2, -1, 0, 1, 2), 2): "-1/12 4/3 -5/2 4/3 -1/12",
    ((-2, -1, 0, 1, 2), 3): "-1/2 1 0 -1 1/2",
    ((-2, -1, 0, 1, 2), 4): "1 -4 6 -4 1",
    ((-3, -2, -1, 0, 1, 2, 3), 4): "-1/6 2 -13/2 28/3 -13/2 2 -1/6",
    ((0, 1), 1): "-1 1",
    ((0, 1, 2), 1): "-3/2 2 -1/2",
    ((0, 1, 2, 3), 1): "-11/6 3 -3/2 1/3",
    ((0, 1, 2, 3), 2): "2 -5 4 -1",
    ((F(-1, 2), F(1, 2)), 0): "1/2 1/2",
    ((-1.5, -0.5, 0.5, 1.5), 1): "1/24 -9/8 9/8 -1/24",
    ((0,), 0): "1",
}


@pytest.mark.parametrize(("offsets", "order"), TABLES)
def test_stencil_reproduces_the_published_tables(offsets, order):
    weights = stencil(offsets, order)
    assert weights == tuple(F(w) for w in TABLES[offsets, order].split())
    assert all(type(w) is F for w in weights)


@given(st.sets(st.fractions(-5, 5, max_denominator=12), min_size=1, max_size=7), st.data())
@settings(deadline=None)
def test_stencil_is_exact_on_polynomials_up_to_its_size(offsets, data):
    offsets = data.draw(st.permutations(sorted(offsets)))
    order = data.draw(st.integers(0, len(offsets) - 1))
    weights = stencil(offsets, order)
    for power in range(len(offsets)):
        exact = mpmath.factorial(order) if power == order else 0
        assert sum(w * o**power for w, o in zip(weights, offsets, strict=True)) == exact


def test_stencil_follows_the_order_of_its_offsets_and_takes_numpy_numbers():
    assert stencil([1, -1, 0], 2) == (1, 1, -2)
    assert stencil(np.array([-1, 0, 1]), np.int64(2)) == (1, -2, 1)


@pytest.mark.parametrize(
    ("scheme", "order", "accuracy", "constant"),
    [
        ("forward", 1, 1, 1 / 2),
        ("backward", 1, 1, -1 / 2),
        ("central", 1, 2, 1 / 6),
        ("central", 2, 2, 1 / 12),
        ("central", 3, 2, 1 / 4),
        ("forward", 2, 1, 1.0),
        ((-2, -1, 0, 1, 2), 1, 4, -1 / 30),
    ],
)
def test_leading_error(scheme, order, accuracy, constant):
    found = leading_error(scheme_offsets(scheme, order), order)
    assert found == (accuracy, pytest.approx(constant, rel=1e-15))


@pytest.mark.parametrize(
    ("offsets", "order", "message"),
    [
        ([0, 1, 1], 1, r"offsets \(0, 1, 1\) repeat a point"),
        ([0, 1], 2, r"order 2 needs at least 3 offsets; got 2: \(0, 1\)"),
        ([], 0, r"needs at least 1 offsets; got 0"),
        ([0, np.nan], 1, "offset nan: need finite real numbers"),
        ([0, np.inf], 1, "offset inf: need finite"),
        ([0, 1j], 1, "offset 1j: need finite real"),
        ([0, 1], -1, "order = -1: the order of a derivative is a whole number, at least 0"),
        ([0, 1], 0.5, r"order = 0\.5"),
        ([0, 1], True, "order = True"),
    ],
)
def test_stencil_says_what_is_wrong(offsets, order, message):
    with pytest.raises(ValueError, match=message):
        stencil(offsets, order)
