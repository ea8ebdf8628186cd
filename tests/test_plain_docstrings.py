"""A docstring on the pages of the API: what is indented in it is shown line by line."""

from _ext.plain_docstrings import mend


def mended(docstring: str) -> str:
    lines = docstring.split("\n")
    mend(None, "module", "name", None, None, lines)
    return "\n".join(lines)


def test_an_indented_block_is_literal_and_stays_one() -> None:
    text = "To run:\n\n    python --fast\n\n    python --slow\n\nThe size |x| is left."
    assert mended(text) == text.replace("run:\n", "run:\n\n::\n").replace("|x|", r"\|x\|")


def test_a_block_that_is_literal_already_gets_no_second_mark() -> None:
    text = "To run::\n\n    python --fast"
    assert mended(text) == text
