"""Let Python look for garbage rarely while the book is built: a quarter of the time of the pages went into it.

A book is a tree of nodes that only grows, and each search for garbage walks all of it.
"""

import gc

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, bool]:
    gc.set_threshold(100_000, 50, 50)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
