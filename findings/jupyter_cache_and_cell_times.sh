#!/usr/bin/env bash
# nbclient 0.11.0 with jupyter-cache 1.0.1: NotebookClient stores times in the metadata of every cell it runs (its
# record_timing is True by default), and jupyter-cache's key covers that metadata. So a notebook that was run and
# cached is not found again by the notebook it came from, without a word; with record_timing=False it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet nbclient==0.11.0 jupyter-cache==1.0.1 nbformat==5.11.1 ipykernel==7.4.0
"$folder/venv/bin/python" - <<'PYTHON'
import copy
import tempfile

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient

kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
cells = [nbformat.v4.new_code_cell("print(1 + 1)")]
source = nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def found(timing):
    """Is a notebook found in a new cache after it was run with, or without, times, and cached?"""
    cache = get_cache(tempfile.mkdtemp())
    ran = NotebookClient(copy.deepcopy(source), record_timing=timing, kernel_name="python3").execute()
    cache.cache_notebook_bundle(CacheBundleIn(ran, "a.ipynb"), check_validity=False)
    try:
        return bool(cache.match_cache_notebook(source))
    except KeyError:
        return False


seen = {timing: found(timing) for timing in (True, False)}
print("found again, by record_timing:", seen)
assert seen == {True: False, False: True}
PYTHON
