"""The built book, as a reader gets it: no warning, no dead link, every page right in a browser.

The browser reaches this machine only and sees none of its fonts, so a page that needs the network, or a font
that it does not bring, is red. test_book_planted.py plants faults, to see each reported.
"""

import re
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from lxml.html import tostring
from pypdf import PdfReader
from sphinxcontrib import katex

from tests.site import browser as site
from tests.site import static, visits
from tools import print_book

ROOT = Path(__file__).parent.parent
HTML = ROOT / "_build" / "html"


def toc_pages() -> list[str]:
    """The pages of _toc.yml, in reading order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [toc["root"]] + [page["file"] for part in toc["parts"] for page in part["chapters"]]
    return [f"{file}.html" for file in files]


PAGES = toc_pages()
BASE = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["html"]["baseurl"]
CHAPTERS = [page for page in PAGES if re.search(r"/\d\d[a-z]?_", page)]
# What is typed, and where it is answered: tests/site/queries.txt.
QUERIES = [
    (query, re.sub(r"^[^#]+", r"chapters/\g<0>.html", answer))
    for query, answer in re.findall(
        r"^([^#\n].*) -> (.*)$", (ROOT / "tests/site/queries.txt").read_text("utf-8"), re.M
    )
]
EXTRAS = ["genindex.html", "py-modindex.html", "search.html"]


@pytest.fixture(scope="module")
def asked() -> set[str]:
    """The kinds of colours that some page was asked about."""
    return set()


def assert_none(faults: list[str]) -> None:
    assert not faults, "\n".join(["", *faults])


# ---------------------------------------------------------------- the HTML


def test_the_book_builds(build: str) -> None:
    assert not build, build


def test_every_page_of_the_toc_is_built(book: Path) -> None:
    assert set(PAGES) <= set(static.pages(book))


def test_links_ids_and_images_are_right(book: Path) -> None:
    """No dead link or anchor, no id twice; a link is set well; an image has an alt text and says its size."""
    faults = []
    for path in static.pages(book):
        page = static.read(book / path)
        faults += static.dead_links(path, page, book)
        faults += static.duplicate_ids(path, page) if path in PAGES else []
        faults += static.images_without_alt(path, page) + static.images_without_size(path, page)
        faults += static.links_set_wrong(path, page)
    assert_none(faults)


def test_a_drawing_carries_the_font_of_its_letters() -> None:
    drawings = (ROOT / "chapters" / "_static").glob("*.svg")
    assert_none(
        [
            f
            for file in drawings
            for f in static.letters_without_font(file.name, file.read_text("utf-8"))
        ]
    )


def test_the_style_sheet_and_the_script_of_katex_are_of_one_version() -> None:
    css = (ROOT / "chapters" / "_static" / "fonts" / "katex.css").read_text("utf-8")
    script = Path(katex.__file__).with_name("katex.min.js").read_text("utf-8")
    in_css = re.search(r'content:"(\d+\.\d+\.\d+)"', css)[1]
    assert f'"{in_css}"' in script, "run tools/fonts.py with the version of the installed script"


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_chapter_has_card_solutions_and_launch_buttons(path: str, book: Path) -> None:
    page = static.read(book / path)
    assert_none(static.card_faults(path, page))
    assert_none(static.solution_faults(path, page))
    assert_none(static.launch_faults(path, page, book))


def test_every_page_says_what_it_is_and_where(book: Path) -> None:
    html = {path: (book / path).read_text("utf-8") for path in PAGES}
    assert_none([f for path in PAGES for f in static.head_faults(path, html[path], BASE)])
    said = [dict(static.META.findall(page))["description"] for page in html.values()]
    assert len(set(said)) == len(PAGES)
    for path in EXTRAS:
        assert '<meta name="robots" content="noindex"' in (book / path).read_text("utf-8")


def test_the_sitemap_has_every_page_once(book: Path) -> None:
    assert_none(static.sitemap_faults((book / "sitemap.xml").read_text("utf-8"), BASE, book, PAGES))


def test_every_section_that_the_search_opens_is_there(book: Path) -> None:
    script = (book / "sections.js").read_text("utf-8")
    assert_none(static.index_faults(script, book))


# ---------------------------------------------------------------- the pages in a browser


# The longest comes first, so that no worker is alone with it at the end.
def test_nothing_of_the_book_is_wider_than_the_paper(
    browser: site.BrowserContext, book: Path, tmp_path: Path
) -> None:
    (tmp_path / "html").symlink_to(book)
    whole, page = print_book.assemble(book, print_book.parts()), tmp_path / "print.html"
    page.write_bytes(tostring(whole, encoding="utf-8", doctype="<!DOCTYPE html>"))
    with closing(browser.new_page()) as sheet:
        assert_none(print_book.unfit(sheet, page, print_book.PAPER, print_book.TOO_WIDE))
        contents = sheet.locator("#contents").bounding_box()
        assert contents["height"] <= print_book.PAPER[1]  # one page


@pytest.mark.parametrize("scheme", site.SCHEMES)
@pytest.mark.parametrize("path", PAGES + EXTRAS)
def test_a_page_is_right(
    path: str, scheme: str, tab: site.Page, address: str, asked: set[str]
) -> None:
    assert_none([*site.page_faults(tab, address, path, scheme, asked)])


def test_fonts_and_pictures_that_come_late_move_nothing(
    browser: site.BrowserContext, book: Path
) -> None:
    assert_none(visits.late_faults(browser, book, PAGES[0]))


def test_a_page_whose_fonts_never_come_is_shown(browser: site.BrowserContext, book: Path) -> None:
    assert_none(visits.fontless_faults(browser, book, PAGES[0]))


def test_search_finds_a_word_of_every_chapter(
    book: Path, browser: site.BrowserContext, address: str
) -> None:
    words = static.telling_words({path: (book / path).read_text("utf-8") for path in CHAPTERS})
    assert_none(visits.search_faults(browser, address, words, among=True))


def test_the_page_that_answers_is_first_and_its_section_opens(
    browser: site.BrowserContext, address: str
) -> None:
    assert len(QUERIES) >= 20
    assert_none(visits.search_faults(browser, address, QUERIES))
    assert_none(visits.opening_faults(browser, address, "torch second derivative wrt input"))


def test_a_solution_unfolds(browser: site.BrowserContext, address: str) -> None:
    assert_none(visits.unfolding_faults(browser, address, CHAPTERS[0]))


def test_the_cheat_sheet_prints_on_two_sheets(browser: site.BrowserContext, address: str) -> None:
    with closing(browser.new_page()) as page:
        page.goto(f"{address}/chapters/cheat_sheet.html")
        page.wait_for_selector("html:not(.waiting)")  # its fonts are there (book.js)
        sheets = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert len(sheets) == 2
    assert "zero_grad" in sheets[1].extract_text() and "Contents" not in sheets[0].extract_text()
