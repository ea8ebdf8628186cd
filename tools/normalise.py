"""Keep the stored notebooks small, equal on every machine, and worth comparing.

    python tools/normalise.py chapters/*.ipynb            rewrite in place
    python tools/normalise.py --execute chapters/*.ipynb  run from top to bottom, then rewrite
    python tools/normalise.py --check chapters/*.ipynb    change nothing, refuse what is wrong

What is kept: the source, the tags, the alt texts, the text outputs and the execution counts 1..n.
What goes: pictures (the build draws them afresh), volatile metadata, random cell ids, empty cells.
What a rewrite cannot mend (a cell that was not run, a warning, a path of one machine) is refused,
with file, cell and reason.
"""

import argparse
import copy
import hashlib
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
PICTURE = re.compile(r"<(svg|img|canvas|video)\b", re.IGNORECASE)
WIDGET = "application/vnd.jupyter.widget"
MACHINE_PATH = re.compile(
    r"(?<![\w.:/])/(home|root|work|tmp|usr|opt|var|mnt|srv|Users|private)/|\b[A-Za-z]:\\\w"
)
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")


# ---------------------------------------------------------------- rewriting


def is_picture(mime: str, content: object) -> bool:
    """True for images and for HTML that contains one: the build draws these afresh."""
    return mime.startswith("image/") or (mime == "text/html" and bool(PICTURE.search(str(content))))


def stored_output(output: dict) -> dict:
    """The part of one output that is stored and compared: everything but the pictures."""
    if "data" not in output:
        return output
    text = {
        mime: content for mime, content in output["data"].items() if not is_picture(mime, content)
    }
    return nbformat.from_dict({**output, "data": text, "metadata": {}})


def stored_outputs(outputs: list) -> list:
    """The outputs of a cell without their pictures; what was only a picture disappears."""
    kept = [stored_output(output) for output in outputs]
    return [output for output in kept if output.get("data", True)]


def joined_streams(outputs: list) -> list:
    """Neighbouring pieces of one stream as one output: how a kernel cuts its text is chance."""
    joined: list = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if (
            output["output_type"] == "stream" == last.get("output_type")
            and output["name"] == last["name"]
        ):
            last["text"] += output["text"]
        else:
            joined.append(copy.deepcopy(output))
    return joined


def clean_source(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip("\n").split("\n"))


def normalised_cell(cell: dict, seen: dict) -> dict:
    """The cell as it is stored. Its id is a digest of its content: an edit changes one id only."""
    cell = copy.deepcopy(cell)
    cell["source"] = clean_source(cell["source"])
    cell["metadata"] = {
        key: cell["metadata"][key] for key in ("mystnb", "tags") if cell["metadata"].get(key)
    }
    if cell["cell_type"] == "code":
        cell["outputs"] = joined_streams(stored_outputs(cell["outputs"]))
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = cell["execution_count"]
    digest = hashlib.sha256((cell["cell_type"] + cell["source"]).encode()).hexdigest()[:8]
    seen[digest] = seen.get(digest, 0) + 1
    cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return nbformat.from_dict(cell)


def normalised(nb: dict) -> dict:
    """The notebook as it is stored: ``normalised(normalised(nb)) == normalised(nb)``."""
    kept = {key: nb["metadata"][key] for key in ("mystnb",) if nb["metadata"].get(key)}
    seen: dict = {}
    return nbformat.from_dict(
        {
            "cells": [
                normalised_cell(cell, seen) for cell in nb["cells"] if cell["source"].strip()
            ],
            "metadata": {**kept, "kernelspec": KERNELSPEC, "language_info": LANGUAGE},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def as_text(nb: dict) -> str:
    return nbformat.writes(nb, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


# ---------------------------------------------------------------- refusing


def where(number: int, cell: dict) -> str:
    """Name a cell so that it can be found: its position (from 1) and how it begins."""
    return f"cell {number} ({cell['source'].strip().splitlines()[:1] or ['']!r:.60})"


def output_text(output: dict) -> str:
    parts = [
        output.get("text", ""),
        *map(str, output.get("data", {}).values()),
        *output.get("traceback", []),
    ]
    return "\n".join(parts)


def output_faults(cell: dict) -> list[str]:
    """What is wrong with the outputs of a code cell."""
    faults = []
    tags = cell["metadata"].get("tags", [])
    for output in cell["outputs"]:
        text, kinds = output_text(output), output.get("data", {})
        if any(is_picture(mime, content) for mime, content in kinds.items()):
            faults.append("a picture is stored: the build draws it afresh, run tools/normalise.py")
        if any(mime.startswith(WIDGET) for mime in kinds):
            faults.append("a widget is stored: it is dead without a kernel, print or draw instead")
        if output.get("name") == "stderr":
            faults.append(f"stderr output: mend the cause of {text.strip()[:80]!r}")
        if output["output_type"] == "error" and "raises-exception" not in tags:
            faults.append(f"it raised {output['ename']}: mend it, or tag the cell raises-exception")
        if found := MACHINE_PATH.search(text):
            faults.append(
                f"a path of one machine in the output, near {text[found.start() :][:40]!r}"
            )
        if found := ADDRESS.search(text):
            faults.append(
                f"a memory address in the output, {found.group()!r}: it differs in every run"
            )
    return faults


def count_fault(cell: dict, expected: int) -> str | None:
    count = cell["execution_count"]
    if count is None:
        return "no execution count, so nbval would compare it to nothing: run with --execute"
    if count != expected:
        return f"execution count {count} where {expected} was expected: run it all, with --execute"
    return None


def notebook_faults(nb: dict) -> list[str]:
    """What is wrong with the notebook as a whole."""
    faults = []
    kernel = nb["metadata"].get("kernelspec", {}).get("name")
    if kernel != "python3":
        faults.append(f"kernelspec is {kernel!r}: it must be 'python3', run tools/normalise.py")
    if "widgets" in nb["metadata"]:
        faults.append("widget state is stored: run tools/normalise.py")
    return faults


def faults(nb: dict) -> list[str]:
    """Everything wrong with a notebook, each as 'cell N (its first line): reason'."""
    found = notebook_faults(nb)
    expected = 0
    for number, cell in enumerate(nb["cells"], 1):
        here = []
        if not cell["source"].strip():
            here.append("empty: delete it, or run tools/normalise.py")
        elif any(line != line.rstrip() for line in cell["source"].split("\n")):
            here.append("trailing whitespace in the source: run tools/normalise.py")
        if cell["cell_type"] == "code" and cell["source"].strip():
            expected += 1
            here += filter(None, [count_fault(cell, expected)])
            here += output_faults(cell)
        found += [f"{where(number, cell)}: {reason}" for reason in here]
    return found


def file_faults(path: Path) -> list[str]:
    """The faults of a stored notebook, or that the normaliser would change anything else."""
    text = path.read_text(encoding="utf-8")
    nb = nbformat.reads(text, as_version=4)
    found = faults(nb)
    if not found and text != as_text(normalised(nb)):
        found = ["not as the normaliser writes it: run tools/normalise.py"]
    return found


# ---------------------------------------------------------------- running


def executed(nb: dict, folder: Path, timeout: int = 600) -> dict:
    """The notebook after a run from top to bottom, in its own folder, in a fresh kernel.

    Raises nbclient's CellExecutionError (with the traceback) if a cell fails.
    """
    nb = copy.deepcopy(nb)
    client = NotebookClient(
        nb, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def rewrite(path: Path, run: bool) -> None:
    nb = nbformat.read(path, as_version=4)
    if run:
        nb = executed(normalised(nb), path.parent)
    path.write_text(as_text(normalised(nb)), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Rewrite or check the notebooks named; 1 if any of them has a fault, 0 otherwise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing, refuse what is wrong")
    parser.add_argument(
        "--execute", action="store_true", help="run from top to bottom before rewriting"
    )
    options = parser.parse_args(arguments)
    failed = False
    for path in options.notebooks:
        try:
            if not options.check:
                rewrite(path, options.execute)
            found = file_faults(path)
        except (CellExecutionError, CellTimeoutError) as error:
            found = [f"left unchanged, a cell failed:\n{error}"]
        failed = failed or bool(found)
        for reason in found:
            print(f"{path}: {reason}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
