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
CONTROL = re.compile(r'(range|choice|check)\("(\w+)", (.*)\)')
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


def takes(kind: str, line: str, value: str, script: str) -> bool:
    """Whether a control can take a value, by the line of the script that makes it."""
    if kind == "check":
        return value in ("0", "1")
    if kind == "choice":
        listed = re.search(rf"^  {value}: \{{ words:", script, re.M) if "OPS" in line else None
        return f'["{value}", ' in line or listed is not None
    low, high = (float(re.search(rf"{end}: ([-\d.]+)", line)[1]) for end in ("min", "max"))
    return low <= float(value) <= high


def unknown(page: str, figure: str, asked: str) -> list[str]:
    """What a link asks of a figure that is not on the page, or that no control of the figure can show."""
    chapter = (ROOT / "chapters" / f"{page}.ipynb").read_text("utf-8")
    script = (ROOT / "chapters" / "_static" / "figures" / f"{figure}.js").read_text("utf-8")
    if f"{{moving-figure}} {figure}" not in chapter:
        return [f"{page} has no {figure}"]
    controls = {key: (kind, line) for kind, key, line in CONTROL.findall(script)}
    pairs = [pair.split("=") for pair in asked.split("&")]
    return [
        f"{figure}: {key}={value}"
        for key, value in pairs
        if key not in controls or not takes(*controls[key], value, script)
    ]


def test_the_links_ask_figures_for_what_they_can_show() -> None:
    assert [fault for link in states() for fault in unknown(*link)] == []
    assert len(states()) > 20


def test_a_link_to_no_control_is_reported() -> None:
    assert unknown("01_finite_differences", "u-curve", "h=3") == ["u-curve: h=3"]
    assert unknown("04_tape", "u-curve", "k=3") == ["04_tape has no u-curve"]
    for asked in ("scheme=centred", "precision=float16", "k=-17"):
        assert unknown("01_finite_differences", "u-curve", asked) == [f"u-curve: {asked}"]
    assert unknown("04_tape", "backward-walk", "overwrite=2") == ["backward-walk: overwrite=2"]
    assert unknown("08_derivative_as_op", "wires", "op=onY") == ["wires: op=onY"]


def test_the_first_page_has_the_plan_of_six_weeks_as_it_is() -> None:
    lessons = re.findall(r"^\| \d \| \{doc\}`0?(\w+?)_\w+` \| \{doc\}`0?(\w+?)_", TEACHING, re.M)
    assert len(lessons) == 6
    weeks = "; then ".join(", ".join(pages) for pages in lessons)
    assert f"of six weeks | {weeks};" in (ROOT / "chapters" / "index.md").read_text("utf-8")
