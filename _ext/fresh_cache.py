"""Make again what an edit has made stale: outputs, pages, looks.

jupyter-cache knows a notebook by its cells alone: after an edit of the companion, of data that a page reads,
of an extra or of a pinned version, it would serve the old outputs. Here the cache lives in a folder named after
a digest of all four, so an edit starts an empty cache and an undone edit finds the old one again.

Sphinx, in its turn, does not look at local extensions and static files; digests of these, told to it as
settings, make it read and write the pages again.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config


def digest(root: Path, files: Iterable[Path]) -> str:
    """A short name for the present names and contents of the files."""
    state = hashlib.sha256()
    for file in sorted(files):
        state.update(f"{file.relative_to(root).as_posix()}\0".encode())
        state.update(file.read_bytes())
    return state.hexdigest()[:16]


def cache_folder(root: Path) -> Path:
    """Where the runs of the chapters are kept. The costs of the last ones change none of them."""
    package = [*(root / "companion").rglob("*.py"), *(root / "companion").rglob("*.json")]
    used = [file for file in package if file.name != "costs.json"]
    used += [root / "pyproject.toml", root / "requirements.txt"]
    return root / "_build" / "executed" / digest(root, used)


def take_digests(app: Sphinx, config: Config) -> None:
    root = Path(app.srcdir)
    config.nb_execution_cache_path = str(cache_folder(root))
    config.digest_of_extensions = digest(root, (root / "_ext").glob("*.py"))
    config.digest_of_looks = digest(root, (root / "chapters" / "_static").rglob("*.*"))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("digest_of_extensions", "", rebuild="env")
    app.add_config_value("digest_of_looks", "", rebuild="html")
    app.connect("config-inited", take_digests, priority=100)  # before myst-nb reads its setting
    return {"parallel_read_safe": True, "parallel_write_safe": True}
