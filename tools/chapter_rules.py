"""What every chapter has: one small function a rule, which takes a notebook and returns its faults.

    python -m tools.chapter_rules chapters/*.ipynb     print every fault; exit 1 if there is one

tests/test_notebooks.py applies them to every chapter; tests/test_chapter_rules.py plants faults to see each reported.
"""

import ast
import re
import sys
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from tools.main_line import is_one_sitting
from tools.practice_rules import exercises_can_be_practised, open_problem_faults
from tools.reading import code_cells, directives, prose, tags

CHAPTERS = Path(__file__).parent.parent / "chapters"
SETUP = """\
try:
    import companion
except ModuleNotFoundError:  # on Colab, or outside the project's environment
    %pip install --quiet "derivative-ladder[book] @ git+https://github.com/derivative-ladder/derivative-ladder\""""
COST = """\
from companion.show.cost import peak_memory

print(f"peak memory: {peak_memory():.0f} MiB")"""

HEADING = re.compile(r"^(#+)\s+(.*)$", re.M)
SECTION_LABEL = re.compile(
    r"^\(([\w-]+)\)=\n+(?:##+ |:::\{look-closer-start\})", re.M
)  # (label)= above a heading, not the title, or above a folded part
LINK = re.compile(r"\]\(#([\w-]+)\)")  # [words](#label)


# ---------------------------------------------------------------- the rules


def first_line(cell: dict) -> str:
    return cell["source"].strip().partition("\n")[0]


def drew(cell: dict) -> bool:
    """True if the stored output says that matplotlib drew a figure here."""
    return any(
        "<Figure size" in str(output.get("data", {}).get("text/plain", ""))
        for output in cell["outputs"]
    )


def opens_with_a_card(nb: dict) -> list[str]:
    first = nb["cells"][0]["source"] if nb["cells"] else ""
    if not first.startswith("# "):
        return ["the first cell must begin with '# Title'"]
    cards = directives(first, "card-of-chapter")
    if len(cards) != 1:
        return [f"the first cell must hold one card-of-chapter directive, it holds {len(cards)}"]
    return [
        f"the card lacks :{key}:"
        for key in ("question", "able", "needs")
        if not cards[0]["options"].get(key)
    ]


def card_promises_what_a_section_keeps(nb: dict) -> list[str]:
    """Each thing the reader will be able to do links to the section, or exercise, where it is learnt."""
    cards = directives(nb["cells"][0]["source"], "card-of-chapter") if nb["cells"] else []
    items = [item.strip() for card in cards for item in card["options"].get("able", "").split(";")]
    there = set(SECTION_LABEL.findall(prose(nb)))
    there |= {each["options"].get("label") for each in directives(prose(nb), "exercise")}
    found = []
    for item in filter(None, items):
        labels = LINK.findall(item)
        if not labels:
            found.append(
                f"the card promises {item!r} and names no section: write [words](#label), and "
                "(label)= above the heading"
            )
        found += [
            f"the card promises {item!r}, but no heading of the page has the label {label}"
            for label in labels
            if label not in there
        ]
    return found


def setup_cell_is_the_common_one(nb: dict) -> list[str]:
    cell = nb["cells"][1] if len(nb["cells"]) > 1 else {"source": "", "metadata": {}}
    found = []
    if cell["source"].strip() != SETUP:
        found.append(
            "the second cell must be the common set-up cell: SETUP in tools/chapter_rules.py"
        )
    if not {"setup", "hide-input"} <= set(tags(cell)):
        found.append("the set-up cell needs the tags setup and hide-input")
    return found


def figures_are_described(nb: dict) -> list[str]:
    figures = [cell for cell in code_cells(nb) if "figure" in tags(cell)]
    found = [] if figures else ["no cell is tagged figure: a chapter has one figure to remember"]
    for cell in code_cells(nb):
        start = first_line(cell)
        if drew(cell) and "figure" not in tags(cell):
            found.append(f"the cell {start!r} draws a figure but is not tagged figure")
    for cell in figures:
        start = first_line(cell)
        about = cell["metadata"].get("mystnb", {})
        if len(about.get("image", {}).get("alt", "")) < 20:
            found.append(
                f"the figure {start!r} has no alt text of a sentence (metadata mystnb.image.alt)"
            )
        if not about.get("figure", {}).get("caption"):
            found.append(f"the figure {start!r} has no caption (metadata mystnb.figure.caption)")
        if not about.get("figure", {}).get("name", "").startswith("fig-"):
            found.append(f"the figure {start!r} has no name fig-... (metadata mystnb.figure.name)")
    return found


def images_have_alt_text(nb: dict) -> list[str]:
    text = prose(nb)
    bare = re.findall(r"!\[\s*\]\(([^)\s]+)", text)
    bare += [
        tag
        for tag in re.findall(r"<img\b[^>]*>", text)
        if not re.search(r"""alt=["'][^"']+""", tag)
    ]
    for name in ("figure", "image"):
        bare += [
            each["argument"] for each in directives(text, name) if not each["options"].get("alt")
        ]
    return [f"the image {image!r} has no alt text" for image in bare]


def solution_faults(nb: dict, label: str) -> list[str]:
    """The faults of a gated solution: solution-start, executed code, solution-end."""
    inside, ran, options = False, False, None
    for cell in nb["cells"]:
        starts = [
            each
            for each in directives(cell["source"], "solution-start")
            if each["argument"] == label
        ]
        if starts:
            inside, options = True, starts[0]["options"]
        elif inside and directives(cell["source"], "solution-end"):
            inside = False
        elif inside and cell["cell_type"] == "code":
            ran = ran or cell["execution_count"] is not None
    if options is None:
        return [f"exercise {label} has no solution (solution-start {label})"]
    found = []
    if inside:
        found.append(f"the solution of {label} has no solution-end")
    if "dropdown" not in options.get("class", ""):
        found.append(f"the solution of {label} is not folded: it lacks ':class: dropdown'")
    if not ran:
        found.append(f"the solution of {label} has no executed code cell")
    return found


def exercises_are_solved(nb: dict) -> list[str]:
    exercises = directives(prose(nb), "exercise")
    names = [exercise["options"].get("label", "") for exercise in exercises]
    found = [] if len(names) >= 2 else [f"{len(names)} exercise directives found, 2 are needed"]
    if "" in names:
        found.append("an exercise has no :label:")
    for label in names:
        if label.startswith("problem-"):
            found += open_problem_faults(nb, label)
        elif label:
            found += solution_faults(nb, label)
    return found


def cites_a_source(nb: dict) -> list[str]:
    return (
        []
        if re.search(r"\{cite(:\w+)?\}`[^`]+`", prose(nb))
        else ["nothing is cited: use {cite}`key`"]
    )


def says_what_broke(nb: dict) -> list[str]:
    """A heading 'What broke ...' and a cell that was run before the next heading of its level."""
    level = 0
    for cell in nb["cells"]:
        if cell["cell_type"] == "markdown":
            for hashes, title in HEADING.findall(cell["source"]):
                if title.lower().startswith("what broke"):
                    level = len(hashes)
                elif level and len(hashes) <= level:
                    return [
                        "the section 'What broke' runs nothing: show the mistake in a code cell"
                    ]
        elif level and cell["execution_count"] is not None:
            return []
    return [
        "no heading begins with 'What broke'"
        if not level
        else "the section 'What broke' runs nothing"
    ]


def shows_the_ledger(nb: dict) -> list[str]:
    used = any("ledger" in cell["source"] for cell in code_cells(nb))
    return [] if used else ["no code cell shows the ledger (companion.show.ledger)"]


def includes_companion_source(nb: dict) -> list[str]:
    """At least one literalinclude of companion, and each names a file and an object that exist."""
    includes = directives(prose(nb), "literalinclude")
    includes = [each for each in includes if each["argument"].startswith("../companion/")]
    found = [] if includes else ["no literalinclude shows source of ../companion/"]
    for include in includes:
        path = CHAPTERS / include["argument"]
        if not path.exists():
            found.append(f"the included file {include['argument']} does not exist")
            continue
        wanted = include["options"].get("pyobject", "").split(".")[0]
        names = {
            getattr(node, "name", None) for node in ast.parse(path.read_text(encoding="utf-8")).body
        }
        if wanted and wanted not in names:
            found.append(f"{include['argument']} defines no {wanted}")
    return found


READERS = set("open read_text read_bytes loadtxt genfromtxt fromfile read_csv urlopen".split())
LOADERS = {"json.load", "np.load", "pickle.load", "torch.load"}


def reads_no_path(nb: dict) -> list[str]:
    """No code cell opens a file or an address: a copy in an empty folder has neither."""
    found = []
    for cell in code_cells(nb):
        tree = ast.parse(TransformerManager().transform_cell(cell["source"]))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        full = {ast.unparse(call) for call in calls}
        names = {name.rpartition(".")[2] for name in full} & READERS | full & LOADERS
        found += [
            f"the cell {first_line(cell)!r} reads a path ({name}): store what it needs in "
            "companion/data, and write stored(name)"
            for name in sorted(names)
        ]
    return found


def ends_with_its_cost(nb: dict) -> list[str]:
    cells = code_cells(nb)
    found = []
    if not cells or cells[-1]["source"].strip() != COST:
        found.append("the last code cell must be the cost cell: COST in tools/chapter_rules.py")
    elif not {"cost", "nbval-ignore-output"} <= set(tags(cells[-1])):
        found.append("the cost cell needs the tags cost and nbval-ignore-output")
    return found


def crowded(nb: dict) -> int:
    """How many code cells are the third or later in a row, with no Markdown cell between.

    Those of solutions count; the set-up cell and the cost cell, the same on every page, do not.
    """
    found = row = 0
    for cell in nb["cells"]:
        if {"setup", "cost"} & set(tags(cell)):
            continue
        row = row + 1 if cell["cell_type"] == "code" else 0
        found += row > 2
    return found


def has_words_between_cells(nb: dict) -> list[str]:
    """No more than two code cells in a row."""
    count = crowded(nb)
    return (
        [
            f"{count} code cells are the third or later in a row: say between them what the reader sees, "
            "or make one of them"
        ]
        if count
        else []
    )


def leads_on(nb: dict, following: str | None) -> list[str]:
    """One of the last four cells links to the next chapter, if there is one."""
    end = "\n".join(cell["source"] for cell in nb["cells"][-4:] if cell["cell_type"] == "markdown")
    if following is None or following in end:
        return [] if end.strip() else ["the chapter ends without a word about what comes next"]
    return [f"the last cells do not link to the next chapter: {{doc}}`{following}`"]


RULES = [
    opens_with_a_card,
    card_promises_what_a_section_keeps,
    setup_cell_is_the_common_one,
    figures_are_described,
    images_have_alt_text,
    exercises_are_solved,
    exercises_can_be_practised,
    cites_a_source,
    says_what_broke,
    shows_the_ledger,
    includes_companion_source,
    reads_no_path,
    ends_with_its_cost,
    has_words_between_cells,
    is_one_sitting,
]


def chapter_faults(path: Path) -> list[str]:
    """All faults of one chapter, given the chapters that stand beside it."""
    nb = nbformat.read(path, as_version=4)
    chapters = sorted(path.parent.glob("[0-9][0-9]*_*.ipynb"))
    after = [chapter.stem for chapter in chapters if chapter.name > path.name]
    found = [fault for rule in RULES for fault in rule(nb)]
    return found + leads_on(nb, after[0] if after else None)


if __name__ == "__main__":
    report = [f"{name}: {fault}" for name in sys.argv[1:] for fault in chapter_faults(Path(name))]
    print("\n".join(report))
    sys.exit(bool(report))
