"""A figure that a reader moves, with no kernel and no network.

    :::{moving-figure} u-curve
    :still: fig-u-curves
    :try: Make $h$ smaller until the error grows again.
    :taught: Two errors pull against each other.
    :::

`u-curve` is the script chapters/_static/figures/u-curve.js, `still` the name of the figure of a cell of the same
page for which it stands. Without JavaScript, in print and in a notebook nothing but that figure is seen; where the
script runs, it folds it and shows itself; with `:open:` it stays unfolded. `try` says what to move first, `taught`
what that should have shown, folded until asked for.

The scripts are modules that import from one another, and stored runs from companion/data. A page that was opened as
a file, from no server, may load no module, so each figure and what it imports are put into one plain script,
`_static/moving/NAME.js`.
"""

import hashlib
import json
import posixpath
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxTranslator

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "chapters" / "_static" / "figures"
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+)\.js";\n', re.MULTILINE)
DATA = re.compile(
    r'^import (\w+) from "[./]*/(companion/data/\w+\.json)" with \{ type: "json" \};\n',
    re.MULTILINE,
)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


class moving_figure(nodes.General, nodes.Element):
    """Its children are the paragraph that says what to try, and the folded one of what it taught."""


class taught(nodes.General, nodes.Element):
    """What moving it should have shown."""


class MovingFigure(SphinxDirective):
    required_arguments = 1
    option_spec = {  # noqa: RUF012 - docutils reads a plain dict
        "still": directives.unchanged_required,
        "try": directives.unchanged_required,
        "taught": directives.unchanged_required,
        "open": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if missing := [one for one in ("still", "try", "taught") if one not in self.options]:
            raise self.error(f"moving-figure {name} needs :{':, :'.join(missing)}: as well.")
        if not (FIGURES / f"{name}.js").is_file():
            raise self.error(f"moving-figure {name}: there is no {name}.js in {FIGURES}.")
        still = nodes.make_id(self.options["still"])
        node = moving_figure(name=name, still=still, open="open" in self.options)
        node += self.prose(self.options["try"])
        node += taught("", self.prose(self.options["taught"]))
        self.set_source_info(node)
        return [node]

    def prose(self, text: str) -> nodes.paragraph:
        children, messages = self.parse_inline(text, lineno=self.lineno)
        return nodes.paragraph("", "", *children, *messages)


# ---------------------------------------------------------------- one plain script from modules


def variable(module: str) -> str:
    return "from_" + module.replace("-", "_")


def compact(file: Path) -> str:
    """A stored run without its spaces."""
    return json.dumps(
        json.loads(file.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")
    )


def closed(module: str, source: str) -> str:
    """A module as one constant that holds its exports."""
    exports = ", ".join(EXPORT.findall(source))
    body = IMPORT.sub(lambda found: f"const {{{found[1]}}} = {variable(found[2])};\n", source)
    body = DATA.sub(lambda found: f"const {found[1]} = {compact(ROOT / found[2])};\n", body)
    return f"const {variable(module)} = (() => {{\n{EXPORT.sub('', body)}return {{ {exports} }};\n}})();"


def bundle(name: str, folder: Path = FIGURES) -> str:
    """The script of a figure with all that it imports, as a browser runs it without modules.

    An import is one line, `import { a, b } from "./c.js";`, without `as`; an export stands before its function. A
    stored run is `import name from "../../../companion/data/run.json" with { type: "json" };`.
    """
    parts: dict[str, str] = {}

    def take(module: str) -> None:
        source = (folder / f"{module}.js").read_text("utf-8")
        for _, other in IMPORT.findall(source):
            if other not in parts:
                take(other)
        parts[module] = closed(module, source)

    take(name)
    return '(() => {\n"use strict";\n' + "\n".join(parts.values()) + "\n})();\n"


# ---------------------------------------------------------------- the page


def opening(name: str, still: str, unfolded: bool = False) -> str:
    opened = " data-open" if unfolded else ""
    return (
        f'<div class="moving-figure" id="moving-{name}" data-figure="{name}" data-still="{still}"{opened}>\n'
        '<div class="mf-try">'
    )


def open_figure(page: SphinxTranslator, node: moving_figure) -> None:
    page.body.append(opening(node["name"], node["still"], node["open"]))


def close_figure(page: SphinxTranslator, node: moving_figure) -> None:
    name = node["name"]
    content = bundle(name)
    file = Path(page.builder.outdir, "_static", "moving", f"{name}.js")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    version = hashlib.sha256(content.encode()).hexdigest()[:8]
    here = posixpath.dirname(page.builder.current_docname)
    script = posixpath.relpath(f"_static/moving/{name}.js", here or ".")
    page.body.append(f'</div>\n<script defer src="{script}?v={version}"></script>\n')


def open_taught(page: SphinxTranslator, _node: taught) -> None:
    page.body.append(
        '</div>\n<details class="mf-taught"><summary>What it should have taught</summary>\n'
    )


def close_taught(page: SphinxTranslator, _node: taught) -> None:
    page.body.append("</details>\n")


def refuse_wrong(_app: Sphinx, doctree: nodes.document) -> None:
    there = {name for figure in doctree.findall(nodes.figure) for name in figure["ids"]}
    for node in doctree.findall(moving_figure):
        if node["still"] not in there:
            raise ExtensionError(
                f"{node.source}:{node.line}: moving-figure {node['name']} stands for {node['still']}, "
                f"which is no figure of this page; there are {', '.join(sorted(there)) or 'none'}."
            )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(moving_figure, html=(open_figure, close_figure))
    app.add_node(taught, html=(open_taught, close_taught))
    app.add_directive("moving-figure", MovingFigure)
    app.connect("doctree-read", refuse_wrong)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
