"""experiments/scale.py: what it stored is whole, and says what chapter 19 says; experiments/gpu.py."""

import json
import math
import sys
from itertools import product

import pytest
import torch

from experiments import gpu, scale
from experiments.scale import AT, COUNTS, DIMENSIONS, POINTS, RESULT, SEEDS, SHARED, WIDTH, WIDTHS


@pytest.fixture(scope="module")
def record():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def test_every_step_is_stored(record):
    found = [(r["by"], r["method"], r["n"], r["P"], r["d"]) for r in record["steps"]]
    P = scale.parameters
    wanted = [("points", m, n, P(WIDTH, 2), 2) for m, counts in POINTS.items() for n in counts]
    for m, widths in WIDTHS.items():
        wanted += [("parameters", m, AT[m], P(w, 2), 2) for w in widths]
        wanted += [("dimensions", m, 1000, P(WIDTH, d), d) for d in DIMENSIONS]
    assert found == wanted
    assert all(r["seconds"] > 0 and r["MiB"] > 0 for r in record["steps"])


def test_every_run_of_several_processes_is_stored(record):
    kept = {(r["count"], r["method"], r["n"]) for r in record["shared"]}
    for method, points in SHARED.items():
        for n, count in product(points, COUNTS):
            assert {(count, method, n), (1, method, n // count)} <= kept
    assert [(r["count"], r["seed"]) for r in record["ends"]] == list(product(COUNTS, SEEDS))
    messages = [(r["count"], r["numbers"]) for r in record["messages"]]
    assert messages == list(product(COUNTS[1:], scale.NUMBERS))


def test_the_number_of_processes_changes_an_error_less_than_the_seed_does(record):
    ends = {(r["count"], r["seed"]): r["error"] for r in record["ends"]}
    seeds = [ends[1, seed] for seed in SEEDS]
    spread = max(seeds) / min(seeds)
    for count, seed in product(COUNTS[1:], SEEDS):
        factor = ends[count, seed] / ends[1, seed]
        assert max(factor, 1 / factor) < spread


def test_a_step_costs_in_proportion_to_its_points(record):
    for method in POINTS:
        rows = [r for r in record["steps"] if (r["by"], r["method"]) == ("points", method)]
        a, b = rows[-2:]
        assert 0.5 < math.log(b["seconds"] / a["seconds"]) / math.log(b["n"] / a["n"]) < 1.6


def test_the_queue_gives_what_one_worker_gives(record):
    one, two = record["sweep"]
    assert (one["workers"], two["workers"]) == (1, 2)
    assert one["found"] == two["found"] and one["jobs"] == len(scale.jobs()) == len(one["found"])


def test_parameters_are_counted():
    from companion.pinn import MLP, Box

    for width, d in product((3, 8), (1, 4)):
        box = Box(**{f"x{i}": (0.0, 1.0) for i in range(d)})
        count = sum(p.numel() for p in MLP(box, (width, width)).parameters())
        assert scale.parameters(width, d) == count


def test_what_was_measured_before_a_stop_is_not_measured_again(tmp_path):
    calls = []

    def measure(names, n):
        calls.append(n)
        return {"n": n}

    path = tmp_path / "kept" / "scale.jsonl"
    assert scale.keeping(path)(measure, {}, 3) == {"n": 3}
    again = scale.keeping(path)
    assert (again(measure, {}, 3), again(measure, {}, 4)) == ({"n": 3}, {"n": 4})
    assert calls == [3, 4]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings(
    "ignore:os.fork:RuntimeWarning"
)  # by JAX, where another test imported it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the same, raised
def test_memory_and_time_are_those_of_a_process_of_its_own():
    """400 MB more are seen as 400 MB more, but for what the system takes back meanwhile."""
    found, mebibytes = scale.alone(lambda n: torch.ones(n).sum().item(), 100 * 2**20)
    assert found == 100 * 2**20 and 300 < mebibytes < 600


def test_without_a_gpu_make_gpu_says_so_and_fails(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert str(ended.value).startswith("make gpu needs a GPU with CUDA, and torch ")
    assert "Without a GPU: make test" in ended.value.code  # words, so the status is 1


REPORT = """<testsuites><testsuite>
<testcase classname="" name="chapters/19_scale.ipynb::Cell 0" file="chapters/19_scale.ipynb" time="2.5"/>
<testcase classname="" name="chapters/19_scale.ipynb::Cell 1" file="chapters/19_scale.ipynb" time="0.5">
<failure>AssertionError</failure></testcase>
<testcase classname="tests.test_pinn_devices" name="test_a" file="tests/test_pinn_devices.py" time="1">
<skipped/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_counted_file_by_file(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    none = {"passed": 0, "failed": 0, "skipped": 0}
    assert gpu.outcomes(tmp_path / "report.xml") == [
        {"name": "19_scale", **none, "passed": 1, "failed": 1, "seconds": 3.0},
        {"name": "test_pinn_devices", **none, "skipped": 1, "seconds": 1.0},
    ]


def test_the_steps_of_the_gpu_are_those_of_the_chapter(monkeypatch):
    """On the CPU, with the two methods that need no compiler."""
    monkeypatch.setenv("COMPANION_DEVICE", "cpu")
    monkeypatch.setattr(gpu, "STAGES", {k: v for k, v in gpu.STAGES.items() if "comp" not in k})
    monkeypatch.setattr(gpu, "MOST", {"Levenberg-Marquardt": 100})
    rows = gpu.steps("cpu", points=(50, 400))
    kept = [(r["device"], r["method"], r["n"]) for r in rows]
    assert kept == [
        ("cpu", "Adam", 50),
        ("cpu", "Adam", 400),
        ("cpu", "Levenberg-Marquardt", 50),
    ]
    assert all(r["seconds"] > 0 for r in rows)
