"""Give the reader copies of the plain notebooks that are the reader's own: what is there is never written over.

    python tools/own_copies.py _build/notebooks notebooks

`make lab` runs it, then opens the folder.
"""

import shutil
import sys
from pathlib import Path


def copy_missing(built: Path, own: Path) -> list[str]:
    """Copy each notebook that the reader does not have yet; the names of those copied."""
    found = sorted(built.glob("*.ipynb"))
    if not found:
        raise SystemExit(f"no notebooks are in {built}; make them with: make notebooks")
    own.mkdir(exist_ok=True)
    missing = [file for file in found if not (own / file.name).exists()]
    for file in missing:
        shutil.copy(file, own)
    return [file.name for file in missing]


if __name__ == "__main__":
    built, own = map(Path, sys.argv[1:])
    new = copy_missing(built, own)
    print(f"{own}/ is yours: {len(new)} notebooks were put there, none was written over.")
    print(f"For a fresh one, delete or rename yours, say {own}/04_tape.ipynb, and run: make lab")
