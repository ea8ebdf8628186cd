"""experiments/flattened_sine.py: its stored sweep is complete, starts as the chapter does, and ends
where theory says."""

import json

import pytest
import torch

from companion.pinn import batch_of, residuals
from experiments.flattened_sine import (
    DISTANCES,
    OTHERS,
    RESULT,
    SEEDS,
    STEPS,
    WEIGHTS,
    activation,
    experiment,
    forum_problem,
)

CASES = (
    {("ReLU", weight, None) for weight in WEIGHTS}
    | {("Tanh", weight, None) for weight in WEIGHTS}
    | {("ReLU", 1.0, d) for d in DISTANCES}
    | {("ReLU", weight, 0.5) for weight in (0.1, 10.0, 100.0)}
    | {(bend, 1.0, None) for bend in OTHERS}
    | {("Sine", weight, None) for weight in (1.0, 100.0)}
    | {("SIREN", 0.0, None), ("SIREN", 1.0, None), ("SIREN", 1.0, 1.0), ("Tanh", 100.0, 0.5)}
)


@pytest.fixture(scope="module")
def names():
    return experiment()


@pytest.fixture(scope="module")
def record():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def heights(record, network, weight, d=None):
    asked = {"network": network, "weight": weight, "d": d}
    return [run["amplitude"][-1] for run in record["runs"] if asked.items() <= run.items()]


def test_every_setting_is_stored_once_for_every_seed_and_to_the_end(record):
    stored = [(r["network"], r["weight"], r["d"], r["seed"]) for r in record["runs"]]
    assert sorted(stored, key=str) == sorted(
        ((*case, seed) for case in CASES for seed in SEEDS), key=str
    )
    assert all(run["steps"][-1] == STEPS for run in record["runs"])
    told = [(q["dtype"], q["seed"]) for q in record["quasi_newton"]]
    assert told == [(t, s) for t in ("float32", "float64") for s in SEEDS]


@pytest.mark.parametrize(
    ("bend", "weight", "d"),
    [("ReLU", 1.0, None), ("ReLU", 10.0, 0.5), ("Tanh", 10.0, None), ("Sine", 100.0, None)],
)
def test_the_stored_runs_start_as_the_chapter_does(names, record, bend, weight, d):
    nets = [names["network"](activation(names, bend), seed) for seed in SEEDS]
    second = names["by_difference"](d) if d else names["by_autograd"]
    f, parameters = names["together"](nets)
    asked = {"network": bend, "weight": weight, "d": d}
    runs = [run for run in record["runs"] if asked.items() <= run.items()]
    untrained, _ = names["amplitudes_and_errors"](f(names["x"].expand(len(SEEDS), -1, -1)).detach())
    assert untrained == pytest.approx([run["amplitude"][0] for run in runs], rel=1e-3)
    # ten steps of the schedule of STEPS: stop the long run at its first look
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    points = names["x"].expand(len(SEEDS), -1, -1)
    for _ in range(10):
        optimizer.zero_grad()
        fit, equation = names["terms"](f, points, second)
        (fit + weight * equation).sum().backward()
        optimizer.step()
        fall.step()
    found, _ = names["amplitudes_and_errors"](f(points).detach())
    assert found == pytest.approx([run["amplitude"][1] for run in runs], rel=2e-2, abs=2e-3)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_straight_lines_end_on_the_theory(record, weight):
    found = heights(record, "ReLU", weight)
    assert found == pytest.approx([1 / (1 + weight)] * len(SEEDS), rel=2e-2)


def test_kinks_are_seen_by_a_wide_difference_and_missed_by_a_narrow_one(record):
    assert min(heights(record, "ReLU", 1.0, 0.5)) > 0.97
    assert max(heights(record, "ReLU", 1.0, 0.01)) < 0.55


def test_at_a_large_weight_adam_is_late_and_one_seed_stays_low(record):
    assert [q["seed"] for q in record["quotient"]] == list(SEEDS)
    adam, after = ([q["heights"][s] for q in record["quotient"]] for s in ("Adam", "LBFGS"))
    assert adam == pytest.approx(heights(record, "ReLU", 100.0, 0.5), abs=0.01)
    assert sorted(height > 0.9 for height in after) == [False, True, True]


def test_the_chapters_lbfgs_lowers_the_loss_it_is_given(names):
    second, points = names["by_difference"](0.5), names["x"][None]
    f, parameters = names["together"]([names["network"](torch.nn.ReLU, 0)])

    def loss():
        fit, equation = names["terms"](f, points, second)
        return (fit + 100 * equation).item()

    before = loss()
    names["lbfgs"](f, parameters, 100.0, second, 5)
    assert loss() < 0.5 * before


def test_what_bends_keeps_the_sine(record):
    assert heights(record, "LeakyReLU", 1.0) == pytest.approx([0.5] * len(SEEDS), abs=0.01)
    for bend in ("ELU", "Softplus", "SiLU", "GELU", "Tanh", "Sine"):
        assert min(heights(record, bend, 1.0)) > 0.95, bend


def test_the_network_of_a_stack_is_the_network_alone(names):
    nets = [names["network"](torch.nn.Tanh, seed) for seed in SEEDS]
    stacked, _, _ = names["train"](nets, [0.0, 1.0, 10.0], names["by_autograd"], 20)
    for k, weight in enumerate((0.0, 1.0, 10.0)):
        alone, _, _ = names["train"]([nets[k]], [weight], names["by_autograd"], 20)
        assert alone[-1][1][0] == pytest.approx(stacked[-1][1][k], rel=1e-9)


def test_the_problem_of_the_companion_has_the_chapters_terms(names):
    problem, x = forum_problem(10.0), names["x"].cpu()
    net = names["network"](torch.nn.Tanh, 0).cpu()
    fit, equation = names["terms"](net, x, names["by_autograd"])
    rows = residuals(problem, {"u": net}, batch_of(problem, x))
    found = {name: r.square().mean().item() for name, (r, _) in rows.items()}
    assert found == pytest.approx({"equation": equation.item(), "fit": fit.item()}, rel=1e-9)
