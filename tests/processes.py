"""Processes that begin with the companion imported and nothing done: forked from one that did no more.

A fresh interpreter takes seconds to import torch, and more for what a first fit imports (scipy.stats for its
points, torch's compiler for its optimizers); these take none, and share no state with the tests.
"""

import contextlib
import io
import multiprocessing
import os
import sys
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

if sys.platform == "win32":  # which does not fork
    FORKED = multiprocessing.get_context("spawn")
else:
    FORKED = multiprocessing.get_context("forkserver")
    preloaded = ["companion.pinn", "companion.problems", "scipy.stats", "torch._dynamo"]
    FORKED.set_forkserver_preload(preloaded)


def alone(code: str, folder: Path, answer: Connection) -> None:
    os.chdir(folder)
    warnings.simplefilter("ignore")
    printed, raised, begun = io.StringIO(), "", time.process_time()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            # The program itself: a file, as torch.compile wants to read its source.
            Path("program.py").write_text(code, "utf-8")
            exec(compile(code, "program.py", "exec"), {"__name__": "__main__"})
    except BaseException:
        raised = traceback.format_exc()
    answer.send((printed.getvalue().splitlines(), raised, time.process_time() - begun))


def run(code: str, folder: Path) -> tuple[list[str], str, float]:
    """Run a program in a process of its own: the lines that it prints, what it raised, and its seconds."""
    here, there = FORKED.Pipe(duplex=False)
    process = FORKED.Process(target=alone, args=(code, folder, there))
    process.start()
    there.close()
    assert here.poll(120), "no answer"
    answer = here.recv()
    process.join()
    return answer
