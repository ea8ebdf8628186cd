"""Faults planted in copies of a page of the built book: each is reported by what looks at the pages (test_book.py)."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.site import browser as site
from tests.site import static, visits
from tests.test_book import BASE, CHAPTERS, ROOT

PAGE = CHAPTERS[0]
SHORT = "chapters/status.html"  # the shortest: what a fault costs to find is the page around it


def planted(book: Path, fragment: str) -> str:
    """A copy of the short page with a fragment before the end of its article."""
    html = (book / SHORT).read_text("utf-8")
    assert "</article>" in html
    return html.replace("</article>", fragment + "</article>", 1)


IN_THE_HTML = [
    ('<a href="nowhere.html">x</a>', "dead link nowhere.html", static.dead_links),
    (
        '<a href="notation.html#nowhere">x</a>',
        "dead anchor notation.html#nowhere",
        static.dead_links,
    ),
    ('<a href="#nowhere">x</a>', "dead anchor #nowhere", static.dead_links),
    ('<img src="gone.png" alt="gone">', "dead link gone.png", static.dead_links),
    ('<p><a href="#x">is it?</a>.</p>', "a full stop behind 'is it?'", static.links_set_wrong),
    ('<p>to<a href="#x"> it</a></p>', "' it' begins with a space", static.links_set_wrong),
    ('<img src="../_static/logo.svg">', "has no alt text", static.images_without_alt),
    ('<img src="../_static/logo.svg" alt=" ">', "has no alt text", static.images_without_alt),
    (
        '<img src="../_images/a.png" alt="a">',
        "says no width and height",
        static.images_without_size,
    ),
    ('<p id="twice"></p><p id="twice"></p>', "the id 'twice' stands 2 times", static.duplicate_ids),
    (
        '<div class="solution"><p class="admonition-title">Q</p></div>',
        "Q is not folded",
        static.solution_faults,
    ),
    (
        '<div class="solution"><p class="admonition-title">Q</p></div>',
        "Q shows no code",
        static.solution_faults,
    ),
]


@pytest.mark.parametrize(("fragment", "words", "check"), IN_THE_HTML)
def test_a_fault_in_the_html_is_reported(fragment: str, words: str, check, book: Path) -> None:
    page = static.parse(planted(book, fragment))
    faults = check(SHORT, page, book) if check is static.dead_links else check(SHORT, page)
    assert any(words in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("pattern", "new", "words"),
    [
        (r'name="description"', 'name="d"', "a description of 0 letters"),
        (r'(name="description" content=").*?"', r'\1short"', "a description of 5 letters"),
        (r'(og:description" content=")', r"\1x", "another description"),
        (r'(rel="canonical" href=")', r"\1x", "the canonical address is ['xhttps"),
        (r'<link rel="canonical"', r'<link rel="c"', "the canonical address is []"),
    ],
)
def test_a_wrong_head_is_reported(pattern: str, new: str, words: str, book: Path) -> None:
    html = (book / PAGE).read_text("utf-8")
    assert words in " ".join(static.head_faults(PAGE, re.sub(pattern, new, html), BASE))


def test_a_wrong_map_is_reported(book: Path) -> None:
    page, gone = f"<loc>{BASE}{PAGE}</loc>", f"<loc>{BASE}gone.html</loc>"
    assert static.sitemap_faults(page * 2 + gone, BASE, book, [PAGE, SHORT]) == [
        f"the sitemap has 2 times {PAGE}",
        f"the sitemap has 0 times {SHORT}",
        f"the sitemap has {BASE}gone.html, which is no page of the book",
    ]
    script = 'setSections({"pages":{"chapters/status":""},"entries":[["chapters/status","gone"]]})'
    assert static.index_faults(script, book) == [
        "the search opens chapters/status#gone, which is not there"
    ]


@pytest.mark.parametrize(
    ("pattern", "new", "words"),
    [
        (r"\d+ s to run", "fast", "no measured run time"),
        (r"\d+ s to run", "61 s to run", "more than 60 s"),
        ("chapter-card", "box", "no card"),
        ("colab.research.google.com/github", "example.org", "no launch button"),
        ("dropdown admonition", "admonition", "is not folded"),
    ],
)
def test_a_wrong_chapter_page_is_reported(pattern: str, new: str, words: str, book: Path) -> None:
    page = static.parse(re.sub(pattern, new, (book / PAGE).read_text("utf-8")))
    faults = static.card_faults(PAGE, page) + static.solution_faults(PAGE, page)
    faults += static.launch_faults(PAGE, page, book)
    assert any(words in fault for fault in faults), faults


# These do not hide each other, so they stand on one page: opening it is what costs.
TOGETHER = [
    ("<script>throw new Error('planted')</script>", "page error: planted"),
    ("<script>console.error('planted')</script>", "console error: planted"),
    ('<img src="https://example.org/a.png" alt="a">', "outside request: https://example.org/a.png"),
    ('<script src="gone.js"></script>', "HTTP 404"),
    ('<img src="gone.png" alt="gone">', "image not loaded"),
    ("<p>\\frac{1}{2}</p>", "raw TeX"),
    ('<p><span class="math">x^2</span></p>', "mathematics not rendered"),
    (
        '<p><span class="math"><code class="wrong-formula">\\frac</code></span></p>',
        "mathematics is wrong",
    ),
    ("<p>a 漢</p>", "no font of the book has '漢' (in \"Book Sans\""),
    ("<pre>a 漢</pre>", "no font of the book has '漢' (in \"Book Code\""),
    ('<p style="font-family: serif">a</p>', "no font of the book has 'a' (in serif)"),
    ("<style>hr::before { content: '語' }</style><hr>", "no font of the book has '語'"),
    ('<i class="fa-solid fa-ghost"></i>', "an icon without a picture: fa-solid fa-ghost"),
    ('<script src="heavy.js"></script>', "a first visit weighs"),
    ('<svg width="9" height="9"><path d="M0 0h9"/></svg>', "inline svg without title"),
    ('<div class="solution">open</div>', "an open solution"),
    ('<p id="pale" style="color: #999; background: #aaa">pale</p>', "at ['#pale']"),
    (
        '<p><span class="math" id="pale-math" style="color: #ddd">pale</span></p>',
        "at ['#pale-math']",
    ),
    (
        '<div class="highlight"><pre><i id="pale-code" style="color: #ddd">pale</i></pre></div>',
        "at ['#pale-code']",
    ),
    (
        '<p>longer text beside a <a href="#" style="color: black; text-decoration: none">link</a></p>',
        "axe: link-in-text-block",
    ),
    ('<input type="text">', "axe: label"),
]

# A line more on top of the page in each of many frames, from the moment in which the page is shown.
JUMP = """<script>
let lines = 0;
const jump = () => {
  document.querySelector("article").prepend(document.createElement("hr"));
  if (++lines < 60) requestAnimationFrame(jump);
};
new MutationObserver((_, observer) => { observer.disconnect(); requestAnimationFrame(jump) })
  .observe(document.documentElement, {attributes: true});
</script>"""

ALONE = [
    ("dark", '<p style="width: 400px">wide</p>', "px wide on a screen of 390"),
    ("dark", '<p style="width: 800px">wide</p>', "px wide on a screen of 768"),
    (
        "dark",
        '<details><p style="width: 800px">wide</p></details>',
        "px wide on a screen of 768",
    ),
    ("light", '<p style="width: 3000px">wide</p>', "px wide on a screen of 1280"),
    (
        "dark",
        '<p style="overflow-wrap: normal">' + "long" * 8 + "</p>",
        "with wider letters, the page is",
    ),
    (
        "dark",
        '<div style="overflow-x: hidden"></div><table style="width: 900px"><td>t</table>',
        "<table",
    ),
    ("light", JUMP, "the layout shifts by"),
    (
        "light",
        "<script>onload = () => document.documentElement.dataset.theme = 'dark'</script>",
        "the theme is 'dark'",
    ),
    ("light", "<style>[data-theme=dark] p { margin: 0 }</style>", "the dark scheme moves <"),
]


@contextmanager
def faults_of(
    fragment: str, book: Path, folder: Path, tab: site.Page, scheme: str
) -> Iterator[Iterator[str]]:
    """What is reported of the short page with a fragment in it."""
    (folder / "chapters").mkdir()
    for part in ("_static", "_images"):
        (folder / part).symlink_to(book / part)
    (folder / SHORT).write_text(planted(book, fragment), encoding="utf-8")
    (folder / "chapters" / "heavy.js").write_text("//" + "x" * site.HEAVIEST)
    with (
        site.served(folder) as url,
        closing(site.page_faults(tab, url, SHORT, scheme, set())) as faults,
    ):
        yield faults


def test_faults_in_the_browser_are_reported(book: Path, tmp_path: Path, tab: site.Page) -> None:
    fragments, words = zip(*TOGETHER, strict=True)
    with faults_of("".join(fragments), book, tmp_path, tab, "light") as reported:
        faults = "\n".join(reported)
    assert [one for one in words if one not in faults] == [], faults


@pytest.mark.parametrize(("scheme", "fragment", "words"), ALONE)
def test_a_fault_in_the_browser_is_reported(
    scheme: str, fragment: str, words: str, book: Path, tmp_path: Path, tab: site.Page
) -> None:
    with faults_of(fragment, book, tmp_path, tab, scheme) as faults:
        assert any(words in fault for fault in faults), f"not reported: {words}"


def test_a_drawing_without_its_font_is_reported() -> None:
    faults = static.letters_without_font("x.svg", "<svg><text>ab</text></svg>")
    assert faults == ["x.svg: its letters have no font inside"]
    logo = (ROOT / "chapters" / "_static" / "logo.svg").read_text("utf-8").replace("Ladder<", "Z<")
    assert static.letters_without_font("x.svg", logo) == ["x.svg: no letter 'Z' in its font"]


def test_a_search_that_does_not_find_is_reported(
    browser: site.BrowserContext, address: str
) -> None:
    for among, query in (True, "xylophone"), (False, "adjoint"):
        (fault,) = visits.search_faults(browser, address, [(query, PAGE)], among)
        assert f"a search for {query!r} wants {PAGE} and lists" in fault
