"""The book on paper: one page of HTML from many, in which every link leads somewhere, and no fold hides anything."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree

import pytest
from lxml.html import HtmlElement
from pypdf import PdfReader

from tools.chromium import installed
from tools.print_book import PAPER, assemble, number, parts, place, print_book, print_once

ROOT = Path(__file__).parent.parent
FIRST = """<!DOCTYPE html><html><body>Menu <article class="bd-article"><section id="one">
<h1><span class="section-number">1. </span>One: is it?<a class="headerlink" href="#one">#</a></h1>
<p>See <a href="02_two.html#there">there</a>, <a href="#fig">here</a>, <a href="../genindex.html">all names</a>,
<a href="02_two.html#ladder?k=3">a figure that moves</a> and <a href="https://example.org/x">outside</a>.</p>
<figure id="fig"><img src="../_images/a.png" alt="a"></figure>
<div class="moving-figure" id="moving-ladder"><div class="mf-try"><p>Pull.</p></div>
<details class="mf-taught"><summary>What</summary><p>It taught this.</p></details></div><script>run()</script>
<div class="cell tag_hide-input"><details class="admonition hide above-input"><summary><p>Show</p>
<p class="expanded">Hide</p></summary><pre>draw()</pre></details><pre>drawn</pre></div>
<details class="look-closer" id="deep"><summary>Look closer: why</summary><p>Because
<a href="#fig">of this</a>.</p><details class="admonition hide"><summary>Show</summary>
<pre>inner()</pre></details></details>
<div class="exercise admonition" id="ex-1"><p class="admonition-title">Exercise 1</p><p>Do.</p>
<div class="hint dropdown admonition"><p class="admonition-title">Hint</p><p>Think.</p></div></div>
<div class="solution dropdown admonition" id="solution-1"><p class="admonition-title">Solution to<a href="#ex-1">
Exercise 1</a></p><section><p>Done.</p></section></div> and a tail.
</section></article></body></html>"""
SECOND = """<html><body><article class="bd-article"><section id="two"><h1>Two</h1><h2 id="there">There</h2>
<p>Back to <a href="01_one.html">one</a> and <a href="01_one.html#deep">what was folded</a>.</p></section>
</article></body></html>"""
OF = [("", ["01_one"]), ("Part I: the rest", ["02_two"])]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "html"
    (folder / "chapters").mkdir(parents=True)
    (folder / "chapters" / "01_one.html").write_text(FIRST)
    (folder / "chapters" / "02_two.html").write_text(SECOND)
    return folder


@pytest.fixture(scope="module")
def book(built: Path) -> HtmlElement:
    return assemble(built, OF)


def dead(book: HtmlElement) -> list[str]:
    """Links to places that the book does not have."""
    ids = book.xpath("//@id")
    assert len(ids) == len(set(ids))
    return [link for link in book.xpath("//a/@href") if link[0] == "#" and link[1:] not in ids]


def test_every_link_leads_to_a_place_of_the_book_or_to_the_network(book: HtmlElement) -> None:
    assert dead(book) == []
    outside = [link for link in book.xpath("//p/a/@href") if link[0] != "#"]
    online = "https://derivative-ladder.github.io/derivative-ladder/"
    assert set(outside) == {
        online,
        f"{online}genindex.html",
        f"{online}chapters/01_one.html#moving-ladder",
        f"{online}chapters/02_two.html#ladder?k=3",
        "https://example.org/x",
    }
    assert "html/_images/a.png" in book.xpath("//img/@src")


def test_a_dead_link_is_seen(built: Path) -> None:
    assert dead(assemble(built, [("", ["02_two"])])) == []  # what is not in the book is online
    assert place("01_one.html#gone", "02_two", {"01_one"}) == "#01_one--gone"
    broken = assemble(built, OF)
    broken.get_element_by_id("01_one--deep").set("id", "lost")
    assert dead(broken) == ["#01_one--deep"]


def test_what_is_folded_stands_at_the_end_of_its_chapter_with_links_both_ways(
    book: HtmlElement,
) -> None:
    chapter = book.get_element_by_id("01_one")
    notes = chapter.xpath("./section[@class='notes']/section[contains(@class, 'note')]")
    assert [note.get("class").split()[-1] for note in notes] == [
        "look-closer",
        "hint",
        "solution",
        "hide",
    ]
    assert [" ".join(" ".join(note.itertext()).split()) for note in notes] == [
        "Look closer: why from page 000 Because of this . inner()",
        "Hint from page 000 Think.",
        "Solution to Exercise 1 from page 000 Done.",
        "from page 000 draw()",
    ]
    main = " ".join("".join(chapter.xpath("./section[1]//text()")).split())
    for there in (
        "Look closer: why, page 000",
        "Hint, page 000",
        "Solution, page 000",
        "code, page 000",
    ):
        assert there in main
    for gone in ("Because", "Think", "Done", "draw()", "Show", "Hide", "run()", "is it?#"):
        assert gone not in main
    assert main.endswith("and a tail.") and "It taught this." in main and "drawn" in main
    assert not book.xpath("//details | //summary | //script")


def test_the_order_is_that_of_the_toc() -> None:
    found = parts()
    assert found[0] == ("", ["index"]) and found[1][0] == "Part I: Engines from scratch"
    assert found[1][1][:2] == ["01_finite_differences", "02_symbolic"]
    assert found[-1][0] == "Appendices" and found[-1][1][-1] == "status"


def test_a_page_that_is_not_built_is_asked_for(built: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"03_three\.html is not there; build the book first, with: make book"
    ):
        assemble(built, [("", ["03_three"])])


def pages_of(built: Path, pdf: Path) -> int:
    """print_book, in a thread, where no other test has a Playwright of its own."""
    if not installed():
        pytest.skip("no Chromium on this machine: nothing is printed (apt install chromium)")
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(print_book, built, pdf, OF).result()


def test_what_is_wider_than_the_paper_is_not_printed(built: Path, tmp_path: Path) -> None:
    wide = Path(copytree(built, tmp_path / "html"), "chapters", "02_two.html")
    wide.write_text(SECOND.replace("<h2", '<hr style="width: 640px"><hr style="width: 650px"><h2'))
    with pytest.raises(SystemExit, match=r"^too wide: <hr style=.width: 650px.>$"):
        pages_of(tmp_path / "html", tmp_path / "wide.pdf")


SMALL = """<style>@font-face { font-family: Book; src: url(%s) } p { font: 8pt Book; width: fit-content }</style>
<p>Look closer: how many collocation points, and where?</p><p style="font-size: 80pt; white-space: nowrap">Look closer:
how many collocation points, and where?</p>"""
WIDTHS = "return [...document.querySelectorAll('p')].map(p => p.getBoundingClientRect().width);"


def test_small_letters_stand_as_far_apart_as_large_ones(tmp_path: Path) -> None:
    """At 8 pt a line is a tenth as wide as at 80 pt: no letter is moved to a whole pixel."""
    if not installed():
        pytest.skip("no Chromium on this machine: nothing is printed (apt install chromium)")
    font = (ROOT / "chapters" / "_static" / "fonts" / "book-sans.woff2").as_uri()
    (tmp_path / "small.html").write_text(SMALL % font)
    order = tmp_path / "small.html", tmp_path / "small.pdf", PAPER, WIDTHS
    with ThreadPoolExecutor(1) as alone:
        small, large = alone.submit(print_once, *order).result()
    assert small == pytest.approx(large / 10, rel=1e-3)


def test_the_print_says_on_which_page_everything_is(built: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "book.pdf"
    assert pages_of(built, pdf) == 5  # title, contents, one, the name of the part, two
    reader = PdfReader(pdf)
    assert "1. One: is it? 3 Part I: the rest Two 5" in " ".join(
        reader.pages[1].extract_text().split()
    )
    assert [item.title for item in reader.outline if not isinstance(item, list)] == [
        "Contents",
        "Part I: the rest",
    ]
    book = assemble(built, OF)
    assert number(book, pdf) == len(book.xpath("//a[@class='folio']"))
    assert number(book, pdf) == 0
