"""The plain notebooks: the chapters for any Jupyter, with no extension, alone in an empty folder.

They are made with the pages (_ext/plain_notebooks.py). Every check is also tried on a planted fault.
"""

import copy
import re
from pathlib import Path
from urllib.parse import urldefrag

import nbformat
import pytest
import yaml

from tests.site import static
from tools.normalise import joined_streams
from tools.practice_rules import CHECKED
from tools.reading import directives
from tools.reading import prose as prose_of

ROOT = Path(__file__).parent.parent
HTML = ROOT / "_build" / "html"
BOOK = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["html"]["baseurl"]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]*_*.ipynb"))
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
pytestmark = pytest.mark.usefixtures("book")

# What only MyST or Sphinx understands: a directive, a role, a label.
RAW = re.compile(r"^\s*(?::{3,}|`{3,})\{|\{[a-z][\w:.-]*\}`|^\([\w-]+\)=\s*$", re.MULTILINE)
ADDRESS = re.compile(r"""\]\(([^)\s]+)|(?:href|src)=["']([^"']+)""")


def plain(chapter: Path) -> dict:
    return nbformat.read(ROOT / "_build" / "notebooks" / chapter.name, as_version=4)


def prose(notebook: dict) -> list[str]:
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


def is_blank(cell: dict) -> bool:
    return "your-answer" in cell["metadata"].get("tags", [])


def code_cells(notebook: dict) -> list[dict]:
    """Those of the chapter: what a reader is to fill in stands in the plain notebook alone."""
    cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return [cell for cell in cells if not is_blank(cell)]


def code(notebook: dict) -> list[str]:
    return [cell["source"] for cell in code_cells(notebook)]


def outside_code(text: str) -> str:
    """The text without what stands in fences and between backticks."""
    text = re.sub(r"^(`{3,})[^{\n]*\n.*?^\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!\})(`+)[^`\n]+\1", "", text)


# ---------------------------------------------------------------- the checks


def raw_faults(notebook: dict) -> list[str]:
    """What is left of the book's own markup."""
    return [hit[0].strip() for text in prose(notebook) for hit in RAW.finditer(outside_code(text))]


def link_faults(notebook: dict, html: Path) -> list[str]:
    """Links that are not absolute, or lead to no page or anchor of the built book."""
    found = []
    for text in prose(notebook):
        for hit in ADDRESS.finditer(outside_code(text)):
            address, anchor = urldefrag(hit[1] or hit[2])
            page = html / address.removeprefix(BOOK)
            if not address.startswith(("https://", "http://", "data:", "attachment:")):
                found.append(f"not absolute: {hit[1] or hit[2]}")
            elif address.startswith(BOOK) and not page.is_file():
                found.append(f"no page: {address}")
            elif address.startswith(BOOK) and anchor and anchor not in static.anchors(page):
                found.append(f"no anchor: {address}#{anchor}")
    return found


def exercise_faults(notebook: dict, asked: int) -> list[str]:
    """Exercises have the numbers of the book, and solutions are folded."""
    text = "\n\n".join(prose(notebook))
    numbers = re.findall(r"^\*\*Exercise (\d+[a-z]?\.\d+)\b", text, re.MULTILINE)
    solved = re.findall(r"<summary><b>Solution to Exercise (\d+[a-z]?\.\d+)</b></summary>", text)
    found = [] if len(numbers) == asked else [f"{len(numbers)} exercises of {asked} have a number"]
    is_open = re.findall(r"^\*\*Exercise (\S+)\*\*\n\n\*Open problem", text, re.MULTILINE)
    unsolved = set(numbers) - set(solved) - set(is_open)
    found += [f"exercise {number} has no solution" for number in sorted(unsolved)]
    if text.count("<details") != text.count("</details>"):
        found.append("a fold is never closed")
    return found


def solution_faults(notebook: dict, chapter: dict) -> list[str]:
    """The code cells of a solution, or of "look closer", are closed until the reader opens them."""
    inside, closed = False, []
    for cell in chapter["cells"]:
        if cell["cell_type"] == "markdown":  # the last mark of a cell counts
            marks = re.findall(r"\{(?:solution|look-closer)-(start|end)\}", cell["source"])
            inside = marks[-1] == "start" if marks else inside
        closed += [inside] if cell["cell_type"] == "code" else []
    cells = code_cells(notebook)
    return [
        f"the code of a solution is open: {cell['source'][:40]!r}"
        for cell, hidden in zip(cells, closed)
        if hidden and not cell["metadata"].get("jupyter", {}).get("source_hidden")
    ]


def code_faults(notebook: dict, chapter: dict) -> list[str]:
    """The code cells are the chapter's, in its order; only the set-up cell names a commit."""
    found = [re.sub(r"derivative-ladder@[\w]+", "derivative-ladder", s) for s in code(notebook)]
    return [] if found == code(chapter) else ["other code cells than the chapter's"]


def output_faults(notebook: dict, chapter: dict) -> list[str]:
    """Every cell that has an output in the chapter has one here; and what is drawn is a picture."""
    pairs = zip(code_cells(notebook), code_cells(chapter))
    found = []
    for here, there in pairs:
        if bool(there["outputs"]) > bool(here["outputs"]):
            found.append(f"an output is lost: {there['source'][:40]!r}")
        data = [output.get("data", {}) for output in here["outputs"]]
        htmls = [html for html in (kinds.get("text/html", "") for kinds in data) if html]
        if any("<svg" in html for html in htmls):
            found.append(f"JupyterLab takes out the drawing: {there['source'][:40]!r}")
        drawn = any(kind.startswith("image/") for kinds in data for kind in kinds)
        drawn = drawn or any("<img" in html for html in htmls)
        if "figure" in there["metadata"].get("tags", []) and not drawn:
            found.append(f"a figure is not in the notebook: {there['source'][:40]!r}")
    return found


def text_faults(notebook: dict, chapter: dict) -> list[str]:
    """The printed outputs that the tests compare, and all counts, are the stored ones."""
    pairs = zip(code_cells(notebook), code_cells(chapter))
    found = []
    for here, there in pairs:
        if here["execution_count"] != there["execution_count"]:
            found.append(f"another execution count: {there['source'][:40]!r}")
        if "nbval-ignore-output" not in there["metadata"].get("tags", []):
            texts = [
                [output["text"] for output in joined_streams(cell["outputs"]) if "text" in output]
                for cell in (here, there)
            ]
            if texts[0] != texts[1]:
                found.append(f"another text is printed: {there['source'][:40]!r}")
    return found


def blank_faults(notebook: dict, chapter: dict) -> list[str]:
    """Below every exercise that says how it is checked stands a blank, and it runs as it stands."""
    asked = [
        label
        for each in directives(prose_of(chapter), "exercise")
        for label in CHECKED.findall(each["body"])[:1]
    ]
    blanks = [cell["source"] for cell in notebook["cells"] if is_blank(cell)]
    names = [label for source in blanks for label in CHECKED.findall(source)]
    found = [] if names == asked else [f"there are blanks for {names}, and {asked} are asked"]
    for source in blanks:
        scope: dict = {}
        exec(source, scope)
        verdict = scope["practice"].check(CHECKED.findall(source)[0], scope["answer"])
        if not str(verdict).startswith("your turn"):
            found.append(f"a blank is not empty: {verdict}")
    return found


# ---------------------------------------------------------------- the chapters


@each_chapter
def test_a_plain_notebook_is_right(chapter: Path) -> None:
    made, source = plain(chapter), nbformat.read(chapter, as_version=4)
    nbformat.validate(made)
    asked = len(re.findall(r"\{exercise\}", "\n".join(prose(source))))
    faults = raw_faults(made) + link_faults(made, HTML) + exercise_faults(made, asked)
    for check in (code_faults, output_faults, text_faults, solution_faults, blank_faults):
        faults += check(made, source)
    assert faults == []


@each_chapter
def test_numbers_are_those_of_the_page(chapter: Path) -> None:
    """Of the chapter and its sections, of its figures and of its equations."""
    text = "\n\n".join(prose(plain(chapter)))
    page = static.parse((HTML / "chapters" / f"{chapter.stem}.html").read_text("utf-8"))
    headings = page.xpath("//article//*[self::h1 or self::h2 or self::h3]")
    titles = [heading.text_content() for heading in headings]
    numbered = [number[0] for title in titles if (number := re.match(r"[\dbc.]+\.", title))]
    assert re.findall(r"^#+ ([\dbc.]+\.) ", text, re.MULTILINE) == numbered
    captions = [tag.text_content().strip() for tag in page.find_class("caption-number")]
    figures = [caption for caption in captions if caption.startswith("Fig.")]
    assert re.findall(r"^\*\*(Fig\. [\dbc.]+)\*\*", text, re.MULTILINE) == figures
    equations = [tag.text_content().strip("()#\n ") for tag in page.find_class("eqno")]
    assert re.findall(r"\\tag\{([\dbc.]+)\}", text) == [
        re.sub(r"[^\dbc.]", "", e) for e in equations
    ]


@each_chapter
def test_the_set_up_cell_installs_the_commit_of_the_notebook(chapter: Path) -> None:
    assert re.search(r"derivative-ladder@([0-9a-f]{40}|main)\"", code(plain(chapter))[0])


@each_chapter
def test_the_book_offers_the_same_file(chapter: Path) -> None:
    assert (HTML / "notebooks" / chapter.name).read_bytes() == (
        ROOT / "_build" / "notebooks" / chapter.name
    ).read_bytes()


# ---------------------------------------------------------------- planted faults


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (":::{note}\nA note.\n:::", ":::{"),
        ("```{math}\nx\n```", "```{"),
        ("as in {doc}`03_dual_numbers`", "{doc}`"),
        ("as in {cite}`kim2026`", "{cite}`"),
        ("see {py:func}`companion.engines.sin`", "{py:func}`"),
        ("(sec-walk)=\n## The walk", "(sec-walk)="),
        ("[two](03_dual_numbers.md)", "not absolute: 03_dual_numbers.md"),
        ("![two](_static/a.svg)", "not absolute: _static/a.svg"),
        (f"[two]({BOOK}chapters/nowhere.html)", "no page"),
        (f"[two]({BOOK}chapters/04_tape.html#nowhere)", "no anchor"),
        ("<details>\n<summary><b>Solution to Exercise 4.9</b></summary>", "never closed"),
        ("**Exercise 4.9**", "exercise 4.9 has no solution"),
        ("**Exercise**", "exercises of"),
    ],
)
def test_a_fault_in_the_prose_is_reported(planted: str, words: str) -> None:
    chapter = next(path for path in CHAPTERS if path.stem == "04_tape")
    notebook = plain(chapter)
    asked = len(re.findall(r"\*\*Exercise ", "\n".join(prose(notebook))))
    notebook["cells"].append(nbformat.v4.new_markdown_cell(planted))
    asked += planted == "**Exercise**"
    faults = raw_faults(notebook) + link_faults(notebook, HTML) + exercise_faults(notebook, asked)
    assert any(words in fault for fault in faults), faults


def empty(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell.update({"outputs": []} if "outputs" in cell else {})


def bare(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = nbformat.from_dict({})


def with_inline_svg(notebook: dict) -> None:
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        if "text/html" in output.get("data", {}):
            output["data"]["text/html"] = "<svg></svg>"


def without_blanks(notebook: dict) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] if not is_blank(cell)]


def filled(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("answer = ...", "answer = 'this'")


def miscounted(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell.update({"execution_count": 1} if "outputs" in cell else {})


@pytest.mark.parametrize(
    ("spoil", "check", "words"),
    [
        (lambda nb: nb["cells"].pop(1), code_faults, "other code cells"),
        (empty, output_faults, "an output is lost"),
        (empty, output_faults, "a figure is not in the notebook"),
        (empty, text_faults, "another text is printed"),
        (miscounted, text_faults, "another execution count"),
        (with_inline_svg, output_faults, "JupyterLab takes out the drawing"),
        (bare, solution_faults, "the code of a solution is open"),
        (without_blanks, blank_faults, "there are blanks for []"),
        (filled, blank_faults, "a blank is not empty: not yet"),
    ],
)
def test_a_fault_in_the_cells_is_reported(spoil, check, words: str) -> None:
    chapter = next(path for path in CHAPTERS if path.stem == "04_tape")
    notebook = copy.deepcopy(plain(chapter))
    spoil(notebook)
    faults = check(notebook, nbformat.read(chapter, as_version=4))
    assert any(words in fault for fault in faults), faults
