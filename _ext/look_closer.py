"""A part of a page that is folded until the reader opens it: prose, code cells and figures alike.

    :::{look-closer-start} Look closer: what Richardson's table does to rounding
    :::

    (any cells, but no heading)

    :::{look-closer-end}
    :::

The title is plain words, and no other part of the page has the same. It is `<details>`, which needs no script,
opens for a link to something inside, and is run like everything else. A label above the start, `(label)=`, can
be linked to.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective, SphinxTranslator


class look_closer(nodes.General, nodes.Element):
    """The folded part; its first child is the title."""


class look_closer_title(nodes.Part, nodes.TextElement):
    """What is seen of it while it is folded."""


class start(nodes.General, nodes.Element):
    """Where it begins, until the whole page is read."""


class end(nodes.General, nodes.Element):
    """Where it ends, until the whole page is read."""


class Start(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        words, messages = self.parse_inline(self.arguments[0], lineno=self.lineno)
        begins = start("", look_closer_title("", "", *words))
        self.set_source_info(begins)
        return [begins, *messages]


class End(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        ends = end()
        self.set_source_info(ends)
        return [ends]


class Fold(SphinxTransform):
    """Puts what stands between a start and its end into one node."""

    default_priority = 10  # before labels are given to what follows them

    def apply(self) -> None:
        titles = set()
        for begins in list(self.document.findall(start)):
            if begins.astext() in titles:
                raise ExtensionError(
                    f"{begins.source}:{begins.line}: two folded parts of this page have the title "
                    f"{begins.astext()!r}: name what each is about."
                )
            titles.add(begins.astext())
            parent = begins.parent
            first = parent.index(begins)
            last = next((i for i, node in enumerate(parent) if i > first and ends(node)), None)
            if last is None or not isinstance(parent[last], end):
                raise ExtensionError(
                    f"{begins.source}:{begins.line}: look-closer-start {begins.astext()!r} needs a "
                    "look-closer-end before the next heading and before the next look-closer-start."
                )
            inside = parent.children[first + 1 : last]
            del parent[first + 1 : last + 1]
            begins.replace_self(look_closer("", *begins.children, *inside))
        for lone in self.document.findall(end):
            raise ExtensionError(
                f"{lone.source}:{lone.line}: this look-closer-end has no look-closer-start above it, "
                "under the same heading."
            )


def ends(node: nodes.Node) -> bool:
    return isinstance(node, (start, end, nodes.section))


def open_details(page: SphinxTranslator, node: look_closer) -> None:
    page.body.append(page.starttag(node, "details", CLASS="look-closer"))


def close_details(page: SphinxTranslator, _node: look_closer) -> None:
    page.body.append("</details>\n")


def open_summary(page: SphinxTranslator, node: look_closer_title) -> None:
    page.body.append(page.starttag(node, "summary", ""))


def close_summary(page: SphinxTranslator, _node: look_closer_title) -> None:
    page.body.append("</summary>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(look_closer, html=(open_details, close_details))
    app.add_node(look_closer_title, html=(open_summary, close_summary))
    app.add_directive("look-closer-start", Start)
    app.add_directive("look-closer-end", End)
    app.add_transform(Fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
