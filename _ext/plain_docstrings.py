"""Read |x| in a docstring as the absolute value that it is.

autodoc takes docstrings for reStructuredText, where a pair of bars is a substitution and an undefined one an
error. Paragraphs are mended; `code`, examples, indented blocks and tables stay as they are.
"""

import re

from sphinx.application import Sphinx

CODE_OR_BAR = re.compile(r"(``?[^`]+``?)|\|")
LEFT_ALONE = (">>>", " ", "+")


def escape_bars(paragraph: str) -> str:
    if paragraph.startswith(LEFT_ALONE):
        return paragraph
    return CODE_OR_BAR.sub(lambda found: found[1] or r"\|", paragraph)


def mend(
    _app: Sphinx, _what: str, _name: str, _obj: object, _opts: object, lines: list[str]
) -> None:
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = "\n\n".join(map(escape_bars, paragraphs)).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
