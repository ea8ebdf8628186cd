"""One fit on several processes: the same sums, steps and end as in one; killed, it goes on."""

import sys
from contextlib import nullcontext as nothing
from datetime import timedelta

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.pinn import MLP, Adam, LevenbergMarquardt, batch_of, fit
from companion.pinn.loop import started
from companion.pinn.processes import ALONE, Processes, joined
from companion.pinn.train import main
from companion.problems import oscillator
from tests import shares
from tests.processes import FORKED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where one, two and four processes have left what they found."""
    folder = tmp_path_factory.mktemp("processes")
    process = FORKED.Process(target=shares.all_of_it, args=(folder,))
    process.start()
    process.join(300)
    process.kill()  # where it hangs
    assert process.exitcode == 0, (folder / "errors").read_text()
    return folder


@pytest.fixture(scope="module")
def one(folder):
    """What one process found."""
    return torch.load(folder / "one.found", weights_only=False)


@pytest.fixture(scope="module")
def found(folder):
    """[what each of four processes found]."""
    paths = [folder / f"{rank}.found" for rank in range(4)]
    return [torch.load(path, weights_only=False) for path in paths]


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("case", shares.CASES)
def test_gradient_gram_matrix_and_step_are_those_of_one_process(one, found, count, case):
    several = found[0]["measured"][count]
    for name, expected in one["measured"].items():
        if name[0] == case:
            assert expected.norm() > 0
            assert (several[name] - expected).norm() <= 1e-12 * expected.norm(), name


@pytest.mark.parametrize("count", [2, 4])
def test_all_processes_have_the_same_bits(found, count):
    for rank in range(1, count):
        ours, first = (at["measured"][count] for at in (found[rank], found[0]))
        assert all(torch.equal(ours[name], first[name]) for name in first)
        assert torch.equal(found[rank]["ended"][count][0], found[0]["ended"][count][0])


@pytest.mark.parametrize("count", [2, 4])
def test_a_fit_ends_where_one_process_ends(one, found, count):
    """Other seeds of the network end at other errors, by factors."""
    alone, several = one["ended"][1], found[0]["ended"][count][1]
    assert several["error"] == pytest.approx(alone["error"], rel=1e-3)
    assert several["loss"] == pytest.approx(alone["loss"], rel=1e-3)
    assert several["step"] == alone["step"] == 38


def test_another_network_in_each_process_is_refused_by_all(found):
    for at in found:
        assert at["refused"].startswith("the 4 processes do not have the same parameters. Make the")


def test_a_checkpoint_that_the_first_cannot_write_ends_the_fit_of_all(found):
    assert {at["unwritable"][1] for at in found} == {5}
    assert "no space left" in found[0]["unwritable"][0]
    for at in found:
        assert "none.pt" in at["unwritable"][0] and "fit stopped early" in at["unwritable"][2]


@settings(deadline=None)  # the first one loads what torch compares with
@given(n=st.integers(1, 40), count=st.integers(2, 9), seed=st.integers(0, 99))
def test_the_shares_sum_to_the_whole(n, count, seed):
    """Σ over the shares of a mean is the mean: of x² under weights, whatever n and p."""
    problem = oscillator(hard=False)
    x = torch.rand(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    batch = batch_of(problem, x)
    parts = [Processes(rank, count).share(batch) for rank in range(count)]
    for term, at in batch.items():
        mean = lambda at: (at.weight * at.x**2).mean()
        sizes = {len(part[term].x) for part in parts}
        assert sizes == {-(-len(at.x) // count)}
        torch.testing.assert_close(sum(mean(part[term]) for part in parts), mean(at))


def test_one_process_is_left_alone():
    """No sum, no copy, no share: the same objects come back."""
    batch = batch_of(oscillator(hard=False), torch.zeros(3, 1).double())
    x = torch.ones(2)
    assert joined() is ALONE and ALONE.share(batch) is batch
    assert ALONE.total(x)[0] is x and ALONE.gathered(x) is x


TWO = Processes(0, 2)


def test_what_several_processes_cannot_do_is_refused():
    problem = oscillator()
    network, options = MLP(problem.domain, (4,)), {"processes": TWO, "progress": False}
    with pytest.raises(ValueError, match=r"2 processes make a report after the same step.*=100"):
        fit(problem, network, [Adam(1)], log_interval=timedelta(seconds=1), **options)
    with pytest.raises(
        TypeError, match=r"processes is joined\(\), of companion.pinn.processes; got"
    ):
        fit(problem, network, [Adam(1)], processes=2)
    goal = started(problem, network, [Adam(1)], processes=TWO)
    batch = batch_of(problem, problem.domain.points(4))
    with pytest.raises(ValueError, match=r"hears nothing of the other 1 processes: take .*=0\)"):
        Adam(9, compiled=3).init(goal, goal.trial.theta(), batch)


def test_a_restart_that_would_find_the_addresses_of_the_dead_is_refused(monkeypatch):
    there = {"WORLD_SIZE": "2", "TORCHELASTIC_MAX_RESTARTS": "3"}
    for name, value in (there | {"TORCHELASTIC_USE_AGENT_STORE": "True"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        RuntimeError, match=r"--max-restarts=3 keeps .* Write TORCH_DISABLE_SHARE_R"
    ):
        joined()


def test_j_transposed_j_counts_where_memory_is_short(monkeypatch):
    """Few rows and many parameters: one process makes JJᵀ, two would make JᵀJ."""
    from companion.pinn import levenberg_marquardt

    problem = oscillator()
    network = MLP(problem.domain, (30,))
    monkeypatch.setattr(levenberg_marquardt, "ROOM", 8 * 90 * 20)
    batch = batch_of(problem, problem.domain.points(8))
    for processes, solver in ((ALONE, "cholesky"), (TWO, "cg")):
        goal = started(problem, network, [LevenbergMarquardt(1)], processes=processes)
        with pytest.warns(match="J would have") if solver == "cg" else nothing():
            assert levenberg_marquardt.chosen(goal, goal.trial.theta(), batch) == solver


def test_a_process_that_is_killed_is_started_again_and_the_fit_ends_in_the_same_bits(folder, found):
    assert (folder / "killed").exists()
    theta, last = found[0]["ended"][2]
    saved = torch.load(folder / "fit.solution", weights_only=True)
    assert torch.equal(torch.cat([p.flatten() for p in saved["parameters"].values()]), theta)
    assert [record["step"] for record in saved["records"]][-2:] == [36, 38]
    assert (folder / "said").read_text().splitlines() == [
        f"2 processes, 38 steps, {saved['records'][-1]['seconds']:.1f} s",
        f"loss     {last['loss']:.3e}",
        f"error    {last['error']:.3e}",
    ]


def test_a_file_is_trained_in_one_process_too_and_its_solution_kept(tmp_path, capsys):
    file = tmp_path / "fit.py"
    file.write_text(
        "from companion.pinn import MLP, Adam\nfrom companion.problems import oscillator\n"
        "problem = oscillator()\nnetwork, stages = MLP(problem.domain, (4,)), [Adam(3)]\n"
    )
    main([str(file)])
    assert capsys.readouterr().out.startswith("1 process, 3 steps, ")
    assert {path.name for path in tmp_path.iterdir()} == {
        "fit.py",
        "fit.checkpoint",
        "fit.solution",
    }


def test_a_file_that_lacks_a_name_is_refused(tmp_path):
    file = tmp_path / "fit.py"
    file.write_text("problem = 1")
    with pytest.raises(
        ValueError, match=r"fit\.py defines no network, stages; write problem = Pro"
    ):
        main([str(file)])
