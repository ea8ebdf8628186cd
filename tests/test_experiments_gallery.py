"""The stored gallery has a run of every entry, and says what the page says."""

from companion.data import stored
from companion.problems.gallery import GALLERY
from experiments import gallery

RECORD = stored("gallery")
RUNS, DRAWS = RECORD["runs"], RECORD["draws"]


def test_every_entry_was_run_with_the_same_seeds_and_nothing_else() -> None:
    seeds = {name: sorted(r["seed"] for r in RUNS if r["problem"] == name) for name in GALLERY}
    assert {r["problem"] for r in RUNS} == set(GALLERY)
    assert all(found == list(range(len(found))) and found for found in seeds.values())
    assert [d["seed"] for d in DRAWS] == list(gallery.DRAWS)


def test_a_minute_was_enough() -> None:
    assert max(r["seconds"] for r in RUNS) < 60
    assert all(r["error"] < 1e-2 for r in RUNS)


def test_the_bars_hold_the_truth_as_often_as_they_say() -> None:
    held = [abs(d["D"] - d["truth"]) <= 1.96 * d["error"] for d in DRAWS]
    assert 17 <= sum(held) <= 20


def test_a_draw_is_what_is_stored() -> None:
    again = gallery.draw(3)
    assert abs(again["D"] - DRAWS[3]["D"]) < 0.05 * again["error"]
