"""The checker: what it lets pass, what it refuses, and what it names."""

import math

import numpy as np
import pytest

import companion.engines as ce
from companion.engines import check_derivatives, derivatives, jvp
from companion.engines.checks import ENGINES
from companion.engines.kinds import TABLE, Pointwise
from companion.engines.values import plain
from tests.oracles import CASES, COMPOSITES
from tests.test_mutation import facts, mutate

FIRST = {case.row: case for case in reversed(CASES)}  # a case for each row


@pytest.mark.parametrize("case", [*FIRST.values(), *COMPOSITES], ids=str)
def test_what_is_right_passes(case):
    check_derivatives(case.call, *case.inputs)


def test_programs_pass_in_any_shape_and_to_any_order():
    check_derivatives(lambda x: ce.tanh(x) * ce.exp(-x), 0.4, order=6)
    check_derivatives(lambda x: ce.sin(x), 0.4, order=0)
    check_derivatives(lambda x: 3.0, 0.4)
    check_derivatives(lambda x, y: ce.sum(ce.sin(x) @ y), np.ones((2, 3)), np.ones((3, 2)))
    check_derivatives(lambda x: ce.logsumexp(x, axis=1), np.arange(6.0).reshape(2, 3))
    check_derivatives(lambda x, y: x**y, 2, 3)
    check_derivatives(lambda x: x * x if x > 0.5 and np.less(x, 2.0) else 3 * x, 0.7)
    check_derivatives(ce.grad(lambda x: ce.sum(x**3)), np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("name", "fact", "i"), [(name, *f) for name in sorted(TABLE) for f in facts(name)]
)
def test_a_rule_off_by_a_thousandth_is_named(monkeypatch, name, fact, i):
    """One wrong fact of one row: the check fails, and says which row it was."""
    case = next(c for c in CASES if c.row == name and len(c.inputs) > i)
    check_derivatives(case.call, *case.inputs, order=1)
    mutate(monkeypatch, TABLE[name], fact, i)
    with pytest.raises(AssertionError, match=rf"The rule that is wrong: {name}\."):
        check_derivatives(case.call, *case.inputs, order=2)


def test_a_wrong_rule_is_found_in_the_middle_of_a_program(monkeypatch):
    program = lambda x, y: ce.sum(ce.exp(ce.sin(x @ y)) / (2 + ce.cos(x[0])))
    args = (np.array([[1.0, 2.0], [0.3, 0.4]]), np.array([0.5, 1.5]))
    check_derivatives(program, *args)
    for name, fact in [("matmul", "right"), ("index", "adjoint"), ("cos", "slopes")]:
        with monkeypatch.context() as patch:
            mutate(patch, TABLE[name], fact, 1 if fact == "right" else 0)
            with pytest.raises(AssertionError, match=f"The rule that is wrong: {name}"):
                check_derivatives(program, *args)


def test_the_order_that_goes_wrong_is_named():
    """A slope that is right as a number and wrong as a function: order 1 agrees, order 2 does not."""
    rule = Pointwise("frozen", np.sin, lambda x, v: np.cos(plain(x)))
    try:
        check_derivatives(rule, 0.5, order=1)
        with pytest.raises(AssertionError, match=r"differ at order 2: .*complex step"):
            check_derivatives(rule, 0.5, order=2)
    finally:
        del TABLE["frozen"]


def mine(f, args, directions, order):
    """An engine of the reader's own, for one argument."""
    found = derivatives(lambda t: f(args[0] + t * directions[0]), 0.0, order)
    return [float(d) for d in found]


def test_an_engine_of_ones_own_passes():
    check_derivatives(lambda x: ce.sin(x) * x, 0.7, engines={"mine": mine})


@pytest.mark.parametrize(
    ("wrong", "order"),
    [
        (lambda d: [d[0], d[1] * 1.001, *d[2:]], 1),
        (lambda d: [*d[:3], -d[3]], 3),
        (lambda d: d[:2], 2),
        (lambda d: [*d[:2], np.array([d[2], d[2]]), d[3]], 2),
        (lambda d: [*d[:2], math.nan, d[3]], 2),
    ],
    ids=["a thousandth", "sign", "too few", "shape", "nan"],
)
def test_an_engine_of_ones_own_that_is_wrong_is_named(wrong, order):
    engine = lambda *args: wrong(mine(*args))
    with pytest.raises(AssertionError) as failure:
        check_derivatives(lambda x: ce.sin(x) * x, 0.7, engines={"mine": engine})
    message = str(failure.value)
    assert f"differ at order {order}: mine gives" in message
    assert "Nobody agrees with mine" in message
    assert "Every rule that f uses is right by itself" in message


def test_the_book_s_engines_are_all_asked():
    assert set(ENGINES) == {"dual", "tape", "jet", "forward over reverse", "complex step"}
    exact = [math.sin(0.5), math.cos(0.5), -math.sin(0.5), -math.cos(0.5)]
    for engine in ENGINES.values():
        assert engine(ce.sin, [0.5], [1.0], 3) == pytest.approx(exact, rel=1e-14)


def test_a_value_that_forgets_its_derivative_is_caught():
    """f cuts the wire by taking the plain value: only the complex step still sees it."""
    cut = lambda x: ce.sin(x) * (x if isinstance(x, complex) else plain(x))
    with pytest.raises(AssertionError, match="differ at order 1"):
        check_derivatives(cut, 0.7)


def test_what_cannot_be_checked():
    with pytest.raises(ValueError, match="needs the arguments to check at"):
        check_derivatives(ce.sin)
    for x in (math.nan, math.inf, np.array([1.0, math.nan])):
        with pytest.raises(ValueError, match="finite arguments; a NaN agrees with nothing"):
            check_derivatives(ce.sin, x)


def test_one_random_direction_of_many_finds_one_wrong_element():
    """A gradient that is wrong in one element of nine."""
    rule = Pointwise(
        "one wrong", np.sin, lambda x, v: ce.cos(x) * (1 + 0.001 * (np.arange(9) == 4))
    )
    try:
        with pytest.raises(AssertionError, match="The rule that is wrong: one wrong"):
            check_derivatives(rule, np.linspace(0.1, 0.9, 9))
    finally:
        del TABLE["one wrong"]


def test_the_same_seed_gives_the_same_direction():
    seen = []

    def spy(f, args, directions, order):
        seen.append([np.copy(v) for v in directions])
        return ENGINES["jet"](f, args, directions, order)

    for seed in (0, 0, 1):
        check_derivatives(lambda x: ce.sum(x * x), np.ones(4), engines={"spy": spy}, seed=seed)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert np.all(seen[0][0] != seen[2][0])
    assert jvp(lambda x: ce.sum(x * x), np.ones(4), seen[0][0])[1] == pytest.approx(
        2 * np.sum(seen[0])
    )
