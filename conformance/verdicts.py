"""What came of the samples of one function, and of all functions of a database: the table."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from conformance.oracle import Finding

REFUSALS = (
    NotImplementedError,
    TypeError,
    ValueError,
    RuntimeError,
)  # another error is a fault of ours
LONGEST = 160  # characters of a refusal that are kept
ORDER = ("wrong", "refused", "right", "corner")  # a function is the first of these that occurs


@dataclass
class Tally:
    """The samples of one function: how many came to what, why refused, and what shows a fault."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The worst of its samples; "untried" without any."""
        return next((word for word in ORDER if self.counts[word]), "untried")

    def add(self, sample: str, look: Callable[[], Finding]) -> None:
        """Judge a sample; what the companion refuses is counted, with the first line that it says."""
        try:
            finding = look()
        except REFUSALS as error:
            self.counts["refused"] += 1
            self.reasons[reason(error)] += 1
            return
        self.counts[finding.verdict] += 1
        if finding.verdict == "wrong":
            self.faults.append(f"{self.name}, {sample}: {finding.detail}")


def reason(error: Exception) -> str:
    """The type of an error and the first line, or sentence, of its message."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:LONGEST]}"


def summary(tallies: Iterable[Tally]) -> dict:
    """One database as plain data: functions by verdict, samples by verdict, and the exceptions."""
    tallies = list(tallies)
    functions, samples = Counter(t.verdict for t in tallies), Counter()
    for tally in tallies:
        samples.update(tally.counts)
    return {
        "tried": len(tallies) - functions["untried"],
        **{word: functions[word] for word in ("right", "refused", "wrong", "corner", "untried")},
        "samples": {word: samples[word] for word in ("right", "refused", "wrong", "corner")},
        "refusals": {
            t.name: t.reasons.most_common(1)[0][0] for t in tallies if t.verdict == "refused"
        },
        "faults": [fault for t in tallies for fault in t.faults],
    }


def table(summaries: dict[str, dict]) -> str:
    """A line for each database."""
    head = f"{'':34} {'tried':>7} {'right':>7} {'refused':>8} {'wrong':>6} {'corner':>7}   samples"
    lines = [
        f"{name:34} {s['tried']:7} {s['right']:7} {s['refused']:8} {s['wrong']:6} {s['corner']:7}"
        f"   {s['samples']['right']} right, {s['samples']['refused']} refused, "
        f"{s['samples']['wrong']} wrong, {s['samples']['corner']} at corners"
        for name, s in summaries.items()
    ]
    return "\n".join([head, *lines])
