"""Small repairs to what the theme and its extensions put on every page.

- sphinx-thebe adds its files to every page even where `thebe: false`, and declares one constant twice,
  which is a script error. Nothing of it is used here, so none of it is loaded.
- docutils gives an entry of the bibliography a role that ARIA 1.3 deprecates; it is an item of a list.
- sphinx-exercise gives the content of every exercise the same id, and likewise of every solution; nothing
  links there, so the ids go.
- It also begins the link in the title of a solution with a space, which is then underlined; it goes before the link.
- myst-nb marks a page that ran with an emoji, which no font of the book has; a plain tick says the same.
- autodoc puts an empty list of fields below every function whose types are not written out, and empty
  space with it; the list goes.
- A number and its % may stand on two lines, and the language of the book puts a space between them.
- An image comes without its size, and what stands below it jumps when it arrives; so it is given its size.
"""

import re
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx


def without_thebe(app: Sphinx) -> None:
    """Undo the set-up of sphinx-thebe, which Jupyter Book always loads."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if one.handler.__module__ != "sphinx_thebe"]
    app.registry.css_files[:] = [
        file for file in app.registry.css_files if file[0] != "sphinx-thebe.css"
    ]


MENDED = {
    'role="doc-biblioentry"': 'role="listitem"',
    '<section id="exercise-content">': "<section>",
    '<section id="solution-content">': "<section>",
    "✅": "✓",
}

SOLVED = re.compile(r"(Solution to)(<a [^>]*>) ")

PERCENT = re.compile(r"(<pre.*?</pre>)|(?<=\d) %", re.DOTALL)  # what is printed stays as it is
IMAGE = re.compile(r'<img (?![^>]*\bheight=)([^>]*\bsrc="[^"]*_images/([^"/]+)")')


def with_percents(body: str) -> str:
    """No line ends between a number and its %."""
    return PERCENT.sub(lambda found: found[1] or "\u00a0%", body)


def size(picture: Path) -> tuple[int, int]:
    """Width and height in pixels; a drawing says its own."""
    if picture.suffix == ".svg":
        root = re.search(r"<svg[^>]*>", picture.read_text("utf-8"))[0]
        width, height = (re.search(rf'\b{side}="(\d+)', root)[1] for side in ("width", "height"))
        return int(width), int(height)
    with Image.open(picture) as opened:
        return opened.size


def with_sizes(body: str, pictures: dict[str, Path]) -> str:
    """Every image of these with its width and height; the style sheet shrinks it to its column."""

    def sized(found: re.Match) -> str:
        width, height = size(pictures[found[2]])
        return f'<img width="{width}" height="{height}" {found[1]}'

    return IMAGE.sub(sized, body)


def without_empty_lists(_app: Sphinx, _domain: str, _kind: str, content: nodes.Element) -> None:
    for fields in list(content.findall(nodes.field_list)):
        if not fields.children:
            fields.parent.remove(fields)


def mend_body(app: Sphinx, _page: str, _template: str, context: dict, _doctree: object) -> None:
    if "body" not in context:
        return
    for wrong, right in MENDED.items():
        context["body"] = context["body"].replace(wrong, right)
    context["body"] = with_percents(context["body"])
    context["body"] = SOLVED.sub(r"\1 \2", context["body"])
    pictures = {name: Path(app.srcdir, source) for source, name in app.builder.images.items()}
    context["body"] = with_sizes(context["body"], pictures)


def setup(app: Sphinx) -> dict[str, bool]:
    without_thebe(app)  # local extensions are set up after Jupyter Book's own
    app.connect("html-page-context", mend_body)
    app.connect("object-description-transform", without_empty_lists, priority=900)  # after autodoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
