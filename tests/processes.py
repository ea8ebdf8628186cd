"""Processes that begin with the companion imported and nothing done: forked from one that did no more.

A fresh interpreter takes seconds to import torch; these take none, and share no state with the tests.
"""

import multiprocessing
import sys

if sys.platform == "win32":  # which does not fork
    FORKED = multiprocessing.get_context("spawn")
else:
    FORKED = multiprocessing.get_context("forkserver")
    FORKED.set_forkserver_preload(["companion.pinn", "companion.problems"])
