"""The tests of the table can fail: every fact of every row, made wrong by 0.1 %, is caught by the
very same checks.
"""

import pytest

import companion.engines as ce
from companion.engines.formulas import POINTWISE
from companion.engines.implicit import Implicit
from companion.engines.kinds import TABLE, Bilinear, Linear, Pointwise
from tests.curves import ENGINES, activities, check_orders
from tests.oracles import CASES

OFF = 1.001


def arguments(name):
    """How many arguments the cases give to a row, at most."""
    return max(len(case.inputs) for case in CASES if case.row == name)


def facts(name):
    """What can be wrong in a row: (fact, which argument)."""
    rule = TABLE[name]
    if isinstance(rule, Pointwise):
        return [("slopes", i) for i in range(len(rule.slopes))]
    if isinstance(rule, Bilinear):
        return [("left", 0), ("right", 1)]
    if isinstance(rule, Implicit):
        found = [("correct", 0), *[("residual", i) for i in range(arguments(name))]]
        return found + [("adjoint", i) for i in range(arguments(name)) if rule.adjoint]
    assert isinstance(rule, Linear)
    return [("adjoint", i) for i in range(arguments(name))]


def users(rule, fact):
    """The engines that a fact serves."""
    if fact == "correct" and rule.adjoint:  # then reverse mode does not need it
        return ["Dual", "Jet"]
    return ENGINES if fact in ("slopes", "residual", "correct") else ["Var"]


def mutate(monkeypatch, rule, fact, i):
    """Multiply one fact by 1.001, for one argument."""
    true = getattr(rule, fact)
    if fact == "slopes":
        more = OFF - 1 if POINTWISE[rule.name][1 + i] == "0" else 0.0  # 0 · 1.001 is 0
        wrong = tuple(
            (lambda *a, s=s: s(*a) * OFF + more) if j == i else s for j, s in enumerate(true)
        )
    elif isinstance(rule, Linear):
        wrong = lambda g, j, *a, **k: true(g, j, *a, **k) * (OFF if j == i else 1.0)
    else:
        wrong = lambda *a, **k: true(*a, **k) * OFF
    monkeypatch.setattr(rule, fact, wrong)


def caught(name, engine, order, i):
    """Whether some case of the row fails when only the argument i moves."""
    for case in CASES:
        if case.row == name and (i,) in activities(case):
            try:
                check_orders(case, engine, order, actives=[(i,)])
            except AssertionError:
                return True
    return False


@pytest.mark.parametrize(
    ("name", "fact", "i"), [(name, *f) for name in sorted(TABLE) for f in facts(name)]
)
def test_a_rule_off_by_a_thousandth_is_caught(monkeypatch, name, fact, i):
    """A slope and an equation are used by all engines; adjoints by reverse mode only."""
    mutate(monkeypatch, TABLE[name], fact, i)
    for engine in users(TABLE[name], fact):
        assert caught(name, engine, 1, i), f"{engine} did not notice {fact}[{i}] of {name}"


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_caught_where_nothing_is_wrong(engine):
    assert not any(caught(name, engine, 1, 0) for name in sorted(TABLE))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrong_value_is_caught(monkeypatch, engine):
    monkeypatch.setattr(ce.sin, "value", lambda x: OFF * x)
    monkeypatch.setattr(ce.sin, "scalar", lambda x: OFF * x)
    assert caught("sin", engine, 0, 0)


@pytest.mark.parametrize("name", ["add", "sub", "sum", "reshape", "stack"])
def test_a_linear_map_that_is_wrong_in_its_tangents_is_caught(monkeypatch, name):
    """L(ẋ) and L(uₖ) are the value itself, so a planted error goes where the mode applies it."""
    rule, forward, taylor = TABLE[name], TABLE[name].forward, TABLE[name].taylor
    monkeypatch.setattr(
        rule, "forward", lambda *a: tuple(t * OFF for t in forward(*a)), raising=False
    )
    assert caught(name, "Dual", 1, 0)

    def wrong(*a):
        coefficient = taylor(*a)
        return lambda k: coefficient(k) * (OFF if k else 1.0)

    monkeypatch.setattr(rule, "taylor", wrong, raising=False)
    assert caught(name, "Jet", 1, 0)
