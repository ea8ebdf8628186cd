"""Every function of the lists, every way: `make conformance`, or python -m conformance.

    python -m conformance                        all, with the seed 0
    python -m conformance --only ops jax_jet     these databases alone
    python -m conformance --programs 1000        so many random programs
    python -m conformance --seed 7               other samples
    python -m conformance --store                keep the result for the book, companion/data/conformance.json

Prints a table, why what is refused is refused, and every fault with its sample; exits 1 if anything is
wrong. `itself` is torch's own judgement day: what is wrong there is a finding, and no fault of ours.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from conformance.verdicts import Tally, summary, table

DATABASES = {
    "ops": "operators on op_db of torch",
    "modules": "operators on module_db of torch",
    "jax_jet": "the list of jax.experimental.jet",
    "hips": "engines on HIPS autograd's names",
    "programs": "random programs, all ways",
    "itself": "torch's nested reverse mode",
}
PEERS = {"itself"}  # who is wrong there is no part of this package
STORE = Path(__file__).parent.parent / "companion" / "data" / "conformance.json"


def arguments(words: list[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument("--programs", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", action="store_true")
    return parser.parse_args(words)


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


def tallies(pool: ProcessPoolExecutor, database: str, asked: argparse.Namespace) -> Iterator[Tally]:
    """The entries of a database, as they come."""
    module = import_module(f"conformance.{database}")
    names = module.names(asked.programs) if database == "programs" else module.names()
    count = len(names)
    chunk = max(1, count // 200)
    yield from pool.map(entry, [database] * count, names, [asked.seed] * count, chunksize=chunk)


def tried(asked: argparse.Namespace) -> dict[str, dict]:
    """{database: its summary}."""
    spawned = multiprocessing.get_context("spawn")  # jax does not survive a fork
    found = {}
    with ProcessPoolExecutor(os.cpu_count(), spawned, initializer=prepared) as pool:
        for database in asked.only:
            start = time.monotonic()
            found[database] = summary(tallies(pool, database, asked))
            found[database]["seconds"] = round(time.monotonic() - start)
            print(f"{database}: {found[database]['seconds']} s", file=sys.stderr, flush=True)
    return found


def stored(found: dict[str, dict], seed: int) -> dict:
    """The result as it stands in the book."""
    packages = ("torch", "jax", "numpy", "scipy")
    return {
        "script": "conformance/__main__.py",
        "date": date.today().isoformat(),
        "seed": seed,
        "versions": {name: version(name).split("+")[0] for name in packages},
        "databases": found,
    }


def report(found: dict[str, dict], seed: int) -> Iterator[str]:
    """All that is printed."""
    yield f"seed {seed}"
    yield table({DATABASES[name]: result for name, result in found.items()})
    for name, result in found.items():
        for function, why in result["refusals"].items():
            yield f"refused  {name}: {function}: {why}"
    for name, result in found.items():
        whose = "wrong in torch " if name in PEERS else "WRONG "
        yield from (f"{whose} {name}: {fault}" for fault in result["faults"])


def main(words: list[str]) -> int:
    """The status: 1 if anything of the companion is wrong."""
    asked = arguments(words)
    prepared()
    found = tried(asked)
    print("\n".join(report(found, asked.seed)))
    if asked.store:
        STORE.write_text(json.dumps(stored(found, asked.seed), indent=1) + "\n", "utf-8")
    return int(any(result["wrong"] for name, result in found.items() if name not in PEERS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
