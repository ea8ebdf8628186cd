"""The whole book as one PDF for paper: `make pdf` prints the built pages with Chromium.

    python -m tools.print_book _build/html _build/derivative-ladder.pdf

The pages of _toc.yml become one page of HTML. What a reader of the screen unfolds (what stands under *Look closer*,
solutions, code that draws) becomes a note at the end of its chapter, with a link and a page number both ways. The
page numbers are those of a first print: Chromium names the place of everything that a link points to, so the second
print can say on which page that is.
"""

import re
import sys
from copy import deepcopy
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import yaml
from lxml import html
from lxml.html import HtmlElement
from lxml.html.builder import E
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader

from tools.chromium import installed

ROOT = Path(__file__).parent.parent
ONLINE = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["html"]["baseurl"]
STYLES = ("fonts/fonts.css", "fonts/katex.css", "pygments.css", "cheat_sheet.css")
SCREEN_ONLY = (
    "//script | //a[contains(@class, 'headerlink')] | //*[contains(@class, 'katex-mathml')]"
    "| //div[contains(@class, 'tag_setup') or contains(@class, 'tag_cost')] | //*[@class='toctree-wrapper compound']"
)
IS_FOLDED = (
    "self::details[contains(@class, 'look-closer') or contains(@class, 'hide')]"
    " or self::div[contains(@class, 'admonition') and contains(@class, 'dropdown')]"
)
FOLDED = f".//*[{IS_FOLDED}][not(ancestor::*[{IS_FOLDED}])]"
ROMAN = ("I", "II", "III", "IV", "V", "VI")
FONTS_ARE_LOADED = """do {
  document.body.getBoundingClientRect();  // a layout asks for the fonts that it needs
  await document.fonts.ready;
} while (document.fonts.status === "loading");"""
PAPER = (642, 934)  # pixels of a page between the margins of print.css, 170 by 247 mm
TOO_WIDE = """return [...document.querySelectorAll("body *:not(svg *)")]
  .filter(node => node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(node => `too wide: ${node.outerHTML.slice(0, 80)}`);"""
# Hinted, small letters would stand at whole pixels of the screen: words run together, or fall apart.
FLAGS = ["--no-sandbox", "--font-render-hinting=none"]
UNKNOWN = "000"  # as wide as the number that the second print puts there
Parts = list[tuple[str, list[str]]]


# ---------------------------------------------------------------- the order


def parts(toc: Path = ROOT / "_toc.yml") -> Parts:
    """(caption, pages) of each part; the first has no caption and holds the opening page."""
    read, found = yaml.safe_load(toc.read_text("utf-8")), []
    for roman, part in zip(ROMAN, read["parts"]):
        caption = f"Part {roman}: {part['caption']}" if part.get("numbered") else part["caption"]
        found.append((caption, [Path(page["file"]).name for page in part["chapters"]]))
    return [("", [Path(read["root"]).name]), *found]


def article(built: Path, name: str) -> HtmlElement:
    """What a built page says, without what needs a screen; raises if the page is not built."""
    file = built / "chapters" / f"{name}.html"
    if not file.is_file():
        raise SystemExit(f"{file} is not there; build the book first, with: make book")
    parser = html.HTMLParser(encoding="utf-8")
    found = html.parse(str(file), parser).getroot().xpath("//article")[0]
    found = deepcopy(found)  # alone, so that `//` looks into no other part of the page
    for unseen in found.xpath(SCREEN_ONLY):
        unseen.drop_tree()
    return found


# ---------------------------------------------------------------- one name for each place of the book


def place(link: str, name: str, names: set[str]) -> str:
    """Where a link of page `name` leads on paper: a place of the book, or an address of the network.

    >>> place("04_tape.html#walk", "03_dual_numbers", {"03_dual_numbers", "04_tape"})
    '#04_tape--walk'
    """
    if urlsplit(link).scheme:
        return link
    target = urlsplit(urljoin(f"chapters/{name}.html", link))
    page = Path(target.path).stem
    moves = "?" in target.fragment  # a state of a moving figure
    if moves or target.path != f"chapters/{page}.html" or page not in names:
        return urljoin(ONLINE, urljoin(f"chapters/{name}.html", link))
    return f"#{page}--{target.fragment}" if target.fragment else f"#{page}"


def rename(page: HtmlElement, name: str, names: set[str]) -> None:
    """Make each id of a page the only one of the book, and let links and pictures follow."""
    for element in page.xpath("descendant-or-self::*[@id]"):
        element.set("id", f"{name}--{element.get('id')}")
    for element in page.xpath(".//*[@href]"):
        element.set("href", place(element.get("href"), name, names))
    for element in page.xpath(".//img[@src]"):
        if not element.get("src").startswith("data:"):
            element.set("src", urljoin("html/chapters/", element.get("src")))


def lower_headings(page: HtmlElement) -> None:
    """h1 is for the parts of the book, so a chapter begins with h2."""
    for heading in page.xpath(".//h1 | .//h2 | .//h3 | .//h4 | .//h5"):
        heading.tag = f"h{int(heading.tag[1]) + 1}"


# ---------------------------------------------------------------- what is folded


def swap(old: HtmlElement, new: HtmlElement) -> None:
    """Put `new` where `old` stands, and take `old` out; the text behind it stays."""
    new.tail, old.tail = old.tail, None
    old.getparent().replace(old, new)


def folio(target: str) -> HtmlElement:
    """The page number of a place, which the second print knows."""
    return E.a(UNKNOWN, {"class": "folio", "href": f"#{target}"})


def kind(folded: HtmlElement) -> str:
    """look-closer, solution, hide (code) or hint."""
    classes = folded.get("class").split()
    return next((k for k in ("look-closer", "solution", "hide") if k in classes), "hint")


def title(folded: HtmlElement) -> list[str | HtmlElement]:
    """What the note is called."""
    if kind(folded) == "hide":
        return []
    head = folded.xpath("./summary | ./p[contains(@class, 'admonition-title')]")[0]
    head.drop_tree()
    return [head.text or "", *head]


def note(folded: HtmlElement, key: str) -> HtmlElement:
    """Take a folded part out of its page and leave a line that leads to it; the note."""
    sort = kind(folded)
    words = title(folded)
    shown = {"hide": ["code"], "solution": ["Solution"], "hint": ["Hint"]}.get(sort)
    shown = shown or [deepcopy(word) for word in words]
    line = E.p({"class": f"to-note {sort}", "id": f"{key}-from"}, *shown, ", page ", folio(key))
    back = E.span({"class": "back"}, " from page ", folio(f"{key}-from"))
    swap(folded, line)
    for summary in folded.xpath(".//details[contains(@class, 'hide')]/summary | ./summary"):
        summary.drop_tree()
    for opened in folded.xpath("descendant-or-self::details"):
        opened.tag = "div"
    return E.section(
        {"class": f"note {sort}", "id": key}, E.p({"class": "note-title"}, *words, back), folded
    )


def notes(page: HtmlElement, name: str) -> list[HtmlElement]:
    """Every folded part of a page, in the order in which they stood, code last."""
    made = [note(f, f"{name}--note-{i}") for i, f in enumerate(page.xpath(FOLDED), 1)]
    words = [n for n in made if "hide" not in n.get("class")]
    code = [n for n in made if "hide" in n.get("class")]
    headed = [E.h4("Code that loads, formats or draws"), *code] if code else []
    return sorted(words, key=lambda n: "look-closer" not in n.get("class")) + headed


def still(moving: HtmlElement, name: str) -> None:
    """A figure that moves stands still on paper: say where it moves, and what it would have taught."""
    address = urljoin(ONLINE, f"chapters/{name}.html#{moving.get('id').partition('--')[2]}")
    taught = moving.xpath(".//details[@class='mf-taught']/p")
    where = E.p("This figure moves on the screen: ", E.a(address, href=address))
    swap(moving, E.div({"class": "still"}, where, *taught))


# ---------------------------------------------------------------- the whole


def chapter(built: Path, name: str, names: set[str]) -> HtmlElement:
    """One page of the book, its notes at its end."""
    page = article(built, name)
    rename(page, name, names)
    heading = plain(page.xpath(".//h1")[0])
    lower_headings(page)
    for moving in page.xpath(".//div[@class='moving-figure']"):
        still(moving, name)
    folded = notes(page, name)
    for open_box in page.xpath(".//details"):  # what a reader folds only to see the rest of a page
        open_box.tag = "div"
    whole = E.section({"class": "chapter", "id": name, "data-title": heading}, *page)
    if folded:
        whole.append(E.section({"class": "notes"}, E.h3("Notes to this chapter"), *folded))
    return whole


def plain(heading: HtmlElement) -> str:
    """The words of a heading, on one line."""
    return " ".join(heading.text_content().split())


def contents(chapters: dict[str, HtmlElement], of: Parts) -> HtmlElement:
    """The table of contents: parts, chapters, page numbers."""
    lists = []
    for caption, pages in of:
        rows = [
            E.li(
                E.a(chapters[p].get("data-title"), href=f"#{p}"),
                E.span({"class": "dots"}),
                folio(p),
            )
            for p in pages
        ]
        lists += ([E.p({"class": "part-name"}, caption)] if caption else []) + [E.ul(*rows)]
    return E.nav({"id": "contents"}, E.h1("Contents"), *lists)


def title_page() -> HtmlElement:
    """The first page: what the book is called, who wrote it, what may be done with it, and what paper cannot show."""
    said = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    return E.section(
        {"id": "title-page"},
        E.img(src="html/_images/ladder.svg", alt="A ladder of six rungs"),
        E.p({"class": "book-title"}, said["title"]),
        E.p("How does a computer take a derivative, and how do you put one inside a loss?"),
        E.p(
            {"class": "small"},
            f"{said['author']}, {said['copyright']}. Code: MIT License. Text and figures: CC BY 4.0.",
        ),
        E.p(
            {"class": "small"},
            "This is the book for paper. What is folded on the screen stands at the end of each "
            "chapter. On the screen every chapter is a notebook that runs, and some figures move: ",
            E.a(ONLINE, href=ONLINE),
        ),
    )


def running_heads(chapters: dict[str, HtmlElement]) -> str:
    """CSS that writes the name of a chapter at the top of each of its pages."""
    rules = []
    for name, page in chapters.items():
        short = re.split(r": |\?", page.get("data-title"))[0].replace('"', "”")
        rules.append(f'[id="{name}"] {{ page: chapter-{name}; }}')
        rules.append(f'@page chapter-{name} {{ @top-left {{ content: "{short}"; }} }}')
    return "\n".join(rules)


def styles() -> list[HtmlElement]:
    """Fonts, formulas and the colours of code are those of the built pages."""
    return [E.link(rel="stylesheet", href=f"html/_static/{style}") for style in STYLES]


def assemble(built: Path, of: Parts) -> HtmlElement:
    """The book as one page of HTML that lies beside the folder of the built pages."""
    names = {name for _, pages in of for name in pages}
    chapters = {name: chapter(built, name, names) for _, pages in of for name in pages}
    body = [title_page(), contents(chapters, of)]
    for caption, pages in of:
        body += [E.section({"class": "part"}, E.h1(caption))] if caption else []
        body += [chapters[name] for name in pages]
    style = E.style((ROOT / "tools" / "print.css").read_text("utf-8") + running_heads(chapters))
    head = E.head(E.meta(charset="utf-8"), E.title("The Derivative Ladder"), *styles(), style)
    return E.html({"lang": "en", "data-theme": "light"}, head, E.body(*body))


# ---------------------------------------------------------------- Chromium


def number(book: HtmlElement, printed: Path) -> int:
    """Write the page numbers of a print into the book; how many of them changed."""
    reader, changed = PdfReader(printed), 0
    places = reader.named_destinations
    pages = {
        name.lstrip("/"): reader.get_destination_page_number(d) + 1 for name, d in places.items()
    }
    for link in book.xpath("//a[@class='folio']"):
        there = str(pages[link.get("href")[1:]])
        changed += there != link.text
        link.text = there
    return changed


def unfit(tab: Page, page: Path, size: tuple[int, int], fit: str) -> list[str]:
    """What of a page does not fit on paper of this size in pixels: a script finds it when the fonts are there."""
    tab.set_default_timeout(0)
    tab.set_viewport_size(dict(zip(("width", "height"), size)))
    tab.emulate_media(media="print")
    tab.goto(page.resolve().as_uri())
    return tab.evaluate(f"async () => {{ {FONTS_ARE_LOADED} {fit} }}")


def print_once(page: Path, pdf: Path, size: tuple[int, int], fit: str) -> list[str]:
    """Chromium's print of a page of HTML, with bookmarks made of its headings; what does not fit (`unfit`).

    Raises SystemExit without a Chromium.
    """
    browser = installed()
    if browser is None:
        raise SystemExit(
            "no Chromium on this machine, which prints; Debian has it as: apt install chromium"
        )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        tab = running.new_page()
        faults = unfit(tab, page, size, fit)
        tab.pdf(
            path=pdf, prefer_css_page_size=True, print_background=True, outline=True, tagged=True
        )
        running.close()
    return faults


def print_book(built: Path, pdf: Path, of: Parts) -> int:
    """Print until the page numbers are those of the print; the number of pages.

    Raises SystemExit if something is wider than the paper, or if the numbers do not settle.
    """
    book, page = assemble(built, of), built.parent / "print.html"
    for _ in range(4):
        page.write_text(
            "<!DOCTYPE html>\n" + html.tostring(book, encoding="unicode"), encoding="utf-8"
        )
        if faults := print_once(page, pdf, PAPER, TOO_WIDE):
            raise SystemExit("\n".join(faults))
        if not number(book, pdf):
            return len(PdfReader(pdf).pages)
    raise SystemExit(f"{pdf}: the page numbers did not settle in four prints")


if __name__ == "__main__":
    built, pdf = map(Path, sys.argv[1:])
    print(f"{pdf}: {print_book(built, pdf, parts())} pages")
