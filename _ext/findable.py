"""What a search engine, or who shows a link, reads of a page: a sentence or two, one address, a map of the book.

- A description of 50 to 160 letters, of no other page: the question of the chapter's card, then whole sentences of the
  first paragraph, as long as they fit.
- The same for cards of links (Open Graph): title, description, address.
- The canonical address is Sphinx's own, from `html_baseurl`; pages that only list words ask not to be indexed.
- sitemap.xml names every page of _toc.yml once. It is written from the list of all pages, and not of those that a
  build had to write, so it is whole after a build that wrote two. A robots.txt there is none: crawlers read it at the
  root of a host only, and a project's pages lie below it. So the map is handed to them by its address.

sphinx-sitemap and sphinxext-opengraph do nearly this, but the one names the pages of the last build, and the other
cuts a first paragraph where it gets too long.
"""

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

SHORTEST, LONGEST = 50, 160
SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z“\"'(])")
NO_BRACES = str.maketrans("", "", "{}")  # u_{xx} is u_xx
NOT_INDEXED = {"search", "genindex", "py-modindex"}


def paragraphs(doctree: nodes.document) -> list[str]:
    """The question on the card, if there is one, and the first paragraphs of the page."""
    question = [
        card.next_node(nodes.definition)
        for card in doctree.findall(nodes.definition_list)
        if "chapter-card" in card["classes"]
    ]
    section = doctree.next_node(nodes.section)
    first = [one for one in section.children if isinstance(one, nodes.paragraph)]
    return [one.astext().translate(NO_BRACES) for one in question + first]


def description(paragraphs: Iterable[str]) -> str:
    """As many whole sentences as fit into 160 letters; of a first one that is longer, as many words.

    What needs TeX is left out.

    >>> description(["How small is a small step?", "It has an end. " + "Too long. " * 20])[:57]
    'How small is a small step? It has an end. Too long. Too l'
    """
    sentences = [s for one in paragraphs for s in SENTENCE.split(" ".join(one.split())) if s]
    said = ""
    for sentence in sentences:
        if "\\" in sentence:
            continue
        longer = f"{said} {ended(sentence)}".strip()
        if len(longer) > LONGEST:
            if len(said) < SHORTEST:
                said = longer[: LONGEST - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
            break
        said = longer
    return said


def ended(sentence: str) -> str:
    """With a full stop, if it ends without a mark or in a colon."""
    return sentence if sentence[-1] in ".?!”" else sentence.rstrip(":;,") + "."


def tags(title: str, said: str, address: str, site: str) -> str:
    """The lines of a page's head.

    >>> print(tags("A", 'Say "b".', "https://c", "D").splitlines()[0])
    <meta name="description" content="Say &quot;b&quot;." />
    """
    graph = {
        "title": title,
        "description": said,
        "type": "article",
        "url": address,
        "site_name": site,
    }
    lines = [f'<meta name="description" content="{escape(said)}" />']
    lines += [f'<meta property="og:{key}" content="{escape(v)}" />' for key, v in graph.items()]
    return "\n    ".join(lines)


def describe(
    app: Sphinx, page: str, _template: str, context: dict, doctree: nodes.document | None
) -> None:
    """Put what is said of a page into its head."""
    if page in NOT_INDEXED:
        said = '<meta name="robots" content="noindex" />'
    elif doctree is not None:
        title = app.env.titles[page].astext()
        address = f"{app.config.html_baseurl}{app.builder.get_target_uri(page)}"
        said = tags(title, description(paragraphs(doctree)), address, app.config.html_title)
    else:
        return
    context["metatags"] = context.get("metatags", "") + said  # a list of words has none


def sitemap(addresses: Iterable[str]) -> str:
    """The addresses as a sitemap of version 0.9.

    >>> "<url><loc>https://a/b.html</loc></url>" in sitemap(["https://a/b.html"])
    True
    """
    lines = [f"  <url><loc>{escape(address)}</loc></url>" for address in addresses]
    head = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{}">'
    schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return "\n".join([head.format(schema), *lines, "</urlset>", ""])


def write(app: Sphinx, exception: Exception | None) -> None:
    """Put sitemap.xml beside the pages of a build that succeeded."""
    if exception is None and app.builder.name == "html":
        pages = sorted(app.env.found_docs)
        found = [f"{app.config.html_baseurl}{app.builder.get_target_uri(page)}" for page in pages]
        Path(app.outdir, "sitemap.xml").write_text(sitemap(found), "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", describe)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
