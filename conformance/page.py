"""The stored run as tables in Markdown, between the marks of chapters/conformance.md."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.verdicts import LONGEST

PAGE = Path(__file__).parent.parent / "chapters" / "conformance.md"
MARK = re.compile(r"(<!-- stored: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
ROWS = {
    "ops": "operators on torch's `op_db`",
    "beyond": "operators on entries of `op_db` that torch cannot differentiate",
    "modules": "operators on torch's `module_db`",
    "jax_jet": "operators and engines on the list of `jax.experimental.jet`",
    "hips": "engines on the names of HIPS autograd",
    "programs": "random programs, blocks of 200, every way",
}


def drawn(text: str, run: dict) -> str:
    """The page with its marked parts written anew."""
    return MARK.sub(lambda m: m[1] + "\n".join(PARTS[m[2]](run)) + "\n" + m[3], text)


def told(run: dict) -> Iterator[str]:
    """When, with which versions, from which seed."""
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    yield f"Run on {run['date']} with {versions}; seed {run['seed']}."


def verdicts(run: dict) -> Iterator[str]:
    """The table: functions, and under them samples."""
    yield "| | tried | right | refused | wrong | at corners only | samples | wrong samples |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for name, what in ROWS.items():
        d = run["databases"][name]
        cells = [d[word] for word in ("tried", "right", "refused", "wrong", "corner")]
        cells += [sum(d["samples"].values()), d["samples"]["wrong"]]
        yield f"| {what} | " + " | ".join(map(str, cells)) + " |"


def refusals(run: dict) -> Iterator[str]:
    """The functions that are refused, under what the refusal says."""
    for name, what in ROWS.items():
        reasons = defaultdict(list)
        for function, why in run["databases"][name]["refusals"].items():
            reasons[sentence(why)].append(function)
        if reasons:
            yield f"\n**{what[0].upper()}{what[1:]}**\n"
        for why, functions in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
            listed = ", ".join(f"`{f}`" for f in functions)
            yield f"- {plain(why)}: {f'in {len(functions)} of them' if name == 'programs' else listed}"


def torch_itself(run: dict) -> Iterator[str]:
    """Where torch is wrong: the first order at which it is, and a sample."""
    first: dict[str, tuple[str, str]] = {}
    for fault in run["databases"]["itself"]["faults"]:
        entry, said = re.match(r"(.+?), seed .+?: (.+)", fault).groups()
        order = re.match(r"order (\d)", said)[1]
        if entry not in first or order < first[entry][0]:
            first[entry] = order, said.partition(": ")[2]
    yield "| function | order | torch says | right |"
    yield "|---|---:|---:|---:|"
    for entry, (order, said) in first.items():
        name = entry.split(" ")[1]
        found, right = said.split(", for ")
        yield f"| `{name.replace('nn_functional_', 'F.')}` | {order} | {found} | {right} |"


def sentence(message: str) -> str:
    """The first sentence of a refusal, without the name of what is refused: it groups its like.

    One that the run cut off ends after a whole word, with three dots.
    """
    kind, said = message.split(": ", 1)
    first, *more = said.split(". ")
    first = first.rstrip(".")
    if len(said) == LONGEST and not more and said[-1].isalnum():
        first = re.sub(r"[,:;]?( and)?( f)?$", "", first.rpartition(" ")[0]) + " ..."
    return f"{kind}: " + re.sub(r"no Taylor rule for \S+?(?=[,:]? )", "no Taylor rule", first)


def plain(message: str) -> str:
    """An error's words as text of a page."""
    return re.sub(r"([*_`\[\]<>|$])", r"\\\1", message)


PARTS: dict[str, Callable[[dict], Iterator[str]]] = {
    "told": told,
    "verdicts": verdicts,
    "refusals": refusals,
    "itself": torch_itself,
}
