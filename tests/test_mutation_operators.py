"""Every rule of the operators, made wrong by 0.1 %, is found wrong by the conformance judge.

The inputs of a rule are those of test_operators_rules, or, where that has none, the samples of op_db
for the function of that name. A rule that no input reaches is a failure: there is no list of exceptions.
"""

import warnings
from collections.abc import Iterator
from functools import cache

import pytest
import torch

from companion.operators import RULES, Jet
from companion.operators.dispatch import Series
from conformance import calls, curves, ops
from tests.test_operators_rules import CALLS, FLOATS, FORMULAS, SHAPES, VALUES, curve, points

OFF = 1.001
f64 = dict(dtype=torch.float64)


def name_of(key) -> str:
    """The name of a torch function that RULES is keyed by, or that name itself."""
    if getattr(key, "__name__", "") == "__get__":
        key = key.__self__  # of an attribute, such as x.T
    return getattr(key, "__name__", str(key)).strip("_")


def spoilt(y):
    """Each slope too large by a thousandth; of what has none, another value."""
    if isinstance(y, (tuple, list)) and not isinstance(y, torch.Size):
        return tuple(map(spoilt, y))
    if isinstance(y, Series):
        return y.like(torch.cat([y.rows[:1], y.rows[1:] * OFF]))
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


def lines(name: str) -> Iterator[curves.Line]:
    """Lines through functions that call the rule of this name."""
    if name in FORMULAS:
        f, _, at = FORMULAS[name]
        yield curves.Line(f, torch.tensor(at, **f64), torch.ones(len(at), **f64))
    if name in CALLS:
        yield curves.Line(lambda x: CALLS[name](curve(x)), points(), torch.ones(3, 4, **f64))
    yield from from_op_db(name)


@cache
def by_name() -> dict[str, list[str]]:
    """The entries of op_db for each name, that of an alias too."""
    found: dict[str, list[str]] = {}
    for entry, op in ops.entries().items():
        for name in {op.name, *[alias.name for alias in op.aliases]}:
            for form in {name, name.split(".")[-1], name.replace(".", "_").strip("_")}:
                found.setdefault(form, []).append(entry)
    return found


def from_op_db(name: str) -> Iterator[curves.Line]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entries = by_name().get(name, [])
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


def is_value(name: str) -> bool:
    return name in VALUES or name in SHAPES


@pytest.mark.parametrize("key", list(RULES), ids=name_of)
def test_a_rule_off_by_a_thousandth_is_found_wrong(monkeypatch, key):
    name = name_of(key)
    if name in FLOATS:
        return casts(monkeypatch, key, name)
    if is_value(name):
        return values(monkeypatch, key, name)
    for line in lines(name):
        with monkeypatch.context() as patch:
            seen = spied(patch, key)
            if verdicts(line) != ["right", "right"] or not any(seen):
                continue
        spied(monkeypatch, key, spoilt)
        assert verdicts(line) == ["wrong", "wrong"]
        return None
    pytest.fail(f"no input reaches the rule of {name}: give test_operators_rules one")


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
    key = next(key for key in RULES if name_of(key) == "tanh")
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test_a_rule_off_by_a_thousandth_is_found_wrong(monkeypatch, key)
