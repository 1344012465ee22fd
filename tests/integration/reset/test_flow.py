"""A reset from request to result, with its real messages delivered by the tests."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult
from sqlalchemy import event

from models.analytics import completion_by_course, completion_by_user
from models.refusals.access import Forbidden
from models.refusals.resets import AlreadySettled, NothingToRetry, NotYetOver
from models.resets import Audience
from models.session import engine, transaction
from tasks.app import app
from tasks.reset.clear_learners import begin_attempt
from tasks.reset.reset_course import ResetFailed
from tests.post import Post
from tests.scenes import (
    COURSE,
    alerts,
    ask,
    count_new_registrations,
    do_everything,
    fail_for,
    fingerprint,
    ledger,
    let_all_pass,
    make_scene,
    records_of,
    report_of,
    rows,
    run,
    state_of,
)
from tests.workers import until

CLEARED, UNCHANGED = ("cleared", None), ("unchanged", None)
CANCELLED = ("skipped", "the reset was cancelled")
RESET_SINCE = ("skipped", "another reset has reset this learner since")


def result(task_id: object) -> AsyncResult:
    return AsyncResult(str(task_id), app=app)


def test_everyone_is_back_at_the_start_and_nothing_is_left(post: Post) -> None:
    # Given a course that 4 learners have completed, 4 have begun, and 4 have not
    scene = make_scene(files=True)
    before = scene.enrolments()
    assert sorted(enrolment.state for enrolment in before).count("completed") == 4
    assert min(records_of(scene.course).values()) == 4
    # When it is reset
    reset = scene.request()
    post.drain()
    # Then everyone is at 0 % under a new registration, with no record left
    for old, new in zip(before, scene.enrolments(), strict=True):
        assert (new.id, new.user_id, new.assigned_at) == (old.id, old.user_id, old.assigned_at)
        assert (new.state, new.progress, new.completed_at) == ("assigned", 0, None)
        assert new.registration != old.registration
    assert set(records_of(scene.course).values()) == {0}
    assert state_of(reset) == "succeeded"


def test_analytics_start_from_zero_again(post: Post) -> None:
    scene = make_scene()
    scene.request()
    post.drain()
    with transaction() as session:
        [course] = completion_by_course(session, scene.organization.id, COURSE)
        users = list(completion_by_user(session, scene.course))
    assert (course.assigned, course.in_progress, course.completed, course.rate) == (12, 0, 0, 0.0)
    assert {(user.state, user.progress, user.completed_at) for user in users} == {("assigned", 0, None)}
    assert len(users) == 12


def test_other_courses_and_other_organizations_keep_every_row(post: Post) -> None:
    # Given the same courses in two organizations
    ours, theirs = make_scene("acme", files=True), make_scene("globex", completed=100, begun=100, files=True)
    others = [ours.other_course, theirs.course, theirs.other_course]
    before = fingerprint(others)
    assert all(not rows_and_sum.startswith("0 ") for rows_and_sum in before.values())
    mine = fingerprint([ours.course])
    # When one course of one of them is reset, nothing changes elsewhere
    ours.request()
    post.drain()
    assert fingerprint(others) == before
    assert fingerprint([ours.course]) != mine


def test_the_preview_matches_the_reset(post: Post) -> None:
    scene = make_scene(files=True)
    planned = scene.preview()
    assert (planned.learners, planned.completions, planned.alerts) == (12, 4, 8)
    reset = scene.request(planned)
    post.drain()
    done = report_of(reset)
    assert (
        done["removed"]
        == planned.removed
        == {
            "lesson_progress": 16,
            "practical_assessment": 8,
            "discussion_post": 8,
            "assignment_submission": 8,
            "completion": 4,
            "certificate": 4,
            "stored_file": 8,
        }
    )
    assert done["progress"] == {"total": 12, "cleared": 8, "unchanged": 4, "skipped": 0, "failed": 0, "waiting": 0}
    assert done["notified"] == planned.alerts
    assert done["done"] is True


def test_a_preview_changes_nothing(post: Post) -> None:
    scene = make_scene()
    before = fingerprint([scene.course, scene.other_course])
    scene.preview()
    assert fingerprint([scene.course, scene.other_course]) == before
    assert post.take() == []
    assert ask("SELECT count(*) FROM reset") == 0


def test_only_users_with_notifications_on_are_alerted(post: Post) -> None:
    # Given twelve learners who have all completed; the tenth has notifications off, the third is deactivated
    scene = make_scene(completed=100)
    users = scene.users()
    run('UPDATE "user" SET active = false WHERE id = :id', id=users[2].id)
    assert [user.notifications_on for user in users].count(False) == 1
    planned = scene.preview()
    reset = scene.request(planned)
    post.drain()
    assert set(alerts(reset)) == {user.id for user in users if user.notifications_on} - {users[2].id}
    assert set(alerts(reset).values()) == {("sent", None)}
    assert len(alerts(reset)) == planned.alerts == 10
    assert ledger(reset)[scene.enrolments()[2].id] == CLEARED, "a deactivated user's progress goes all the same"


def test_a_second_reset_finds_nothing_and_alerts_nobody(post: Post) -> None:
    scene = make_scene()
    scene.request()
    post.drain()
    before = [enrolment.state for enrolment in scene.enrolments()]
    second = scene.request()
    post.drain()
    assert report_of(second)["progress"] == {
        "total": 12,
        "cleared": 0,
        "unchanged": 12,
        "skipped": 0,
        "failed": 0,
        "waiting": 0,
    }
    assert alerts(second) == {}
    assert [enrolment.state for enrolment in scene.enrolments()] == before


def test_the_audience_completed_leaves_the_others_alone(post: Post) -> None:
    scene = make_scene()
    before = {enrolment.id: enrolment for enrolment in scene.enrolments()}
    reset = scene.request(audience=Audience.COMPLETED)
    post.drain()
    completed = {key for key, enrolment in before.items() if enrolment.state == "completed"}
    assert ledger(reset) == dict.fromkeys(completed, CLEARED)
    for enrolment in scene.enrolments():
        changed = enrolment.registration != before[enrolment.id].registration
        assert changed == (enrolment.id in completed)


def test_named_users_are_reset_and_nobody_else(post: Post) -> None:
    scene = make_scene()
    before = {enrolment.id: enrolment for enrolment in scene.enrolments()}
    named = scene.users()[1:3]
    reset = scene.request(audience=Audience.USERS, users=[named[0].email.upper(), named[1].email])
    post.drain()
    assert ledger(reset) == {
        key: CLEARED for key, enrolment in before.items() if enrolment.user_id in {user.id for user in named}
    }
    assert len(ledger(reset)) == 2


def test_a_learner_assigned_after_the_preview_is_not_touched(post: Post) -> None:
    # Given a plan, and a learner assigned to the course after it
    scene = make_scene(completed=100)
    planned = scene.preview()
    late = scene.enrolments()[0]
    run("UPDATE enrolment SET assigned_at = clock_timestamp() WHERE id = :id", id=late.id)
    # When the plan is confirmed
    reset = scene.request(planned)
    post.drain()
    # Then that learner keeps everything, because no preview showed them
    assert late.id not in ledger(reset)
    assert scene.enrolments()[0].registration == late.registration
    assert scene.enrolments()[0].state == "completed"
    assert report_of(reset)["progress"]["total"] == 11


def test_a_learner_who_completes_after_the_preview_is_not_among_the_completed(post: Post) -> None:
    scene = make_scene()
    planned = scene.preview(audience=Audience.COMPLETED)
    late = scene.enrolments()[-1]
    do_everything(late)
    reset = scene.request(planned)
    post.drain()
    assert late.id not in ledger(reset)
    assert scene.enrolments()[-1].state == "completed"


def unassign(enrolment: int) -> None:
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=enrolment)


def test_a_learner_unassigned_before_is_in_neither_preview_nor_reset(post: Post) -> None:
    scene = make_scene(completed=100)
    gone = scene.enrolments()[0]
    unassign(gone.id)
    planned = scene.preview()
    assert (planned.learners, planned.completions, planned.alerts) == (11, 11, 10)
    reset = scene.request(planned)
    post.drain()
    assert gone.id not in ledger(reset)
    assert len(ledger(reset)) == 11
    assert scene.enrolments()[0].registration == gone.registration


def test_a_learner_unassigned_while_the_reset_runs_is_skipped_with_a_reason(post: Post) -> None:
    scene = make_scene(completed=100)
    gone = scene.enrolments()[0]
    reset = scene.request()
    [coordinator] = post.take()
    post.deliver(coordinator)  # the ledger is written
    unassign(gone.id)
    post.drain()
    assert ledger(reset)[gone.id] == ("skipped", "the course is no longer assigned")
    assert scene.enrolments()[0].registration == gone.registration
    assert gone.user_id not in alerts(reset)
    assert report_of(reset)["progress"] == {
        "total": 12,
        "cleared": 11,
        "unchanged": 0,
        "skipped": 1,
        "failed": 0,
        "waiting": 0,
    }
    assert state_of(reset) == "succeeded"


def test_a_named_user_unassigned_before_the_ledger_is_written_is_listed_as_skipped(post: Post) -> None:
    scene = make_scene(completed=100)
    gone, stays = scene.enrolments()[:2]
    reset = scene.request(audience=Audience.USERS, users=[gone.user_id, stays.user_id])
    unassign(gone.id)
    post.drain()
    assert ledger(reset) == {gone.id: ("skipped", "the course is no longer assigned"), stays.id: CLEARED}


def test_a_due_date_counts_from_the_request(post: Post) -> None:
    scene = make_scene(learners=3)
    reset = scene.request(due_in_days=30)
    post.drain()
    requested = ask("SELECT requested_at FROM reset WHERE id = :id", id=reset)
    assert {enrolment.due_at for enrolment in scene.enrolments()} == {requested + timedelta(days=30)}


def test_without_a_new_due_date_a_future_one_stays_and_a_past_one_is_removed(post: Post) -> None:
    scene = make_scene(learners=3)
    future = datetime.now(UTC) + timedelta(days=9)
    run("UPDATE enrolment SET due_at = :future WHERE id = :id", future=future, id=scene.enrolments()[0].id)
    scene.request()
    post.drain()
    assert [enrolment.due_at for enrolment in scene.enrolments()] == [future, None, None]


def test_a_silent_reset_alerts_nobody(post: Post) -> None:
    scene = make_scene()
    planned = scene.preview(notify=False)
    assert planned.alerts == 0
    reset = scene.request(planned)
    post.drain()
    assert alerts(reset) == {}
    assert report_of(reset)["progress"]["cleared"] == 8


def test_the_ledger_of_a_large_course_that_was_just_imported_is_written_in_time(
    post: Post, set_up: Callable[..., None]
) -> None:
    # Given tables without statistics; PostgreSQL once chose a nested loop over 20,000 learners
    set_up(statement_timeout_seconds=4)
    scene = make_scene(learners=20_000, completed=1, begun=1)
    reset = scene.request()
    post.deliver(post.take()[0])
    assert state_of(reset) == "running"
    assert report_of(reset)["progress"]["total"] == 20_000


def test_a_course_without_learners_is_reset_at_once(post: Post) -> None:
    scene = make_scene(learners=0)
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert result(reset).get(timeout=5)["progress"]["total"] == 0


def test_the_audit_has_the_requester_and_the_result(post: Post) -> None:
    scene = make_scene()
    reset = scene.request(reason="  yearly recertification ")
    post.drain()
    asked, ended = rows("SELECT actor, action, details FROM audit WHERE subject = :id ORDER BY id", id=str(reset))
    assert asked == (
        f"user:{scene.admin.user_id}",
        "reset.requested",
        {"course": COURSE, "reason": "yearly recertification"},
    )
    assert ended[:2] == (f"task:{reset}", "reset.succeeded")
    assert ended[2]["progress"]["cleared"] == 8
    assert ended[2]["removed"]["completion"] == 4


# ---- cancelling


def test_cancelling_before_the_ledger_is_written_touches_nobody(post: Post) -> None:
    scene = make_scene()
    before = fingerprint([scene.course])
    reset = scene.request()
    scene.cancel(reset)
    post.drain()
    assert state_of(reset) == "cancelled"
    assert ledger(reset) == {}
    assert fingerprint([scene.course]) == before
    assert result(reset).state == "REVOKED"


@pytest.mark.usefixtures("one_by_one")
def test_cancelling_midway_keeps_cleared_learners_and_touches_no_more(post: Post, set_up: Callable[..., None]) -> None:
    # Given a reset with five cleared learners
    set_up(slices_in_flight=5)
    scene = make_scene(completed=100)
    before = scene.enrolments()
    reset = scene.request()
    post.deliver(post.take()[0])
    for letter in post.take():
        post.deliver(letter)
    # When it is cancelled twice
    scene.cancel(reset)
    scene.cancel(reset)
    post.drain()
    # Then they are cleared and alerted, and the others keep everything
    assert list(ledger(reset).values()) == [CLEARED] * 5 + [CANCELLED] * 7
    assert [new.registration != old.registration for new, old in zip(scene.enrolments(), before, strict=True)] == (
        [True] * 5 + [False] * 7
    )
    assert set(alerts(reset)) == {enrolment.user_id for enrolment in before[:5]}
    assert report_of(reset)["progress"] == {
        "total": 12,
        "cleared": 5,
        "unchanged": 0,
        "skipped": 7,
        "failed": 0,
        "waiting": 0,
    }
    assert rows("SELECT action FROM audit WHERE subject = :id ORDER BY id", id=str(reset)) == [
        ("reset.requested",),
        ("reset.cancelled",),
        ("reset.cancelled",),  # the end of it, by the task
    ]
    # And Celery shows it as revoked
    assert result(reset).state == "REVOKED"
    with pytest.raises(TaskRevokedError, match="the reset was cancelled"):
        result(reset).get(timeout=5)


@pytest.mark.usefixtures("one_by_one")
def test_a_learner_whom_a_worker_is_clearing_when_the_reset_is_cancelled_is_still_cleared(post: Post) -> None:
    # Given a worker in the middle of a slice: it waits for a learner whose row this test holds
    scene = make_scene(learners=3, completed=100)
    first, second, third = (enrolment.id for enrolment in scene.enrolments())
    reset = scene.request()
    post.deliver(post.take()[0])
    slices = post.take()
    with ThreadPoolExecutor(1) as worker:
        with transaction() as session:
            session.connection().exec_driver_sql(f"SELECT FROM enrolment WHERE id = {second} FOR NO KEY UPDATE")
            clearing = worker.submit(post.deliver, slices[1])
            until(lambda: ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1)
            # When the reset is cancelled, and the coordinator closes what nobody has begun
            scene.cancel(reset)
            for letter in post.take():
                post.deliver(letter)
            assert ledger(reset) == {first: CANCELLED, second: ("pending", None), third: CANCELLED}
            assert state_of(reset) == "running"
        assert clearing.result(20) == "SUCCESS"
    # Then that learner is cleared, and the reset ends as cancelled
    for letter in (slices[0], slices[2]):
        post.deliver(letter)
    post.drain()
    assert ledger(reset) == {first: CANCELLED, second: CLEARED, third: CANCELLED}
    assert state_of(reset) == "cancelled"


def test_cancelling_after_everyone_is_cleared_leaves_the_reset_succeeded(post: Post) -> None:
    scene = make_scene(learners=2, completed=100)
    reset = scene.request()
    post.deliver(post.take()[0])
    for letter in post.take():
        post.deliver(letter)
    scene.cancel(reset)
    post.drain()
    assert state_of(reset) == "succeeded"
    assert set(ledger(reset).values()) == {CLEARED}


def test_a_settled_reset_cannot_be_cancelled(post: Post) -> None:
    scene = make_scene(learners=2)
    reset = scene.request()
    post.drain()
    with pytest.raises(AlreadySettled, match="succeeded"):
        scene.cancel(reset)
    assert ask("SELECT cancel_requested_at FROM reset") is None


# ---- failing learners


def test_a_learner_who_cannot_be_reset_fails_alone(post: Post) -> None:
    # Given a large course with one learner whom the database refuses to reset
    scene = make_scene(learners=230, completed=100, begun=100)
    before = scene.enrolments()
    bad = before[100]
    fail_for(bad)
    reset = scene.request()
    post.drain()
    # Then that learner keeps everything, and the ledger has the reason
    outcome = ledger(reset)
    assert outcome.pop(bad.id) == ("failed", "RaiseException: this learner cannot be reset")
    assert {state for state, _ in outcome.values()} <= {"cleared", "unchanged"}
    assert len(outcome) == 229
    after = {enrolment.id: enrolment for enrolment in scene.enrolments()}
    assert after[bad.id].registration == bad.registration
    assert after[bad.id].state == bad.state
    assert bad.user_id not in alerts(reset)
    assert state_of(reset) == "partly_failed"
    # And the result of the job is a failure with their number
    with pytest.raises(ResetFailed, match=f"1 of 230 learners were not reset; `recourse show {reset}` says why"):
        result(reset).get(timeout=5)


def test_a_reset_in_which_everyone_fails_has_failed(post: Post) -> None:
    scene = make_scene(learners=2)
    for enrolment in scene.enrolments():
        fail_for(enrolment)
    before = fingerprint([scene.course])
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "failed"
    assert fingerprint([scene.course]) == before
    assert alerts(reset) == {}
    assert result(reset).state == "FAILURE"


def test_a_learner_whose_row_is_locked_for_long_fails_alone(post: Post, set_up: Callable[..., None]) -> None:
    set_up(lock_timeout_seconds=0.1)
    scene = make_scene(learners=3, completed=100)
    held = scene.enrolments()[1]
    reset = scene.request()
    with transaction() as session:
        session.connection().exec_driver_sql(f"SELECT FROM enrolment WHERE id = {held.id} FOR NO KEY UPDATE")
        post.drain()
    assert ledger(reset)[held.id] == ("failed", "LockNotAvailable: canceling statement due to lock timeout")
    assert [state for state, _ in ledger(reset).values()].count("cleared") == 2


def test_a_defect_in_our_code_is_named_and_fails_one_learner(post: Post) -> None:
    # Given a defect in our own code that only one learner meets
    scene = make_scene(learners=230, completed=100)
    bad = scene.enrolments()[100]

    def defect(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "UPDATE enrolment" in statement and any(
            bad.id in ids for ids in parameters.values() if isinstance(ids, list)
        ):
            raise ZeroDivisionError("somewhere")

    event.listen(engine(), "before_cursor_execute", defect)
    # When the course is reset
    reset = scene.request()
    post.drain()
    # Then the ledger names it, and all others are cleared
    outcome = ledger(reset)
    assert outcome.pop(bad.id) == ("failed", "ZeroDivisionError")
    assert set(outcome.values()) == {CLEARED}


def test_a_failed_reset_is_retried_only_once_its_result_is_stored(post: Post) -> None:
    scene = make_scene(learners=2)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    post.drain()
    run("UPDATE reset SET reported_at = NULL")
    with pytest.raises(NotYetOver):
        scene.retry_failed(reset)
    assert state_of(reset) == "partly_failed"
    assert ledger(reset)[scene.enrolments()[0].id][0] == "failed"


def test_a_retry_includes_only_failed_learners(post: Post) -> None:
    # Given a reset with two failed learners
    scene = make_scene(completed=100)
    bad = scene.enrolments()[3:5]
    for enrolment in bad:
        fail_for(enrolment)
    count_new_registrations()
    reset = scene.request()
    post.drain()
    assert report_of(reset)["progress"] == {
        "total": 12,
        "cleared": 10,
        "unchanged": 0,
        "skipped": 0,
        "failed": 2,
        "waiting": 0,
    }
    # When the cause is fixed, and they are retried
    let_all_pass()
    again = scene.retry_failed(reset)
    delivered = post.drain()
    # Then two subtasks ran, and each learner got one new registration
    assert [letter.task for letter in delivered].count("recourse.clear_learners") == 2
    assert set(ledger(reset).values()) == {CLEARED}
    assert rows("SELECT enrolment_id, count(*) FROM new_registration GROUP BY 1 ORDER BY 1") == [
        (enrolment.id, 1) for enrolment in scene.enrolments()
    ]
    assert report_of(reset)["progress"] == {
        "total": 12,
        "cleared": 12,
        "unchanged": 0,
        "skipped": 0,
        "failed": 0,
        "waiting": 0,
    }
    assert report_of(reset)["removed"]["completion"] == 12
    assert report_of(reset)["notified"] == 11
    # And the new run has its own result, while the first one's stays
    assert again != reset
    assert result(again).get(timeout=5)["state"] == "succeeded"
    with pytest.raises(ResetFailed, match="2 of 12 learners were not reset"):
        result(reset).get(timeout=5)


def test_a_late_message_of_the_previous_run_leaves_its_result_unchanged(post: Post) -> None:
    # Given a failed run whose coordinator's message was sent twice
    scene = make_scene(learners=2, completed=100)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    [first] = post.take()
    post.deliver(first)
    post.drain()
    let_all_pass()
    again = scene.retry_failed(reset)
    # When the second arrives only now, and a third after the new run
    post.deliver(first)
    post.drain()
    post.deliver(first)
    # Then both runs have their results
    assert result(reset).state == "FAILURE"
    assert result(again).state == "SUCCESS"


def test_a_repeated_message_after_the_end_leaves_a_failed_result_unchanged(post: Post) -> None:
    scene = make_scene(learners=1, completed=100)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    [first] = post.take()
    post.deliver(first)
    post.drain()
    run("CREATE TABLE seen (status text)")
    run(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO seen VALUES (new.status); RETURN new; END $$"
    )
    run("CREATE TRIGGER note BEFORE UPDATE ON celery_taskmeta FOR EACH ROW EXECUTE FUNCTION note()")
    post.deliver(first)
    assert rows("SELECT status FROM seen") == [("FAILURE",)], "whoever waits for the result never sees it run again"
    assert result(reset).state == "FAILURE"


def test_a_learner_who_fails_again_stays_failed(post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    post.drain()
    scene.retry_failed(reset)
    post.drain()
    assert state_of(reset) == "partly_failed"
    assert report_of(reset)["progress"] == {
        "total": 3,
        "cleared": 2,
        "unchanged": 0,
        "skipped": 0,
        "failed": 1,
        "waiting": 0,
    }


def test_a_failed_learner_who_is_now_in_another_reset_too_is_reset_once(post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    two = scene.enrolments()[:2]
    for enrolment in two:
        fail_for(enrolment)
    first = scene.request()
    post.drain()
    let_all_pass()
    second = scene.request(audience=Audience.USERS, users=[two[0].user_id])
    [waiting] = post.take()
    post.deliver(waiting)
    held_back = post.take()
    scene.retry_failed(first)
    post.drain()
    assert [state for state, _ in ledger(first).values()] == ["cleared", "cleared", "cleared"]
    assert report_of(first)["progress"] == {
        "total": 3,
        "cleared": 3,
        "unchanged": 0,
        "skipped": 0,
        "failed": 0,
        "waiting": 0,
    }
    for letter in held_back:
        post.deliver(letter)
    post.drain()
    assert set(ledger(second).values()) == {RESET_SINCE}


@pytest.mark.parametrize("how", ["succeeded", "running", "cancelled"])
def test_there_is_nothing_to_retry_where_nobody_failed(post: Post, how: str) -> None:
    scene = make_scene(learners=2)
    reset = scene.request()
    if how == "cancelled":
        scene.cancel(reset)
    if how == "running":
        post.deliver(post.take()[0])
    else:
        post.drain()
    with pytest.raises(NothingToRetry, match=how):
        scene.retry_failed(reset)


def test_a_reset_whose_slices_cannot_be_written_fails_in_the_end(post: Post, set_up: Callable[..., None]) -> None:
    # Given a database that rejects the slices
    set_up(slice_attempts=3)
    run("ALTER TABLE reset_slice ADD CONSTRAINT full_disk CHECK (false)")
    scene = make_scene()
    before = fingerprint([scene.course])
    reset = scene.request()
    [coordinator] = post.take()
    # When it is tried again and again
    for tried in (1, 2, 3):
        assert state_of(reset) == "requested"
        post.deliver(coordinator)
        assert ask("SELECT attempts FROM reset") == tried
    post.drain()
    # Then it ends, with the reason
    assert state_of(reset) == "failed"
    assert ask("SELECT error FROM reset").startswith("The slices could not be written: CheckViolation: ")
    assert fingerprint([scene.course]) == before
    assert result(reset).state == "FAILURE"


def test_a_slice_that_always_kills_its_worker_is_given_up(post: Post, set_up: Callable[..., None]) -> None:
    # Given a slice that was begun three times and never finished
    set_up(slice_attempts=3)
    scene = make_scene(learners=2, completed=100)
    reset = scene.request()
    post.deliver(post.take()[0])
    slices = post.take()
    assert [begin_attempt(reset, 1) for _ in range(3)] == [(1, 1), (2, 1), (3, 1)]
    # When its message comes again
    for letter in slices:
        post.deliver(letter)
    post.drain()
    # Then its learner has failed with a reason, the other is cleared, and the job ends
    assert [(state, reason) for state, reason in ledger(reset).values()] == [
        ("failed", "given up: the worker was lost each time this was tried"),
        CLEARED,
    ]
    assert state_of(reset) == "partly_failed"
    assert scene.enrolments()[0].state == "completed"


@pytest.mark.usefixtures("small_slices")
def test_a_slice_lost_twice_continues_one_by_one(post: Post) -> None:
    scene = make_scene(learners=230, completed=100, begun=100)
    reset = scene.request()
    post.deliver(post.take()[0])
    for _ in range(2):
        begin_attempt(reset, 1)
    run("CREATE TABLE clearing (learners int)")
    run(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO clearing SELECT count(*) FROM changed; RETURN NULL; END $$"
    )
    run(
        "CREATE TRIGGER note AFTER UPDATE ON enrolment REFERENCING NEW TABLE AS changed "
        "FOR EACH STATEMENT EXECUTE FUNCTION note()"
    )
    post.drain()
    of_the_first, others = ask("SELECT learners FROM reset_slice WHERE number = 1"), 25
    assert of_the_first == 25
    assert [learners for (learners,) in rows("SELECT learners FROM clearing")].count(1) == of_the_first
    assert ask("SELECT max(learners) FROM clearing") == others
    assert state_of(reset) == "succeeded"


# ---- two resets, two clicks


def test_a_second_reset_of_the_same_course_skips_learners_whom_the_first_has_reset_since(post: Post) -> None:
    scene = make_scene(completed=100)
    first, second = scene.request(), scene.request()
    one, two = post.take()
    post.deliver(one)
    post.deliver(two)
    post.drain()
    assert set(ledger(first).values()) == {CLEARED}
    assert set(ledger(second).values()) == {RESET_SINCE}
    assert report_of(second)["progress"] == {
        "total": 12,
        "cleared": 0,
        "unchanged": 0,
        "skipped": 12,
        "failed": 0,
        "waiting": 0,
    }
    assert state_of(second) == "succeeded"
    assert alerts(second) == {}


def test_learners_of_two_resets_are_reset_by_the_one_that_comes_first(post: Post) -> None:
    scene = make_scene(completed=100)
    some = scene.enrolments()[:2]
    few = scene.request(audience=Audience.USERS, users=[enrolment.user_id for enrolment in some])
    post.deliver(post.take()[0])
    held_back = post.take()
    everyone = scene.request()
    post.drain()
    assert report_of(everyone)["progress"] == {
        "total": 12,
        "cleared": 12,
        "unchanged": 0,
        "skipped": 0,
        "failed": 0,
        "waiting": 0,
    }
    once = {enrolment.id: enrolment.registration for enrolment in scene.enrolments()}
    for letter in held_back:
        post.deliver(letter)
    post.drain()
    assert set(ledger(few).values()) == {RESET_SINCE}
    assert {enrolment.id: enrolment.registration for enrolment in scene.enrolments()} == once
    assert alerts(few) == {}


def test_a_slice_delivered_twice_is_done_once(post: Post) -> None:
    scene = make_scene(learners=1, completed=100)
    count_new_registrations()
    reset = scene.request()
    post.deliver(post.take()[0])
    [slice_] = post.take()
    for _ in range(3):
        post.deliver(slice_)
    post.drain()
    assert ask("SELECT count(*) FROM new_registration") == 1
    assert ask("SELECT sum(attempts) FROM reset_slice") == 1
    assert report_of(reset)["removed"]["completion"] == 1


@pytest.mark.usefixtures("one_by_one")
def test_the_window_is_never_exceeded_and_never_left_empty(post: Post, set_up: Callable[..., None]) -> None:
    set_up(slices_in_flight=3)
    scene = make_scene()
    reset = scene.request()
    post.deliver(post.take()[0])
    waiting = post.take()
    while waiting:
        assert len(waiting) <= 3
        open_slices = ask("SELECT count(*) FROM reset_slice WHERE settled_at IS NULL")
        assert len(waiting) == min(3, open_slices)
        post.deliver(waiting.pop(0))
        waiting += [letter for letter in post.take() if letter.task == "recourse.clear_learners"]
    assert ask("SELECT count(*) FROM reset_item WHERE state = 'pending'") == 0
    assert len(ledger(reset)) == 12


def test_the_first_message_of_a_small_course_takes_along_the_learners_in_the_queue(
    post: Post, set_up: Callable[..., None]
) -> None:
    set_up(slices_in_flight=5)
    scene = make_scene(completed=100)
    removed = scene.preview().removed
    reset = scene.request()
    post.deliver(post.take()[0])
    first, *others = post.take()
    assert len(others) == 4
    post.deliver(first)
    # Five, five and two of them, each in a slice of their own
    assert list(ledger(reset).values()) == [CLEARED] * 12
    assert ask("SELECT count(DISTINCT xmin::text) FROM reset_item") == 3
    assert rows("SELECT DISTINCT learners, cleared, attempts, publications FROM reset_slice") == [(1, 1, 1, 1)]
    # Every learner had a message, and the others change nothing
    before = fingerprint([scene.course])
    for letter in others:
        assert post.deliver(letter) == "SUCCESS"
    later = post.drain()
    assert len([letter for letter in later if letter.task == "recourse.clear_learners"]) == 7
    assert fingerprint([scene.course]) == before
    assert report_of(reset)["removed"] == removed
    assert state_of(reset) == "succeeded"


def test_nobody_without_the_permission_cancels_or_retries(post: Post) -> None:
    scene = make_scene(learners=1)
    reset = scene.request()
    run("""UPDATE "user" SET permissions = '{}'""")
    powerless: Any = type(scene.admin)(scene.organization.id, "user:1", 1, frozenset())
    other = type(scene)(scene.organization, powerless, scene.course, scene.other_course)
    for deed in (other.cancel, other.retry_failed):
        with pytest.raises(Forbidden, match="Training: Manage courses"):
            deed(reset)
    assert ask("SELECT cancel_requested_at FROM reset") is None
