"""The entries of a database on all cores, a process for each."""

import multiprocessing
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module

from conformance.verdicts import Tally


def prepared() -> None:
    """One thread a process: the processes share the cores."""
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)


def entry(database: str, name: str, seed: int) -> Tally:
    """One entry of a database; what breaks outside of the companion is a fault of the list's."""
    try:
        return import_module(f"conformance.{database}").trial(name, seed)
    except Exception as error:
        raise RuntimeError(f"{database}, {name}, seed {seed}: the trial itself broke") from error


def processes() -> ProcessPoolExecutor:
    """One for each core, started afresh: jax does not survive a fork."""
    spawned = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count(), spawned, initializer=prepared)
