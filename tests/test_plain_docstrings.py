"""A docstring on the pages of the API: what is indented in it is shown line by line."""

import companion.pinn.parts
from _ext.plain_docstrings import mend, mend_signature


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


def test_a_list_of_words_and_meanings_is_shown_line_by_line() -> None:
    shown = mended(companion.pinn.parts.__doc__ or "")
    assert ".. code-block:: text\n\n    Due         whether a report is due\n    Guard  " in shown


def test_a_table_with_rules_and_a_sentence_with_a_gap_stay() -> None:
    text = "===  ===\none  two\n===  ===\n\nA line.  Another\nwithout a gap."
    assert mended(text) == text


def test_a_default_without_a_source_is_three_dots() -> None:
    signature = "(of=<function Condition.<lambda>>, given=<factory>, low=-inf)"
    shown, _ = mend_signature(None, "class", "name", None, None, signature, "")
    assert shown == "(of=..., given=..., low=-inf)"
    assert mend_signature(None, "module", "name", None, None, None, "") == (None, "")


def test_the_words_about_a_module_begin_with_its_file() -> None:
    lines = ["What it is for."]
    mend(None, "module", "companion.pinn.parts", companion.pinn.parts, None, lines)
    assert lines == ["`parts.py`. What it is for."]
    mend(None, "module", "companion.pinn", companion.pinn, None, package := ["A package."])
    mend(None, "class", "companion.pinn.parts.Due", companion.pinn.parts.Due, None, package)
    assert package == ["A package."]
