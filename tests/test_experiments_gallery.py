"""The stored gallery has a run of every entry, and says what the page says."""

from companion.data import stored
from companion.problems.gallery import GALLERY
from experiments import gallery

RECORD = stored("gallery")
RUNS, DRAWS = RECORD["runs"], RECORD["draws"]


def test_every_entry_was_run_with_every_seed_and_nothing_else() -> None:
    runs = sorted((r["problem"], r["seed"]) for r in RUNS)
    assert runs == sorted((name, seed) for name in GALLERY for seed in gallery.SEEDS)
    assert [d["seed"] for d in DRAWS] == list(gallery.DRAWS)


def test_a_minute_was_enough_for_what_is_to_be_reached() -> None:
    assert max(r["seconds"] for r in RUNS) < 60
    assert [r for r in RUNS if not r["error"] < GALLERY[r["problem"]].reach] == []


def test_the_bars_hold_the_truth_as_often_as_they_say() -> None:
    held = [abs(d["D"] - d["truth"]) <= 1.96 * d["error"] for d in DRAWS]
    assert 17 <= sum(held) <= 20


def test_a_draw_is_what_is_stored() -> None:
    again = gallery.draw(3)
    assert abs(again["D"] - DRAWS[3]["D"]) < 0.05 * again["error"]
