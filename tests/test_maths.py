"""Mathematics becomes HTML while the book is built; a wrong formula stops the build, with its page and its text."""

import io
from pathlib import Path

import pytest
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from _ext import maths

EXTENSIONS = Path(__file__).parent.parent / "_ext"
CONF = """
import sys
sys.path.insert(0, {extensions!r})
extensions = ["maths"]
html_math_renderer = "katex"
html_theme = "basic"
"""


def built(folder: Path, text: str) -> tuple[str, str]:
    """The HTML of a book of this one page, and the warnings of its build."""
    (folder / "conf.py").write_text(CONF.format(extensions=str(EXTENSIONS)))
    (folder / "index.rst").write_text(f"Page\n====\n\n{text}\n", encoding="utf-8")
    warnings = io.StringIO()
    out = folder / "out"
    with docutils_namespace():
        app = Sphinx(folder, folder, out, out / "trees", "html", status=None, warning=warnings)
        app.build()
    return (out / "index.html").read_text("utf-8"), warnings.getvalue()


def test_a_formula_is_for_the_eye_and_for_a_screen_reader(tmp_path: Path) -> None:
    html, warnings = built(tmp_path, r"Here :math:`\frac{x}{2} = y`, stands.")
    assert "<mfrac>" in html and 'class="katex-html" aria-hidden="true"' in html
    assert not warnings
    assert "mathjax" not in html.lower()
    assert (
        html.count('<wbr><span class="base">') == 1
    )  # it may break before y, and not before the comma
    assert '<span class="whole"><span class="math' in html and "</span>,</span> stands" in html


def test_a_formula_takes_the_comma_behind_itself(tmp_path: Path) -> None:
    html, _ = built(tmp_path, "A *slit*, :math:`a`; a line *b*, :math:`c`, :math:`d`.")
    assert "</em>, <span" in html and html.count("</em>,") == 2  # both commas of the words stay
    assert html.count("</span>,</span> <span") == 1


def test_an_equation_has_a_number_and_is_referred_to(tmp_path: Path) -> None:
    text = ".. math:: a = b\n   :label: same\n\nSee :eq:`same`."
    html, warnings = built(tmp_path, text)
    assert '<span class="eqno">(1)' in html and 'href="#equation-same"' in html
    assert not warnings


def test_lines_are_aligned(tmp_path: Path) -> None:
    html, warnings = built(tmp_path, ".. math:: a &= b \\\\\n   &= c")
    assert "<mtr>" in html
    assert not warnings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"A :math:`\frac{x` b", r"a formula is wrong: .*\frac{x"),
        (r".. math:: \nonsense", r"a formula is wrong: .*\nonsense"),
    ],
)
def test_a_wrong_formula_is_a_warning_with_its_page(tmp_path: Path, text: str, words: str) -> None:
    html, warnings = built(tmp_path, text)
    assert "index.rst" in warnings
    assert all(part in warnings for part in words.split(".*")), warnings
    assert 'class="wrong-formula"' in html


@pytest.mark.parametrize(
    ("tex", "count"),
    [
        (r"a = b, \qquad \text{if \qquad} c", 2),
        (r"\left( a \qquad b \right)", 1),
        (r"a &= b \qquad c \\ &= d", 1),  # lines, aligned
        (r"\begin{matrix} a \\ b \end{matrix} \qquad \boxed{c}", 2),
    ],
)
def test_formulas_parted_by_a_wide_space_are_parts_of_one_display(tex: str, count: int) -> None:
    found = [maths.rendered(maths.aligned(part), True) for part in maths.parts(tex)]
    html = maths.side_by_side(found)
    assert html.count("<math ") == count
    assert html.count('class="katex-display"') == 1
    assert html.count("<span") == html.count("</span>")


def test_a_formula_keeps_its_brackets_and_stops() -> None:
    """So that no line begins with a comma."""
    first, second, third = (nodes.math("", tex) for tex in "anb")
    line = nodes.paragraph("", "", nodes.Text("Here ("), first, nodes.Text("), the "), second)
    line += [nodes.Text("-th of "), third, nodes.Text(" now.")]
    for formula in (first, second, third):
        maths.keep_punctuation(formula)
    assert [part.astext() for part in line] == [
        "Here ",
        "(a),",
        " the ",
        "n-th",
        " of ",
        "b",
        " now.",
    ]
    assert [type(part) for part in line[1]] == [nodes.Text, nodes.math, nodes.Text]
    assert line[1]["classes"] == ["whole"]
