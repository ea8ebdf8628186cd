"""The judge of the conformance run can fail, and a fixed sample of its databases is right.

The whole run is `make conformance`. What was wrong once stays in the sample by name.
"""

import random
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from companion.data import stored
from companion.operators import RULES, Jet
from conformance import hips, jax_jet, modules, ops, programs
from conformance.__main__ import DATABASES, main
from conformance.oracle import Anchor, judge
from conformance.page import PAGE, drawn, sentence
from conformance.verdicts import LONGEST, Tally, reason, summary, table

SEED = 20261128
PAST = """clamp prod pow float_power xlogy sinc special_i1 logcumsumexp where
    nn_functional_elu nn_functional_prelu nn_functional_layer_norm nn_functional_batch_norm
    nn_functional_instance_norm nn_functional_linear_cross_entropy_chunked logsumexp remainder
    view_as_complex native_layer_norm max_reduction_with_dim linalg_det linalg_solve""".split()
EVERY = 16  # one entry of so many, beside these


@pytest.fixture(autouse=True)
def quiet():
    """The databases warn of what they are about to remove."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tower(f, order=4):
    """A judge's found(t, k), from a list of derivatives."""
    return lambda t, k: [np.asarray(d(t), float) for d in f[: k + 1]]


SINE = [np.sin, np.cos, lambda t: -np.sin(t), lambda t: -np.cos(t), np.sin]


def along(ds, at=0.4, **options):
    moved = [lambda t, d=d: np.array([d(at + t), 2.0 * d(at - t) * 0 + d(at + t)]) for d in ds]
    return judge(tower(moved), moved[0], len(ds) - 1, **options)


# ---------------------------------------------------------------- the judge


def test_what_is_right_is_right():
    assert along(SINE).verdict == "right"


@pytest.mark.parametrize("order", range(5))
def test_a_thousandth_too_much_is_wrong_at_its_order(order):
    ds = [(lambda t, d=d: 1.001 * d(t)) if k == order else d for k, d in enumerate(SINE)]
    value = lambda t: np.asarray(np.sin(0.4 + t))
    finding = judge(lambda t, k: [np.asarray(d(0.4 + t)) for d in ds[: k + 1]], value, 4)
    assert (finding.verdict, finding.order) == ("wrong", order)
    assert f"order {order} at" in finding.detail


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_number_that_is_wrong_at_one_point_alone_is_wrong(bad):
    """As the second derivative of sinc by torch, which is NaN at 0 and 0 beside it."""
    ds = [*SINE[:2], lambda t: bad if t == 0.4 else -np.sin(t)]
    finding = along(ds)
    assert (finding.verdict, finding.order) == ("wrong", 2)


@pytest.mark.parametrize("c", [0.0, 3e-4, -1e-4])
def test_a_corner_is_no_fault(c):
    ds = [lambda t: np.abs(t - 0.4 - c), lambda t: np.sign(t - 0.4 - c), lambda t: 0.0 * t]
    assert along(ds).verdict in ("corner", "right")
    assert along(ds, steps=(1e-3,)).verdict == "corner"


def test_at_a_corner_the_owner_of_the_function_decides():
    relu = [lambda t: np.maximum(t, 0.0), lambda t: float(t > 0)]
    found = lambda t, k: [np.asarray(d(t)) for d in relu[: k + 1]]
    at = lambda slope: judge(
        found, lambda t: np.asarray(relu[0](t)), 1, [Anchor(1, np.ones(()), slope)]
    )
    assert at(0.0).verdict == "corner" and at(1.0).verdict == "wrong"


def test_a_staircase_is_no_slope():
    ds = [lambda t: np.round(t, 3), lambda t: 0.0 * t]
    assert along(ds).verdict != "wrong"


def test_noise_is_not_taken_for_a_derivative():
    finding = along([lambda t: 1e-14 * np.sin(1e9 * t), lambda t: 0.0 * t])
    assert finding.verdict != "wrong"


def test_a_wrong_shape_is_wrong():
    found = lambda t, k: [np.zeros(2), np.zeros((1, 2))]
    assert judge(found, lambda t: np.zeros(2), 1).detail.startswith(
        "shapes [(2,), (1, 2)] for (2,)"
    )


def test_the_real_part_of_a_complex_number_is_wrong():
    found = lambda t, k: [np.exp(1j * t).real, -np.sin(t)]
    assert judge(found, lambda t: np.exp(1j * t), 1).verdict == "wrong"


# ---------------------------------------------------------------- the tally


def raising(error):
    raise error


@pytest.mark.parametrize("error", [AttributeError, IndexError, KeyError, AssertionError])
def test_what_breaks_is_no_refusal(error):
    with pytest.raises(error):
        Tally("f").add("a", lambda: raising(error("a fault of ours")))


def test_a_function_that_the_engines_lack_is_refused_by_its_name():
    assert list(jax_jet.trial("engines erf_inv", 0).reasons) == [
        "NotImplementedError: companion.engines has no erfinv"
    ]


def test_a_refusal_is_told_with_its_reason_and_the_worst_sample_decides():
    tally = Tally("f")
    tally.add("a", lambda: along(SINE))
    assert tally.verdict == "right"
    tally.add("b", lambda: raising(NotImplementedError("no rule\nfor f")))
    assert tally.verdict == "refused" and list(tally.reasons) == ["NotImplementedError: no rule"]
    tally.add("seed 3, sample c", lambda: along([*SINE[:2], np.sin]))
    assert tally.verdict == "wrong" and tally.faults[0].startswith("f, seed 3, sample c: order 2")
    found = summary([tally, Tally("g")])
    assert (found["tried"], found["wrong"], found["untried"]) == (1, 1, 1)
    assert table({"all of it": found}).splitlines()[1].split()[:7] == [
        "all",
        "of",
        "it",
        "1",
        "0",
        "0",
        "1",
    ]


# ---------------------------------------------------------------- the run


def off(y):
    return y.like(torch.cat([y.rows[:1], y.rows[1:] * 1.001])) if isinstance(y, Jet) else y


def planted(monkeypatch, function):
    """The rule of a torch function off by a thousandth, whichever way the table is keyed."""
    keys = [key for key in RULES if getattr(key, "__name__", key) == function]
    for key in keys:
        rule = RULES[key]
        monkeypatch.setitem(RULES, key, lambda *a, rule=rule, **k: off(rule(*a, **k)))
    assert keys


def test_a_planted_fault_is_reported_and_the_status_is_1(monkeypatch, capsys):
    words = ["--only", "ops", "--entries", "sin", "--seed", "5"]
    assert main(words) == 0
    planted(monkeypatch, "sin")
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert "WRONG  ops: sin, seed 5, sample 0, first tensor: order 1" in printed
    assert "seed 5" in printed.splitlines()[0]


def test_what_is_wrong_in_torch_does_not_make_the_status_1(capsys):
    entry = "op nn_functional_linear_cross_entropy_chunked"
    assert main(["--only", "itself", "--entries", entry]) == 0
    assert f"wrong in torch  itself: {entry}" in capsys.readouterr().out


def test_what_cannot_be_asked_for(capsys):
    with pytest.raises(SystemExit, match=r"ops has no entry 'sinus'; did you mean sin, "):
        main(["--only", "ops", "--entries", "sinus"])
    with pytest.raises(SystemExit):
        main(["--only", "ops", "--store"])
    assert "--store keeps a whole run: leave out --only and --entries" in capsys.readouterr().err


def wrong(tallies):
    return [fault for tally in tallies for fault in tally.faults]


def test_a_sample_of_op_db_is_right():
    names = ops.names()
    some = [*names[SEED % EVERY :: EVERY], *PAST]
    assert not set(PAST) - set(names)
    assert wrong(ops.trial(name, SEED, samples=1) for name in some) == []


def test_a_sample_of_module_db_is_right():
    some = [*modules.names()[::EVERY], "nn.LayerNorm", "nn.BatchNorm1d", "nn.InstanceNorm1d"]
    assert wrong(modules.trial(name, SEED, samples=1) for name in some) == []


def test_a_sample_of_the_names_of_hips_autograd_is_right():
    tallies = [hips.trial(name, SEED) for name in hips.names()[::2]]
    assert wrong(tallies) == [] and sum(tally.counts["right"] for tally in tallies) > 30


def test_a_sample_of_random_programs_is_right():
    tally = programs.trial("sample", SEED, samples=40)
    assert wrong([tally]) == [] and tally.counts["right"] > 30


def test_every_operation_of_a_program_is_drawn():
    drawn = [programs.program(random.Random(k), 6) for k in range(200)]
    assert all(name in str(drawn) for name in programs.OPERATIONS)


def test_jax_has_no_rule_that_is_not_looked_at():
    pytest.importorskip("jax")
    assert len(jax_jet.names()) >= 130


def test_the_samples_of_an_entry_depend_on_the_seed_alone():
    one, two = ([p for p, _ in islice(ops.calls("mul", 3), 3)] for _ in range(2))
    assert one == two


def test_the_stored_run_is_one_of_all_databases_and_nothing_is_wrong():
    run = stored("conformance")
    assert set(run["databases"]) == set(DATABASES)
    assert [n for n, d in run["databases"].items() if d["wrong"] and n != "itself"] == []


# ---------------------------------------------------------------- the week, and the page

ROOT = Path(__file__).parent.parent


def test_every_week_draws_other_samples():
    job = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["conformance"]
    assert "make conformance" in job["steps"][-1]["run"] and "--seed" in job["steps"][-1]["run"]
    assert "push" in job["if"] and "$(BIN)/python -m conformance $(ARGUMENTS)" in (
        ROOT / "Makefile"
    ).read_text("utf-8")


def test_the_page_shows_the_stored_run():
    text = PAGE.read_text("utf-8")
    assert text == drawn(text, stored("conformance"))


def test_a_page_that_shows_another_run_is_noticed():
    text, run = PAGE.read_text("utf-8"), stored("conformance")
    run["databases"]["ops"]["right"] += 1
    assert text != drawn(text, run)


def test_what_stands_between_the_marks_is_all_that_is_written_anew():
    text = (
        "a\n<!-- stored: told -->\n<!-- end -->\nb\n<!-- stored: told -->\nold\n<!-- end -->\nc\n"
    )
    run = {"date": "today", "versions": {"torch": "2"}, "seed": 3}
    part = "<!-- stored: told -->\nRun on today with torch 2; seed 3.\n<!-- end -->"
    assert drawn(text, run) == f"a\n{part}\nb\n{part}\nc\n"


def test_a_refusal_that_was_cut_off_ends_after_a_whole_word() -> None:
    said = "no Taylor rule for torch.eig: " + "ready " * 40
    first = sentence(reason(TypeError(said)))
    assert set(first.split()[5:]) == {"ready", "..."} and first.startswith(
        "TypeError: no Taylor rule: "
    )
    assert sentence(reason(TypeError("short. " + "x" * LONGEST))) == "TypeError: short"
