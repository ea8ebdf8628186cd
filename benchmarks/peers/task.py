"""What a peer's script is told, and the one line of JSON that it answers.

python peers/with_jax.py --method LM --problem sir --seed 0 --budget 15
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from problems import PROBLEMS
from watch import Watch

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
SETTINGS = {  # hidden widths and points, for the peers with networks of their own
    "oscillator": ((20, 20), 64),
    "oscillator_long": ((40, 40), 256),
    "poisson_interval": ((20, 20), 64),
    "poisson_square": ((20, 20), 400),
    "sir": ((20, 20), 200),
    "sir_inverse": ((20, 20), 128),
    "sir_raw": ((20, 20), 200),
    "sir_step": ((32, 32, 32), 256),
}
WARM_UP = 0.25  # the part of the budget that Adam gets before L-BFGS


@dataclass
class Task:
    """One run: the problem by name, the seed, and seconds, or at most so many steps, to train."""

    name: str
    seed: int
    budget: float
    steps: float = float("inf")
    watch: Watch = field(init=False)
    solution: Callable = field(init=False)
    more: dict = field(default_factory=dict)  # what else is said in the record

    @property
    def problem(self):
        return PROBLEMS[self.name]

    @property
    def settings(self):
        """(hidden widths, points)."""
        return SETTINGS[self.name]

    @property
    def inverse(self):
        """Are β and γ unknown, and data given?"""
        return self.name == "sir_inverse"

    @property
    def timing(self):
        """Is only the time of a step of Adam asked for, in float32?"""
        return self.name == "sir_step"

    def begin(self, solution, rates=None, every=0.1):
        """Start the watch. solution(x (n, d)) → u (n, k) in NumPy; rates() → (β, γ)."""
        problem = self.problem

        def error():
            if self.inverse:
                return problem.rates_error(*rates())
            return problem.error(np.asarray(solution(problem.grid)))

        error(), problem.grid  # what is computed once is not timed
        enough = 0.0 if self.timing or self.inverse else problem.target / 10
        every = 0.5 if self.timing else every
        self.solution = solution
        self.watch = Watch(error, self.budget, enough, every, self.steps)
        return self.watch


def answer(methods):
    """Read the command line, run methods[name](task), print its record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=methods, default=next(iter(methods)))
    parser.add_argument("--problem", choices=PROBLEMS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget", type=float, default=15.0)
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args()
    task = Task(asked.problem, asked.seed, asked.budget, asked.steps or float("inf"))
    methods[asked.method](task)
    more = task.more | task.problem.more(task.solution)
    print("\n" + json.dumps(vars(asked) | record(task) | more), flush=True)


def record(task):
    """The figures of a finished run."""
    watch, target = task.watch, task.problem.target
    seconds, error = watch.curve[-1]
    targets = TARGETS if not task.inverse else (target,)
    return {
        "error": error,
        "seconds": seconds,
        "steps": watch.steps,
        "step_us": 1e6 * (seconds - watch.compiled) / max(watch.steps, 1),
        "compile_s": watch.compiled,
        "reached": {f"{t:g}": watch.reached(t) for t in targets},
    }
