"""Run the chapters whose outputs are not in the cache, one on each core, before Sphinx reads them.

myst-nb would run them one after the other while it reads, in this environment. Here each runs as it runs for a
stranger who downloaded it: in an empty folder, with the wheel of the companion, what the extra `book` brings
and nothing else of what is installed, and with no network. Numerical libraries get one thread, since the other
cores have chapters of their own: what the card of a chapter says that it costs is processor time, on one core.

What fails is reported by chapter and cell, and nothing is built; what ran to its end stays in the cache.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
import psutil
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

from tools import normalise, wheel

log = logging.getLogger(__name__)
Notebooks = dict[Path, nbformat.NotebookNode]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def stale(chapters: Iterable[Path], cache: JupyterCacheAbstract) -> Notebooks:
    """The notebooks of which the cache holds no run."""
    found = {}
    for path in chapters:
        notebook = nbformat.read(path, as_version=4)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            found[path] = notebook
    return found


def kernel_of_a_stranger(folder: Path) -> type[AsyncKernelManager]:
    """Starts kernels that have the wheel, its extra `book`, IPython's kernel and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    built = wheel.build("wheel", wheel.copy(folder / "source"), folder)
    site = wheel.unpacked(built, folder / "site")
    installed = wheel.Installed(site, "book", beside=["ipykernel"])

    class Stranger(AsyncKernelManager):
        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            command = super().format_kernel_cmd(extra_arguments)
            return [*installed.command, *command[command.index("-m") :]]

    return Stranger


def run(notebook: nbformat.NotebookNode, kernel: type[AsyncKernelManager], timeout: float) -> float:
    """Run it in a fresh kernel and an empty folder; outputs go into the notebook, each print in one piece.

    Returns the seconds of processor time, which other work on this machine does not lengthen.
    """
    seconds = 0.0

    def measure(**_: object) -> None:
        nonlocal seconds
        seconds = sum(psutil.Process(client.km.provisioner.pid).cpu_times()[:4])

    with tempfile.TemporaryDirectory() as empty:
        client = NotebookClient(
            notebook,
            timeout=timeout,
            startup_timeout=timeout,
            kernel_manager_class=kernel,
            on_cell_executed=measure,
            resources={"metadata": {"path": empty}},
            record_timing=False,  # times in the cells would make it another notebook to the cache
            extra_arguments=["--log-level=ERROR"],
        )
        client.execute(env=os.environ | ONE_THREAD)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = normalise.joined_streams(cell.outputs)
    return seconds


def run_or_again(
    notebook: nbformat.NotebookNode, kernel: type[AsyncKernelManager], timeout: float
) -> float:
    """As run; once more if the kernel did not start, as when another program took its port."""
    try:
        return run(notebook, kernel, timeout)
    except DeadKernelError:
        raise
    except RuntimeError:
        return run(notebook, kernel, timeout)


def run_all(
    notebooks: Notebooks,
    cache: JupyterCacheAbstract,
    kernel: type[AsyncKernelManager],
    timeout: float,
) -> list[str]:
    """Run them and keep the outputs; returns what went wrong. The last, the longest, go first."""
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        order = sorted(notebooks, reverse=True)
        runs = {pool.submit(run_or_again, notebooks[path], kernel, timeout): path for path in order}
        for count, done in enumerate(as_completed(runs), 1):
            path = runs[done]
            try:
                seconds = done.result()
            except (CellExecutionError, CellTimeoutError, RuntimeError) as error:
                failed.append(f"{path.stem}: {error}")
                took = "failed"
            else:
                data = {"execution_seconds": seconds}
                bundle = CacheBundleIn(notebooks[path], str(path), data=data)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                took = f"{seconds:.0f} s"
            log.info("ran %d of %d: %s, %s", count, len(runs), path.stem, took)
    return failed


def run_stale_chapters(app: Sphinx) -> None:
    root = Path(app.srcdir)
    cache = get_cache(app.config.nb_execution_cache_path)
    chapters = sorted((root / "chapters").glob("*.ipynb"))
    notebooks = stale(chapters, cache)
    if not notebooks:
        return
    counts = len(notebooks), len(chapters), os.cpu_count()
    log.info("running %d of %d chapters, %d at a time", *counts)
    kernel = kernel_of_a_stranger(root / "_build" / "stranger")
    failed = run_all(notebooks, cache, kernel, app.config.nb_execution_timeout)
    if failed:
        raise ExtensionError("\n\n".join(failed))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", run_stale_chapters)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
