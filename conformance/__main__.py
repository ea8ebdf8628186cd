"""Every function of the lists, every way: `make conformance`, or python -m conformance.

    python -m conformance                        all, with the seed 0
    python -m conformance --only ops jax_jet     these databases alone
    python -m conformance --only ops --entries sin       one line again, here, in this process
    python -m conformance --programs 1000        so many random programs
    python -m conformance --seed 7               other samples
    python -m conformance --store                keep the result for the book, companion/data/conformance.json

Prints a table, why what is refused is refused, and every fault with its sample; exits 1 if anything is
wrong. `itself` is torch's own judgement day: what is wrong there is a finding, and no fault of ours.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from conformance.page import PAGE, drawn
from conformance.pool import entry, prepared, processes
from conformance.verdicts import summary, table

DATABASES = {
    "ops": "operators on op_db of torch",
    "beyond": "what torch only evaluates",
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
    parser.add_argument("--entries", nargs="+", default=[])
    parser.add_argument("--programs", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", action="store_true")
    asked = parser.parse_args(words)
    if asked.store and (asked.entries or asked.only != list(DATABASES)):
        parser.error("--store keeps a whole run: leave out --only and --entries")
    return asked


def tried(asked: argparse.Namespace) -> dict[str, dict]:
    """{database: its summary}; a few entries by name need no processes."""
    found = {}
    with nullcontext() if asked.entries else processes() as pool:
        for database in asked.only:
            start, names = time.monotonic(), chosen(database, asked)
            mapped = pool.map if pool else map
            tallies = mapped(entry, [database] * len(names), names, [asked.seed] * len(names))
            found[database] = summary(tallies)
            found[database]["seconds"] = round(time.monotonic() - start)
            print(f"{database}: {found[database]['seconds']} s", file=sys.stderr, flush=True)
    return found


def chosen(database: str, asked: argparse.Namespace) -> list[str]:
    """The entries that were asked for by name, or all."""
    module = import_module(f"conformance.{database}")
    names = module.names(asked.programs) if database == "programs" else module.names()
    unknown = [name for name in asked.entries if name not in names]
    if unknown:
        near = get_close_matches(unknown[0], names) or names[:3]
        raise SystemExit(f"{database} has no entry {unknown[0]!r}; did you mean {', '.join(near)}?")
    return asked.entries or names


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


def report(found: dict[str, dict]) -> Iterator[str]:
    """All that is printed."""
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
    print(f"seed {asked.seed}", flush=True)
    found = tried(asked)
    print("\n".join(report(found)))
    if asked.store:
        run = stored(found, asked.seed)
        STORE.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", "utf-8")
        PAGE.write_text(drawn(PAGE.read_text("utf-8"), run), "utf-8")
    return int(any(result["wrong"] for name, result in found.items() if name not in PEERS))


if __name__ == "__main__":
    prepared()
    sys.exit(main(sys.argv[1:]))
