"""The pages for teachers: the cheat sheet's lines run, and the links open figures at states that they have."""

import ast
import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHEET = (ROOT / "chapters" / "cheat_sheet.md").read_text("utf-8")
TEACHING = (ROOT / "chapters" / "teaching.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", SHEET, re.M | re.S)
PROMISE = re.compile(r"# → (.*)$")
STATE = re.compile(r'href="(\w+)\.html#([\w-]+)\?([^"]*)"')


def broken_promises(code: str, names: dict) -> list[str]:
    """Run a block in these names; of each line that says what it gives, what it gives instead."""
    lines, faults = code.splitlines(), []
    for statement in ast.parse(code).body:
        promise = PROMISE.search(lines[statement.end_lineno - 1])
        if promise is None:
            exec(compile(ast.Module([statement], []), "cheat sheet", "exec"), names)
            continue
        found = str(eval(compile(ast.Expression(statement.value), "cheat sheet", "eval"), names))
        if found != promise[1]:
            faults.append(f"{lines[statement.end_lineno - 1]} gives {found}")
    return faults


def test_every_line_of_the_cheat_sheet_runs_and_gives_what_it_says() -> None:
    names: dict = {}
    assert [fault for block in BLOCKS for fault in broken_promises(block, names)] == []
    assert sum(len(PROMISE.findall(line)) for b in BLOCKS for line in b.splitlines()) > 15


def test_a_wrong_promise_is_reported() -> None:
    assert broken_promises("x = 2\nx * 3  # → 5", {}) == ["x * 3  # → 5 gives 6"]


def test_the_answers_shown_are_those_of_check() -> None:
    example = doctest.DocTestParser().get_doctest(TEACHING, {}, "teaching", None, None)
    assert len(example.examples) == 3
    assert doctest.DocTestRunner().run(example).failed == 0


def states() -> list[tuple[str, str, str]]:
    """(page, figure, key=value&...) of each link that opens a moving figure."""
    return STATE.findall(TEACHING)


def unknown_keys(page: str, figure: str, asked: str) -> list[str]:
    """What a link asks of a figure that is not on the page, or that the figure has no control for."""
    chapter = (ROOT / "chapters" / f"{page}.ipynb").read_text("utf-8")
    script = (ROOT / "chapters" / "_static" / "figures" / f"{figure}.js").read_text("utf-8")
    if f"{{moving-figure}} {figure}" not in chapter:
        return [f"{page} has no {figure}"]
    controls = dict(re.findall(r'(?:range|choice|check)\("(\w+)", (.*)\)', script))
    pairs = [pair.split("=") for pair in asked.split("&")]
    return [
        f"{figure}: {key}={value}"
        for key, value in pairs
        if key not in controls
        or (value.isalpha() and not re.search(rf'"{value}"|OPS', controls[key]))
    ]


def test_the_links_ask_figures_for_what_they_can_show() -> None:
    assert [fault for link in states() for fault in unknown_keys(*link)] == []
    assert len(states()) > 20


def test_a_link_to_no_control_is_reported() -> None:
    assert unknown_keys("01_finite_differences", "u-curve", "h=3") == ["u-curve: h=3"]
    assert unknown_keys("04_tape", "u-curve", "k=3") == ["04_tape has no u-curve"]
    asked = "scheme=centred"
    assert unknown_keys("01_finite_differences", "u-curve", asked) == ["u-curve: scheme=centred"]
