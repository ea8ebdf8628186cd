"""Slides that are made from a chapter: a slide for each section and each exercise, and nothing folded."""

from contextlib import closing
from pathlib import Path

import pytest
from lxml.html import tostring
from lxml.html.builder import E
from playwright.sync_api import BrowserContext

from tools.print_book import ROOT, unfit
from tools.slides import FIT, SCREEN, deck, slide

PAGE = """<html><body><article class="bd-article"><section id="tape"><h1>4. Tape</h1><p>Why?</p>
<dl class="simple chapter-card"><dt>The question</dt><dd>How?</dd></dl>
<section id="down"><h2>Write it down</h2><p>A line each.</p><p>In order.</p><p>Too much.</p>
<details class="hide"><pre>hidden()</pre></details>
<div class="math">y = x</div><pre>v1 = 2</pre><table><tr><td>1</td></tr></table>
<section id="deeper"><h3>Deeper</h3><p>Further down, in a first paragraph that is long enough to stand alone on a
slide, as most are.</p><p>Second.</p><figure id="f"><img src="../_images/a.png"></figure></section></section>
<section id="exercises"><h2>Exercises</h2><div class="exercise admonition" id="ex"><p class="admonition-title">
Exercise 4.1</p><p>Do.</p><div class="hint dropdown admonition"><p class="admonition-title">Hint</p><p>Think.</p>
</div></div><div class="solution dropdown admonition" id="s"><p class="admonition-title">Solution</p><p>Done.</p></div>
</section></section></article></body></html>"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The text of each slide."""
    folder = tmp_path_factory.mktemp("html")
    (folder / "chapters").mkdir()
    (folder / "chapters" / "04_tape.html").write_text(PAGE)
    slides = deck(folder, "04_tape").xpath("//section[@class='slide']")
    assert slides[2].xpath(".//img/@src") == ["html/_images/a.png"]
    return [" ".join(" ".join(slide.itertext()).split()) for slide in slides]


def test_a_slide_for_each_section_and_each_exercise(said: list[str]) -> None:
    assert (
        said
        == [
            "4. Tape Why? The question How?",
            "Write it down A line each. In order. 1 y = x",  # the table, not the code; the formula in any case
            "Deeper Further down, in a first paragraph that is long enough to stand alone on a slide, as most are.",
            "Exercise 4.1 Do.",
        ]
    )


def test_a_chapter_that_is_not_built_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"is not there; build the book first, with: make book"):
        deck(tmp_path, "04_tape")


@pytest.mark.parametrize(("words", "cut"), [(100, []), (1000, ["cut: Long"])])
def test_letters_shrink_until_a_slide_fits_and_what_is_cut_is_named(
    words: int, cut: list[str], browser: BrowserContext, tmp_path: Path
) -> None:
    page = tmp_path / "slide.html"
    style = E.style((ROOT / "tools" / "slides.css").read_text("utf-8"))
    page.write_bytes(tostring(E.html(style, slide(E.h2("Long"), [E.p("word " * words)], [], []))))
    with closing(browser.new_page()) as tab:
        assert unfit(tab, page, SCREEN, FIT) == cut
        assert tab.eval_on_selector(".slide", "slide => parseFloat(slide.style.fontSize)") < 22
