"""The doctor: what of the companion and of the book runs here, and what is broken.

    python -m companion           for people
    python -m companion --json    for reports; the keys are those that `examine` documents

Exit status 1 if something is broken: a package that is there but out of bounds, or that cannot be
imported, or another distribution's companion in the place of this one. What is merely not installed
is no fault; the command that installs it is named.
"""

import argparse
import base64
import csv
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import operator
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from itertools import zip_longest
from pathlib import Path

from companion._project import NAME, REPOSITORY, command, installed, requirements, source, version
from companion.data import stored

HERE = Path(__file__).parent
REPAIR = f'pip install --force-reinstall --no-deps "{NAME} @ git+{REPOSITORY}"'

# --- bounds --------------------------------------------------------------------------------------

COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
REQUIREMENT = re.compile(
    r"(?P<package>[\w.-]+)\s*(?P<bounds>[^;]*?)\s*(;\s*extra\s*==\s*[\"'](?P<extra>[\w-]+)[\"']\s*)?"
)
BOUND = re.compile(r"(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Requirement:
    """A package, its bounds as written (">=2.4,<3"), and the extra that asks for it, "" for none."""

    package: str
    bounds: str
    extra: str = ""


def parse(line: str) -> Requirement:
    """A line of the metadata as a Requirement.

    Raises ValueError for a form that this package's metadata does not use.

    >>> parse('torch>=2.4; extra == "pinn"')
    Requirement(package='torch', bounds='>=2.4', extra='pinn')
    """
    found = REQUIREMENT.fullmatch(line)
    bounds = found["bounds"].strip("()").replace(" ", "") if found else ""
    if not found or not all(map(BOUND.fullmatch, filter(None, bounds.split(",")))):
        raise ValueError(
            f"cannot read the requirement {line!r}: expected a name, bounds such as >=2.4,<3 and "
            'at most one marker, extra == "..."'
        )
    return Requirement(found["package"], bounds, found["extra"] or "")


def release(version: str) -> list[int]:
    """The numbers of a version; what follows them (rc1, +cpu) does not count.

    >>> release("2.13.0+cpu")
    [2, 13, 0]
    """
    return [int(part) for part in re.split(r"[^\d.]", version)[0].split(".") if part]


def within(version: str, bounds: str) -> bool:
    """Whether a version meets all bounds; a missing number counts as 0.

    >>> within("2.13.0+cpu", ">=2.4,<3"), within("2", ">=2.0.1"), within("3", "")
    (True, False, True)
    """
    for symbol, bound in BOUND.findall(bounds):
        pairs = list(zip_longest(release(version), release(bound), fillvalue=0))
        if not COMPARISONS[symbol]([v for v, _ in pairs], [b for _, b in pairs]):
            return False
    return True


# --- what is here --------------------------------------------------------------------------------


def found_version(package: str) -> str:
    """The version of a package that can be imported, "" if it says none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(importlib.import_module(package), "__version__", ""))


def look_at(package: str, bounds: str) -> dict:
    """{version, needs, state, error} of a package: state is "ok", "absent", "out of bounds" or
    "broken"; error says why it is broken, "" otherwise.

    >>> look_at("no_such_package", ">=1")
    {'version': '', 'needs': '>=1', 'state': 'absent', 'error': ''}
    """
    if importlib.util.find_spec(package) is None:
        return {"version": "", "needs": bounds, "state": "absent", "error": ""}
    try:
        importlib.import_module(package)
        version, error = found_version(package), ""
    except Exception as caught:  # whatever it is: the report goes on, and names it
        version, error = "", f"{type(caught).__name__}: {caught}"
    fits = within(version, bounds)
    state = "broken" if error else "ok" if fits else "out of bounds"
    return {"version": version, "needs": bounds, "state": state, "error": error}


def look_at_all(needs: list[Requirement]) -> dict[str, dict]:
    """`look_at` of every package; bounds that several extras give are joined."""
    bounds: dict[str, list[str]] = {}
    for need in needs:
        written = bounds.setdefault(need.package, [])
        written += [b for b in need.bounds.split(",") if b and b not in written]
    return {
        package: look_at(package, ",".join(written))
        for package, written in sorted(bounds.items())
        if package != "python"
    }


def extras(needs: list[Requirement], packages: dict[str, dict]) -> dict[str, dict]:
    """{extra: {complete, missing}}: missing are the packages that are not there, or not right."""
    found: dict[str, dict] = {}
    for need in needs:
        if need.extra:
            missing = found.setdefault(need.extra, {"complete": True, "missing": []})["missing"]
            missing += [need.package] if packages[need.package]["state"] != "ok" else []
    return {extra: {**row, "complete": not row["missing"]} for extra, row in found.items()}


def device(packages: dict[str, dict]) -> dict:
    """{chosen, seen, error}: where the chapters will put their tensors, and what torch sees.

    chosen is "" without torch, and when COMPANION_DEVICE names what is not there: see error.
    """
    if packages.get("torch", {"state": "absent"})["state"] in ("absent", "broken"):
        return {"chosen": "", "seen": [], "error": ""}
    import torch

    seen = ["cpu"]
    seen += [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    seen += ["mps"] if torch.backends.mps.is_available() else []
    try:
        from companion.operators.devices import device

        return {"chosen": str(device()), "seen": seen, "error": ""}
    except Exception as caught:  # a wrong COMPANION_DEVICE, or a torch too old for the operators
        return {"chosen": "", "seen": seen, "error": f"{type(caught).__name__}: {caught}"}


def compiler() -> dict:
    """{command, version}: the C++ compiler that torch's inductor calls on a CPU for `compiled=`.

    It is $CXX, or g++ (clang++ on macOS, cl on Windows). version is "" where it cannot be run.
    """
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    name = os.environ.get("CXX") or usual
    try:
        path = shutil.which(name) or name
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20)
        lines = said.stdout.splitlines() if said.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        lines = []
    return {"command": name, "version": lines[0] if lines else ""}


def chapters(costs: dict[str, dict], packages: dict[str, dict]) -> dict[str, dict]:
    """{chapter: {runs, missing, seconds, MiB}}: the costs are those measured when it was written."""
    found = {}
    for name, cost in costs.items():
        missing = [p for p in cost["needs"] if packages.get(p, {}).get("state") != "ok"]
        found[name] = {"runs": not missing, "missing": missing}
        found[name] |= {key: cost[key] for key in ("seconds", "MiB")}
    return found


# --- is it ours? ---------------------------------------------------------------------------------


def other_owners() -> list[str]:
    """The other distributions that bring a package of the name companion, with their versions."""
    found = set()
    for one in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"] or "").lower()
        if name != NAME and any(str(f) == "companion/__init__.py" for f in one.files or []):
            found.add(f"{name} {one.version}")
    return sorted(found)


def overwritten(ours: Distribution) -> list[str]:
    """The files of the package that are not as they were installed: gone, or with other contents.

    RECORD is read here, since from Python 3.12 on `ours.files` passes over what is gone.
    """
    found = []
    for file, written, *_ in csv.reader((ours.read_text("RECORD") or "").splitlines()):
        if file.startswith("companion/") and written:
            path = Path(str(ours.locate_file(file)))
            kind, _, expected = written.partition("=")
            digest = hashlib.new(kind, path.read_bytes() if path.is_file() else b"").digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != expected:
                found.append(file)
    return found


def clash() -> list[str]:
    """What is wrong with the place of the package, in words."""
    others, ours = other_owners(), installed()
    names = " and ".join(others)
    found = [
        f"another distribution brings a package companion too: {names}. One overwrites the other; "
        f"type\n    pip uninstall {' '.join(name.split()[0] for name in others)}\n    {REPAIR}"
    ] * bool(others)
    if not ours:
        bare = "neither pyproject.toml beside it nor an installed distribution says what it needs"
        return found + [f"{HERE} is a bare copy: {bare}; type\n    {REPAIR}"] * (not source())
    if (home := Path(str(ours.locate_file("companion")))).resolve() != HERE.resolve():
        # an editable installation has its files elsewhere, and says so by having none here
        return [*found, f"{HERE} is imported, but {NAME} is installed in {home}"]
    if changed := overwritten(ours):
        found.append(f"not as {NAME} installed it: {', '.join(changed)}; type\n    {REPAIR}")
    return found


# --- the report ----------------------------------------------------------------------------------


def examine() -> dict:
    """All that the doctor finds. The keys are stable:

    companion   {version, where}
    python      {version, needs, state}
    platform    the operating system and its processor
    packages    {package: {version, needs, state, error}}, see `look_at`
    extras      {extra: {complete, missing}}
    device      {chosen, seen, error}
    compiler    {command, version}
    chapters    {chapter: {runs, missing, seconds, MiB}}
    faults      what is broken, in words; the exit status is 1 if there is one
    """
    needs = [parse(line) for line in requirements()]
    packages = look_at_all(needs)
    bounds = next((need.bounds for need in needs if need.package == "python"), "")
    fits = within(platform.python_version(), bounds)
    report = {
        "companion": {"version": version(), "where": str(HERE)},
        "python": {
            "version": platform.python_version(),
            "needs": bounds,
            "state": "ok" if fits else "out of bounds",
        },
        "platform": platform.platform(),
        "packages": packages,
        "extras": extras(needs, packages),
        "device": device(packages),
        "compiler": compiler(),
        "chapters": chapters(stored("costs")["chapters"], packages),
    }
    return report | {"faults": faults(report) + clash()}


def faults(report: dict) -> list[str]:
    """What is out of bounds, cannot be imported, or was chosen and is not there, in words."""
    found = []
    for name, row in {"python": report["python"], **report["packages"]}.items():
        if row["state"] == "out of bounds":
            said = row["version"] or "of an unknown version"
            found.append(f"{name} {said} is here, {name}{row['needs']} is expected")
        elif row["state"] == "broken":
            found.append(f"{name} is installed but cannot be imported: {row['error']}")
    return found + [report["device"]["error"]] * bool(report["device"]["error"])


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of equal length as lines, each column as wide as its widest cell.

    >>> table([("numpy", "2.4.6", "ok"), ("torch", "", "absent")])
    ['numpy  2.4.6  ok', 'torch         absent']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def words(report: dict) -> str:
    """The report for people."""
    packages = {"python": report["python"], **report["packages"]}
    where = report["companion"]
    sections = [
        [f"The Derivative Ladder {where['version']}, {where['where']}, {report['platform']}"],
        table([(n, r["version"] or "–", r["needs"], r["state"]) for n, r in packages.items()]),
        extra_lines(report["extras"]),
        [place(report["device"]), compiler_line(report["compiler"])],
        chapter_lines(report["chapters"]),
        [f"BROKEN: {fault}" for fault in report["faults"]] or ["Nothing is broken."],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def extra_lines(extras: dict[str, dict]) -> list[str]:
    """Each extra: complete, or what it lacks and the command that brings it."""
    return table(
        [
            (f"[{name}]", f"lacks {' '.join(row['missing'])}: {command(name)}")
            if row["missing"]
            else (f"[{name}]", "complete")
            for name, row in extras.items()
        ]
    )


def place(device: dict) -> str:
    """Where tensors would live here."""
    if not device["seen"]:
        return "device    none: torch cannot be used here"
    return f"device    {device['chosen'] or 'none'}; torch sees {', '.join(device['seen'])}"


def compiler_line(compiler: dict) -> str:
    """The C++ compiler, or what to set where there is none."""
    missing = "not found; compiled= needs a C++ compiler, the variable CXX names it"
    return f"compiler  {compiler['command']}: {compiler['version'] or missing}"


def chapter_lines(chapters: dict[str, dict]) -> list[str]:
    """Which chapters run here, with their measured costs."""
    runs = sum(row["runs"] for row in chapters.values())
    rows = [
        (
            name,
            f"{row['seconds']:3d} s",
            f"{row['MiB']:4d} MiB",
            f"needs {' '.join(row['missing'])}" if row["missing"] else "runs",
        )
        for name, row in chapters.items()
    ]
    return [
        f"{runs} of {len(rows)} chapters run here; what each takes was measured on two cores:",
        *table(rows),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the report; 1 if something is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m companion",
        description="What of the companion and of the book runs here, and what is broken.",
        epilog=inspect.getdoc(examine),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="the same, for programs")
    as_json = parser.parse_args(arguments).json
    report = examine()
    print(json.dumps(report, indent=2) if as_json else words(report))
    return bool(report["faults"])


if __name__ == "__main__":
    sys.exit(main())
