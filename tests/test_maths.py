"""Mathematics becomes HTML while the book is built; a wrong formula stops the build, with its page and its text."""

import io
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

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
    html, warnings = built(tmp_path, r"Here :math:`\frac{x}{2}` stands.")
    assert "<mfrac>" in html and 'class="katex-html" aria-hidden="true"' in html
    assert not warnings
    assert "mathjax" not in html.lower()


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
