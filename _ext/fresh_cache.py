"""Execute the chapters again when what they import has changed.

jupyter-cache knows a notebook by its cells alone: after an edit of the companion, or of a pinned version,
it would serve the old outputs. Here the cache lives in a folder named after a digest of both, so an edit
starts an empty cache and an undone edit finds the old one again.
"""

import hashlib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config


def digest(root: Path) -> str:
    """A short name for the present state of everything that a chapter imports."""
    files = sorted((root / "companion").rglob("*.py")) + [root / "requirements.txt"]
    state = hashlib.sha256()
    for file in files:
        state.update(f"{file.relative_to(root).as_posix()}\0".encode())
        state.update(file.read_bytes())
    return state.hexdigest()[:16]


def choose_cache(app: Sphinx, config: Config) -> None:
    root = Path(app.srcdir)
    config.nb_execution_cache_path = str(root / "_build" / "executed" / digest(root))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", choose_cache, priority=100)  # before myst-nb reads the setting
    return {"parallel_read_safe": True, "parallel_write_safe": True}
