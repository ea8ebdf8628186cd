#!/usr/bin/env python3
"""Print the oldest of all versions that pyproject.toml allows, as pip reads them.

    python tools/oldest.py > oldest.txt
    pip install --requirement oldest.txt

There is no second list of bounds: a bound that pyproject.toml raises is raised here.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def oldest(text):
    """["name==bound", …] of a pyproject.toml, each package once, in alphabetical order.

    Raises ValueError for a need that is not name>=version, and for a package with two bounds.

    >>> oldest('[project]\\ndependencies = ["numpy>=2"]')
    ['numpy==2']
    """
    project = tomllib.loads(text)["project"]
    extras = project.get("optional-dependencies", {}).values()
    found = {}
    for need in [*project["dependencies"], *(need for extra in extras for need in extra)]:
        parts = re.fullmatch(r"([\w.-]+)>=([\d.]+)", need)
        if not parts:
            raise ValueError(f"a need is written name>=version, as numpy>=2; got {need!r}")
        name, bound = parts.groups()
        if found.setdefault(name, bound) != bound:
            raise ValueError(f"{name} has two bounds, {found[name]} and {bound}: give it one")
    return [f"{name}=={bound}" for name, bound in sorted(found.items())]


if __name__ == "__main__":
    sys.stdout.write("\n".join(oldest(PROJECT.read_text(encoding="utf-8"))) + "\n")
