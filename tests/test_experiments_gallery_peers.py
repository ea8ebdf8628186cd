"""What is stored of the peers on the gallery is whole, theirs, and measured as ours."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from companion.data import stored
from companion.pinn.solution import relative_error
from companion.problems.gallery import GALLERY
from companion.problems.systems import heat_inverse
from companion.problems.waves import advection, helmholtz
from experiments import gallery_peers
from experiments.gallery_peers import ALL, PEERS, SOLVED, STATED, STATEMENTS, UNSTATED

sys.path.append(str(Path(__file__).parent.parent / "benchmarks/peers"))

from minute import Minute, answer, lines_in, lines_of

RECORD = stored("gallery_peers")
RUNS = RECORD["runs"]


def statements(peer: str) -> dict[str, str]:
    """{problem: its function's text} of a peer's script, which only its own interpreter can import."""
    text = (PEERS / f"gallery_{peer}.py").read_text("utf-8")
    body = ast.parse(text).body
    functions = {n.name: ast.get_source_segment(text, n) for n in body if hasattr(n, "name")}
    tables = [n for n in body if isinstance(n, ast.Assign)]
    (table,) = [n.value for n in tables if ast.unparse(n.targets[0]) == "PROBLEMS"]
    return {key.value: functions[value.id] for key, value in zip(table.keys, table.values)}


def test_every_run_is_of_a_problem_that_its_peer_states_and_no_two_are_the_same() -> None:
    runs = [(run["problem"], run["peer"]) for run in RUNS]
    assert len(set(runs)) == len(runs) and not set(runs) & set(UNSTATED)
    assert all(peer in STATED[problem] for problem, peer in runs)
    assert {(row["problem"], row["peer"]) for row in RECORD["unstated"]} == set(UNSTATED)
    assert len({peer for _, peer in runs}) >= 3


def test_every_peer_states_every_problem_of_the_gallery_or_a_reason_says_why_not() -> None:
    stated = {(problem, peer) for problem, peers in STATED.items() for peer in peers}
    assert not stated & set(UNSTATED) and all(UNSTATED.values())
    assert stated | set(UNSTATED) == {(problem, peer) for problem in GALLERY for peer in ALL}
    assert {problem for problem in GALLERY if problem not in STATED} == {"eigenvalue"}


def test_the_seconds_of_every_classical_solver_are_there() -> None:
    assert {row["problem"] for row in RECORD["classical"]} == set(SOLVED)


@pytest.mark.parametrize("peer", ALL)
def test_a_script_states_what_the_experiment_asks_of_it(peer: str) -> None:
    asked = {name for name, peers in STATED.items() if peer in peers}
    assert set(statements(peer)) == asked <= set(GALLERY) and (PEERS / f"{peer}.txt").is_file()


def test_a_run_says_by_which_settings_and_kept_to_its_minute() -> None:
    for run in RUNS:
        assert run["source"] and run["settings"] and run["version"] and run["lines"] > 0
        assert run["seed"] == 0 and run["steps"] > 0 and run["error"] > 0
        assert run["seconds"] < 1.1 * RECORD["seconds"]


def test_an_error_is_that_of_the_gallery() -> None:
    problem = advection(6.0)
    late = lambda x: problem.exact(x - 0.01)
    points = gallery_peers.points_of(problem)
    found = gallery_peers.error(late(points).numpy(), problem)
    assert found == pytest.approx(relative_error(late, problem), rel=1e-12)
    assert gallery_peers.error(problem.exact(points).numpy()[:, 0], problem) == 0


def test_a_script_gets_the_readings_and_no_reference() -> None:
    assert set(gallery_peers.given(helmholtz())) == {"x"}
    arrays, condition = gallery_peers.given(heat_inverse()), heat_inverse().conditions[0]
    assert np.array_equal(arrays["readings"], condition.values.numpy())
    assert np.array_equal(arrays["points"], condition.points.numpy())


def test_ours_are_counted_in_the_same_way() -> None:
    counted = {row["problem"]: row["lines"] for row in RECORD["ours"]}
    assert counted == {name: 1 + lines_of(of) for name, of in STATEMENTS.items()}
    assert set(STATED) <= set(counted)
    theirs = {peer: statements(peer) for peer in {run["peer"] for run in RUNS}}
    for run in RUNS:
        assert run["lines"] == lines_in(theirs[run["peer"]][run["problem"]])


def test_lines_are_those_of_code() -> None:
    def stated():
        """A docstring.

        It does not count.
        """
        one = 1

        # nor does this
        return one

    assert lines_of(stated) == 2


def test_a_minute_is_over_when_its_share_is() -> None:
    assert not Minute(60.0).over(3) and Minute(1e-9).over() and Minute(60.0).over(share=-1.0)
    minute = Minute(60.0)
    minute.over(3), minute.over()
    assert minute.steps == 4


def test_a_script_answers_one_line_of_json(tmp_path, monkeypatch, capsys) -> None:
    def line(given):
        """its README"""
        return 2.0

    np.savez(tmp_path / "given.npz", x=np.ones((3, 1)))
    command = ["script", "--problem", "line", "--given", str(tmp_path / "given.npz")]
    monkeypatch.setattr(sys, "argv", [*command, "--found", str(tmp_path / "found.npy")])
    answer("numpy", {"line": line}, lambda of, given, seed, minute: lambda x: of(given) * x)
    record = gallery_peers.json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (record["lines"], record["source"], record["steps"]) == (1, "its README", 0)
    assert np.array_equal(np.load(tmp_path / "found.npy"), 2 * np.ones((3, 1)))


def test_a_peer_that_fails_says_why(monkeypatch) -> None:
    monkeypatch.setattr(gallery_peers, "PEERS", Path("no such folder"))
    row = gallery_peers.run("pina", "beam", Path(sys.executable))
    assert "can't open file" in row["failed"] and row["peer"] == "pina"
    assert gallery_peers.last_line(" \n") == "no message"
