"""What one, two and four processes find, and two of which one is killed: see test_pinn_processes.py."""

import os
import signal
import warnings

import torch
import torch.distributed as dist
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.multiprocessing import start_processes

from companion.pinn import LBFGS, MLP, Adam, Causal, LevenbergMarquardt, fit, state, train
from companion.pinn.linearise import linearised
from companion.pinn.loop import started
from companion.pinn.processes import ALONE, Processes
from companion.pinn.residuals import batch_of
from companion.pinn.stages import At
from companion.problems import oscillator
from tests.fits import inverse

STAGES = {"Adam": Adam(5, lr=1e-2), "LBFGS": LBFGS(5, inner=3)}
# So much damping that rounding in JᵀJ is not seen a thousand times as large in the step.
SOLVED = {
    "cholesky": LevenbergMarquardt(5, damping=0.3),
    "marquardt": LevenbergMarquardt(5, damping=0.3, marquardt=True),
    "qr": LevenbergMarquardt(5, damping=0.3, solver="qr"),
    # Of the iterations the last ones change nothing.
    "cg": LevenbergMarquardt(5, damping=0.3, solver="cg", iterations=20),
}
# Points that two and four processes cannot share evenly, conditions of one point; fewer rows than
# parameters, and more, with unknowns under causal weights.
CASES = {
    "wide": (oscillator(hard=False), 5, None),
    "tall": (inverse(), 21, Causal(epsilon=10.0)),
}
ENDS = {
    "problem": oscillator(hard=False),
    "stages": [Adam(20, lr=1e-2), LBFGS(3), LevenbergMarquardt(15)],
    "options": {"points": 33, "log_interval": 9, "resample": 7, "balance": 10, "progress": False},
}


def network():
    """That of all fits to the end."""
    return MLP(ENDS["problem"].domain, (8,), seed=3)


def measured(processes):
    """{(case, what): tensor}: losses, gradient and its norms, JᵀJ, and a step of each stage."""
    found = {}
    for name, (problem, n, causal) in CASES.items():
        net = MLP(problem.domain, (5,), problem.outputs, seed=1)
        goal = started(problem, net, [Adam(1)], causal, processes=processes)
        theta, batch = goal.trial.theta(), batch_of(problem, problem.domain.points(n))
        losses, found[name, "gradient"] = goal.gradient(theta, batch)
        found[name, "losses"] = torch.stack(list(losses.values()))
        found[name, "norms"] = torch.stack(list(goal.norms(theta, batch)[1].values()))
        j = linearised(goal, theta, batch).jacobian
        found[name, "Gram matrix"] = processes.total(j.T @ j)[0]
        for what, stage in STAGES.items():
            at = At(theta, stage.init(goal, theta, batch), 0)
            with torch.no_grad():
                found[name, what] = stage.step(goal, at, batch, 1)[0].theta - theta
        for what, stage in SOLVED.items():
            damping = stage.init(goal, theta, batch)["damping"]
            line, model = stage.damped_model(goal, theta, batch, damping)
            found[name, what] = model.solve(line.rows) / model.units
    return found


def refused(rank, processes):
    """What is said of a network that is another one in each process."""
    try:
        fit(oscillator(), MLP(oscillator().domain, (4,), seed=rank), [Adam(1)], processes=processes)
    except RuntimeError as error:
        return str(error)


def unwritable(processes, folder):
    """How a fit ends whose checkpoint the first process alone cannot write."""
    if not processes.rank:
        state.write = full_disk
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        options = {"processes": processes, "progress": False, "checkpoint": folder / "none.pt"}
        solution = fit(ENDS["problem"], network(), [Adam(50)], log_interval=5, **options)
    return solution.history.stopped, solution.history.records[-1]["step"], str(heard[-1].message)


def full_disk(path, content, what):
    """Instead of files.write."""
    raise OSError(f"{what} {path}: no space left")


def ended(processes, folder):
    """θ and the last record of a fit to the end, with a checkpoint after every report."""
    net, path = network(), folder / f"{processes.count}.checkpoint"
    options = ENDS["options"] | {"checkpoint": path, "processes": processes}
    solution = fit(ENDS["problem"], net, ENDS["stages"], **options)
    return solution.trial.theta(), solution.history.records[-1]


def work(rank, folder):
    """All of it, by one of four processes."""
    torch.manual_seed(rank)  # what is drawn elsewhere than from its seed differs
    where = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=4)
    groups = {2: Processes(rank, 2, dist.new_group([0, 1])), 4: Processes(rank, 4)}
    here = {count: at for count, at in groups.items() if rank < count}
    found = {
        "measured": {count: measured(at) for count, at in here.items()},
        "ended": {count: ended(at, folder) for count, at in here.items()},
        "refused": refused(rank, groups[4]),
        "unwritable": unwritable(groups[4], folder),
    }
    torch.save(found, folder / f"{rank}.found")
    dist.destroy_process_group()


FIT = """
from pathlib import Path

from tests.shares import ENDS, dies, network as made

problem, network, stages = ENDS["problem"], made(), ENDS["stages"]
options = ENDS["options"] | {"callbacks": [dies(Path(__file__).with_name("killed"))]}
"""


def dies(mark):
    """A callback that kills the second process, once."""

    def die(event):
        if event.step == 33 and os.environ["RANK"] == "1" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def killed(folder):
    """fit.py on two processes, as torchrun --max-restarts=1 starts them, but by a fork."""
    file = folder / "fit.py"
    file.write_text(FIT)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        run_id="fit",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=1,
        monitor_interval=0.1,
        start_method="fork",
    )
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # see processes.joined
    elastic_launch(config, train.main)([str(file)])


def all_of_it(folder):
    """By this process as the one, and by others that it forks; what they say is in two files."""
    for descriptor, name in ((1, "said"), (2, "errors")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), descriptor)
    torch.set_num_threads(1)
    torch.save({"measured": measured(ALONE), "ended": ended(ALONE, folder)}, folder / "one.found")
    start_processes(work, (folder,), nprocs=4, start_method="fork")
    killed(folder)
