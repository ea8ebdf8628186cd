"""The index of the book's search: every section of every page, so that a result opens where the answer stands.

Sphinx indexes pages. A page of thirty screens is no answer, and a message without its stop words is not found. Here
sections.js holds, in reading order, what a reader could want to open: the top of a page, a section, a word of the
glossary, a message of the page of errors, a name of the API. chapters/_static/search.js ranks them. Only the page
Search loads the two.

The pages are read as they were built, all of them, also those that a build did not have to write again.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from lxml import html
from sphinx.application import Sphinx

# Not text; or a picture of a formula that stands beside it as MathML. Of the cells of a chapter the prose tells: with
# their code the index would weigh a third more, and every name would be found where it was used in passing.
SILENT = {"script", "style", "annotation", "nav", "button", "svg", "img"}
SILENT_CLASSES = {
    "headerlink",
    "section-number",
    "katex-html",
    "cell_input",
    "cell_output",
    "tag_hide-input",
    "prev-next-area",
}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
BLOCKS = {"p", "li", "dt", "dd", "td", "th", "pre", "div", "summary", "figcaption"}
Entry = dict[str, str]


def classes(element: html.HtmlElement) -> set[str]:
    return set(element.get("class", "").split())


def silent(element: html.HtmlElement) -> bool:
    """Whether nothing that stands in an element is said in the index."""
    return element.tag in SILENT or not SILENT_CLASSES.isdisjoint(classes(element))


def text(element: html.HtmlElement) -> Iterator[str]:
    """What a reader sees of an element, piece by piece."""
    if not isinstance(element.tag, str) or silent(element):
        return
    yield element.text or ""
    for child in element:
        yield from text(child)
        yield child.tail or ""


def plain(element: html.HtmlElement) -> str:
    """The same on one line."""
    return " ".join("".join(text(element)).split())


def heading_of(section: html.HtmlElement) -> Entry | None:
    """The entry that a section opens: by its label, if it has one, which outlives its words."""
    for child in section:
        if child.tag in HEADINGS:
            labels = [span.get("id") for span in section.findall("span[@id]")]
            anchor = "" if child.tag == "h1" else (labels or [section.get("id")])[-1]
            return {"anchor": anchor, "title": plain(child), "kind": "section"}
    return None


def name_of(signature: html.HtmlElement) -> str:
    """The name under which a reader looks for an object: of what belongs to a class, with the class."""
    belongs = classes(signature.getparent()) & {"method", "attribute", "property"}
    return ".".join(signature.get("id").split(".")[-2 if belongs else -1 :])


def opened(element: html.HtmlElement) -> Entry | None:
    """The entry that begins with this element, if one does."""
    anchor, named = element.get("id"), classes(element)
    if element.tag == "section":
        return heading_of(element)
    if element.tag == "dt" and anchor and "sig" in named:
        return {"anchor": anchor, "title": name_of(element), "kind": "name"}
    if element.tag == "dt" and (anchor or "").startswith("term-"):
        return {"anchor": anchor, "title": plain(element), "kind": "word"}
    if element.tag == "div" and (anchor or "").startswith("error-"):
        return {"anchor": anchor, "title": plain(element), "kind": "message"}
    return None


def walk(element: html.HtmlElement, found: list[Entry]) -> None:
    """Give all text below the element to the entry that was opened last."""
    if not isinstance(element.tag, str) or silent(element):
        return
    if entry := opened(element):
        found.append({**entry, "text": ""})
    if element.tag in HEADINGS or (entry and entry["kind"] in ("word", "message")):
        return  # it is the title of what comes
    if found:
        found[-1]["text"] += element.text or ""
    for child in element:
        walk(child, found)
        if found:
            found[-1]["text"] += (" " if child.tag in BLOCKS else "") + (child.tail or "")


def entries(page: str) -> list[Entry]:
    """What can be opened on a page, in its order; the first is its top.

    >>> part = '<section id="b"><span id="l"></span><h2>B</h2>two <b>words</b></section>'
    >>> entries(f'<article><section id="a"><h1>A</h1><p>one</p>{part}</section></article>')[1]
    {'anchor': 'l', 'title': 'B', 'kind': 'section', 'text': 'two words'}
    """
    found: list[Entry] = []
    for article in html.fromstring(page).iter("article"):
        walk(article, found)
    return [{**entry, "text": re.sub(r"\s+", " ", entry["text"]).strip()} for entry in found]


def index(root: Path, pages: list[str]) -> dict:
    """Titles of the pages, and [page, anchor, kind, title, text] of every entry."""
    book = {page: entries((root / f"{page}.html").read_text("utf-8")) for page in pages}
    return {
        "pages": {page: found[0]["title"] for page, found in book.items() if found},
        "entries": [
            [page, one["anchor"], one["kind"], one["title"], one["text"]]
            for page, found in book.items()
            for one in found
        ],
    }


def write(app: Sphinx, exception: Exception | None) -> None:
    """Put sections.js beside the pages of a build that succeeded."""
    if exception is None and app.builder.name == "html":
        found = index(Path(app.outdir), sorted(app.env.found_docs))
        script = f"setSections({json.dumps(found, ensure_ascii=False, separators=(',', ':'))})\n"
        Path(app.outdir, "sections.js").write_text(script, "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
