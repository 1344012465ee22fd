"""Learners' writes, and that no write brings back progress from before a reset."""

import threading
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.learning import complete, post, record_progress, submit
from models.records import record_kinds
from models.refusals.training import ActivityUnknown, StaleRegistration
from models.session import transaction
from models.training import ActivityKind, Enrolment
from tasks.reset.clear_learners import clear
from tests.post import Post
from tests.scenes import COURSE, Scene, ask, do_everything, make_scene, records_of, rows, run, state_of
from tests.workers import until

LESSON, ASSESSMENT, DISCUSSION, ASSIGNMENT = ActivityKind


@pytest.fixture
def scene(database: str) -> Scene:
    """Two learners who have not begun."""
    return make_scene(learners=2, completed=0, begun=0)


def activity(scene: Scene, kind: ActivityKind, place: int = 0) -> int:
    found = rows(
        "SELECT id FROM activity WHERE course_id = :course AND kind = :kind ORDER BY id",
        course=scene.course.id,
        kind=kind.value,
    )
    return int(found[place][0])


def now(scene: Scene) -> Enrolment:
    return scene.enrolments()[0]


def do(write: Callable[..., object], *arguments: object, **options: object) -> None:
    with transaction() as session:
        write(session, *arguments, **options)


def test_beginning_a_lesson_sets_the_course_in_progress(scene: Scene) -> None:
    do(record_progress, now(scene).registration, activity(scene, LESSON), 40)
    assert (now(scene).state, now(scene).progress) == ("in_progress", 0), "nothing is finished yet"
    assert rows("SELECT percent FROM lesson_progress") == [(40,)]


def test_progress_is_the_share_of_activities_done(scene: Scene) -> None:
    # Given a course of two lessons, an assessment, a discussion and an assignment
    do(record_progress, now(scene).registration, activity(scene, LESSON), 100)
    assert now(scene).progress == 20
    do(submit, now(scene).registration, activity(scene, ASSESSMENT), score=70)
    assert now(scene).progress == 40
    do(post, now(scene).registration, activity(scene, DISCUSSION), "Hello")
    do(submit, now(scene).registration, activity(scene, ASSIGNMENT), body="My answer")
    assert now(scene).progress == 80


def test_lesson_progress_never_decreases(scene: Scene) -> None:
    for percent in (60, 30, Decimal("59.99")):
        do(record_progress, now(scene).registration, activity(scene, LESSON), percent)
    assert rows("SELECT percent FROM lesson_progress") == [(60,)]


def test_doing_everything_does_not_complete_the_course(scene: Scene) -> None:
    registration = now(scene).registration
    for place in (0, 1):
        do(record_progress, registration, activity(scene, LESSON, place), 100)
    for kind in (ASSESSMENT, ASSIGNMENT):
        do(submit, registration, activity(scene, kind))
    do(post, registration, activity(scene, DISCUSSION), "Done")
    assert (now(scene).state, now(scene).progress, now(scene).completed_at) == ("in_progress", 99, None)


def test_each_submission_is_a_new_attempt(scene: Scene) -> None:
    for score in (10, None, 90):
        do(submit, now(scene).registration, activity(scene, ASSIGNMENT), body="Again", score=score)
    assert rows("SELECT attempt, score FROM assignment_submission ORDER BY id") == [(1, 10), (2, None), (3, 90)]


def test_completing_twice_completes_once(scene: Scene) -> None:
    do(complete, now(scene).registration)
    first = now(scene)
    do(complete, now(scene).registration)
    assert (first.state, first.progress) == ("completed", 100)
    assert now(scene).completed_at == first.completed_at == ask("SELECT completed_at FROM completion")
    assert ask("SELECT count(*) FROM certificate") == 1


def test_work_after_completion_leaves_the_course_completed(scene: Scene) -> None:
    do(complete, now(scene).registration)
    do(record_progress, now(scene).registration, activity(scene, LESSON), 10)
    assert (now(scene).state, now(scene).progress) == ("completed", 100)


def test_a_course_without_certificates_issues_none(database: str) -> None:
    scene = make_scene(learners=1, completed=0, begun=0, certificates=False)
    do(complete, now(scene).registration)
    assert now(scene).state == "completed"
    assert ask("SELECT count(*) FROM certificate") == 0


def test_a_certificate_after_a_reset_has_a_new_serial(scene: Scene, post: Post) -> None:
    do(complete, now(scene).registration)
    first = ask("SELECT serial FROM certificate")
    scene.request()
    post.drain()
    assert ask("SELECT count(*) FROM certificate") == 0
    do(complete, now(scene).registration)
    second = ask("SELECT serial FROM certificate")
    assert len(second) == len("XXXXX-XXXXX-XXXXX-XXXXX")
    assert second != first


@pytest.mark.parametrize("kind", ActivityKind)
def test_an_activity_of_another_course_is_refused(scene: Scene, kind: ActivityKind) -> None:
    elsewhere = ask(
        "SELECT min(id) FROM activity WHERE course_id = :course AND kind = :kind",
        course=scene.other_course.id,
        kind=kind.value,
    )
    with pytest.raises(ActivityUnknown):
        do(WRITES[kind], now(scene).registration, elsewhere)
    assert_nothing_saved(scene)


def test_an_activity_of_another_kind_is_refused(scene: Scene) -> None:
    with pytest.raises(ActivityUnknown, match="no lesson"):
        do(record_progress, now(scene).registration, activity(scene, DISCUSSION), 50)
    with pytest.raises(ActivityUnknown, match="no assignment or practical assessment"):
        do(submit, now(scene).registration, activity(scene, LESSON))
    assert_nothing_saved(scene)


def set_progress(session: Session, registration: UUID, activity_id: int) -> None:
    record_progress(session, registration, activity_id, 50)


def write_post(session: Session, registration: UUID, activity_id: int) -> None:
    post(session, registration, activity_id, "An old tab")


WRITES: dict[ActivityKind, Callable[[Session, UUID, int], object]] = {
    LESSON: set_progress,
    ASSESSMENT: submit,
    DISCUSSION: write_post,
    ASSIGNMENT: submit,
}


def assert_nothing_saved(scene: Scene) -> None:
    assert set(records_of(scene.course).values()) == {0}
    assert {(enrolment.state, enrolment.progress) for enrolment in scene.enrolments()} == {("assigned", 0)}


@pytest.mark.parametrize("kind", [*ActivityKind, None], ids=lambda kind: kind or "completing")
def test_a_write_from_before_the_reset_is_refused_and_leaves_nothing(
    scene: Scene, post: Post, kind: ActivityKind | None
) -> None:
    # Given a tab opened before the reset
    old = now(scene).registration
    do(complete, old)
    scene.request()
    post.drain()
    # When it saves now, nothing comes back
    with pytest.raises(StaleRegistration):
        do(WRITES[kind], old, activity(scene, kind)) if kind else do(complete, old)
    assert_nothing_saved(scene)


@pytest.mark.parametrize("kind", record_kinds(), ids=lambda kind: kind.kind())
def test_the_database_itself_refuses_a_record_from_before_the_reset(scene: Scene, post: Post, kind: type) -> None:
    # Given a learner's records, copied by a program that does not know about registrations
    before = now(scene)
    do_everything(before)
    old = rows(f"SELECT * FROM {kind.kind()} LIMIT 1")  # type: ignore[attr-defined]
    assert old
    run(f"CREATE TABLE copied AS SELECT * FROM {kind.kind()} LIMIT 1")  # type: ignore[attr-defined]
    scene.request()
    post.drain()
    # When it writes them again, its INSERT fails
    with pytest.raises(IntegrityError, match=f"a record in {kind.kind()} is written under"):  # type: ignore[attr-defined]
        run(f"INSERT INTO {kind.kind()} OVERRIDING SYSTEM VALUE SELECT * FROM copied")  # type: ignore[attr-defined]
    assert_nothing_saved(scene)


def test_an_unassigned_learner_is_refused(scene: Scene) -> None:
    run("UPDATE enrolment SET unassigned_at = now()")
    with pytest.raises(StaleRegistration, match="no longer assigned"):
        do(complete, now(scene).registration)
    assert ask("SELECT count(*) FROM completion") == 0


def waiting_for_a_lock() -> bool:
    return bool(ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


@pytest.mark.parametrize("raw", [False, True], ids=["through the door", "by a raw INSERT"])
def test_a_write_in_progress_is_cleared_by_the_reset(scene: Scene, post: Post, raw: bool) -> None:
    # Given a learner's write that is not committed
    learner = now(scene)
    reset = scene.request()
    [coordinator] = post.take()
    post.deliver(coordinator)
    with transaction() as session:
        if raw:
            session.execute(
                text("INSERT INTO completion (registration) VALUES (:registration)"),
                {"registration": learner.registration},
            )
        else:
            record_progress(session, learner.registration, activity(scene, LESSON), 80)
        # When the reset reaches this learner, it waits for the write
        clearing = threading.Thread(target=clear, args=(reset, 1))
        clearing.start()
        until(waiting_for_a_lock)
        assert clearing.is_alive()
    clearing.join(10)
    # Then it clears the write
    assert not clearing.is_alive()
    assert_nothing_saved(scene)
    assert now(scene).registration != learner.registration
    post.drain()
    assert ask("SELECT sum(value::int) FROM reset_slice, jsonb_each_text(removed)") == 1


def test_a_write_during_clearing_waits_and_is_refused(scene: Scene, post: Post) -> None:
    # Given a slice that has locked the learner and is not committed
    learner, refused = now(scene), []
    with transaction() as session:
        session.execute(
            text("UPDATE enrolment SET registration = uuidv7() WHERE id = :enrolment"), {"enrolment": learner.id}
        )

        def write() -> None:
            try:
                do(complete, learner.registration)
            except StaleRegistration as refusal:
                refused.append(refusal)

        # When the learner writes, the write waits
        writing = threading.Thread(target=write)
        writing.start()
        until(waiting_for_a_lock)
    writing.join(10)
    # Then it finds that its registration is gone
    assert refused
    assert_nothing_saved(scene)


def test_a_learner_can_start_over_after_the_reset(scene: Scene, post: Post) -> None:
    do_everything(now(scene))
    reset = scene.request(course=COURSE)
    post.drain()
    assert state_of(reset) == "succeeded"
    do_everything(now(scene))
    assert (now(scene).state, now(scene).progress) == ("completed", 100)
    assert rows("SELECT max(attempt) FROM assignment_submission") == [(1,)], "attempts start at 1 again"
