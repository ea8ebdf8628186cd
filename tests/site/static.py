"""What can be seen in the built HTML without a browser. Each check returns its faults, in words.

A page is its path below the site's root, with forward slashes, and its parsed HTML.
"""

import json
import posixpath
import re
from base64 import b64decode
from collections import Counter
from functools import cache
from html import unescape
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fontTools.ttLib import TTFont
from lxml.html import HtmlElement, HTMLParser, document_fromstring

REPOSITORY = "derivative-ladder/derivative-ladder"
COST = re.compile(r"(\d+) s to run, (\d+) MiB of memory")


def parse(html: str) -> HtmlElement:
    return document_fromstring(html.encode(), HTMLParser(encoding="utf-8", huge_tree=True))


def pages(root: Path) -> list[str]:
    """Every page of the site; the theme's own templates below _static are not pages."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.html"))
    return [path for path in paths if path[0] != "_"]


@cache
def read(file: Path) -> HtmlElement:
    return parse(file.read_text("utf-8"))


def names(page: HtmlElement) -> frozenset[str]:
    """What a link to this page may end in."""
    return frozenset(page.xpath("//@id | //a[not(@id)]/@name"))


@cache
def anchors(file: Path) -> frozenset[str]:
    """The same, of the page in this file."""
    return names(read(file))


def internal_links(page: HtmlElement) -> list[str]:
    """The addresses that a page names and that stay inside the site."""
    named = page.xpath("//a/@href | //link/@href | //@src")
    return [link for link in named if not urlsplit(link).scheme and not link.startswith("//")]


def anchor(fragment: str) -> str:
    """The id that a fragment asks for.

    >>> anchor("fig-u-curves"), anchor("u-curve?k=-8")  # the second is a state of a moving figure
    ('fig-u-curves', 'moving-u-curve')
    """
    name, state, _ = unquote(fragment).partition("?")
    return f"moving-{name}" if state else name


def link_fault(path: str, link: str, here: frozenset[str], root: Path) -> str | None:
    parts = urlsplit(link)
    if not parts.path:
        missing = parts.fragment and anchor(parts.fragment) not in here
        return f"{path}: dead anchor {link}" if missing else None
    target = root / posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path)))
    if not target.is_file():
        return f"{path}: dead link {link}"
    wanted = anchor(parts.fragment) if target.suffix == ".html" else ""
    if wanted and wanted not in anchors(target):
        return f"{path}: dead anchor {link}"
    return None


def dead_links(path: str, page: HtmlElement, root: Path) -> list[str]:
    """Links to files that are not there, and to anchors that no file has."""
    here = names(page)
    found = [link_fault(path, link, here, root) for link in sorted(set(internal_links(page)))]
    return [fault for fault in found if fault]


def duplicate_ids(path: str, page: HtmlElement) -> list[str]:
    names = Counter(page.xpath("//@id"))
    return [f"{path}: the id {name!r} stands {n} times" for name, n in names.items() if n > 1]


def links_set_wrong(path: str, page: HtmlElement) -> list[str]:
    """A link that ends in a question mark ends its sentence; a space before a link is not underlined."""
    found = []
    for link in page.xpath("//article//a[@href and not(contains(@class, 'headerlink'))]"):
        text = link.text_content()
        if text.endswith("?") and (link.tail or "").startswith("."):
            found.append(f"{path}: a full stop behind {text!r}")
        if text.strip() and text != text.lstrip():
            found.append(f"{path}: the link {text!r} begins with a space")
    return found


def images_without_alt(path: str, page: HtmlElement) -> list[str]:
    """In the article every image says what it shows; outside it an icon may have an empty alt."""
    silent = page.xpath("//img[not(@alt)] | //article//img[@alt and not(normalize-space(@alt))]")
    return [f"{path}: the image {tag.get('src')} has no alt text" for tag in silent]


def images_without_size(path: str, page: HtmlElement) -> list[str]:
    """A picture that comes late moves nothing if its size is known."""
    silent = page.xpath("//article//img[contains(@src, '_images/')][not(@width and @height)]")
    return [f"{path}: the image {tag.get('src')} says no width and height" for tag in silent]


def letters_without_font(name: str, svg: str) -> list[str]:
    """The letters of a drawing that the font inside it lacks: as an image it sees no font of the page."""
    written = set("".join(tag.text_content() for tag in parse(svg).iter("text")))
    font = re.search(r"data:font/woff2;base64,([^)]+)", svg)
    if written and not font:
        return [f"{name}: its letters have no font inside"]
    had = TTFont(BytesIO(b64decode(font[1]))).getBestCmap() if font else {}
    return [
        f"{name}: no letter {letter!r} in its font" for letter in written if ord(letter) not in had
    ]


def launch_faults(path: str, page: HtmlElement, root: Path) -> list[str]:
    """A chapter can be opened in Colab and on Binder, and downloaded."""
    notebook = posixpath.basename(path).removesuffix(".html") + ".ipynb"
    wanted = [
        f"https://colab.research.google.com/github/{REPOSITORY}/blob/notebooks/{notebook}",
        f"https://mybinder.org/v2/gh/{REPOSITORY}/notebooks?urlpath=lab/tree/{notebook}",
        posixpath.relpath("notebooks/" + notebook, posixpath.dirname(path)),
    ]
    links = set(page.xpath("//a/@href"))
    found = [f"{path}: no launch button to {link}" for link in wanted if link not in links]
    if not (root / "notebooks" / notebook).is_file():
        found.append(f"{path}: the notebook to download is not in the book")
    return found


def card_faults(path: str, page: HtmlElement, longest: int = 60) -> list[str]:
    """The card is there and shows what the page cost, measured, and that is at most a minute."""
    cards = page.find_class("chapter-card")
    if not cards:
        return [f"{path}: no card"]
    cost = COST.search(" ".join(cards[0].text_content().split()))
    if not cost:
        return [f"{path}: the card shows no measured run time and memory"]
    if int(cost[1]) > longest:
        return [f"{path}: the page takes {cost[1]} s to run, more than {longest} s"]
    return []


def solution_faults(path: str, page: HtmlElement) -> list[str]:
    """At least two solutions; each can be folded and shows code that was run."""
    solutions = page.find_class("solution")
    found = [] if len(solutions) >= 2 else [f"{path}: {len(solutions)} solutions, 2 are needed"]
    for solution in solutions:
        name = solution.find_class("admonition-title")[0].text_content().strip()
        if "dropdown" not in solution.classes:
            found.append(f"{path}: {name} is not folded")
        if not solution.find_class("cell_input"):
            found.append(f"{path}: {name} shows no code")
    return found


def telling_words(html: dict[str, str]) -> list[tuple[str, str]]:
    """A word of each page, and the page: the longest plain one of its paragraphs that begins as on no other page."""
    had = {}
    for path, page in html.items():
        paragraphs = " ".join(re.findall(r"<p>(.*?)</p>", page, re.DOTALL))
        plain = re.sub(r"<annotation.*?</annotation>|<[^>]*>", "", paragraphs, flags=re.DOTALL)
        had[path] = set(re.findall(r"\b[a-z]{5,16}\b", plain))
    times = Counter(start for words in had.values() for start in {word[:7] for word in words})
    return [
        (max(sorted(word for word in words if times[word[:7]] == 1), key=len), path)
        for path, words in had.items()
    ]


META = re.compile(r'<meta (?:name|property)="([\w:]+)" content="([^"]*)"')


def head_faults(path: str, html: str, base: str) -> list[str]:
    """What the head of a page says to those who do not read it: a description of 50 to 160 letters, one address."""
    said = {name: unescape(content) for name, content in META.findall(html)}
    description = said.get("description", "")
    found = []
    if not 50 <= len(description) <= 160:
        found.append(f"{path}: a description of {len(description)} letters, 50 to 160 are needed")
    if said.get("og:description") != description or not said.get("og:title"):
        found.append(f"{path}: the card of a link has another description, or no title")
    canonical = re.findall(r'<link rel="canonical" href="([^"]*)"', html)
    if not canonical == [said.get("og:url")] == [base + path]:
        found.append(f"{path}: the canonical address is {canonical}, and {said.get('og:url')}")
    return found


def sitemap_faults(xml: str, base: str, root: Path, wanted: list[str]) -> list[str]:
    """Every page once, each under its canonical address, none that is not there."""
    listed = re.findall(r"<loc>([^<]*)</loc>", xml)
    times = Counter(listed)
    found = [f"the sitemap has {times[base + p]} times {p}" for p in wanted if times[base + p] != 1]
    for address in listed:
        if not (address.startswith(base) and (root / address.removeprefix(base)).is_file()):
            found.append(f"the sitemap has {address}, which is no page of the book")
    return found


def index_faults(script: str, root: Path) -> list[str]:
    """The sections that the search would open, and that are not there."""
    index = json.loads(script.removeprefix("setSections(").rstrip().removesuffix(")"))
    ids = {
        page: set(re.findall(r' id="([^"]+)"', (root / f"{page}.html").read_text("utf-8")))
        for page in index["pages"]
    }
    return [
        f"the search opens {page}#{anchor}, which is not there"
        for page, anchor, *_ in index["entries"]
        if anchor and anchor not in ids[page]
    ]
