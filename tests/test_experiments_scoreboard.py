"""experiments/scoreboard.py: what it stored is whole, comes out again, and says what chapter 18 says."""

import json
import math
from itertools import product
from statistics import median

import pytest

from companion.pinn import check
from companion.problems.recipes import RECIPES
from experiments.scoreboard import (
    DIMENSIONS,
    FIVE,
    HARD,
    HIGHEST,
    LARGE,
    OTHERS,
    RATES,
    RESULT,
    RUNS_OF_FAMILY,
    SEEDS,
    SHAPES,
    SLOPES,
    UNITS,
    experiment,
    frozen,
    generous,
    heading,
    large,
    rates,
    thinned,
    turned,
)


@pytest.fixture(scope="module")
def names():
    return experiment()


@pytest.fixture(scope="module")
def record():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def ends(record, problem, method):
    runs = [r for r in record["networks"] if (r["problem"], r["method"]) == (problem, method)]
    return [run["error"][-1] for run in runs]


def test_every_run_is_stored(names, record):
    stored = [(run["problem"], run["method"], run["seed"]) for run in record["networks"]]
    assert stored == list(product(names["CASES"], names["METHODS"], SEEDS))
    assert [row["d"] for row in record["dimensions"]] == list(DIMENSIONS)
    others = [(row["problem"], row["seed"]) for row in record["others"]]
    assert others == list(product([name for name in names["CASES"] if name != "ball"], OTHERS))
    counts = [row["n"] for row in record["family"] if row["method"] == "interpolation"]
    assert counts == list(RUNS_OF_FAMILY)
    wanted = [
        (name, method, size)
        for name, case in names["CASES"].items()
        for method, (_, sizes) in case.classical.items()
        for size in sizes
    ]
    classical = [(row["problem"], row["method"], row["size"]) for row in record["classical"]]
    assert classical[: len(wanted)] == wanted
    assert classical[len(wanted) : -1] == [("ball", *pair) for pair in LARGE.items()]
    assert classical[-1] == ("ball", "frozen tanh", UNITS)


def test_every_setting_is_stored(record):
    layers = [(row["steepest"], row["seed"]) for row in record["frozen"]]
    assert layers == list(product(SLOPES, SEEDS))
    tried = [(row["problem"], row["lr"], row["seed"]) for row in record["rates"]]
    assert tried == list(product(HARD, RATES, SEEDS))
    watched = [(row["widths"], row["seed"]) for row in record["turned"]]
    assert watched == list(product([" + ".join(map(str, shape)) for shape in SHAPES], FIVE))
    (patient,) = record["generous"]
    assert (patient["problem"], patient["method"]) == (HARD[0], "Adam")


def test_the_file_names_the_processor(names, record):
    assert record["machine"].endswith(" cores, one of them used")
    assert heading(names).keys() < record.keys()


def test_every_curve_goes_forward_in_time(record):
    for run in record["networks"] + record["generous"]:
        assert len(run["error"]) == len(run["seconds"]) > 5
        assert run["seconds"] == sorted(run["seconds"])
        assert None not in run["error"]


@pytest.mark.parametrize("name", ["swing", "long", "line", "square", "sir"])
def test_the_classical_errors_come_out_again(names, record, name):
    before = [row for row in record["classical"] if row["problem"] == name]
    for row, old in zip(names["classical_rows"](name, turns=1), before, strict=True):
        assert row["error"] == pytest.approx(old["error"], rel=0.05, abs=1e-9)


def test_a_case_is_the_recipe(names):
    live = names["network_run"]("line", "Levenberg-Marquardt", 4, seed=1)
    history = RECIPES["poisson_interval"].fit(seed=1, steps=4)
    assert live["error"][-1] == pytest.approx(history.error, rel=1e-6)


def test_classical_solvers_win_all_of_the_seven(names, record):
    for name in set(names["CASES"]) - {"ball", "inverse"}:
        rows = [row for row in record["classical"] if row["problem"] == name]
        networks = [error for method in names["METHODS"] for error in ends(record, name, method)]
        assert min(row["error"] for row in rows if row["seconds"] < 1) < min(networks)


def test_the_network_wins_in_ten_dimensions(record):
    errors = [
        row["error"]
        for row in record["classical"]
        if row["problem"] == "ball" and row["method"] != "one direction"
    ]
    assert max(ends(record, "ball", "Levenberg-Marquardt")) < min(errors) / 10
    assert min(row["error"] for row in record["frozen"]) > 0.1


def test_who_looks_for_the_direction_beats_the_network(record):
    rows = [row for row in record["classical"] if row["method"] == "one direction"]
    networks = [run for run in record["networks"] if run["problem"] == "ball"]
    best = min(rows, key=lambda row: row["error"])
    assert best["error"] < min(run["error"][-1] for run in networks) / 100
    assert best["seconds"] < min(run["seconds"][-1] for run in networks) / 10


def test_gauss_newton_never_fails_and_adam_does(names, record):
    for name in names["CASES"]:
        assert max(ends(record, name, "Levenberg-Marquardt")) < 0.1
    assert min(ends(record, "long", "Adam")) > 0.1


@pytest.mark.parametrize("name", HARD)
def test_no_rate_of_adam_comes_near(record, name):
    tried = [row["error"] for row in record["rates"] if row["problem"] == name]
    assert max(ends(record, name, "Levenberg-Marquardt")) < min(tried) / 10


def test_the_interpolant_of_a_dozen_runs_beats_the_network_of_the_family(record):
    errors = {row["n"]: row["error"] for row in record["family"] if row["method"] != "network"}
    networks = [row["error"] for row in record["family"] if row["method"] == "network"]
    assert errors[12] < min(networks) / 10


@pytest.mark.parametrize("d", [2, 3, 10])
@pytest.mark.parametrize("profile", ["runge", "parabola"])
def test_the_ball_has_the_solution_that_it_claims(names, d, profile):
    problem = names["ball"](d, names[profile])
    assert check(problem)["equation"] < 1e-10
    inside = problem.domain.points(50, "uniform", 3).norm(dim=1)
    assert inside.max() <= 1


def test_polynomials_are_exact_for_a_polynomial_and_their_load_is_that_of_their_values(names):
    x = names["Ball"](4).points(30, "grid").numpy()
    exact, _ = names["solution_and_load"](x, names["parabola"])
    found = names["by_polynomials"](2, x, names["parabola"])
    assert names["relative"](found, exact) < 1e-12
    assert names["relative"](names["by_polynomials"](1, x, names["parabola"]), exact) > 1e-3


def test_greens_function_is_sampled_without_bias(names):
    def constant(s):
        return 1 + 0 * s, 0 * s, 0 * s  # u = 1 - |x|², f = 2d

    x = names["Ball"](10).points(5, "grid").numpy()
    exact, _ = names["solution_and_load"](x, constant)
    found = names["by_chance"](40_000, x, constant)
    assert names["relative"](found, exact) < 0.02


def test_sobol_is_unbiased_too_and_better_than_chance(names):
    x = names["Ball"](10).points(40, "grid").numpy()
    exact, _ = names["solution_and_load"](x, names["runge"])
    by = {name: names[name](4096, x) for name in ("by_chance", "by_sobol")}
    assert names["relative"](by["by_sobol"], exact) < names["relative"](by["by_chance"], exact)
    assert names["relative"](by["by_sobol"], exact) < 0.05


def test_the_ridge_finds_what_is_hidden(names):
    x = names["Ball"](6).points(30, "grid").numpy()
    exact, _ = names["solution_and_load"](x, names["runge"])
    assert names["relative"](names["by_ridge"](120, x), exact) < 1e-9
    seen = names["find_direction"](lambda y: names["solution_and_load"](y, names["runge"])[1], 6)
    assert abs(seen @ names["direction"](6)) == pytest.approx(1, abs=1e-12)


def test_each_part_of_the_script_in_miniature(names, monkeypatch):
    home = "experiments.scoreboard"
    for name, small in {"UNITS": 20, "LARGE": {"polynomials": 1, "Monte Carlo": 8}}.items():
        monkeypatch.setattr(f"{home}.{name}", small)
    monkeypatch.setattr(f"{home}.FIVE", range(1))
    monkeypatch.setattr(f"{home}.PATIENCE", 2)
    monkeypatch.setattr(f"{home}.SEEDS", range(1))
    layers = frozen(names)
    assert [row["steepest"] for row in layers] == list(SLOPES)
    rows = large(names, layers)
    assert [row["method"] for row in rows] == ["polynomials", "Monte Carlo", "frozen tanh"]
    assert rows[-1]["error"] == min(row["error"] for row in layers)
    runs = [{"problem": name, "method": "Adam", "n": 3} for name in HARD]
    (patient,) = generous(names, runs)
    assert (patient["problem"], patient["n"]) == ("long", 6)
    found = rates(names, runs)
    assert [(row["problem"], row["lr"]) for row in found] == list(product(HARD, RATES))
    assert found[0]["error"] != found[1]["error"]
    monkeypatch.setitem(
        names, "turning", lambda widths, seed: ({"widths": widths, "seed": seed}, 0)
    )
    assert [row["widths"][0] for row in turned(names)] == [12, 24]


def test_thinning_keeps_the_end():
    run = {"error": [3.0, 2.0, 1.0], "seconds": [0.1, 0.101, 10.0]}
    assert thinned(run) == {"error": [1.0], "seconds": [10.0]}


def test_the_dimensions_are_told_as_the_page_reads_them(record):
    by_d = {row["d"]: row for row in record["dimensions"]}
    assert [row["d"] for row in record["dimensions"] if row["degree"] == HIGHEST] == [1]
    assert max(by_d[10]["network"]) < by_d[10]["polynomials"] / 10
    for row in by_d.values():
        assert math.comb(row["d"] + row["degree"], row["degree"]) <= 500
        assert len(row["network"]) == len(list(SEEDS)) and median(row["network"]) < 0.1
    assert min(by_d[1]["network"]) < by_d[1]["polynomials"] < max(by_d[1]["network"])
