"""Processes that begin with the companion imported and nothing done: forked from one that did no more.

A fresh interpreter takes seconds to import torch, and more for what a first fit imports (scipy.stats for its
points, torch's compiler for its optimizers); these take none, and share no state with the tests.
"""

import multiprocessing
import sys

if sys.platform == "win32":  # which does not fork
    FORKED = multiprocessing.get_context("spawn")
else:
    FORKED = multiprocessing.get_context("forkserver")
    preloaded = ["companion.pinn", "companion.problems", "scipy.stats", "torch._dynamo"]
    FORKED.set_forkserver_preload(preloaded)
