"""Networks inside differential equations: time to a given error, companion.pinn beside its peers.

The recipes of companion.problems in float64, one after another, then every peer on the same
problems, each in an environment of its own (peers/run.py); everybody on one core. All have the same
equations, scaled inputs and conditions built into the solution; the optimiser, the widths and the
initial weights are each one's own. The clock starts with the training: compilation counts, importing
does not. One thing more does not count for companion.pinn: what the first step in a process loads of
torch. Its seconds stand in the first table, beside those of single steps. Errors are relative L2 on a
grid; for the inverse problem they are standard errors of least squares.
"""

import subprocess
import sys
from math import inf
from pathlib import Path
from statistics import median

import torch
from networks import one_core
from side_by_side import show

from companion.pinn import MLP, LevenbergMarquardt, run, sampled
from companion.problems import sir
from companion.problems.recipes import RECIPES

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


def error_of(name, solution):
    """The error of a solution, as the peers' is taken."""
    problem = PROBLEMS[name]
    with torch.no_grad():
        if name == "sir_inverse":
            params = solution.trial.params()
            return problem.rates_error(params["beta"].item(), params["gamma"].item())
        return problem.error(solution(torch.from_numpy(problem.grid)).numpy())


def watched(name, seed, limit, enough):
    """The watch of one fit of a recipe, from the call of fit to the limit."""
    now = []

    def look(event):
        now[:] = [event]
        if watch.look():
            event.stop("over")

    watch = Watch(lambda: error_of(name, now[0].solution), limit, enough)
    RECIPES[name].fit(seed, steps=10**9, log_interval=10**9, callbacks=[look])
    return watch  # also of a fit that a NaN has stopped


STEPS = [((21, 20), 300), ((97, 98), 800)]  # widths and points of the steps that are timed, on SIR
FIRST = """
from time import perf_counter
import torch
from companion.pinn import MLP, LevenbergMarquardt, run, sampled
from companion.problems import oscillator
torch.set_num_threads(1)
for _ in range(2):
    problem = oscillator()
    batches, network = sampled(problem.domain), MLP(problem.domain, (30,))
    begun = perf_counter()
    for event in run(problem, network, [LevenbergMarquardt(1)], batches):
        print(1000 * (perf_counter() - begun))
"""


def step_rows():
    """Rows (what, ms): the first step of a process, a first one later, and steps of two sizes."""
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    first, later = map(float, done.stdout.split())
    rows = [["the first step in a process", first], ["the first step of a later fit", later]]
    return rows + [step_row(*sizes) for sizes in STEPS]


def step_row(widths, points, steps=8):
    """The median time of a step but the first, which writes down how J is made."""
    problem = sir()
    network = MLP(problem.domain, widths, outputs=2)
    stages = [LevenbergMarquardt(steps)]
    events = list(run(problem, network, stages, sampled(problem.domain, points)))
    taken = [event.state.seconds - event.before.seconds for event in events]
    size = f"{2 * points} × {len(events[0].state.theta)}"
    return [f"a step on SIR, J is {size}", 1000 * median(taken[1:])]


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
        watches = [watched(name, seed, longest, enough) for seed in SEEDS]
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
    found = run_peer(peer, name, budget=budget, method=method, cores=1)
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
    one_core()
    show("Steps of Levenberg–Marquardt", ["", "ms"], step_rows())
    RECIPES["oscillator"].fit(seed=0, steps=1)  # what the first step loads is not counted below
    headers = ["companion.pinn", "error", "within s", "reached in s", "error then", "worst"]
    headers += ["failures", "ms a step", "target"]
    show(f"companion.pinn, median of {len(SEEDS)} seeds", headers, own_rows())
    headers = ["", "", "1e-4 in s", "target in s", "error at the end", "s", "compiling s", ""]
    for name, title in TITLES.items():
        target = PROBLEMS[name].target
        show(f"{title}: peers, target {target:g}, one seed", headers, peer_rows(name))


if __name__ == "__main__":
    main()
