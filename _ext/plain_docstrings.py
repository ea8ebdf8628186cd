"""Read |x| and *args in a docstring as the mathematics and the Python that they are.

autodoc takes docstrings for reStructuredText, where a pair of bars is a substitution, an undefined one an
error, and a lone star an emphasis that never ends. Paragraphs are mended; `code`, examples, indented blocks
and tables stay as they are: an indented block is shown line by line, with its two hyphens two, and so is
a list of words and what they mean. A default of a signature that has no source is three dots. The words
about a module begin with its file, by which others name it.
"""

import ast
import re
from itertools import groupby
from pathlib import Path
from textwrap import dedent

from sphinx.application import Sphinx

CODE_OR_MARK = re.compile(r"(``?[^`]+``?)|(\||\*{1,2}(?=\w+[,)]))")
ROW = re.compile(r"[^\s=+>].*?\S {2,}\S")  # "name   what it means"
UNWRITTEN = re.compile(r"<(factory|function [\w.]*(<lambda>)?)>")
LEFT_ALONE = (">>>", " ", "+")


def escaped(mark: str) -> str:
    return "".join(f"\\{letter}" for letter in mark)


def escape_marks(paragraph: str) -> str:
    if paragraph.startswith(LEFT_ALONE):
        return paragraph
    return CODE_OR_MARK.sub(lambda found: found[1] or escaped(found[2]), paragraph)


def as_table(paragraph: str) -> str:
    """Indented, if every line is a word and, after a gap, what it means: as text the lines would run together.

    >>> as_table("one  1\\ntwo  2")
    '    one  1\\n    two  2'
    """
    lines = paragraph.rstrip().split("\n")
    if len(lines) > 1 and all(map(ROW.match, lines)):
        return "\n".join(f"    {line}" for line in lines)
    return paragraph


def is_python(block: str) -> bool:
    try:
        ast.parse(dedent(block))
    except SyntaxError:
        return False
    return True


def line_by_line(paragraphs: list[str]) -> list[str]:
    """With the mark of a literal block before each indented one, which would be a quotation.

    >>> line_by_line(["Two names:", "    one   1", "    two   2", "Done."])
    ['Two names:', '.. code-block:: text', '    one   1', '    two   2', 'Done.']
    """
    marked, last = [], ""
    for indented, group in groupby(paragraphs, lambda paragraph: paragraph.startswith(" ")):
        block = list(group)
        if indented and not last.endswith("::"):
            marked.append("::" if is_python("\n\n".join(block)) else ".. code-block:: text")
        marked += block
        last = block[-1]
    return marked


def file_of(obj: object) -> str:
    """The file of a module, "" for a package: other docstrings name their neighbours by it."""
    name = Path(getattr(obj, "__file__", None) or "").name
    return "" if name == "__init__.py" else name


def mend(_app: Sphinx, what: str, _name: str, obj: object, _opts: object, lines: list[str]) -> None:
    paragraphs = list(map(as_table, "\n".join(lines).split("\n\n")))
    lines[:] = "\n\n".join(map(escape_marks, line_by_line(paragraphs))).split("\n")
    if what == "module" and file_of(obj):
        lines[0] = f"`{file_of(obj)}`. {lines[0]}"


def mend_signature(
    _app: Sphinx, _what: str, _name: str, _obj: object, _opts: object, signature: str, returned: str
) -> tuple[str, str]:
    """Three dots for a default that cannot be written: <factory>, <function Condition.<lambda>>."""
    return signature and UNWRITTEN.sub("...", signature), returned


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", mend)
    app.connect("autodoc-process-signature", mend_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
