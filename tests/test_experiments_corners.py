"""The page on corners: what is stored is what the installed libraries say today, and what mathematics says."""

import json
import math
from itertools import pairwise

import nbformat
import pytest
import sympy as sp

from companion.data import stored
from companion.show.corner_table import ABSENT, VERDICTS, answer_table, as_text, verdict
from experiments import corners
from experiments.corner_cases import CASES
from experiments.corner_libraries import answer, answers
from tools import normalise

STORED = stored("corners")
ROWS = STORED["cases"]
PAGE = corners.ROOT / "chapters" / "corners.ipynb"
HERE = [
    column for column, (_, needs) in corners.COLUMNS.items() if not needs
]  # the book's own environment

# The quotient that SciPy makes of these is 0 on two processors; its flag `success` was False on one, True on
# the other. Why was not looked into.
BY_THE_PROCESSOR = [((f, {"x": 0.0}, "x"), "SciPy 1.17.1", 0.0) for f in ("sinc(x)", "i0(x)")]


def alike(a: float | str, b: float | str) -> bool:
    """One answer: the same number to six digits, or no number in the same words."""
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


def test_every_question_is_stored_with_every_column() -> None:
    asked = [(row["f"], row["at"], row["by"]) for row in ROWS]
    assert asked == CASES
    assert STORED["environments"] == {c: needs for c, (_, needs) in corners.COLUMNS.items()}
    assert all(list(row["answers"]) == list(corners.COLUMNS) for row in ROWS)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # divisions by zero
@pytest.mark.parametrize("column", [c for c in HERE if not c.startswith("jax")])
def test_the_answers_are_those_of_today(column: str) -> None:
    if not corners.installed(column):
        pytest.skip(f"another version than {column} is installed")
    today = answers(corners.COLUMNS[column][0], CASES)
    changed = [
        (case, row["answers"][column], found)
        for case, row, found in zip(CASES, ROWS, today, strict=True)
        if not alike(row["answers"][column], found)
        and (case, column, found) not in BY_THE_PROCESSOR
    ]
    assert changed == [], f"measure again: python -m experiments.corners {column!r}"


def test_a_sample_of_jax_is_what_it_says_today() -> None:
    (column,) = [c for c in HERE if c.startswith("jax")]
    if not corners.installed(column):
        pytest.skip(f"another version than {column} is installed")
    sample = [0, 2, 4, 44, 45]
    today = answers("jax", [CASES[n] for n in sample])
    assert all(alike(ROWS[n]["answers"][column], a) for n, a in zip(sample, today, strict=True))


def test_an_answer_that_changed_is_seen() -> None:
    assert not alike(1.0, 0.0) and not alike("nan", 0.0) and alike(0.5, 0.5000000001)


def test_both_sides_are_those_of_mpmath() -> None:
    for case, row in zip(CASES, ROWS, strict=True):
        assert corners.truth(case) == {key: row[key] for key in ("left", "right", "smooth")}, case


@pytest.mark.parametrize(
    ("f", "point", "by"),
    [
        ("sqrt(x**2)", 0, "x"),
        ("x*sqrt(x**2)", 0, "xx"),
        ("x/(1 + sqrt(x**2))", 0, "xx"),
        ("x**x", 1, "xxx"),
        ("x**x", 1, "xxxx"),
        ("sin(pi*x)/(pi*x)", 0, "xx"),
    ],
)
def test_sympy_finds_the_same_limits(f: str, point: int, by: str) -> None:
    """Its limits from both sides, of its own derivative; written without Abs and sinc, which it knows."""
    x = sp.Symbol("x", real=True)
    spelt = {
        "sqrt(x**2)": "sqrt(x ** 2)",
        "x*sqrt(x**2)": "x * abs(x)",
        "x/(1 + sqrt(x**2))": "softsign(x)",
        "x**x": "x ** x",
        "sin(pi*x)/(pi*x)": "sinc(x)",
    }[f]
    (row,) = [r for r in ROWS if r["f"] == spelt and r["at"] == {"x": point} and r["by"] == by]
    for side, sign in (("left", -1), ("right", 1)):
        t = sp.Symbol("t", positive=True)
        one_sided = sp.simplify(sp.sympify(f, {"x": x}).subs(x, point + sign * t))
        limit = sp.limit(one_sided.diff(t, len(by)), t, 0) * sign ** len(by)
        assert row[side] == pytest.approx(float(limit), rel=1e-8)


def test_the_clamp_of_torch_changed() -> None:
    old, new = [column for column in corners.COLUMNS if column.startswith("torch")]
    slopes = [
        [row["answers"][column] for row in ROWS if row["f"] == "clip(x, 0.0, 1.0)"]
        for column in (old, new)
    ]
    assert slopes == [[1.0, 1.0], [0.0, 0.0]]


# ---------------------------------------------------------------- how an answer is read


@pytest.mark.parametrize(
    ("found", "sides", "smooth", "word"),
    [
        (0.0, (0.0, 1.0), False, "left"),
        (1.0, (0.0, 1.0), False, "right"),
        (0.0, (0.0, 0.0), False, "both"),
        (0.5, (0.0, 1.0), False, "between"),
        (2.0, (0.0, 1.0), False, "beyond"),
        ("inf", (0.0, "inf"), False, "right"),
        (3.0, (3.0, 3.0), True, "true"),
        (2.0, (3.0, 3.0), True, "false"),
        ("nan", (3.0, 3.0), True, "nothing"),
        ("ValueError: no", (0.0, 1.0), False, "nothing"),
        *((word, (0.0, 1.0), False, "absent") for word in ABSENT),
    ],
)
def test_a_verdict(found: float | str, sides: tuple, smooth: bool, word: str) -> None:
    assert verdict(found, *sides, smooth) == word


def test_a_wrong_word_an_error_and_one_derivative_too_many_are_told_apart() -> None:
    double, case = (lambda f, at, by: f(*at)), ("f(x)", {"x": 1.0}, "x")
    assert answer(case, {"f": lambda x: 2 * x}, double) == 2.0
    assert answer(case, {}, double) == "no such function"
    assert answer(case, {"f": lambda x: 1 / 0}, double) == "ZeroDivisionError: division by zero"
    assert answer(case, {"f": lambda x: math.nan}, double) == "nan"


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_ink_stands_out_and_each_verdict_has_its_sign() -> None:
    """Colour is not the only difference: each verdict has another sign, and each cell its number."""
    grounds = [ground for _, ground, _ in VERDICTS.values() if ground.startswith("#")]
    assert all((luminance(g) + 0.05) / (luminance("#111111") + 0.05) > 7 for g in grounds)
    assert len({sign for sign, _, _ in VERDICTS.values()}) == len(VERDICTS)


def test_the_table_says_what_came_and_escapes_it() -> None:
    row = {"name": "f <b>", "left": 0.0, "right": 1.0, "smooth": False}
    row["answers"] = {"a": 0.5, "b": "ValueError: <x>", "c": "no such function"}
    made = answer_table([row], ["a", "b", "c", "d"], "Corners")
    assert "f &lt;b&gt;" in made and "ValueError: &lt;x&gt;" in made
    cells = [part.split("</td>")[0].split(">")[-1] for part in made.split("<td")[1:]]
    assert cells == ["0 | 1", "◆ ½", "∅ error", " –", " –"]
    assert as_text(-3.28986813) == "−3.29" and as_text("-inf") == "−∞"


# ---------------------------------------------------------------- the page


def test_the_page_is_stored_as_the_normaliser_stores_it() -> None:
    assert normalise.file_faults(PAGE) == []


def test_the_page_has_a_sentence_between_its_cells() -> None:
    kinds = [cell["cell_type"] for cell in nbformat.read(PAGE, as_version=4)["cells"][3:]]
    assert not [pair for pair in pairwise(kinds) if pair == ("code", "code")]


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(corners.COLUMNS, "torch 1.0", ("torch", []))
    with pytest.raises(SystemExit, match=r"another version is installed than that of torch 1\.0"):
        corners.main(["torch 1.0"])


def test_a_column_that_is_not_asked_stays(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    copy = tmp_path / "corners.json"
    copy.write_text(json.dumps(STORED))
    monkeypatch.setattr(corners, "RESULT", copy)
    monkeypatch.setattr(corners, "asked", lambda column: [7.0] * len(CASES))
    monkeypatch.setattr(corners, "truth", lambda case: {"left": 0.0, "right": 1.0, "smooth": False})
    corners.main(["CasADi 3.8.2"])
    for before, after in zip(ROWS, json.loads(copy.read_text())["cases"], strict=True):
        assert after["answers"] == before["answers"] | {"CasADi 3.8.2": 7.0}
