"""Stored runs: what the scripts of experiments/ found, too long for a page, as small JSON files.

    from companion.data import stored

The same call serves the book, a notebook that was downloaded alone, and Colab.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parent


def stored(name: str) -> dict:
    """The results stored under this name, as they were written: dicts, lists, numbers and text.

    Every file says in its entry "script" which script made it. Raises KeyError for a name under
    which nothing is stored.

    >>> sorted(stored("sir_peers"))
    ['0', '1', '2', 'control', 'script']
    """
    names = sorted(file.stem for file in FOLDER.glob("*.json"))
    if name not in names:
        raise KeyError(f"nothing is stored as {name!r}; there is {', '.join(names)}")
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
