"""Checkpoints: resumed to the same bits; a file that does not fit, or cannot be written."""

import dataclasses
import os
import pickle
import signal
from datetime import timedelta

import pytest
import torch

from companion import torch_private
from companion.pinn import (
    LBFGS,
    MLP,
    Adam,
    Batches,
    Causal,
    Condition,
    Fourier,
    LevenbergMarquardt,
    Problem,
    Unknown,
    fit,
    grown,
    refined,
    sampled,
)
from companion.problems import oscillator
from tests.fits import LINE, bits, decay, inverse, train
from tests.processes import FORKED

SOFT = oscillator(hard=False)
STAGES = {
    "Adam": [Adam(12)],
    "compiled": [Adam(12, compiled=3)],
    "LBFGS": [LBFGS(8, inner=3)],
    "LevenbergMarquardt": [LevenbergMarquardt(8)],
    "qr": [LevenbergMarquardt(8, solver="qr", marquardt=True)],
    "cg": [LevenbergMarquardt(8, solver="cg", iterations=20)],
    "a mixture": [Adam(5), LBFGS(4, inner=3), LevenbergMarquardt(3), Adam(4)],
}
BOX = decay().domain
OPTIONS = {
    "plain": {},
    "moving": {"resample": 2, "balance": 3},
    "float32": {"float32": True},
    "causal": {"causal": Causal("t", 1e-3)},
    "refined": {"points": refined(BOX, 16, every=2)},
    "grown": {"points": grown(BOX, 16, every=3, more=2)},
    "mini-batches": {"points": Batches(lambda number, squares: BOX.points(16), 1, {"data": 2})},
}


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    """The graph of compiled steps run operation by operation."""
    monkeypatch.setattr(torch_private, "program", lambda module, inputs: module)


def fitted(stages, net_seed=0, float32=False, **rest):
    problem = decay()
    net = MLP(problem.domain, (8,), seed=net_seed)
    return train(stages, problem, net.float() if float32 else net, **rest)


def without_time(solution):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in solution.history.records]


def pressing(step):
    """A callback that presses Ctrl-C during a step."""

    def press(event):
        if event.before.step < step <= event.step:
            signal.raise_signal(signal.SIGINT)

    return press


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_interrupted_and_resumed_is_uninterrupted_to_the_bit(stages, options, tmp_path):
    path = tmp_path / "fit.pt"
    whole, all_of_it = fitted(stages, **options)
    with pytest.warns(UserWarning, match="stopped early: interrupted after step [46]"):
        part, first = fitted(stages, checkpoint=path, callbacks=[pressing(3)], **options)
    assert 3 < first.history.records[-1]["step"] < sum(s.steps for s in stages)
    assert not torch.equal(bits(part), bits(whole))
    resumed, again = fitted(stages, net_seed=99, checkpoint=path, **options)
    assert torch.equal(bits(resumed), bits(whole)) and again.history.stopped is None
    assert without_time(again)[-1] == without_time(all_of_it)[-1]


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_every_step_is_one_to_resume_from(stages, tmp_path):
    """A checkpoint after each record, the fit begun again from each of them."""
    whole, _ = fitted(stages, resample=5)
    kept = []

    path = tmp_path / "fit.pt"

    def keep(event):
        if path.exists():
            kept.append(path.read_bytes())

    fitted(stages, resample=5, log_interval=3, checkpoint=path, callbacks=[keep])
    files = list(dict.fromkeys(kept))
    assert len(files) >= 2
    for content in files:
        path.write_bytes(content)
        resumed, _ = fitted(stages, net_seed=5, resample=5, checkpoint=path)
        assert torch.equal(bits(resumed), bits(whole))


def test_unknowns_are_resumed_too_and_stages_may_follow(tmp_path):
    path, stages = tmp_path / "fit.pt", [Adam(6), LevenbergMarquardt(4)]
    whole = train(stages, inverse())[1]
    train(stages[:1], inverse(), checkpoint=path)
    resumed = train(stages, inverse(), net_seed=4, checkpoint=path)[1]
    assert resumed.history.unknowns == whole.history.unknowns
    finished = train(stages, inverse(), checkpoint=path)[1]
    assert finished.history.unknowns == whole.history.unknowns
    assert len(finished.history.records) == len(resumed.history.records)


@pytest.fixture(scope="module")
def balanced():
    """The parameters of a whole fit with moving points and weights."""
    return bits(fitted(STAGES["a mixture"], resample=4, balance=3)[0])


@pytest.mark.parametrize("interval", [1, 4, 7, 100, timedelta(microseconds=1), timedelta(hours=1)])
def test_another_interval_between_records_is_the_same_fit(interval, balanced, tmp_path):
    stages, path = STAGES["a mixture"], tmp_path / "fit.pt"
    fitted(stages[:2], resample=4, balance=3, checkpoint=path, log_interval=interval)
    resumed, _ = fitted(stages, resample=4, balance=3, checkpoint=path, log_interval=5)
    assert torch.equal(bits(resumed), balanced)


@pytest.mark.parametrize(
    "make", [LBFGS, LevenbergMarquardt, lambda steps: Adam(steps, 1e-2, False)]
)
def test_more_steps_of_a_stage_are_the_same_fit_longer(make, tmp_path):
    path = tmp_path / "fit.pt"
    whole, _ = fitted([make(9)])
    fitted([make(4)], checkpoint=path)
    longer, solution = fitted([make(9)], checkpoint=path)
    assert solution.history.records[-1]["step"] == 9
    assert torch.equal(bits(longer), bits(whole))


def part_of_a_fit(seed, count, path):
    """The first stages of a fit, in a process of its own."""
    problem = oscillator(hard=False)
    net = MLP(problem.domain, (8,), seed=seed)
    stages = STAGES["a mixture"][:count]
    fit(problem, net, stages, points=16, progress=False, resample=3, checkpoint=path)
    torch.save([p.detach() for p in net.parameters()], f"{path}.bits")


def test_another_process_goes_on_to_the_same_bits(tmp_path):
    found = {}
    for name, counts in {"whole": (4,), "parts": (2, 4)}.items():
        for seed, count in enumerate(counts):
            arguments = seed, count, str(tmp_path / name)
            process = FORKED.Process(target=part_of_a_fit, args=arguments)
            process.start()
            process.join()
            assert process.exitcode == 0
        found[name] = torch.load(tmp_path / f"{name}.bits")
    assert all(torch.equal(a, b) for a, b in zip(found["whole"], found["parts"], strict=True))


# --- files that do not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 3}, "seed 0 there, 3 here"),
        ({"points": 17}, "points 16 there, 17 here"),
        ({"sampler": "latin"}, "sampler 'sobol' there, 'latin' here"),
        ({"resample": 2}, "resample 0 there, 2 here"),
        ({"stages": [Adam(4, lr=1e-2)]}, r"stages \['Adam\(lr=0.001.* there, .*lr=0.01"),
        ({"stages": [LBFGS(4)]}, "stages .* there, .*LBFGS"),
        ({"causal": Causal("t")}, "causal None there, Causal.* here"),
        ({"balance": 2}, "balance 0 there, 2 here"),
        ({"method": "taylor"}, "method None there, 'taylor' here"),
        ({"points": sampled(oscillator().domain, 16)}, "points 16 there, sampled.* here"),
        ({"points": torch.zeros(16, 1)}, r"points 16 there, points \(16, 1\), \w+ here"),
    ],
)
def test_the_checkpoint_of_another_fit_is_refused_with_what_differs(other, message, tmp_path):
    path = tmp_path / "fit.pt"
    train([Adam(4)], checkpoint=path)
    before, net = path.read_bytes(), MLP(oscillator().domain, (8,), seed=5)
    started = bits(net)
    with pytest.raises(ValueError, match=f"is the checkpoint of another fit: .*{message}"):
        train(**{"stages": [Adam(4)], "checkpoint": path, "net": net} | other)
    assert path.read_bytes() == before and torch.equal(bits(net), started)


GRID = oscillator().domain.points(16, "grid")


def source(rows):
    return Batches(lambda number, squares: GRID, 1, rows)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GRID, 0.5 * GRID),
        (source({"start": 1}), source({})),
        (source({}), sampled(SOFT.domain, 16)),
    ],
    ids=["points of the same shape", "other mini-batches", "another source"],
)
def test_the_checkpoint_of_a_fit_at_other_points_is_refused(one, other, tmp_path):
    path = tmp_path / "fit.pt"
    train([Adam(2)], SOFT, points=one, checkpoint=path)
    with pytest.raises(ValueError, match=r"is the checkpoint of another fit: .*points|source|rows"):
        train([Adam(4)], SOFT, points=other, checkpoint=path)


OTHER_PROBLEMS = {
    "hard": (oscillator(), "equation is another one; slope is another one; start is another one"),
    "longer": (oscillator(9.0, hard=False), "slope is another one"),
    "a coefficient": (
        dataclasses.replace(SOFT, residual=lambda u, t: u(0, 0) + 1.01 * u()),
        "fit: equation is another one. Give",
    ),
    "a small term": (
        dataclasses.replace(SOFT, residual=lambda u, t: 1.01 * u(0, 0) + u()),
        "fit: equation is another one. Give",
    ),
    "equation": (
        dataclasses.replace(SOFT, residual=lambda u, t: u(0, 0) + 2 * u()),
        "fit: equation is another one. Give",
    ),
    "weight": (
        dataclasses.replace(
            SOFT,
            conditions=(dataclasses.replace(SOFT.conditions[0], weight=7.0), SOFT.conditions[1]),
        ),
        "fit: start is another one. Give",
    ),
    "value": (
        dataclasses.replace(
            SOFT,
            conditions=(dataclasses.replace(SOFT.conditions[0], values=0.1), SOFT.conditions[1]),
        ),
        "fit: start is another one. Give",
    ),
    "name": (
        dataclasses.replace(
            SOFT, conditions=(SOFT.conditions[0], dataclasses.replace(SOFT.conditions[1], name="a"))
        ),
        "a is another one; slope is another one",
    ),
}


@pytest.mark.parametrize(("other", "message"), OTHER_PROBLEMS.values(), ids=OTHER_PROBLEMS)
def test_the_checkpoint_of_another_problem_is_refused(other, message, tmp_path):
    path = tmp_path / "fit.pt"
    train([Adam(4)], SOFT, checkpoint=path)
    net = MLP(other.domain, (8,), seed=5)
    before = bits(net)
    with pytest.raises(ValueError, match=message):
        train([Adam(4)], other, net, checkpoint=path)
    assert torch.equal(bits(net), before)


def test_one_datum_of_many_is_enough_to_be_another_problem(tmp_path):
    t, path = LINE.points(40, "grid"), tmp_path / "fit.pt"
    values = [torch.sin(t), torch.sin(t)]
    values[1][30] += 0.1
    one, other = (Problem(LINE, lambda u, t: u(0), (Condition("data", t, y),)) for y in values)
    train([Adam(2)], one, checkpoint=path)
    with pytest.raises(ValueError, match="data is another one"):
        train([Adam(2)], other, checkpoint=path)


def frozen(value):
    net = MLP(SOFT.domain, (8,))
    net.layers[0].requires_grad_(False).weight.data.add_(value)
    return net


@pytest.mark.parametrize(
    ("written", "read", "message"),
    [
        (
            lambda: MLP(SOFT.domain, (8,)),
            lambda: MLP(SOFT.domain, (9,)),
            "another fit|another netw",
        ),
        (
            lambda: MLP(SOFT.domain, (8,)),
            lambda: MLP(SOFT.domain, (8,), activation="sin"),
            "equation",
        ),
        (lambda: MLP(SOFT.domain, (8,)), lambda: frozen(0), "another fit|another network"),
        (lambda: frozen(0), lambda: frozen(0.1), "equation is another one"),
        (
            lambda: Fourier(SOFT.domain, 4, widths=(4,)),
            lambda: Fourier(SOFT.domain, 4, widths=(4,), seed=1),
            "equation is another one",
        ),
        (
            lambda: MLP(SOFT.domain, (8,)),
            lambda: MLP(SOFT.domain, (8,)).float(),
            "float32|another",
        ),
    ],
    ids=["widths", "activation", "frozen or not", "frozen value", "buffer", "dtype"],
)
def test_the_checkpoint_of_another_network_is_refused(written, read, message, tmp_path):
    path = tmp_path / "fit.pt"
    train([Adam(4)], SOFT, written(), checkpoint=path)
    with pytest.raises(ValueError, match=message):
        train([Adam(4)], SOFT, read(), checkpoint=path)


def test_an_unknown_more_is_another_fit(tmp_path):
    path = tmp_path / "fit.pt"
    k, m = Unknown(1.0), Unknown(1.0)
    one = Problem(LINE, lambda u, t, k: u() - k, unknowns={"k": k})
    two = Problem(LINE, lambda u, t, k, m: u() - k, unknowns={"k": k, "m": m})
    train([Adam(2)], one, checkpoint=path)
    with pytest.raises(ValueError, match=r"fit.pt is the checkpoint of another"):
        train([Adam(2)], two, checkpoint=path)


class Code:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_garbage_is_refused_and_no_code_of_it_is_run(tmp_path):
    path, trace = tmp_path / "fit.pt", tmp_path / "trace"
    train([Adam(4)], checkpoint=path)
    whole = path.read_bytes()
    files = {
        "empty": b"",
        "text": b"no checkpoint",
        "truncated": whole[: len(whole) // 2],
        "a byte short": whole[:-1],
        "a pickle": pickle.dumps(Code(trace)),
    }
    torch.save({"format": 2, "state": Code(trace)}, path)
    files["code inside"] = path.read_bytes()
    torch.save([1, 2, 3], path)
    files["a list"] = path.read_bytes()
    torch.save({"format": 2}, path)
    files["parts missing"] = path.read_bytes()
    for name, content in files.items():
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"fit.pt (is|holds) no checkpoint of companion.pinn.*delete"
        ):
            train([Adam(4)], checkpoint=path)
        assert path.read_bytes() == content, name
    assert not trace.exists()
    content = torch.load(tmp_path / "fit.pt", weights_only=True)
    assert content == {"format": 2}


def test_a_format_of_another_time_is_refused(tmp_path):
    path = tmp_path / "fit.pt"
    train([Adam(4)], checkpoint=path)
    content = torch.load(path, weights_only=True)
    torch.save(content | {"format": 1}, path)
    with pytest.raises(ValueError, match=r"fit.pt is a checkpoint of format 1; expected 2"):
        train([Adam(4)], checkpoint=path)


def test_a_place_that_takes_no_file_is_refused_before_anything_is_trained(tmp_path):
    net = MLP(SOFT.domain, (8,))
    before = bits(net)
    for path, message in {
        tmp_path: "is no file; give the name of one",
        tmp_path / "missing" / "fit.pt": "is no folder that can be written to. Make it first",
    }.items():
        with pytest.raises(ValueError, match=message):
            train([Adam(4)], net=net, checkpoint=path)
    assert torch.equal(bits(net), before)
