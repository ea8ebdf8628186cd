"""The stored runs: found by name, named when they are not, and made by a script that is there."""

from pathlib import Path

import pytest

from companion.data import FOLDER, stored

ROOT = Path(__file__).parent.parent
RUNS = [file.stem for file in sorted(FOLDER.glob("*.json")) if file.stem != "costs"]


@pytest.mark.parametrize("name", RUNS)
def test_each_says_which_script_made_it(name: str) -> None:
    assert (ROOT / stored(name)["script"]).is_file()


@pytest.mark.parametrize("name", ["sir_foward", "sir_forward.json", "../data/sir_forward", ""])
def test_an_unknown_name_is_answered_with_the_names_there_are(name: str) -> None:
    with pytest.raises(KeyError, match=rf"nothing is stored as {name!r}; there is condition.*sir_"):
        stored(name)


def test_a_file_is_small() -> None:
    assert max(file.stat().st_size for file in FOLDER.glob("*.json")) < 400_000
