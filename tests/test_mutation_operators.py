"""Every rule of the operators, made wrong by 0.1 %, is found wrong by the conformance judge.

The inputs of a rule are those of test_operators_rules, or, where that has none, the samples of op_db
for that function. A rule that no input reaches is a failure: there is no list of exceptions.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import cache

import pytest
import torch

from companion.operators import RULES, Jet, complexes, linear_algebra
from companion.operators.dispatch import Series
from companion.operators.names import canonical, written
from conformance import calls, curves, ops
from tests import common_calls
from tests.composed_calls import CALLS as COMPOSED
from tests.composed_calls import REFUSED
from tests.test_operators_rules import (
    CALLS,
    FLOATS,
    FORMULAS,
    INPUTS,
    SHAPES,
    VALUES,
    curve,
    points,
    row,
)

OFF = 1.001
f64 = dict(dtype=torch.float64)


def inputs(key) -> list[str]:
    """The rows of test_operators_rules for a function of torch."""
    return [name for name in INPUTS if canonical(row(name)) == key]


def spoilt(y):
    """Each slope too large by a thousandth, or by the least that bfloat16 can hold; of what has none, another value."""
    if isinstance(y, (tuple, list)) and not isinstance(y, torch.Size):
        return tuple(map(spoilt, y))
    if isinstance(y, Series):
        least = torch.finfo(y.rows.dtype).eps
        return y.like(torch.cat([y.rows[:1], y.rows[1:] * max(OFF, 1 + least)]))
    if isinstance(y, torch.Tensor):
        y = y[None]  # another shape is seen even where the elements are random
        return ~y if y.dtype == torch.bool else y + 1
    return not y


def spied(monkeypatch, key, change=lambda y: y) -> list:
    """RULES[key] counts its calls from now on, and gives something else."""
    rule, seen = RULES[key], []

    def instead(*args, **kwargs):
        y = rule(*args, **kwargs)
        seen.append(
            isinstance(y, Series) or any(isinstance(leaf, Series) for leaf in calls.leaves(y))
        )
        return change(y)

    monkeypatch.setitem(RULES, key, instead)
    return seen


def lines(key) -> Iterator[curves.Line]:
    """Lines through functions that call a rule."""
    for name in inputs(key):
        if name in FORMULAS:
            f, _, at = FORMULAS[name]
            yield curves.Line(f, torch.tensor(at, **f64), torch.ones(len(at), **f64))
        if name in CALLS:
            f = lambda x, name=name: CALLS[name](curve(x))
            yield curves.Line(f, points(), torch.ones(3, 4, **f64))
    yield from from_op_db(key)


@cache
def by_function() -> dict[Callable, list[str]]:
    """The entries of op_db for each function that an entry, its method or an alias of it calls."""
    found: dict[Callable, list[str]] = {}
    for entry, op in ops.entries().items():
        for form in (op.op, op.method_variant, *[alias.op for alias in op.aliases]):
            found.setdefault(canonical(form), []).append(entry)
    return found


def from_op_db(key) -> Iterator[curves.Line]:
    """Lines through the samples of op_db for a function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entries = by_function().get(key, [])
    for entry in entries:
        generator = torch.Generator().manual_seed(0)
        for _, call in ops.calls(entry, 0):
            for _, form in [("", call), *ops.spellings(ops.entries()[entry], call)]:
                for place in calls.moving(call.arguments):
                    yield calls.line(form, [place], generator)


def verdicts(line: curves.Line) -> list[str]:
    """Of jets and of the Laplacian; what is raised is found wrong, too."""
    x = line.x.reshape(-1, 2 if line.x.numel() % 2 == 0 else 1)
    f = lambda z: line.f(z.reshape(line.x.shape))
    looks = [lambda: by_taylor(line), lambda: curves.laplacian(f, x)]
    return [look().verdict for look in looks]


def by_taylor(line):
    """Without asking torch for a derivative: the quotients must see it alone."""
    return curves.along(line, torch.Generator().manual_seed(0))


# These have tables of inputs of their own, where the same is done with each row.
ELSEWHERE = {
    canonical(f)
    for f in (
        *COMPOSED,
        *REFUSED,
        *common_calls.CALLS,
        *[f for f, *_ in common_calls.FORMULAS.values()],
        *linear_algebra.TABLE,
        *complexes.TABLE,
    )
}


@pytest.mark.parametrize("key", [key for key in RULES if key not in ELSEWHERE], ids=written)
def test_a_rule_off_by_a_thousandth_is_found_wrong(monkeypatch, key):
    for name in inputs(key):
        if name in FLOATS:
            return casts(monkeypatch, key, name)
        if name in VALUES or name in SHAPES:
            return values(monkeypatch, key, name)
    for line in lines(key):
        with monkeypatch.context() as patch:
            seen = spied(patch, key)
            if verdicts(line) != ["right", "right"] or not any(seen):
                continue
        spied(monkeypatch, key, spoilt)
        assert verdicts(line) == ["wrong", "wrong"]
        return None
    pytest.fail(f"no input reaches the rule of {written(key)}: give test_operators_rules one")


def casts(monkeypatch, key, name):
    """A cast leaves float64, so it is held against the cast of each coefficient."""
    f, dtype = FLOATS[name]
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    jet = Jet(torch.stack([points(), points()]), 1)
    seen = spied(monkeypatch, key, spoilt)
    assert not torch.equal(f(jet).rows, jet.rows.to(dtype)) and seen


def values(monkeypatch, key, name):
    """What sees the value alone is compared with what torch says of the value."""
    f, x = (VALUES | SHAPES)[name], points()
    seen = spied(monkeypatch, key, spoilt)
    found, expected = f(Jet(torch.stack([x, x]), 1)), f(x)
    same = getattr(found, "shape", None) == getattr(expected, "shape", None)
    assert seen and not (same and torch.equal(torch.as_tensor(found), torch.as_tensor(expected)))


def test_a_judge_that_sees_nothing_would_be_found(monkeypatch):
    """With the judge blinded, the test above fails."""
    monkeypatch.setitem(globals(), "verdicts", lambda line: ["right", "right"])
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test_a_rule_off_by_a_thousandth_is_found_wrong(monkeypatch, torch.tanh)
