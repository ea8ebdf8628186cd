"""Networks inside differential equations: time to a given error, companion.pinn beside its peers.

The recipes of companion.pinn.recipes in float64, one after another, then every peer on the same
problems, each in an environment of its own (peers/run.py). All have the same equations, scaled inputs
and conditions built into the solution; the optimiser, the widths and the initial weights are each
one's own. The clock starts with the training: compilation counts, importing does not. One thing more
does not count for companion.pinn: its first step in a process loads torch's function transforms; the
seconds are printed on the first line. Errors are relative L2 on a grid; for the inverse problem they
are standard errors of least squares.
"""

import sys
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from side_by_side import show

from companion.pinn import GaussNewton, fit
from companion.pinn.recipes import RECIPES

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from problems import PROBLEMS
from run import METHODS, run_peer
from watch import Watch

SEEDS = (0, 1, 2)
GOALS = [  # problem, error, within so many seconds
    ("oscillator", 1e-6, 3),
    ("oscillator_long", 1e-4, 30),
    ("poisson_interval", 1e-6, 2),
    ("poisson_square", 1e-6, 4),
    ("sir", 1e-4, 5),
    ("sir", 1e-6, 40),
    ("sir_inverse", 2.0, 15),
]
BUDGETS = {"oscillator_long": 15.0, "sir": 15.0}  # of a peer; the other problems: 10 s
TITLES = {
    "oscillator": "y″ + y = 0 on [0, 2π]",
    "oscillator_long": "y″ + y = 0 on [0, 10π]",
    "poisson_interval": "Poisson 1D",
    "poisson_square": "Poisson 2D",
    "sir": "SIR, 160 days",
    "sir_inverse": "SIR inverse (standard errors)",
}


class Over(Exception):
    """The time is up, or the error small enough."""


@dataclass(frozen=True)
class Watched:
    """GaussNewton until look(trial), called after every step, says that it is over."""

    damping: float
    look: object
    steps: int = 10**9

    def begin(self, objective):
        stepper = GaussNewton(self.steps, self.damping).begin(objective)
        step = stepper.step

        def watched(number):
            terms = step(number)
            if self.look(objective.trial):
                raise Over
            return terms

        stepper.step = watched
        return stepper


def error_of(name, trial):
    """The error of a trial, as the peers' is taken."""
    problem = PROBLEMS[name]
    with torch.no_grad():
        if name == "sir_inverse":
            rates = trial.unknowns()
            return problem.rates_error(rates["beta"].item(), rates["gamma"].item())
        return problem.error(trial(torch.from_numpy(problem.grid)).numpy())


def run(name, seed, limit, enough):
    """The watch of one fit of a recipe, from the call of fit to the limit."""
    recipe, trials = RECIPES[name], []
    problem = recipe.problem()
    network = recipe.network(problem, seed)

    def look(trial):
        trials.append(trial)
        return watch.look()

    watch = Watch(lambda: error_of(name, trials[-1]), limit, enough)
    with suppress(Over):
        fit(
            problem,
            network,
            [Watched(recipe.damping, look)],
            points=recipe.points,
            sampler=recipe.sampler,
            seed=seed,
            report=10**9,
            progress=False,
        )
    return watch  # also of a fit that a NaN has stopped


def warm_up():
    """Seconds of a first step in this process: torch loads its function transforms once."""
    begun = perf_counter()
    RECIPES["oscillator"].fit(seed=0, steps=1)
    first, begun = perf_counter() - begun, perf_counter()
    RECIPES["oscillator"].fit(seed=0, steps=1)
    return first - (perf_counter() - begun)


def median_of(seconds):
    """The median, where a run that never got there counts as the slowest; None if most did not."""
    middle = median(inf if s is None else s for s in seconds)
    return None if middle == inf else middle


def own_rows():
    """A row for each goal: companion.pinn, all seeds."""
    rows = []
    for name in TITLES:
        goals = [(target, limit) for n, target, limit in GOALS if n == name]
        exact = PROBLEMS[name]
        _ = exact.best if name == "sir_inverse" else exact.exact  # not part of a fit
        longest = max(limit for _, limit in goals)
        smallest = min(target for target, _ in goals)
        enough = 0.0 if name == "sir_inverse" else smallest / 10
        watches = [run(name, seed, longest, enough) for seed in SEEDS]
        rows += [own_row(name, *goal, watches) for goal in goals]
    return rows


def own_row(name, target, limit, watches):
    reached = [watch.reached(target) for watch in watches]
    failures = sum(t is None or t > limit for t in reached)
    errors = [watch.at(limit) for watch in watches]
    typical = median_of(reached)
    met = typical is not None and typical <= limit
    step = median(1e3 * watch.curve[-1][0] / watch.steps for watch in watches)
    return [
        TITLES[name],
        target,
        limit,
        typical,
        median(errors),
        max(errors),
        f"{failures} of {len(watches)}",
        step,
        "met" if met else "MISSED",
    ]


def peer_rows(name):
    """A row for each peer and method on one problem."""
    return [peer_row(name, peer, method) for peer, methods in METHODS.items() for method in methods
            if (peer, method) != ("jinns", "Adam")]  # fmt: skip


def peer_row(name, peer, method):
    budget, target = BUDGETS.get(name, 10.0), PROBLEMS[name].target
    found = run_peer(peer, name, budget=budget, method=method)
    if "failed" in found:
        return [peer, method, None, None, None, None, None, found["failed"][:70]]
    reached = found["reached"]
    return [
        peer,
        method,
        reached.get("0.0001"),
        reached[f"{target:g}"],
        found["error"],
        found["seconds"],
        found["compile_s"] or None,
        "",
    ]


def main():
    print(f"\nFirst step of GaussNewton in a process: {warm_up():.1f} s more, not counted below")
    headers = ["companion.pinn", "error", "within s", "reached in s", "error then", "worst"]
    headers += ["failures", "ms a step", "target"]
    show(f"companion.pinn, median of {len(SEEDS)} seeds", headers, own_rows())
    headers = ["", "", "1e-4 in s", "target in s", "error at the end", "s", "compiling s", ""]
    for name, title in TITLES.items():
        target = PROBLEMS[name].target
        show(f"{title}: peers, target {target:g}, one seed", headers, peer_rows(name))


if __name__ == "__main__":
    main()
