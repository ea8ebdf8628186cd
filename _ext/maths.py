"""Mathematics as HTML, made while the book is built: a reader's browser needs no script to show a formula.

KaTeX turns each formula into HTML for the eye and MathML for a screen reader. It is a script, which the package
sphinxcontrib-katex brings; it runs here inside QuickJS, a JavaScript engine that pip installs. Its style sheet
and fonts lie in chapters/_static/fonts, where tools/fonts.py puts those of the same version.

A formula that KaTeX cannot read is a warning with page and formula, and so an error of `make book`.
"""

import json
from functools import cache
from html import escape
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator
from sphinxcontrib import katex

SCRIPT = Path(katex.__file__).with_name("katex.min.js")
# a long string leaves QuickJS safely only as JSON; "error" refuses what LaTeX would refuse
RENDER = """function render(tex, displayed) {
  return JSON.stringify(katex.renderToString(tex, {displayMode: displayed, strict: "error"}));
}"""
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


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    self.body.append(shown(node, node.astext(), displayed=False) + "</span>")
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    r"""A formula of several lines, parted by \\, has them aligned at its &, as in Sphinx's own way."""
    tex = node.astext().strip()
    if r"\\" in tex and not node.get("nowrap"):
        tex = rf"\begin{{split}}{tex}\end{{split}}"
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(shown(node, tex, displayed=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
