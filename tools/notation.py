"""What the notation page says of letters, held against the pages: a letter has one meaning within a page.

    python -m tools.notation     print every fault; exit 1 if there is one

One table of the notation page has a row for each meaning of a letter that has several, with the pages that mean it so.
A page that uses such a letter in a formula is named in exactly one of its rows, and a cell of the page has the letter
beside a word that the row has in *italics*, or one with the same first six letters (a row without italics asks for
none). Greek letters stand on the notation page, whatever they mean; each symbol of its other tables stands on the page
that they name. What a program cannot see is a second meaning within one page: it sees only that somebody has said
which one there is.
"""

import json
import re
import sys
from pathlib import Path

CHAPTERS = Path(__file__).parent.parent / "chapters"
HEADING = "## Letters with more than one meaning"
ROW = re.compile(r"^\| \$(?P<letter>[^$]+)\$ \| (?P<meaning>[^|]+) \| (?P<pages>[^|]+) \|$", re.M)
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$([^$\n](?:[^$]*[^$\s])?)\$", re.S)
UPRIGHT = re.compile(r"\\(text|operatorname|math(rm|sf|bf|bb)|begin|end)\s*(\{[^{}]*\}|\w)")
GREEK = """alpha beta gamma delta epsilon varepsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi varphi chi
psi omega Gamma Delta Theta Lambda Sigma Phi Psi Omega""".split()  # not pi, which is a number


def rows(page: str) -> list[tuple[str, str, list[str]]]:
    """(letter, meaning, pages) of each row of the table of letters.

    >>> rows(HEADING + "\\n\\n| $h$ | a *step* | {doc}`1 <01_a>`, {doc}`5b <05b_a>` |\\n")
    [('h', 'a *step*', ['1', '5b'])]
    """
    table = page.partition(HEADING)[2].partition("\n## ")[0]
    return [
        (row["letter"], row["meaning"], re.findall(r"\{doc\}`(\w+) <", row["pages"]))
        for row in ROW.finditer(table)
    ]


def introduced(page: str) -> list[tuple[str, str]]:
    """(symbol, page) of each row of the other tables: the page that says a symbol first.

    >>> introduced("| $h$ | step | `h` | {doc}`1 <01_a>` |\\n| | *leaf* | | {doc}`7 <07_a>` |\\n")
    [('$h$', '1')]
    """
    return re.findall(
        r"^\| (\$.*?\$) \| .* \| \{doc\}`(\w+) <\w+>` \|$", page.partition(HEADING)[0], re.M
    )


def without_code(text: str) -> str:
    """The lines of a piece of Markdown that are no code: outside of fences, or in one that is a directive.

    >>> without_code("a\\n```python\\nb\\n```\\n```{hint}\\nc\\n```\\n```text\\nd\\n```")
    'a\\nc'
    """
    code, kept = False, []
    fences = 0  # directives that are open
    for line in text.split("\n"):
        if not line.startswith("```"):
            kept += [] if code else [line]
        elif code:
            code = False
        elif line.startswith("```{") and "literalinclude" not in line:
            fences += 1
        elif line.strip("`") or not fences:
            code = True
        else:
            fences -= 1
    return "\n".join(kept)


def letters(text: str) -> set[str]:
    """The letters of all formulas of a piece of Markdown; indices and the d of a derivative are none.

    >>> sorted(letters("A step $h_k$ and `$x$`: $\\\\frac{dy}{dt} = \\\\lambda_{\\\\max} y + \\\\text{rest}$"))
    ['\\\\lambda', 'h', 'y']
    """
    text = re.sub(r"`[^`\n]*`", " ", without_code(text))
    found = set()
    for formula in FORMULA.finditer(text):
        f = formula[1] or formula[2]
        f = UPRIGHT.sub(" ", f)
        f = re.sub(r"\\varepsilon_M|_(\{[^{}]*\}|\\?[A-Za-z]+|\d)", " ", f)
        f = re.sub(r"\\frac\{d(\^\w)? ?\w?\}|\{d\w(\^\w)?\}|\bd[A-Za-z]\b", " ", f)
        found |= set(re.findall(r"\\[A-Za-z]+|[A-Za-z]", f))
    return found


def name_of(stem: str) -> str:
    """The page of a file: 4 for 04_tape, 15b for 15b_slopes; an appendix keeps its name."""
    found = re.match(r"0*(\d+[a-z]?)_", stem)
    return found[1] if found else stem


def cells_of(path: Path) -> list[str]:
    """The Markdown cells of a page."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def faults(page: str, pages: dict[str, list[str]]) -> list[str]:
    """Where a letter is used against the notation page, given the Markdown cells of each page by its name."""
    table, found = rows(page), []
    used = {name: [letters(cell) for cell in cells] for name, cells in pages.items()}
    for name, sets in used.items():
        for letter in sorted(set().union(*sets)):
            meant = [row for row in table if row[0] == letter and name in row[2]]
            if letter[1:] in GREEK and not re.search(rf"\$[^$]*{re.escape(letter)}(?![a-z])", page):
                found.append(f"page {name} uses {letter}, which is not on the notation page")
            elif len(meant) != 1 and letter in {row[0] for row in table}:
                found.append(
                    f"page {name} uses {letter}, and {len(meant)} rows name the page: one must"
                )
    for symbol, name in introduced(page):
        if missing := letters(symbol) - set().union(*used.get(name, [])):
            found.append(f"page {name} has no {' '.join(sorted(missing))}, which {symbol} needs")
    for letter, meaning, named in table:
        words = re.findall(r"\*([^*]+)\*", meaning.lower())
        for name in named:
            cells = zip(pages.get(name, []), used.get(name, []))
            beside = [" ".join(cell.lower().split()) for cell, there in cells if letter in there]
            if not beside:
                found.append(f"{letter}, {meaning}: page {name} has no such letter")
            elif words and not any(word[:6] in cell for cell in beside for word in words):
                found.append(f"page {name} never says {' or '.join(words)} beside {letter}")
    return found


def all_faults() -> list[str]:
    """The faults of the book as it is."""
    pages = {name_of(path.stem): cells_of(path) for path in sorted(CHAPTERS.glob("*.ipynb"))}
    return faults((CHAPTERS / "notation.md").read_text("utf-8"), pages)


if __name__ == "__main__":
    report = all_faults()
    print("\n".join(report))
    sys.exit(bool(report))
