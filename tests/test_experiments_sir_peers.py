"""What experiments/sir_peers.py stores is what chapter 16 says of other frameworks."""

import json

import pytest

from experiments.chapter import defined_in
from experiments.sir_peers import CHAPTER, PARTS, RESULT, STEPS, row

PRICE = 2 * (0.3 - 0.1) * 0.01**2 / 160  # 2 λ I₀² / T


@pytest.fixture(scope="module")
def stored():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def test_every_run_is_stored(stored):
    for part, (problem, seed) in PARTS.items():
        assert [(run["peer"], run["method"]) for run in stored[part]] == list(STEPS)
        for run in stored[part]:
            assert (run["problem"], run["seed"]) == (problem, seed)
            assert run["steps"] >= STEPS[run["peer"], run["method"]]


def test_only_adam_in_jax_gets_out(stored):
    found = {}
    for run in (run for part in "012" for run in stored[part]):
        found.setdefault((run["peer"], run["method"]), []).append(run["word"])
    adam, marquardt = found.pop(("jax", "Adam")), found.pop(("jax", "LM"))
    assert "right" not in marquardt and sorted(adam) == ["late", "right", "right"]
    assert {word for words in found.values() for word in words} == {"never"}


def test_a_run_without_an_epidemic_stands_at_its_price(stored):
    flat = [run for part in "012" for run in stored[part] if run["word"] == "never"]
    assert all(1 < run["loss"] / PRICE < 1.5 for run in flat)


def test_in_the_logarithm_the_epidemic_is_there(stored):
    errors = sorted(run["error"] for run in stored["control"])
    assert errors[-2] < 0.1 and errors[-1] < 0.6


def test_a_row_has_four_digits_and_the_word_of_the_chapter():
    word_of = defined_in(CHAPTER)["word_of"]
    found = {"error": 1.23456, "late": None, "loss": 2.50001e-7, "steps": 9, "more": 0}
    expected = {"error": 1.235, "late": None, "loss": 2.5e-7, "steps": 9, "word": "never"}
    assert row(found, word_of, seed=1) == {"seed": 1} | expected
    assert row(found | {"late": 3.0, "error": 0.3}, word_of)["word"] == "late"
    assert row({"failed": "why"}, word_of, seed=1) == {"seed": 1, "failed": "why"}
