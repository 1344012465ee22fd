"""How learners are divided into slices, and how progress is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.messages import SliceToSend
from tasks.report import Progress
from tasks.reset.window import MOST_IN_A_SLICE, slice_size


@pytest.mark.parametrize("learners", [0, 1, 2, 199, 200])
def test_up_to_two_hundred_learners_have_a_subtask_each(learners: int) -> None:
    assert slice_size(learners) == 1


@given(learners=st.integers(0, 5_000_000))
def test_slices_hold_all_learners_and_none_blocks_writes_for_long(learners: int) -> None:
    size = slice_size(learners)
    assert 1 <= size <= MOST_IN_A_SLICE == 1000
    slices = -(-learners // size)
    assert (slices - 1) * size < learners <= slices * size or learners == 0


@given(learners=st.integers(201, 40_000))
def test_a_course_of_usual_size_has_a_readable_number_of_subtasks(learners: int) -> None:
    assert -(-learners // slice_size(learners)) <= 200


def test_ten_thousand_learners_are_at_most_a_few_hundred_subtasks() -> None:
    assert 10 <= 10_000 / slice_size(10_000) <= 300


@given(fewer=st.integers(0, 100_000), more=st.integers(0, 100_000))
def test_more_learners_never_make_smaller_slices(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    assert slice_size(fewer) <= slice_size(more)


def test_a_slice_is_shown_by_the_positions_of_its_learners() -> None:
    assert SliceToSend(number=1, position=1, learners=500).range == "1-500"
    assert SliceToSend(number=3, position=1001, learners=17).range == "1001-1017"
    assert SliceToSend(number=7, position=7, learners=1).range == "7"


def progress(**figures: int) -> Progress:
    nothing = dict.fromkeys(
        ("total", "cleared", "unchanged", "skipped", "failed", "open_slices", "slices_in_flight"), 0
    )
    return Progress(**nothing | figures)


def test_progress_counts_every_learner_with_a_known_outcome() -> None:
    assert str(progress(total=10_000, cleared=4_000, unchanged=150, skipped=50)) == "4,200 of 10,000 learners"


def test_progress_mentions_failed_learners_only_if_there_are_any() -> None:
    assert str(progress(total=1_500, cleared=10, failed=1_200)) == "1,210 of 1,500 learners · 1,200 failed"
