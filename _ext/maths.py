"""Mathematics as HTML, made while the book is built: a reader's browser needs no script to show a formula.

KaTeX turns each formula into HTML for the eye and MathML for a screen reader. It is a script, which the package
sphinxcontrib-katex brings; it runs here inside QuickJS, a JavaScript engine that pip installs. Its style sheet
and fonts lie in chapters/_static/fonts, where tools/fonts.py puts those of the same version.

Formulas that a wide space, qquad, parts stand side by side where there is room and else below each other.
A formula in a line of text keeps the comma behind it and the bracket before it: a browser would break the line there.

A formula that KaTeX cannot read is a warning with page and formula, and so an error of `make book`.
"""

import json
import re
from functools import cache
from html import escape
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator
from sphinxcontrib import katex

SCRIPT = Path(katex.__file__).with_name("katex.min.js")
# a long string leaves QuickJS safely only as JSON; "error" refuses what LaTeX would refuse
RENDER = """function render(tex, displayed) {
  return JSON.stringify(katex.renderToString(tex, {displayMode: displayed, strict: "error"}));
}"""
SIDE_BY_SIDE = "display: flex; flex-wrap: wrap; justify-content: safe center; align-items: baseline; gap: 0.4em 2em"
TOKENS = re.compile(r"\\[a-zA-Z]+|\\.|[{}]")
OPENS, CLOSES = {"{", r"\begin", r"\left"}, {"}", r"\end", r"\right"}
BEFORE = re.compile(r"[(\[“‘]+$")
BEHIND = re.compile(r"^(?:[)\]”’.,;:?!…]+|-\w+)")  # or the rest of n-th
logger = logging.getLogger(__name__)


@cache
def engine() -> quickjs.Context:
    context = quickjs.Context()
    context.eval(SCRIPT.read_text("utf-8"))
    context.eval(RENDER)
    return context


@cache
def rendered(tex: str, displayed: bool) -> str:
    """The HTML of a formula; ValueError if it is wrong."""
    try:
        return json.loads(engine().get("render")(tex, displayed))
    except quickjs.JSException as error:
        raise ValueError(str(error).splitlines()[0]) from None


def shown(node: nodes.math | nodes.math_block, tex: str, displayed: bool) -> str:
    try:
        return rendered(tex, displayed)
    except ValueError as error:
        logger.warning("a formula is wrong: %s\n%s", error, tex, location=node, type="maths")
        return f'<code class="wrong-formula">{escape(tex)}</code>'


def parts(tex: str) -> list[str]:
    r"""The formulas that \qquad parts, outside of braces, of \left and \right, and of environments; all in one of
    several lines, since those are aligned with each other.

    >>> parts(r"a = b, \qquad \text{if \qquad} c")
    ['a = b, ', ' \\text{if \\qquad} c']
    """
    depth, start, found = 0, 0, []
    for token in TOKENS.finditer(tex):
        depth += (token[0] in OPENS) - (token[0] in CLOSES)
        if depth == 0 and token[0] == r"\\":
            return [tex]
        if depth == 0 and token[0] == r"\qquad":
            found.append(tex[start : token.start()])
            start = token.end()
    return [part for part in [*found, tex[start:]] if part.strip()]


def aligned(tex: str) -> str:
    r"""A formula of several lines, parted by \\, has them aligned at its &, as in Sphinx's own way."""
    return rf"\begin{{split}}{tex}\end{{split}}" if r"\\" in tex else tex


def side_by_side(found: list[str]) -> str:
    """The HTML of displayed formulas, as one display."""
    if len(found) == 1:
        return found[0]
    display = '<span class="katex-display">'
    inside = [html.removeprefix(display).removesuffix("</span>") for html in found]
    return f'<span class="katex-display" style="{SIDE_BY_SIDE}">{"".join(inside)}</span>'


class KeepPunctuation(SphinxPostTransform):
    """A formula in a line, with the brackets and the stops that touch it, becomes one piece."""

    default_priority = 400
    formats = ("html",)

    def run(self, **_: object) -> None:
        for formula in list(self.document.findall(nodes.math)):
            keep_punctuation(formula)


def keep_punctuation(formula: nodes.math) -> None:
    line, i = formula.parent, formula.parent.index(formula)
    before, behind = line[i - 1] if i else None, line[i + 1] if i + 1 < len(line) else None
    opening = BEFORE.search(before) if isinstance(before, nodes.Text) else None
    closing = BEHIND.search(behind) if isinstance(behind, nodes.Text) else None
    if not (opening or closing):
        return
    piece = nodes.inline("", "", classes=["whole"])
    line[i] = piece
    # by place: replace() looks for equal words, and takes the first ", " of a line for any other
    if opening:
        line[i - 1] = nodes.Text(before[: opening.start()])
        piece += nodes.Text(opening[0])
    piece += formula
    if closing:
        line[i + 1] = nodes.Text(behind[closing.end() :])
        piece += nodes.Text(closing[0])


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    html = shown(node, node.astext(), displayed=False)
    html = html.replace('</span><span class="base">', '</span><wbr><span class="base">')
    self.body.append(html + "</span>")
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    found = parts(node.astext().strip())
    if not node.get("nowrap"):
        found = [aligned(part) for part in found]
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(side_by_side([shown(node, part, displayed=True) for part in found]))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_post_transform(KeepPunctuation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
