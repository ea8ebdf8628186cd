"""check: what it says of right and wrong answers, of blanks, and of what is no answer at all."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from companion.practice import check
from companion.practice.answers import ANYTHING, NUMBER, asks, function, numbers_of, one_of, parts
from companion.practice.checking import asked, labels
from companion.practice.verdicts import NotYet, compare, numbers, shown

ROOT = Path(__file__).parent.parent
PART_ONE = [label for label in labels() if label.split("-")[1][:2] < "07"]


def says(label: str, answer: object) -> str:
    return str(check(label, answer))


# ---------------------------------------------------------------- check itself


def test_a_verdict_can_be_asserted_and_read() -> None:
    right, wrong = check("ex-04-adjoints", [8, 3, 3, 1]), check("ex-04-adjoints", [8, 3, 3, 2])
    assert right and str(right) == "right: four adjoints"
    assert not wrong and str(wrong) == (
        "not yet: your v̄4 is 2, which is too large: go from the last line to the first; who uses a value pays its share"
    )


def test_a_notebook_shows_a_verdict_in_lines_of_whole_words() -> None:
    wrong = check("ex-04-rules", 3.0)
    lines = pytest.importorskip("IPython.lib.pretty").pretty(wrong).splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 76
    assert " ".join(lines) == str(wrong)


def test_what_is_no_function_is_said_with_an_example() -> None:
    assert says("ex-04-rules", 3.0) == (
        "not yet: ex-04-rules wants a function f(x1, x2) → the gradient of √x1 / x2, two numbers; "
        'yours is 3, which cannot be called. As in check("ex-04-rules", lambda x1, x2: [x1, x2])'
    )


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x1: x1, "yours takes other arguments: (x1). As in check("),
        (
            lambda x1, x2: 1 / 0,
            "at x1 = 2, x2 = 5: your function raises ZeroDivisionError: division",
        ),
        (
            lambda x1, x2: None,
            "at x1 = 2, x2 = 5: your function returns None: is its `return` miss",
        ),
        (lambda x1, x2: "two", "at x1 = 2, x2 = 5: your answer is 'two', and real numbers are exp"),
        (
            lambda x1, x2: 1j,
            "at x1 = 2, x2 = 5: your answer is 0+1j, and real numbers are expected",
        ),
        (
            lambda x1, x2: [[1, 2]],
            "your answer has the shape (1, 2), and (2,) is expected: your an",
        ),
        (
            lambda x1, x2: (np.nan, 0),
            "at x1 = 2, x2 = 5: your answer is (nan, 0), the complex step",
        ),
    ],
)
def test_an_answer_of_the_wrong_kind_is_said_and_nothing_is_raised(f, words: str) -> None:
    assert says("ex-04-rules", f).startswith("not yet: ")
    assert words in says("ex-04-rules", f)


@pytest.mark.parametrize("label", labels())
def test_the_dots_of_a_blank_are_your_turn(label: str) -> None:
    assert says(label, ...).startswith(f"your turn: {label} wants ")
    assert f'. As in check("{label}", ' in says(label, ...)
    assert says(label, {"step": ..., "error": 1}).startswith(f"your turn: {label} wants ")


def test_a_function_that_returns_dots_is_not_begun() -> None:
    assert says("ex-04-rules", lambda x1, x2: ...).startswith("your turn: ")


@pytest.mark.parametrize("label", PART_ONE)
def test_the_example_of_an_exercise_is_of_the_right_kind_and_no_solution(label: str) -> None:
    found = check(label, eval(asked(label).example, {"np": np, "Node": lambda value: None}))
    assert found.words.startswith("not yet: ") and f"{label} wants" not in found.words


@pytest.mark.parametrize(
    ("label", "near"),
    [("ex-04-rule", "ex-04-rules"), ("ex-4-rules", "ex-04-rules"), ("problem-04-Rules ", "ex-04-rules"),
     ("ex-04-between", "problem-04-between")],
)  # fmt: skip
def test_an_unknown_label_names_the_nearest(label, near: str) -> None:
    with pytest.raises(ValueError, match=f"Write the label first.*The nearest labels: {near}"):
        check(label, 1)


@pytest.mark.parametrize(
    "arguments", [(abs,), (3.0, "ex-04-rules"), (lambda a, b: a, "ex-04-rules"), ("", 1), (None, 1)]
)
def test_who_gives_no_label_is_told_where_it_stands(arguments: tuple) -> None:
    with pytest.raises(
        ValueError, match=r'in the text of the exercise.*check\("ex-04-rules", answer\)'
    ):
        check(*arguments)


def test_without_an_answer_it_says_what_is_wanted() -> None:
    assert str(check("ex-04-rules")).startswith("your turn: ex-04-rules wants a function f(x1, x2)")


@pytest.mark.parametrize(("label", "extra"), [("ex-10-walk", "pinn"), ("ex-15b-hill", "show")])
def test_a_package_that_is_missing_is_named_with_the_line_that_brings_it(
    label: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {"pinn": "torch", "show": "matplotlib"}[extra]
    module = f"companion.practice.ch{label.split('-')[1]}"
    monkeypatch.delitem(sys.modules, module, raising=False)
    found = importlib.import_module

    def refused(name: str) -> object:
        if name == module:
            raise ModuleNotFoundError(f"No module named '{missing}.x'", name=f"{missing}.x")
        return found(name)

    monkeypatch.setattr(importlib, "import_module", refused)
    with pytest.raises(ModuleNotFoundError, match=rf"{label}.*needs {missing}, .*\n.*\[{extra}\]"):
        check(label, ...)


def test_a_label_that_is_known_has_its_file_and_its_function() -> None:
    assert len(set(labels())) == len(labels()) > 20
    assert all(asked(label).wants for label in PART_ONE)


def test_an_object_that_fails_is_reported() -> None:
    class Sealed:
        def __init__(self, value):
            pass

    assert says("ex-04-inplace", Sealed).startswith(
        "not yet: reading the value of Fixed(9.0) raises AttributeError: 'Sealed' object has no attribute 'value'"
    )


def test_a_check_that_breaks_down_says_so_and_blames_no_answer(monkeypatch) -> None:
    broken = asks(NUMBER, "a number", example="1")(lambda answer: str(1 / 0))
    monkeypatch.setattr("companion.practice.ch04.ex_04_adjoints", broken)
    with pytest.raises(RuntimeError, match="which says nothing of your answer") as found:
        check("ex-04-adjoints", 1.0)
    assert isinstance(found.value.__cause__, ZeroDivisionError)


ODD = {
    "a text": lambda torch: "two",
    "ragged": lambda torch: [[1], [2, 3]],
    "graphs": lambda torch: [torch.ones(1, requires_grad=True)] * 3,
    "NaN": lambda torch: np.nan,
    "a complex array": lambda torch: np.array([1 + 2j]),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_no_check_breaks_down_at_an_odd_answer(odd) -> None:
    odd = odd(pytest.importorskip("torch"))
    for label in labels():
        kind = asked(label).kind.words
        names = re.findall(r"a function f\((.*?)\)", kind)
        f = names and eval(f"lambda {names[0]}: odd", {"odd": odd})
        named = re.findall(r'"(\w+)"(?:, (a function f\(.*?\)))?', kind)
        answer = f if kind.startswith("a function") else odd
        if kind.startswith("a dict"):
            answer = {
                name: eval(f"lambda {inner[13:-1]}: odd", {"odd": odd}) if inner else odd
                for name, inner in named
            }
        assert not check(label, answer), label


def test_who_stops_an_answer_is_told_where_it_was() -> None:
    def endless(x1, x2):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        check("ex-04-rules", endless)
    assert stopped.value.__notes__ == [
        "at x1 = 2, x2 = 5: your function had not come back when it was stopped"
    ]


# ---------------------------------------------------------------- kinds and comparisons


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        (NUMBER, "3", "yours is '3'"),
        (NUMBER, True, "yours is True"),
        (NUMBER, [1, 2], r"yours is \(1, 2\)"),
        (NUMBER, np.nan, "yours is nan"),
        (NUMBER, 1j, "yours is 0"),
        (function("x, h"), lambda h, x: x, r"yours takes them in another order: \(h, x\)"),
        (numbers_of("a", "b"), [1, 2, 3], r"yours is \(1, 2, 3\)"),
        (one_of("rows", "columns"), "diagonal", "yours is 'diagonal'"),
        (parts(step=NUMBER), 3, "yours is 3"),
        (parts(step=NUMBER), {"h": 1}, "yours has the names 'h'"),
        (parts(step=NUMBER), {"step": "1"}, "of \"step\", yours is '1'"),
    ],
)
def test_a_kind_refuses(kind, answer, words: str) -> None:
    with pytest.raises(NotYet, match=words):
        kind.take(answer)


def test_a_kind_takes() -> None:
    assert parts(step=NUMBER, way=one_of("a", "b")).take({"step": np.float32(2), "way": "b"}) == {
        "step": 2.0,
        "way": "b",
    }
    assert ANYTHING.take(len) is len
    assert asks(ANYTHING, "a class", example="int")(lambda answer: "").wants == "a class"


def test_a_difference_that_six_digits_hide_is_named() -> None:
    with pytest.raises(
        NotYet, match=r"at x = 2: your answer is 1, it is 1 \(they differ by 1e-08\)"
    ):
        compare(1 + 1e-8, 1.0, {"x": 2.0}, "it is")
    compare(1 + 1e-8, 1.0, rtol=1e-7)


def test_float32_is_named_where_it_is_the_reason() -> None:
    with pytest.raises(NotYet, match="float32, which keeps seven digits"):
        compare(np.float32(0.1), 0.1)
    with pytest.raises(NotYet, match=r"it is 0\.2$"):
        compare(np.float32(0.1), 0.2, says="it is")


NUMBERS = [  # an exercise whose answer is a number, a wrong answer, what must not be told
    ("ex-02-squares", {"tree": 1022, "lines": 10}, "1023"),
    ("ex-03-by-hand", {"product": 12, "quotient": 0.68}, "13"),
    ("ex-04-adjoints", [8, 3, 3, 7], "1"),
    ("ex-06-by-hand", {"product": [2, 3, 4], "second": 10}, "5"),
    ("ex-06-by-hand", {"product": [2, 3, 5], "second": 9}, "10"),
    ("ex-01-float32", {"step": 0.04, "error": 8e-5}, "0.025"),
]


@pytest.mark.parametrize(("label", "wrong", "secret"), NUMBERS)
def test_an_answer_that_is_a_number_is_not_told(label: str, wrong: object, secret: str) -> None:
    said = says(label, wrong)
    assert said.startswith("not yet: ") and ": " in said[9:]
    assert not re.search(rf"(?<![\d.]){secret}(?!\d)", said)


def test_nan_equals_nothing_not_even_itself() -> None:
    with pytest.raises(NotYet, match="your answer is nan"):
        compare(np.nan, np.nan)


@pytest.mark.parametrize(
    "answer", ["one", "1", ["1"], [[1], [2, 3]], object(), {"a": 1}, True, 1j, np.array([2 + 0j])]
)
def test_what_is_no_number_is_refused(answer) -> None:
    with pytest.raises(NotYet, match="real numbers are expected"):
        numbers(answer)


def test_values_are_shown_short() -> None:
    assert shown(np.eye(2)) == "((1, 0), (0, 1))"
    assert shown([0.1] * 9) == "(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, …)"
    assert shown({i: i for i in range(99)}).endswith("…")


# ---------------------------------------------------------------- without torch


def test_part_one_is_checked_without_torch() -> None:
    code = (
        "import json, sys, companion.practice\n"
        f"for label in {PART_ONE}: companion.practice.check(label, ...)\n"
        "print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True
    )
    tops = set(json.loads(done.stdout))
    assert "numpy" in tops and not tops & {"torch", "scipy", "sympy", "matplotlib"}
