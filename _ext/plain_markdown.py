"""From the nodes of a resolved page to Markdown that every front end of notebooks knows.

The least common tongue of JupyterLab, Colab and VS Code: CommonMark, tables with pipes, `$` and `$$`, and a
little HTML (`<sup>`, `<img>`). Three habits follow from what these programs do:

- A paragraph is one line, and inside a list or a quotation so is a displayed formula: JupyterLab takes
  mathematics out of the text before it looks for Markdown, so the marks of a quotation would stay in it.
- A formula has no space beside its dollars and no blank line; `align` becomes `aligned`, which may carry a tag.
- In a table a bar is `\\vert` in mathematics and is escaped elsewhere, since VS Code looks for bars first.

`inline` gives the text of a node that stands in a line, `block` that of one that stands alone. A kind of node
that neither knows is an error: nothing is left out in silence.
"""

import base64
import html
import mimetypes
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import singledispatch
from pathlib import Path

from docutils import nodes
from moving_figure import moving_figure
from sphinx import addnodes
from sphinx_exercise import nodes as exercises

FENCED_AS = {"ipython3": "python", "ipython": "python", "pycon": "python", "default": "python"}
FENCED_AS |= {"myst-ansi": "text", "none": "text"}
ENVIRONMENT = re.compile(r"\\(begin|end)\{(equation|align|flalign|gather|multline)\*?\}")
INNER = {"align": "aligned", "flalign": "aligned", "gather": "gathered", "multline": "gathered"}


@dataclass(frozen=True)
class Page:
    """What the text of a node depends on beside the node: the page's address and numbers, and where it stands."""

    url: str  # of the published page
    folder: Path  # that the addresses of pictures start from
    sections: dict  # "#anchor" -> (4, 1)
    numbers: dict  # "figure" -> anchor -> (4, 1)
    formats: dict  # "figure" -> "Fig. %s"
    nested: bool = False  # in a list or a quotation
    in_table: bool = False


def unknown(node: nodes.Node) -> NotImplementedError:
    known = node
    while known.parent is not None and known.source is None:
        known = known.parent
    return NotImplementedError(
        f"{known.source}:{known.line}: a notebook cannot show the node {type(node).__name__!r}: "
        "add it to _ext/plain_markdown.py, or write the passage in another way."
    )


# ---------------------------------------------------------------- numbers


def section_number(node: nodes.Element, page: Page) -> str:
    """'4.1. ' for the second heading of chapter 4; the title of a page has the address ''."""
    anchors = [f"#{anchor}" for anchor in node["ids"]]
    found = next((page.sections[anchor] for anchor in anchors if anchor in page.sections), None)
    if found is None and isinstance(node.parent, nodes.document):
        found = page.sections.get("")
    return "".join(f"{part}." for part in found) + " " if found else ""


def number(node: nodes.Element, kind: str, page: Page) -> str:
    """'Fig. 4.1' for a figure, '4.1' for an equation, '' for what has no number."""
    known = page.numbers.get(kind, {})
    found = next((known[anchor] for anchor in node["ids"] if anchor in known), None)
    return page.formats.get(kind, "%s") % ".".join(map(str, found)) if found else ""


# ---------------------------------------------------------------- in a line


def line(node: nodes.Element, page: Page) -> str:
    """The children of a node as one line."""
    return one_line("".join(inline(child, page) for child in node.children))


def one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).strip()


def escaped(text: str, page: Page) -> str:
    text = re.sub(r"([\\`*_~$])", r"\\\1", text).replace("<", "&lt;")
    text = re.sub(r"\](?=[(:\[])", r"\\]", text)
    return text.replace("|", "\\|") if page.in_table else text


def code(text: str, page: Page) -> str:
    """Between as many backticks as the text allows."""
    text = " ".join(text.split("\n"))
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in (text[:1], text[-1:]) else ""
    return (
        f"{ticks}{space}{text.replace('|', chr(92) + '|') if page.in_table else text}{space}{ticks}"
    )


def formula(text: str, page: Page) -> str:
    text = " ".join(text.split())
    if page.in_table:
        text = text.replace("\\|", "\\Vert ").replace("|", "\\vert ").strip()
    return text


@singledispatch
def inline(node: nodes.Node, page: Page) -> str:
    raise unknown(node)


@inline.register
def _(node: nodes.Text, page: Page) -> str:
    return escaped(node.astext(), page)


@inline.register(nodes.inline)
@inline.register(addnodes.pending_xref)
def _(node: nodes.Element, page: Page) -> str:
    return "".join(inline(child, page) for child in node.children)


@inline.register
def _(node: nodes.emphasis, page: Page) -> str:
    return f"*{line(node, page)}*"


@inline.register
def _(node: nodes.strong, page: Page) -> str:
    return f"**{line(node, page)}**"


@inline.register
def _(node: nodes.literal, page: Page) -> str:
    return code(node.astext(), page)


@inline.register
def _(node: nodes.math, page: Page) -> str:
    return f"${formula(node.astext(), page)}$"


@inline.register
def _(node: nodes.superscript, page: Page) -> str:
    return f"<sup>{line(node, page)}</sup>"


@inline.register
def _(node: nodes.subscript, page: Page) -> str:
    return f"<sub>{line(node, page)}</sub>"


@inline.register
def _(node: nodes.footnote_reference, page: Page) -> str:
    return f"<sup>{node.astext()}</sup>"


@inline.register(nodes.reference)
@inline.register(addnodes.number_reference)
def _(node: nodes.reference, page: Page) -> str:
    address = node.get("refuri") or f"{page.url}#{node['refid']}"
    address = f"<{address}>" if re.search(r"[()\s]", address) else address
    return f"[{line(node, page)}]({address})"


@inline.register
def _(node: nodes.image, page: Page) -> str:
    """The picture itself, in the text: attachments are not shown by Colab, and VS Code takes SVG from HTML only."""
    file = page.folder / node["uri"]
    kind = mimetypes.guess_type(file.name)[0]
    data = base64.b64encode(file.read_bytes()).decode()
    width = f' width="{node["width"]}"' if "width" in node else ""
    alt = html.escape(node.get("alt", ""))
    return f'<img src="data:{kind};base64,{data}" alt="{alt}"{width}>'


@inline.register(nodes.target)
@inline.register(nodes.comment)
@inline.register(addnodes.index)
def _(node: nodes.Node, page: Page) -> str:
    return ""


# ---------------------------------------------------------------- alone


def blocks(children: Iterable[nodes.Node], page: Page, gap: str = "\n\n") -> str:
    """Blocks one under the other, with a blank line between."""
    return gap.join(filter(None, (block(child, page) for child in children)))


def after(mark: str, text: str, rest: str | None = None) -> str:
    """The text with a mark before its first line and as much room (or `rest`) before the others."""
    rest = " " * len(mark) if rest is None else rest
    return mark + re.sub(r"\n(?=.)", f"\n{rest}", text)


@singledispatch
def block(node: nodes.Node, page: Page) -> str:
    return one_line(inline(node, page))


@block.register
def _(node: nodes.paragraph, page: Page) -> str:
    text = line(node, page)
    text = re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", text)
    return re.sub(r"^([-+#>])(?=\s|>|#)", r"\\\1", text)


@block.register
def _(node: nodes.math_block, page: Page) -> str:
    tex = ENVIRONMENT.sub(
        lambda m: f"\\{m[1]}{{{INNER[m[2]]}}}" if m[2] in INNER else "", node.astext()
    )
    lines = [part.strip() for part in tex.splitlines() if part.strip()]
    if tag := number(node, "displaymath", page):
        lines.append(f"\\tag{{{tag}}}")
    if page.nested or page.in_table:
        return f"$$ {formula(' '.join(lines), page)} $$"
    return "\n".join(["$$", *lines, "$$"])


@block.register
def _(node: nodes.literal_block, page: Page) -> str:
    text = node.astext().rstrip("\n")
    fence = "`" * max(3, max(map(len, re.findall("`+", text)), default=0) + 1)
    language = node.get("language", "text")
    return f"{fence}{FENCED_AS.get(language, language)}\n{text}\n{fence}"


@block.register(nodes.bullet_list)
@block.register(nodes.enumerated_list)
def _(node: nodes.Element, page: Page) -> str:
    inside = replace(page, nested=True)
    first = node.get("start", 1)
    marks = [
        f"{first + i}. " if isinstance(node, nodes.enumerated_list) else "- "
        for i in range(len(node.children))
    ]
    tight = all(map(is_short, node.children))
    gap = "\n" if tight else "\n\n"
    items = [after(mark, blocks(item, inside, gap)) for mark, item in zip(marks, node.children)]
    return gap.join(items)


def is_short(item: nodes.Element) -> bool:
    """An item of one paragraph, and perhaps a list below it: no blank lines are needed."""
    lists = (nodes.bullet_list, nodes.enumerated_list)
    return all(isinstance(child, lists) for child in item.children[1:])


@block.register
def _(node: nodes.definition_list, page: Page) -> str:
    """A list of bold terms: Markdown has no other."""
    inside = replace(page, nested=True)
    items = []
    for item in node.children:
        term = " ".join(line(part, page) for part in item.findall(nodes.term))
        definition = next(item.findall(nodes.definition))
        short = isinstance(definition.children[0], nodes.paragraph)
        text = f"**{term}**" + (": " if short else "\n") + blocks(definition, inside)
        items.append(after("- ", text))
    return "\n".join(items)


@block.register
def _(node: nodes.block_quote, page: Page) -> str:
    text = blocks(node, replace(page, nested=True))
    return "> " + text.replace("\n", "\n> ")


@block.register
def _(node: nodes.Admonition, page: Page) -> str:
    """A quotation under a bold title: 'Note', or its own."""
    inside = replace(page, nested=True)
    title = titled(node)
    name = line(title, page) if title else type(node).__name__.capitalize()
    body = blocks([child for child in node if child is not title], inside)
    return "> " + f"**{name}**\n\n{body}".replace("\n", "\n> ")


@block.register
def _(node: nodes.hint, page: Page) -> str:
    """Folded, since a reader tries first."""
    return f"<details>\n<summary>Hint</summary>\n\n{blocks(node, page)}\n\n</details>"


@block.register(exercises.exercise_node)
@block.register(exercises.exercise_enumerable_node)
def _(node: nodes.Element, page: Page) -> str:
    title = titled(node)
    name = number(node, "exercise", page) or "Exercise"
    if title and not title.astext().startswith("Exercise"):
        name += f" {line(title, page)}".rstrip()
    return f"**{name}**\n\n" + blocks([child for child in node if child is not title], page)


def titled(node: nodes.Element) -> nodes.Element | None:
    return next((child for child in node.children if isinstance(child, nodes.title)), None)


@block.register(nodes.section)  # without a title: exercises and solutions keep their body in one
@block.register(nodes.container)
@block.register(nodes.compound)
def _(node: nodes.Element, page: Page) -> str:
    caption = next((child for child in node if isinstance(child, nodes.caption)), None)
    body = blocks([child for child in node if child is not caption], page)
    return f"{body}\n\n{captioned(node, 'code-block', caption, page)}" if caption else body


def captioned(node: nodes.Element, kind: str, caption: nodes.Element | None, page: Page) -> str:
    """'**Fig. 4.1** The walk, from top to bottom.'"""
    name = number(node, kind, page)
    parts = [f"**{name}**" if name else "", line(caption, page) if caption else ""]
    return " ".join(filter(None, parts))


@block.register
def _(node: nodes.figure, page: Page) -> str:
    caption = next((child for child in node if isinstance(child, nodes.caption)), None)
    body = blocks([child for child in node if child is not caption], page)
    return "\n\n".join(filter(None, [body, captioned(node, "figure", caption, page)]))


@block.register
def _(node: moving_figure, page: Page) -> str:
    """A notebook has the figure that stands still; the page has the one that moves."""
    link = f"[On its page]({page.url}#moving-{node['name']}) this figure can be moved."
    return f"> {link} {block(node[0], page)}"


@block.register
def _(node: nodes.legend, page: Page) -> str:
    return blocks(node, page)


@block.register
def _(node: nodes.table, page: Page) -> str:
    inside = replace(page, in_table=True, nested=True)
    head, body = list(node.findall(nodes.thead)), next(node.findall(nodes.tbody))
    rows = [[entry_text(entry, inside) for entry in row] for row in body]
    names = [[entry_text(entry, inside) for entry in row] for part in head for row in part]
    width = max(map(len, rows))
    names = names or [[""] * width]
    rows = [*names[:1], ["---"] * width, *names[1:], *rows]
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    caption = captioned(node, "table", titled(node), page)
    return f"{caption}\n\n{text}" if caption else text


def entry_text(entry: nodes.Element, page: Page) -> str:
    """A cell of a table: its blocks and the items of its lists on lines of their own."""
    if "morecols" in entry or "morerows" in entry:
        raise NotImplementedError(f"A cell over several columns or rows: {entry.astext()!r}.")
    text = blocks(entry, page)
    return re.sub(r"\n+", "<br>", re.sub(r"^- ", "• ", text, flags=re.M))


@block.register
def _(node: nodes.footnote, page: Page) -> str:
    label, *body = node.children
    return f"<sup>{label.astext()}</sup> {blocks(body, page)}"


@block.register
def _(node: nodes.transition, page: Page) -> str:
    return "---"


@block.register
def _(node: nodes.raw, page: Page) -> str:
    if node["format"] != "html":
        raise unknown(node)
    return node.astext().strip()
