"""The card at the top of a chapter: its question, what the reader gains, what is needed, what the page cost.

    :::{card-of-chapter}
    :question: How small is a small step?
    :able: [choose a step](#best-step); [read a U-curve](#u-curves)
    :needs: school calculus, NumPy
    :::

The cost is measured, not written: the run time is that of the execution whose outputs the page shows, and
the memory is read from the line `peak memory: N MiB` that the page's last cell prints.
"""

import re
from collections.abc import Iterable

from docutils import nodes
from docutils.parsers.rst import directives
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PEAK_MEMORY = re.compile(r"^peak memory: (\d+) MiB$", re.MULTILINE)


class measured_cost(nodes.paragraph):
    """Stands where the cost will be, until the page has been executed."""


class ChapterCard(SphinxDirective):
    """Draw the card; the items of `able` are separated by semicolons."""

    option_spec = {  # noqa: RUF012 - docutils reads a plain dict
        "question": directives.unchanged_required,
        "able": directives.unchanged_required,
        "needs": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        missing = [name for name in self.option_spec if name not in self.options]
        if missing:
            raise self.error(f"card-of-chapter needs :{':, :'.join(missing)}: as well.")
        gains = [gain.strip() for gain in self.options["able"].split(";")]
        able = nodes.bullet_list("", *[nodes.list_item("", self.prose(gain)) for gain in gains])
        card = nodes.definition_list(classes=["chapter-card"])
        card += [
            entry("The question", self.prose(self.options["question"])),
            entry("You will be able to", able),
            entry("Before", self.prose(self.options["needs"])),
            entry("Measured cost", measured_cost()),
        ]
        return [card]

    def prose(self, text: str) -> nodes.paragraph:
        """A paragraph of inline Markdown: mathematics, code and links work."""
        children, messages = self.parse_inline(text, lineno=self.lineno)
        return nodes.paragraph("", "", *children, *messages)


def entry(term: str, body: nodes.Node) -> nodes.definition_list_item:
    return nodes.definition_list_item("", nodes.term(text=term), nodes.definition("", body))


def cost(seconds: float | None, outputs: Iterable[str]) -> str:
    """The sentence on the card; what was not measured is said to be so."""
    memory = next((found[1] for text in outputs if (found := PEAK_MEMORY.search(text))), None)
    if seconds is None and memory is None:
        return "not measured"
    time = "run time not measured" if seconds is None else f"{max(seconds, 1):.0f} s to run"
    space = "memory not measured" if memory is None else f"{memory} MiB of memory at its peak"
    return f"{time}, {space} (CPU)"


def fill_in_the_cost(app: Sphinx, doctree: nodes.document) -> None:
    cards = list(doctree.findall(measured_cost))
    if not cards:
        return
    execution = NbMetadataCollector.get_exec_data(app.env, app.env.docname) or {}
    outputs = [block.astext() for block in doctree.findall(nodes.literal_block)]
    sentence = cost(execution.get("runtime"), outputs)
    for card in cards:
        card.replace_self(nodes.paragraph(text=sentence))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("card-of-chapter", ChapterCard)
    app.connect("doctree-read", fill_in_the_cost)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
