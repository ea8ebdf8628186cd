"""The rules of a chapter: each finds nothing in a small good notebook, and the fault that is planted in a copy."""

import copy
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from companion.practice.checking import labels
from tools import chapter_rules, main_line, normalise, practice_rules, reading

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]*_*.ipynb"))


# ---------------------------------------------------------------- a small notebook without a fault


def ran(source: str, count: int, *outputs: dict, **metadata: object) -> dict:
    return new_code_cell(source, execution_count=count, outputs=list(outputs), metadata=metadata)


def printed(text: str) -> dict:
    return new_output("stream", name="stdout", text=text)


CARD = ":::{card-of-chapter}\n:question: Why?\n:able: [say why](#why)\n:needs: nothing\n:::"
FIGURE = {
    "image": {"alt": "A line that rises from left to right."},
    "figure": {"caption": "A line.", "name": "fig-line"},
}
SOLVED = "```{solution-start} ex-%s\n:class: dropdown\n```"


HINT = ":::{hint}\n:class: dropdown\nBegin.\n:::"
EXERCISE = "```{exercise}\n:label: ex-%s\n\n*Drill, 10 minutes.* Try it.\n\n" + HINT + "\n```"
PROBLEM = (
    "```{exercise}\n:label: problem-04-between\n\n*Open problem, 30 minutes; no solution is published.* "
    'Find it. `check("problem-04-between", f)`\n\n' + HINT + "\n```"
)


def good_notebook() -> dict:
    figure = new_output("display_data", data={"text/plain": "<Figure size 640x480 with 1 Axes>"})
    exercises = f"{EXERCISE % 'a'}\n\n{EXERCISE % 'b'}\n\n{PROBLEM}"
    cells = [
        new_markdown_cell(f"# A chapter\n\nWhy? See {{cite}}`kim2026`.\n\n{CARD}"),
        ran(chapter_rules.SETUP, 1, tags=["setup", "hide-input"]),
        ran("plt.plot([1, 2])\nplt.show()", 2, figure, tags=["figure"], mystnb=FIGURE),
        new_markdown_cell("```{literalinclude} ../companion/engines/dual.py\n:pyobject: Dual\n```"),
        new_markdown_cell("(why)=\n## What broke\n\nThe sign."),
        ran("print(1 + 1)", 3, printed("2\n")),
        new_markdown_cell(f"## Exercises\n\nBy {practice_rules.IMPORTED}.\n\n{exercises}"),
        new_markdown_cell(SOLVED % "a"),
        ran("print(2 + 2)", 4, printed("4\n")),
        new_markdown_cell("```{solution-end}\n```"),
        new_markdown_cell(SOLVED % "b"),
        ran("print(3 + 3)", 5, printed("6\n")),
        new_markdown_cell("```{solution-end}\n```"),
        ran("print('ledger')", 6, printed("ledger\n")),
        new_markdown_cell("Next: {doc}`02_next`."),
        ran(
            chapter_rules.COST,
            7,
            printed("peak memory: 90 MiB\n"),
            tags=["cost", "nbval-ignore-output"],
        ),
    ]
    return normalise.normalised(new_notebook(cells=cells))


def rule_faults(nb: dict) -> list[str]:
    found = [fault for rule in chapter_rules.RULES for fault in rule(nb)]
    return found + chapter_rules.leads_on(nb, "02_next")


@pytest.fixture(autouse=True)
def small_companion(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the planted faults, '../companion' is a small tree of the test's own."""
    if "path" not in request.fixturenames:
        (tmp_path / "companion" / "engines").mkdir(parents=True)
        (tmp_path / "companion" / "engines" / "dual.py").write_text("class Dual:\n    pass\n")
        (tmp_path / "chapters").mkdir()
        monkeypatch.setattr(chapter_rules, "CHAPTERS", tmp_path / "chapters")


def test_a_good_notebook_has_no_fault(tmp_path: Path) -> None:
    stored = tmp_path / "chapters" / "01_good.ipynb"
    stored.write_text(normalise.as_text(good_notebook()))
    assert normalise.file_faults(stored) == []
    assert rule_faults(good_notebook()) == []


# ---------------------------------------------------------------- one planted fault a rule

# In every source: what is replaced, by what, and the words in which it must be reported.
WRONG_SOURCES = [
    ("# A chapter\n", "A chapter\n", "must begin with '# Title'"),
    (CARD, "", "one card-of-chapter directive, it holds 0"),
    (":able: [say why](#why)\n", "", "the card lacks :able:"),
    (
        "[say why](#why)",
        "say why",
        "promises 'say why' and names no section: write [words](#label)",
    ),
    ("(why)=\n", "", "promises '[say why](#why)', but no heading of the page has the label why"),
    ("(why)=\n## What broke", "(why)=\n\nWhat broke", "no heading of the page has the label why"),
    (
        "[say why](#why)",
        "[say why](#why); [say how](#how)",
        "heading of the page has the label how",
    ),
    ("import companion", "import numpy", "common set-up cell"),
    ("{cite}`kim2026`", "nothing", "nothing is cited"),
    ("Why? See", "![](a.png) See", "the image 'a.png' has no alt text"),
    ("Why? See", "<img src='a.png'> See", "has no alt text"),
    ("The sign.", ":::{figure} b.svg\n:::", "the image 'b.svg' has no alt text"),
    ("## What broke", "## Something", "no heading begins with 'What broke'"),
    ("The sign.", "The sign.\n\n## Exercises", "the section 'What broke' runs nothing"),
    ("\n:label: ex-b", "", "an exercise has no :label:"),
    (f"{EXERCISE % 'a'}\n\n{EXERCISE % 'b'}", "", "1 exercise directives found"),
    ("ex-b\n\n*Drill, 10 minutes.*", "ex-b\n\n", "ex-b does not begin with its level and minutes"),
    ("ex-b\n\n*Drill, 10", "ex-b\n\n*Hard, 10", "ex-b does not begin with its level and minutes"),
    ("ex-b\n\n*Drill, 10 min", "ex-b\n\n*Drill, min", "ex-b does not begin with its level and min"),
    (
        "*Drill, 10 minutes.* ",
        "",
        "ex-a does not begin with its level and minutes: '*Drill, 10 min",
    ),
    ("Try it.\n\n" + HINT, "Try it.", "ex-a has no folded hint"),
    (
        ":class: dropdown\nBegin",
        "Begin",
        "ex-a has no folded hint (:::{hint} with :class: dropdown)",
    ),
    ("*Drill,", "*Exercise,", "the page has no drill"),
    ("from companion import practice", "it", "the exercises do not say how an answer is checked"),
    (PROBLEM, "", "the last exercise is no open problem"),
    (
        f"{EXERCISE % 'b'}\n\n{PROBLEM}",
        f"{PROBLEM}\n\n{EXERCISE % 'b'}",
        "the last exercise is no op",
    ),
    ("; no solution is published", "", "problem-04-between does not begin with its level and min"),
    ("Find it. `check", "Find it. `see", "problem-04-between does not say check"),
    (
        SOLVED % "b",
        SOLVED.replace("ex-%s", "problem-04-between"),
        "problem-04-between has a solution",
    ),
    (
        "Try it.",
        '`check("ex-04-rules", f)`',
        "ex-a asks for the check of another exercise, ex-04-rules",
    ),
    (
        "The sign.",
        '`check("ex-04-gone", f)`',
        'check("ex-04-gone", ...) has no checker in companion/pra',
    ),
    (SOLVED % "b", "no solution", "exercise ex-b has no solution"),
    (
        "```{solution-start} ex-a\n:class: dropdown",
        "```{solution-start} ex-a",
        "ex-a is not folded",
    ),
    ("print(2 + 2)", "", "the solution of ex-a has no executed code cell"),
    ("```{solution-end}\n```", "", "the solution of ex-b has no solution-end"),
    ("print('ledger')", "print('table')", "no code cell shows the ledger"),
    ("../companion/engines/dual.py", "dual.py", "no literalinclude"),
    ("engines/dual.py", "engines/gone.py", "does not exist"),
    (":pyobject: Dual", ":pyobject: Gone", "defines no Gone"),
    ("print(1 + 1)", "Path('data/runs.json').read_text()", "reads a path (read_text)"),
    ("print(1 + 1)", "rows = np.loadtxt('runs.txt')", "reads a path (loadtxt)"),
    ("print(1 + 1)", "with open('runs.json') as file:\n    pass", "reads a path (open)"),
    ("print(1 + 1)", "rows = np.load('runs.npy')", "reads a path (np.load)"),
    ("MiB", "MB", "must be the cost cell"),
    ("02_next", "03_other", "do not link to the next chapter"),
    ("Next: {doc}`02_next`.", "", "do not link to the next chapter"),
]


@pytest.mark.parametrize(
    ("old", "new", "words"), WRONG_SOURCES, ids=[words for *_, words in WRONG_SOURCES]
)
def test_a_wrong_source_is_reported(old: str, new: str, words: str) -> None:
    nb = good_notebook()
    for cell in nb["cells"]:
        cell["source"] = cell["source"].replace(old, new)
    nb["cells"] = [cell for cell in nb["cells"] if cell["source"]]
    assert any(words in fault for fault in rule_faults(nb)), rule_faults(nb)


def linked() -> list[tuple[Path, str]]:
    """Every section that a card names, of every chapter."""
    found = []
    for path in CHAPTERS:
        nb = nbformat.read(path, as_version=4)
        (card,) = chapter_rules.directives(nb["cells"][0]["source"], "card-of-chapter")
        found += [(path, label) for label in chapter_rules.LINK.findall(card["options"]["able"])]
    return found


def without_section(nb: dict, label: str) -> dict:
    """The notebook without that heading, or start of a fold, its label and what is next; all cells are kept."""
    begins = r"(?:#+ |:::\{look-closer-start\})"
    lost = re.compile(rf"^\({label}\)=\n+{begins}.*\n+.*\n?", re.M)
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = lost.sub("", cell["source"])
    return nb


def test_a_lost_section_of_any_chapter_is_reported() -> None:
    """Code keeps running when the heading above it is gone: only the card knows that it was there."""
    unseen = []
    for chapter, label in linked():
        nb = without_section(nbformat.read(chapter, as_version=4), label)
        words = f"but no heading of the page has the label {label}"
        faults = chapter_rules.card_promises_what_a_section_keeps(nb)
        if not label.startswith("ex-") and not any(words in fault for fault in faults):
            unseen.append((chapter.stem, label))
    assert len(linked()) >= 4 * len(CHAPTERS) and unseen == []


def code_after_code(nb: dict, number: int, more: int) -> dict:
    cell = ran("print(1 + 1)", 3, printed("2\n"))
    nb["cells"][number:number] = [copy.deepcopy(cell) for _ in range(more)]
    return nb


@pytest.mark.parametrize(("number", "more"), [(5, 2), (8, 2), (9, 2), (2, 2)])
def test_a_third_code_cell_in_a_row_is_reported(number: int, more: int) -> None:
    """Two are allowed; the cells of a solution count, the set-up cell does not."""
    words = "1 code cells are the third or later in a row: say between them"
    faults = rule_faults(code_after_code(good_notebook(), number, more))
    assert [fault for fault in faults if words in fault]
    fewer = rule_faults(code_after_code(good_notebook(), number, more - 1))
    assert not [fault for fault in fewer if "in a row" in fault]


WRONG_METADATA = [
    (1, {"tags": ["setup"]}, "set-up cell needs the tags"),
    (2, {"mystnb": FIGURE}, "draws a figure but is not tagged figure"),
    (2, {"mystnb": FIGURE}, "no cell is tagged figure"),
    (
        2,
        {"tags": ["figure"], "mystnb": {**FIGURE, "image": {"alt": "line"}}},
        "no alt text of a sentence",
    ),
    (2, {"tags": ["figure"], "mystnb": {**FIGURE, "figure": {"name": "fig-line"}}}, "no caption"),
    (2, {"tags": ["figure"], "mystnb": {**FIGURE, "figure": {"caption": "A."}}}, "no name fig-..."),
    (15, {"tags": ["cost"]}, "cost cell needs the tags"),
]


@pytest.mark.parametrize(
    ("number", "metadata", "words"), WRONG_METADATA, ids=[words for *_, words in WRONG_METADATA]
)
def test_wrong_metadata_is_reported(number: int, metadata: dict, words: str) -> None:
    nb = good_notebook()
    nb["cells"][number]["metadata"] = nbformat.from_dict(metadata)
    assert any(words in fault for fault in rule_faults(nb)), rule_faults(nb)


def output(**fields: object) -> dict:
    return {
        "outputs": [nbformat.from_dict({"output_type": "display_data", "metadata": {}, **fields})]
    }


WRONG_CELLS = [
    ({"execution_count": None}, "no execution count"),
    ({"execution_count": 9}, "execution count 9 where 3 was expected"),
    ({"source": "print(2) "}, "trailing whitespace"),
    ({"source": "", "outputs": []}, "empty"),
    (output(data={"image/png": "aGk="}), "a picture is stored"),
    (output(data={"text/html": "<div><svg></svg></div>"}), "a picture is stored"),
    (
        output(data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}),
        "a widget is stored",
    ),
    (output(data={"text/plain": "<Graph at 0x7f00deadbeef>"}), "a memory address"),
    ({"outputs": [new_output("stream", name="stderr", text="careful\n")]}, "stderr output"),
    (
        {"outputs": [new_output("error", ename="ValueError", evalue="no", traceback=[])]},
        "it raised ValueError",
    ),
    *[
        ({"outputs": [printed(f"saved in {path}\n")]}, "a path of one machine")
        for path in ("/home/ann/x", "/tmp/x", "/Users/ann/x", "C:\\x")
    ],
]


@pytest.mark.parametrize(
    ("change", "words"),
    WRONG_CELLS,
    ids=[f"{i}-{words}" for i, (_, words) in enumerate(WRONG_CELLS)],
)
def test_check_names_file_cell_and_reason(
    change: dict, words: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    nb = good_notebook()
    nb["cells"][5].update(nbformat.from_dict(change))
    stored = tmp_path / "wrong.ipynb"
    nbformat.write(nb, stored)
    before = stored.read_bytes()
    assert normalise.main(["--check", str(stored)]) == 1
    said = capsys.readouterr().err
    assert "wrong.ipynb: cell 6" in said
    assert words in said
    assert stored.read_bytes() == before


def test_check_refuses_a_foreign_kernel_widget_state_and_layout(tmp_path: Path) -> None:
    nb = good_notebook()
    nb["metadata"] = nbformat.from_dict({"widgets": {}})
    assert [words for words in normalise.faults(nb) if "kernelspec is None" in words]
    assert [words for words in normalise.faults(nb) if "widget state" in words]
    stored = tmp_path / "layout.ipynb"
    stored.write_text(normalise.as_text(good_notebook()) + "\n")
    assert normalise.file_faults(stored) == [
        "not as the normaliser writes it: run tools/normalise.py"
    ]


def test_an_error_that_is_meant_is_allowed() -> None:
    nb = good_notebook()
    nb["cells"][5]["outputs"] = [
        new_output("error", ename="ValueError", evalue="no", traceback=["no"])
    ]
    nb["cells"][5]["metadata"]["tags"] = ["raises-exception"]
    assert normalise.faults(nb) == []


def test_rewriting_keeps_text_and_drops_the_rest() -> None:
    nb = good_notebook()
    messy = copy.deepcopy(nb)
    messy["metadata"].update(widgets={}, toc={"base_numbering": 1})
    messy["cells"][5]["metadata"].update(collapsed=False, scrolled=True)
    messy["cells"][5]["id"] = "random-id"
    messy["cells"][5]["outputs"] = [
        printed("2"),
        printed("\n"),
        *output(data={"image/svg+xml": "<svg/>"})["outputs"],
    ]
    messy["cells"][2]["outputs"][0]["data"]["image/png"] = "aGk="
    messy["cells"].append(new_code_cell(""))
    assert normalise.as_text(normalise.normalised(messy)) == normalise.as_text(nb)
    assert normalise.normalised(nb) == nb


def test_every_checker_is_asked_for_on_one_page_and_tried_in_a_test() -> None:
    pages = [reading.prose(nbformat.read(path, as_version=4)) for path in CHAPTERS]
    asked = [set(practice_rules.CHECKED.findall(page)) for page in pages]
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("*practice*.py"))
    for label in labels():
        assert sum(label in page for page in asked) == 1, label
        assert f'"{label}"' in tests, label


# ---------------------------------------------------------------- one sitting


def long_notebook() -> dict:
    """2000 words and 200 lines of code, of which 500 and 40 are folded, and 30 lines hidden."""
    start, end = ":::{look-closer-start} Look closer: dust\n:::", ":::{look-closer-end}\n:::"
    cells = [
        new_markdown_cell("word " * 1500),
        ran("a = 1\n\n" * 130, 1),
        ran("a = 1\n" * 30, 2, tags=["hide-input"]),
        new_markdown_cell(f"{start}\n\n{'word ' * 500}"),
        ran("a = 1\n" * 40, 3),
        new_markdown_cell(end),
    ]
    return new_notebook(cells=cells)


def test_the_main_line_is_what_is_seen_without_opening_anything() -> None:
    assert main_line.main_line(long_notebook()) == (1500, 130)
    assert main_line.words("Let $a + b$ be {doc}`03_dual_numbers` and\n\n$$ c $$\n\nthe end") == 8
    figure = ":::{moving-figure} u\n:still: fig-u\n:try: Pull it.\n:taught: Long and folded.\n:::"
    assert main_line.words(figure) == 3


def test_a_page_is_one_sitting(monkeypatch: pytest.MonkeyPatch) -> None:
    nb = long_notebook()
    assert main_line.is_one_sitting(nb) == []
    monkeypatch.setattr(main_line, "WORDS", 1400)
    monkeypatch.setattr(main_line, "LINES", 129)
    words, lines = main_line.is_one_sitting(nb)
    assert words.startswith("the main line has 1500 words, and 1400 are allowed: fold what only")
    assert lines.startswith("the main line has 130 visible lines of code, and 129 are allowed")
