"""How much the main line of a page asks of its reader, and what one sitting allows.

The main line is what is seen without opening anything: prose that is not folded, and code that is not hidden.
Solutions, "look closer", what a moving figure should have taught, and the cells that every chapter has (set-up, cost)
are not on it.

    python -m tools.main_line chapters/*.ipynb     words and visible lines of code of each page
"""

import re
import sys
from pathlib import Path

import nbformat

WORDS, LINES = 1700, 180
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell", "setup", "cost"}


def words(text: str) -> int:
    """The words of a piece of Markdown; a formula is one, a code block and the head of a directive are none."""
    text = re.sub(
        r"^(`{3,}).*?^\1|:::\{.*?\n|^:(?:still|taught):.*?\n", "", text, flags=re.S | re.M
    )
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.S)
    text = re.sub(r"\{[\w:]+\}`([^`]*)`", r"\1", re.sub(r"\$[^$]+\$", "M", text))
    return len(re.findall(r"[A-Za-zÀ-ÿ'’\-]+", text))


def main_line(nb: dict) -> tuple[int, int]:
    """(words, visible lines of code)"""
    folded, prose, code = False, 0, 0
    for cell in nb["cells"]:
        source = cell["source"]
        if cell["cell_type"] == "markdown":
            folded |= "{solution-start}" in source or "{look-closer-start}" in source
            prose += 0 if folded else words(source)
            folded &= not ("{solution-end}" in source or "{look-closer-end}" in source)
        elif not folded and not HIDDEN & set(cell["metadata"].get("tags", [])):
            code += sum(bool(line.strip()) for line in source.split("\n"))
    return prose, code


def is_one_sitting(nb: dict) -> list[str]:
    """What of the main line is longer than one sitting."""
    counted = zip(main_line(nb), (WORDS, LINES), ("words", "visible lines of code"), strict=True)
    return [
        f"the main line has {count} {what}, and {most} are allowed: fold what only some will want "
        "(look-closer-start), or hide code that formats, loads and draws (hide-input)"
        for count, most, what in counted
        if count > most
    ]


if __name__ == "__main__":
    for name in sys.argv[1:]:
        count, lines = main_line(nbformat.read(name, as_version=4))
        print(f"{Path(name).stem:24} {count:5} words {lines:4} lines")
