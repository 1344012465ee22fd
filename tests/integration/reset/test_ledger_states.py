"""The states of the ledger: clearing and cancelling settle pending learners only, retrying opens failed ones only."""

from uuid import UUID

import pytest

from models.resets import ItemState, Reset
from models.session import transaction
from tasks.reset.cancel import close_open_slices
from tasks.reset.clear import clear
from tests.post import Post
from tests.scenes import Scene, ledger, make_scene, rows, run


@pytest.fixture
def scene(database: str) -> Scene:
    """One learner for each state."""
    return make_scene(learners=len(ItemState), completed=100)


@pytest.fixture
def reset(scene: Scene, post: Post) -> UUID:
    """A running reset whose ledger has one learner in each state, in the order of `ItemState`."""
    reset = scene.request()
    post.deliver(post.take()[0])
    for enrolment, state in zip(scene.enrolments(), ItemState, strict=True):
        if state != ItemState.PENDING:
            run(
                "INSERT INTO reset_item (reset_id, enrolment_id, state, reason) VALUES (:reset, :id, :state, :reason)",
                reset=reset,
                state=state.value,
                reason="why" if state in (ItemState.SKIPPED, ItemState.FAILED) else None,
                id=enrolment.id,
            )
            run(f"UPDATE reset_slice SET {state.value} = 1 WHERE :id = ANY (members)", id=enrolment.id)
    return reset


def states(reset: UUID) -> list[str]:
    return [state for _, (state, _) in sorted(ledger(reset).items())]


def changed(before: list[UUID], scene: Scene) -> list[bool]:
    """Whether each learner has a new registration."""
    return [one.registration != old for one, old in zip(scene.enrolments(), before, strict=True)]


def test_clearing_settles_the_pending_learner_and_touches_no_other(scene: Scene, reset: UUID) -> None:
    before = [one.registration for one in scene.enrolments()]
    numbers = [number for (number,) in rows("SELECT number FROM reset_slice WHERE position > 0 ORDER BY number")]
    assert len(numbers) == len(ItemState)
    for number in numbers:
        clear(reset, number)
    assert states(reset) == ["cleared", "waiting", "cleared", "unchanged", "skipped", "failed"]
    assert changed(before, scene) == [True, False, False, False, False, False]
    for number in numbers:  # a message that comes twice
        clear(reset, number)
    assert changed(before, scene) == [True, False, False, False, False, False]


def test_cancelling_skips_the_pending_learner_and_touches_no_other(scene: Scene, reset: UUID) -> None:
    with transaction() as session:
        close_open_slices(session, session.get_one(Reset, reset))
    assert states(reset) == ["skipped", "waiting", "cleared", "unchanged", "skipped", "failed"]


def test_retrying_opens_the_failed_learner_and_no_other(scene: Scene, reset: UUID) -> None:
    pending = scene.enrolments()[0].id
    run("INSERT INTO reset_item SELECT :reset, :id, 'cleared'", reset=reset, id=pending)
    run("UPDATE reset_slice SET settled_at = now()")
    run("UPDATE reset SET state = 'partly_failed', finished_at = now(), reported_at = now()")
    scene.retry_failed(reset)
    assert states(reset) == ["cleared", "waiting", "cleared", "unchanged", "skipped", "pending"]
