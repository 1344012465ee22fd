"""The transition table of a reset."""

from uuid import uuid4

import pytest

from models.resets import SETTLED, TRANSITIONS, Reset, ResetState, TransitionError


def test_the_table_has_every_state() -> None:
    assert set(TRANSITIONS) == set(ResetState)


def test_every_edge_says_when_it_is_taken() -> None:
    assert all(len(why.split()) > 2 for edges in TRANSITIONS.values() for why in edges.values())


def test_what_is_not_settled_can_still_end_in_any_way_but_for_learners_it_never_had() -> None:
    assert set(TRANSITIONS[ResetState.RUNNING]) == SETTLED
    assert set(TRANSITIONS[ResetState.REQUESTED]) - {ResetState.RUNNING} < SETTLED


def test_a_settled_reset_can_only_be_run_again_and_only_if_somebody_failed() -> None:
    again = {state for state in SETTLED if TRANSITIONS[state]}
    assert again == {ResetState.PARTLY_FAILED, ResetState.FAILED}
    assert all(set(TRANSITIONS[state]) == {ResetState.RUNNING} for state in again)


@pytest.mark.parametrize("start", ResetState)
@pytest.mark.parametrize("end", ResetState)
def test_a_reset_moves_along_an_edge_and_nowhere_else(start: ResetState, end: ResetState) -> None:
    reset = Reset(id=uuid4(), state=start)
    if end in TRANSITIONS[start]:
        reset.move_to(end)
        assert reset.state == end
    else:
        with pytest.raises(TransitionError, match=f"from {start} to {end}"):
            reset.move_to(end)
        assert reset.state == start
