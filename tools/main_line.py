"""How much the main line of a page asks of its reader, and what one sitting allows.

The main line is what is seen without opening anything: prose that is not folded, and code that is not hidden.
Solutions, "look closer" and the cells that every chapter has (set-up, cost) are not on it.

    python -m tools.main_line chapters/*.ipynb     words and visible lines of code of each page
"""

import re
import sys
from pathlib import Path

import nbformat

WORDS, LINES = 1700, 180
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell", "setup", "cost"}

# The pages that ask for more than one sitting, and how much: (words, lines). May only fall.
LONG = {
}


def words(text: str) -> int:
    """The words of a piece of Markdown; a formula is one; directives, code blocks and what moves are none."""
    text = re.sub(r"```.*?```|:::\{moving-figure\}.*?:::|:::\{.*?\n", "", text, flags=re.S)
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


def is_one_sitting(nb: dict, long: tuple[int, int] | None) -> list[str]:
    """No page is longer than one sitting; those that were may only become shorter."""
    prose, code = main_line(nb)
    most = long or (WORDS, LINES)
    found = [
        f"the main line has {count} {what}, and {limit} are allowed: fold what only some will want "
        "(look-closer-start), or hide code that formats, loads and draws (hide-input)"
        for count, limit, what in zip((prose, code), most, ("words", "visible lines of code"))
        if count > limit
    ]
    if long and not found and (prose < long[0] or code < long[1]):
        found.append(
            f"the main line became shorter: write {(prose, code)} (LONG in tools/main_line.py)"
        )
    if long and prose <= WORDS and code <= LINES:
        found.append("the page is one sitting now: take it out of LONG in tools/main_line.py")
    return found


if __name__ == "__main__":
    for name in sys.argv[1:]:
        count, lines = main_line(nbformat.read(name, as_version=4))
        print(f"{Path(name).stem:24} {count:5} words {lines:4} lines")
