"""The notation page and the pages say the same of a letter; and the lists of the running function have one order."""

import json
import re
from pathlib import Path

import pytest

from tools import notation

CHAPTERS = Path(__file__).parent.parent / "chapters"
TABLE = f"""# Notation

| $\\eta$ | learning rate | | {{doc}}`1 <01_a>` |

{notation.HEADING}

| letter | meaning | pages |
|---|---|---|
| $\\lambda$ | *weight* of the equation | {{doc}}`1 <01_a>` |
| $\\lambda$ | an *eigenvalue* | {{doc}}`2b <02b_b>`, {{doc}}`3 <03_c>` |
| $K$ | a capacity | {{doc}}`3 <03_c>` |
"""
GOOD = {
    "1": ["The weight $\\lambda$, and a step of $\\eta$.", "$\\lambda\\, r^2$ alone"],
    "2b": ["Each Eigenvalue $\\lambda_k$, and `$K$`", "no letters"],
    "3": ["$$ K \\frac{dx}{dt} = \\lambda_{K} $$ with the eigenvalues"],
}


def test_the_letters_of_the_book_mean_what_the_notation_page_says() -> None:
    assert notation.all_faults() == []


def test_good_pages_have_no_fault() -> None:
    assert notation.faults(TABLE, GOOD) == []


PLANTED = [
    ("1", "weight", "height", "page 1 never says weight beside \\lambda"),
    ("2b", "\\lambda_k", "\\lambda K", "page 2b uses K, and 0 rows name the page: one must"),
    ("1", "\\eta", "\\lambda", "page 1 has no \\eta, which $\\eta$ needs"),
    ("1", "\\eta", "\\kappa", "page 1 uses \\kappa, which is not on the notation page"),
    ("2b", "\\lambda_k", "\\mu", "\\lambda, an *eigenvalue*: page 2b has no such letter"),
]


@pytest.mark.parametrize(("page", "old", "new", "words"), PLANTED, ids=[p[-1] for p in PLANTED])
def test_a_letter_that_is_used_against_the_page_is_seen(
    page: str, old: str, new: str, words: str
) -> None:
    pages = {
        name: [cell.replace(old, new) if name == page else cell for cell in cells]
        for name, cells in GOOD.items()
    }
    assert words in notation.faults(TABLE, pages)


def test_two_meanings_in_one_page_are_seen() -> None:
    twice = TABLE.replace("`1 <01_a>`", "`1 <01_a>`, {doc}`3 <03_c>`")
    assert "page 3 uses \\lambda, and 2 rows name the page: one must" in notation.faults(
        twice, GOOD
    )


def listed(text: str) -> set[str]:
    """What a text makes of lines 5 and 6 of the running function's list.

    >>> sorted(listed("v_5 &= v_3 + v_4, v[6], t[6] = math.sin(v[2]), v₅ − v₆"))
    ['5=3+4', '6=sin2']
    """
    for small, plain in zip("₁₂₃₄₅₆₇", "1234567"):
        text = text.replace(small, plain)
    text = re.sub(r"math\.|[&_\\\[\]() ]", "", text)
    found = re.findall(r"v([56])(?:,t\1)?=(v3\+v4|sin\w*v2)", text)
    return {f"{k}={how.replace('v', '')}" for k, how in found}


@pytest.mark.parametrize("page", ["03_dual_numbers", "04_tape"])
def test_the_running_function_has_one_list(page: str) -> None:
    cells = json.loads((CHAPTERS / f"{page}.ipynb").read_text("utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    assert listed(text) == {"5=3+4", "6=sin2"}


def test_another_order_is_seen() -> None:
    assert listed("v_5 &= \\sin v_2 \\\\ v_6 &= v_3 + v_4") == {"5=sin2", "6=3+4"}


def test_no_row_of_the_notation_page_stands_twice() -> None:
    page = (CHAPTERS / "notation.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| (\$|\| \*)", line)]
    assert len(rows) > 100
    assert [row for row in rows if rows.count(row) > 1] == []
