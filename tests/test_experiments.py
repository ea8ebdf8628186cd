"""The scripts of experiments/: what they store is what their chapters run."""

import json

import pytest

from experiments.chapter import write
from experiments.derivative_as_op import RESULT, RUNS, SAME, experiment


@pytest.fixture(scope="module")
def names():
    return experiment()


def test_the_chapter_defines_what_the_script_runs(names):
    wanted = {op for op, *_ in RUNS} | set(SAME) | {op for ops in SAME.values() for op in ops}
    assert wanted <= set(names)


def test_every_run_is_stored():
    record = json.loads(RESULT.read_text(encoding="utf-8"))
    stored = [(run["op"], run["rows"][-1][0], run["zero_first"]) for run in record["runs"]]
    assert stored == RUNS


@pytest.mark.parametrize("op", ["by_hand", "partial_op", "grad_of_sum", "backward_on_leaf"])
@pytest.mark.filterwarnings("ignore:Using backward")
def test_the_stored_runs_start_as_the_chapter_does(names, op):
    record = json.loads(RESULT.read_text(encoding="utf-8"))
    (run,) = [run for run in record["runs"] if run["op"] == op and not run["zero_first"]]
    model = names["build"](names[op])
    assert names["test_error"](model) == pytest.approx(run["untrained"], rel=1e-5)
    (found,) = names["train"](model, 10, checkpoints=(10,))
    assert found == pytest.approx(run["rows"][0], rel=1e-2)


def test_a_partial_derivative_is_the_one_by_hand_bit_for_bit_and_a_total_one_is_not():
    record = json.loads(RESULT.read_text(encoding="utf-8"))
    rows = {run["op"]: run["rows"] for run in record["runs"] if not run["zero_first"]}
    assert rows["by_hand"] == rows["partial_op"] == rows["func_grad"] != rows["grad_of_sum"]


def test_what_is_written_is_read_again_one_row_to_a_line(tmp_path):
    rows = [{"method": "Gauss–Newton", "error": 1e-6}, {"method": "Adam", "error": None}]
    write(tmp_path / "data" / "found.json", {"script": "x.py"}, {"runs": rows, "none": []})
    text = (tmp_path / "data" / "found.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"script": "x.py", "runs": rows, "none": []}
    assert sum('"method"' in line for line in text.splitlines()) == len(rows)
