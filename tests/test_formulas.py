"""companion/engines/formulas.py: every operation says what it is, and what it says is true."""

import inspect
import math
import pydoc
from collections import Counter

import pytest

import companion.engines as ce
from companion.engines.formulas import OTHERS, POINTWISE, docstring
from companion.engines.kinds import TABLE
from companion.engines.kinds import Pointwise as PointwiseRule

PUBLIC = {name: getattr(ce, name) for name in ce.__all__}
NAMES = {name: getattr(math, name) for name in "exp log sqrt sin cos tan sinh cosh tanh".split()}
NAMES |= {"arcsin": math.asin, "arccos": math.acos, "arctan": math.atan}
NAMES |= {
    name: getattr(math, name)
    for name in "log2 log10 cbrt erf floor ceil trunc fmod pi".split()
    if hasattr(math, name)
}
NAMES |= {
    "arcsinh": math.asinh,
    "arccosh": math.acosh,
    "arctanh": math.atanh,
    "arctan2": math.atan2,
}
POINTS = {1: [(0.3,), (0.7,), (-0.4,)], 2: [(0.3, 0.7), (0.7, 0.3), (0.4, 0.4), (1.5, -0.5)]}
ABOVE = {"arccosh": [(1.5,), (3.0,)]}  # defined elsewhere
POSITIVE = {"log", "sqrt", "log1p", "log2", "log10"}  # not defined, or not real, at x < 0
CLOSE = dict(rel=1e-12, abs=1e-12)


def shared(operations):
    """The docstrings that two or more operations have, or that are missing."""
    docs = {name: inspect.getdoc(operation) for name, operation in operations.items()}
    count = Counter(docs.values())
    return sorted(name for name, doc in docs.items() if not doc or count[doc] > 1)


def points(name):
    found = ABOVE.get(name, POINTS[len(POINTWISE[name]) - 1])
    return [
        p for p in found if not ((name in POSITIVE and p[0] < 0) or (name == "pow" and p[1] < 0))
    ]


def evaluated(formula, xs, v=None):
    """A formula as Python; what follows a comma is a remark."""
    return eval(formula.split(", ")[0], NAMES | dict(zip("xy", xs), n=xs[-1], v=v))


def untrue(name, formula, *slopes):
    """The points where an operation is not what its docstring says, value and slopes."""
    found = []
    for xs in points(name):
        v = ce.Var(xs[0]), *[ce.Var(x) for x in xs[1:]]
        y = TABLE[name](*v)
        said = [evaluated(formula, xs), *[evaluated(s, xs, v=y.primal) for s in slopes]]
        if said != pytest.approx([y.primal, *[g.primal for g in ce.gradients(y, v)]], **CLOSE):
            found.append(xs)
    return found


def test_no_two_public_names_of_the_engines_have_the_same_docstring():
    assert shared(PUBLIC) == []


def test_a_docstring_that_is_only_that_of_the_class_is_noticed():
    by_hand = {"one": object.__new__(PointwiseRule), "two": object.__new__(PointwiseRule)}
    assert shared(PUBLIC | by_hand) == ["Pointwise", "one", "two"]


def test_every_operation_of_the_table_is_described_by_its_kind():
    kinds = {name: isinstance(rule, PointwiseRule) for name, rule in TABLE.items()}
    assert {name for name, pointwise in kinds.items() if pointwise} >= POINTWISE.keys()
    assert {name for name, pointwise in kinds.items() if not pointwise} >= OTHERS.keys()


def test_an_operation_without_a_description_is_refused():
    with pytest.raises(KeyError, match=r"sinc: .* in companion/engines/formulas\.py"):
        docstring("sinc")


@pytest.mark.parametrize("name", POINTWISE)
def test_the_formula_and_the_slopes_are_those_of_the_rule(name):
    assert points(name)
    assert untrue(name, *POINTWISE[name]) == []
    for part in POINTWISE[name]:
        assert part in TABLE[name].__doc__


@pytest.mark.parametrize(
    ("name", "formula", "slope"),
    [("sin", "cos(x)", "cos(x)"), ("sin", "sin(x)", "sin(x)"), ("tanh", "tanh(x)", "1 - v")],
)
def test_a_wrong_formula_is_noticed(name, formula, slope):
    assert untrue(name, formula, slope)


@pytest.mark.parametrize("name", OTHERS)
def test_linear_and_bilinear_operations_say_what_they_do_in_reverse(name):
    kind = type(TABLE[name]).__name__
    assert f" {kind}: " in TABLE[name].__doc__
    assert "in reverse, " in TABLE[name].__doc__


def test_help_of_sin_says_what_sin_is():
    text = pydoc.plain(pydoc.render_doc(ce.sin))
    assert "sin(x), element by element; its slope is cos(x)." in text
    assert text != pydoc.plain(pydoc.render_doc(ce.tanh))
