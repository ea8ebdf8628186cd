"""A chapter of two pages has one number: 15, then 15b, and the chapter after it is 16.

A second page is a file of its own in _toc.yml, NNb_name after NN_name. Sphinx would count it as a chapter; here the
numbers of all pages, of their sections and so of their figures, are made again: a page whose file name has a letter
after its digits takes the number of the page before it and that letter, and is not counted. _toc.yml knows letters
instead of numbers (`style`), but for all pages of a part.
"""

import re
from collections.abc import Callable, Iterable

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles as Collector

SECOND = re.compile(r"(?:.*/)?\d+([a-z])_[^/]*")


def labels(pages: Iterable[str]) -> list[int | str]:
    """The number that a reader sees of each page, in reading order.

    >>> labels(["15_poisson", "15b_slopes", "16_sir_forward"])
    [1, '1b', 2]
    """
    found, count = [], 0
    for page in pages:
        second = SECOND.fullmatch(page)
        count += not second
        found.append(f"{count}{second[1]}" if second else count)
    return found


def number_again(env: BuildEnvironment) -> None:
    """Give every page its label, in the three places in which Sphinx keeps numbers."""
    numbered = sorted(
        (doc for doc, by in env.toc_secnumbers.items() if by.get("")),
        key=lambda d: env.toc_secnumbers[d][""],
    )
    for doc, label in zip(numbered, labels(numbered), strict=True):
        by = env.toc_secnumbers[doc]
        env.toc_secnumbers[doc] = {anchor: (label, *number[1:]) for anchor, number in by.items()}
        for node in (env.titles[doc], *env.tocs[doc].findall(nodes.reference)):
            if number := node.get("secnumber"):
                node["secnumber"] = [label, *number[1:]]


def setup(app: Sphinx) -> dict[str, bool]:
    count: Callable = Collector.assign_section_numbers

    def assign_section_numbers(self: Collector, env: BuildEnvironment) -> list[str]:
        before = env.toc_secnumbers
        count(self, env)
        number_again(env)
        return [doc for doc, by in env.toc_secnumbers.items() if by != before.get(doc)]

    Collector.assign_section_numbers = assign_section_numbers
    return {"parallel_read_safe": True, "parallel_write_safe": True}
