"""Read |x| and *args in a docstring as the mathematics and the Python that they are.

autodoc takes docstrings for reStructuredText, where a pair of bars is a substitution, an undefined one an
error, and a lone star an emphasis that never ends. Paragraphs are mended; `code`, examples, indented blocks
and tables stay as they are: an indented block is shown line by line, with its two hyphens two.
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


def line_by_line(paragraphs: list[str]) -> list[str]:
    """With the mark of a literal block before each indented one, which would be a quotation.

    >>> line_by_line(["Two names:", "    one   1", "    two   2", "Done."])
    ['Two names:', '::', '    one   1', '    two   2', 'Done.']
    """
    marked, last = [], ""
    for paragraph in paragraphs:
        if paragraph.startswith(" ") and not last.startswith(" ") and not last.endswith("::"):
            marked.append("::")
        marked.append(paragraph)
        last = paragraph
    return marked


def mend(
    _app: Sphinx, _what: str, _name: str, _obj: object, _opts: object, lines: list[str]
) -> None:
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = "\n\n".join(map(escape_marks, line_by_line(paragraphs))).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
