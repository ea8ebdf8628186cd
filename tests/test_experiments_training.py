"""experiments/training.py: its states are whole, begin as a run begins, and end where chapter 16 says."""

import numpy as np
import pytest
import torch

from companion.data import stored
from companion.pinn import MLP
from companion.problems import oscillator
from experiments.training import EPIDEMIC, STAGES, TIMES, kept, trained


def test_the_steps_are_dense_at_first_and_reach_the_end():
    assert kept(300)[:4] == [0, 1, 2, 3] and kept(300)[-1] == 300
    for name, runs in (
        ("oscillator", ["alone", "soft", "hard"]),
        ("sir", ["late", "never", "log"]),
    ):
        data, count = stored(f"training_{name}"), sum(stage.steps for stage in STAGES[name])
        for run in runs:
            steps = [state["step"] for state in data[run]]
            assert steps == sorted(set(steps)) and (steps[0], steps[-1]) == (0, count)
            assert steps == [state["step"] for state in data[runs[0]]]  # one slider moves all
            assert {len(state["values"]) for state in data[run]} == {TIMES}


def test_the_first_steps_come_out_again():
    problem, data = oscillator(), stored("training_oscillator")
    times = torch.tensor(data["times"], dtype=torch.float64)[:, None]
    network = MLP(problem.domain, (20, 20), spread=4, seed=0)
    first = lambda y: y[:, 0]
    wanted = [step for step in kept(300) if step < 8]
    found = trained(problem, network, STAGES["oscillator"], wanted, times, first, sampler="grid")
    assert len(found) > 5
    for state, same in zip(found, data["hard"]):
        assert (state["step"], state["stage"]) == (same["step"], same["stage"])
        assert state["loss"] == pytest.approx(same["loss"], rel=1e-2)
        assert state["values"] == pytest.approx(same["values"], abs=5)


def test_the_epidemics_end_as_those_of_the_chapter():
    data, chapter = stored("training_sir"), stored("sir_forward")
    usual = [run for run in chapter["starts"] if (run["infected"], run["days"]) == (0.01, 60)]
    ends = {"late": usual[0], "never": usual[1], "log": chapter["logarithm"][0]}
    truth = EPIDEMIC.solve(np.array(data["times"]))[1]
    assert np.array(data["truth"]) / 1000 == pytest.approx(truth, abs=6e-4)
    for name, run in ends.items():
        assert data[name][-1]["loss"] == pytest.approx(run["loss"], rel=0.02)
        end = np.array(data[name][-1]["values"]) / 1000
        assert (np.abs(end - truth).max() < 0.02) == (run["word"] == "right")
        assert (end.max() > 0.1) == (run["word"] != "never")
