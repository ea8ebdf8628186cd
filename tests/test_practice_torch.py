"""The exercises of Part II, checked: the published solution is right, the tempting wrong answer is refused."""

import pytest
import torch

from companion.practice import check
from companion.practice.checking import asked, labels
from tests import practice_ch07_08, practice_ch09_11

pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
ANSWERS = practice_ch07_08.ANSWERS | practice_ch09_11.ANSWERS
RIGHT = {label: right for label, (right, *_) in ANSWERS.items()}
WRONG = [(label, *pair) for label, (_, *pairs) in ANSWERS.items() for pair in pairs]


@pytest.mark.parametrize("label", RIGHT)
def test_the_right_answer(label):
    verdict = check(label, RIGHT[label])
    assert verdict, verdict
    assert str(verdict).startswith("right: ")


@pytest.mark.parametrize(("label", "answer", "words"), WRONG)
def test_the_tempting_wrong_answer(label, answer, words):
    verdict = check(label, answer)
    assert not verdict
    assert words in str(verdict)
    assert str(verdict).startswith("not yet: ")


@pytest.mark.parametrize("label", sorted(set(RIGHT) - {"ex-09-ctx", "ex-11-three-cuts"}))
def test_the_example_of_a_call_is_of_the_right_kind_and_no_solution(label):
    verdict = check(label, eval(asked(label).example, {"torch": torch}))
    assert str(verdict).startswith("not yet: ")
    assert f"{label} wants" not in str(verdict)


def test_every_exercise_of_part_two_is_here():
    part_two = {
        label for label in labels() if label.split("-")[1] in {"07", "08", "09", "10", "11"}
    }
    assert part_two == set(RIGHT)


def test_what_was_tried_leaves_no_tensor_alive():
    """The checkers of chapter 9 make leaks on purpose: each lets go of what it made."""
    import gc

    def alive():  # by type: asked for their class, some objects of torch warn
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    gc.collect()
    before = alive()
    for label in "ex-09-which", "problem-09-keystone":
        check(label, RIGHT[label])
    assert alive() == before
