"""Between two reports no value is looked at, so a GPU never waits: counted in torch's dispatcher."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from companion.pinn import LBFGS, MLP, Adam, Batches, LevenbergMarquardt, refined, run, sampled
from companion.pinn.parts import Guard
from companion.problems import oscillator
from tests.fits import inverse, train

LOOKS = torch.ops.aten._local_scalar_dense.default


class Waits(TorchDispatchMode):
    """How often a value of a tensor is asked for: .item(), float(…), if …, bool(…)."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += operation is LOOKS
        return operation(*args, **(kwargs or {}))


def waits(stage, make=lambda: oscillator(hard=False), source=None, warm=3, dtype=torch.float64):
    """How often a value is looked at in each step after the first ones, as fit makes them."""
    problem, found, guard = make(), [], None
    net = MLP(problem.domain, (8,), problem.outputs).to(dtype)
    events = run(problem, net, [stage], source or sampled(problem.domain, 16))
    for _ in range(warm):
        event = next(events)
    guard = Guard(event.state, None)
    for _ in range(stage.steps - warm - 1):
        with Waits() as seen:
            event = next(events)
            guard.add(event)
        found.append(seen.count)
    return found


LEAST, MOST = 100, 1000  # of LBFGS in a step of five iterations: 160 at first, 520 with memory

STAGES = {
    "Adam": Adam(12),
    "LevenbergMarquardt": LevenbergMarquardt(12),
    "marquardt": LevenbergMarquardt(12, marquardt=True),
    "qr": LevenbergMarquardt(12, solver="qr"),
    "cg": LevenbergMarquardt(12, solver="cg", iterations=5),
}


@pytest.mark.parametrize("make", [lambda: oscillator(hard=False), lambda: inverse(11)])
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_between_two_reports_nothing_is_looked_at(stage, make):
    assert waits(stage, make) == [0] * 8


@pytest.mark.parametrize("stage", [Adam(12), LevenbergMarquardt(12)])
def test_in_float32_too(stage):
    assert waits(stage, dtype=torch.float32) == [0] * 8


def test_where_no_points_are_drawn_nothing_is_looked_at():
    source = Batches(lambda number, squares: oscillator().domain.points(16, "uniform", number), 2)
    assert sorted(waits(Adam(12), source=source))[:4] == [0] * 4  # but for every second step


def test_refined_points_look_once_where_they_are_drawn():
    """Where the residual is large, and no NaN: torch.multinomial draws on the CPU."""
    found = waits(Adam(12), source=refined(oscillator().domain, 16, every=4))
    assert sum(count > 0 for count in found) <= 2


def test_lbfgs_looks_some_hundred_times_in_a_step_of_five_iterations():
    """It is torch's: its line search chooses by values, and each remembered pair costs two looks."""
    found = waits(LBFGS(12, inner=5))
    assert all(LEAST <= count <= MOST for count in found), found


def test_a_report_does_look_so_the_count_can_be_another():
    with Waits() as seen:
        train([Adam(1)])
    assert seen.count > 5
    with Waits() as seen:
        assert torch.ones(()).item() == 1.0
    assert seen.count == 1
