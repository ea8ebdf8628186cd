"""Read |x| and *args in a docstring as the mathematics and the Python that they are.

autodoc takes docstrings for reStructuredText, where a pair of bars is a substitution, an undefined one an
error, and a lone star an emphasis that never ends. Paragraphs are mended; `code`, examples, indented blocks
and tables stay as they are.
"""

import re

from sphinx.application import Sphinx

CODE_OR_MARK = re.compile(r"(``?[^`]+``?)|(\||\*{1,2}(?=\w+[,)]))")
LEFT_ALONE = (">>>", " ", "+")


def escaped(mark: str) -> str:
    return "".join(f"\\{letter}" for letter in mark)


def escape_marks(paragraph: str) -> str:
    if paragraph.startswith(LEFT_ALONE):
        return paragraph
    return CODE_OR_MARK.sub(lambda found: found[1] or escaped(found[2]), paragraph)


def mend(
    _app: Sphinx, _what: str, _name: str, _obj: object, _opts: object, lines: list[str]
) -> None:
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = "\n\n".join(map(escape_marks, paragraphs)).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
