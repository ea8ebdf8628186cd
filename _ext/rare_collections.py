"""Let Python look for garbage rarely while the book is built, since it finds hardly any.

A book is a tree of nodes that only grows, and each search walks all of it: of the time to write all pages it took a
part worth saving.
"""

import gc

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    gc.set_threshold(100_000, 50, 50)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
