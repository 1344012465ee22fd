"""Resets that start later: at their time, and not before."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from models.access import console_operator
from models.refusals.requests import IdempotencyMismatch
from models.refusals.resets import AlreadyBegun, DueInDaysInvalid, NothingToRetry, StartAtInvalid
from models.resets import Reset
from models.session import transaction
from tasks.app import app
from tasks.reset.move import move
from tasks.reset.retry_failed import retry_failed
from tests.databases import recourse_on
from tests.post import Post
from tests.scenes import Scene, alerts, ask, make_scene, records_of, recover, report_of, rows, run, state_of
from tests.web import client_of, token_for


def in_hours(hours: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def let_it_be_time(reset: object) -> None:
    """Move the times of the reset two days back."""
    run("UPDATE reset SET start_at = now(), requested_at = now() - interval '2 days' WHERE id = :id", id=reset)


def test_a_reset_for_later_waits_for_its_moment_and_then_runs(post: Post) -> None:
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(48))
    assert post.take() == []
    recover()
    assert post.take() == []
    assert (state_of(reset), records_of(scene.course)["completion"]) == ("requested", 12)

    let_it_be_time(reset)
    recover()
    post.drain()
    assert report_of(reset)["progress"]["cleared"] == 12
    assert state_of(reset) == "succeeded"


def test_a_message_that_comes_too_early_does_nothing(post: Post) -> None:
    scene = make_scene(completed=100)
    now = scene.request(course="DATA-202")
    [letter] = post.take()
    reset = scene.request(start_at=in_hours(48))
    run("UPDATE reset SET task_id = :task WHERE id = :id", task=letter.id, id=reset)
    run("UPDATE reset SET task_id = uuidv7() WHERE id = :id", id=now)
    early = type(letter)(letter.task, letter.id, letter.queue, {"reset_id": str(reset)}, letter.headers)
    assert post.deliver(early) == "IGNORED"
    assert state_of(reset) == "requested"


def test_a_later_reset_has_the_learners_assigned_when_it_was_planned(post: Post) -> None:
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(48))
    run("UPDATE enrolment SET assigned_at = now() + interval '1 day' WHERE id = :id", id=scene.enrolments()[0].id)
    let_it_be_time(reset)
    recover()
    post.drain()
    assert report_of(reset)["progress"]["total"] == 11


@pytest.mark.parametrize(
    ("what_happened", "why"),
    [
        ('UPDATE "user" SET active = false WHERE id = :id', "was deactivated"),
        ("UPDATE \"user\" SET permissions = '{}' WHERE id = :id", "lost the permission “Training: Manage courses”"),
    ],
)
@pytest.mark.parametrize("hours", [48, None])
def test_a_later_reset_does_not_run_if_its_requester_lost_the_permission(
    post: Post, what_happened: str, why: str, hours: float | None
) -> None:
    # Given a later reset, or one that waits for a worker
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(hours) if hours else None)
    # When its requester loses the permission
    run(what_happened, id=scene.admin.user_id)
    let_it_be_time(reset)
    recover()
    post.drain()
    # Then it ends with a reason and touches nobody
    assert (state_of(reset), records_of(scene.course)["completion"]) == ("failed", 12)
    assert report_of(reset)["progress"]["total"] == 0
    error = ask("SELECT error FROM reset WHERE id = :id", id=reset)
    assert why in error
    assert ask("SELECT details->>'error' FROM audit WHERE action = 'reset.failed'") == error
    assert ask("SELECT requester FROM reset WHERE id = :id", id=reset) == f"user:{scene.admin.user_id}"
    with pytest.raises(Exception, match=why):
        app.AsyncResult(str(reset)).get(timeout=5)
    # … and there is nothing to retry
    with pytest.raises(NothingToRetry):
        retry_as_operator(scene, reset)


def retry_as_operator(scene: Scene, reset: UUID) -> None:
    with transaction() as session:
        retry_failed(session, console_operator(scene.organization), session.get_one(Reset, reset))


def test_a_reset_from_the_console_does_not_depend_on_a_user(post: Post) -> None:
    scene = replace(scene := make_scene(completed=100), admin=console_operator(scene.organization))
    reset = scene.request(start_at=in_hours(48))
    let_it_be_time(reset)
    recover()
    post.drain()
    assert state_of(reset) == "succeeded"


def test_a_later_reset_can_be_cancelled_before_its_start(post: Post) -> None:
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(48))
    scene.cancel(reset)
    post.drain()
    assert state_of(reset) == "cancelled"
    let_it_be_time(reset)
    recover()
    post.drain()
    assert records_of(scene.course)["completion"] == 12


def test_the_new_due_date_counts_from_its_beginning(post: Post) -> None:
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(48), due_in_days=30)
    let_it_be_time(reset)
    recover()
    post.drain()
    days = "SELECT round(extract(epoch FROM due_at - now()) / 86400) FROM enrolment WHERE course_id = :course LIMIT 1"
    assert ask(days, course=scene.course.id) == 30


@pytest.mark.parametrize("hours", [-1, 0, 366 * 24])
def test_a_moment_that_has_passed_or_is_too_far_off_is_refused(database: str, hours: float) -> None:
    scene = make_scene()
    with pytest.raises(StartAtInvalid):
        scene.preview(start_at=in_hours(hours))


def test_the_same_key_with_another_moment_is_another_request(post: Post) -> None:
    scene = make_scene()
    scene.request(start_at=in_hours(48), idempotency_key="k")
    with pytest.raises(IdempotencyMismatch):
        scene.request(start_at=in_hours(49), idempotency_key="k")


def test_two_ticks_at_the_same_moment_start_a_later_reset_once(post: Post, set_up: Callable[..., None]) -> None:
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(48))
    let_it_be_time(reset)
    recover()
    recover()
    assert len(post.take()) == 1


def test_a_planned_reset_is_moved_until_it_begins(post: Post) -> None:
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(1))
    with transaction() as session:
        move(session, scene.admin, session.get_one(Reset, reset), start_at=in_hours(48), reason="the audit moved")
    run("UPDATE reset SET start_at = start_at - interval '2 hours', requested_at = now() - interval '3 hours'")
    recover()
    assert post.take() == [], "its former time has passed, and its new one has not"
    let_it_be_time(reset)
    recover()
    post.drain()
    assert (state_of(reset), ask("SELECT reason FROM reset")) == ("succeeded", "the audit moved")
    with pytest.raises(AlreadyBegun), transaction() as session:
        move(session, scene.admin, session.get_one(Reset, reset), start_at=in_hours(48))


def test_a_planned_reset_gets_another_due_date_and_alerts_by_api_and_by_command(
    post: Post, served: str, database: str
) -> None:
    scene = make_scene(completed=100)
    reset = scene.request(start_at=in_hours(48), due_in_days=30)
    terms = "SELECT due_in_days, notify, reason FROM reset"
    reason = ask("SELECT reason FROM reset")
    # By the API: with the limits of a request, and what is left out stays
    with client_of(served, token_for(scene.admin.user_id or 0)) as api:
        changed = api.post(f"/v1/resets/{reset}:move", json={"due_in_days": 60, "notify": False}).json()
        assert (changed["due_in_days"], changed["notify"], changed["reason"]) == (60, False, reason)
        for wrong in ({"due_in_days": 3651}, {"due_in_days": 0}, {"notify": "no"}):
            assert api.post(f"/v1/resets/{reset}:move", json=wrong).status_code == 422
        assert api.post(f"/v1/resets/{reset}:move", json={"due_in_days": None}).json()["due_in_days"] is None
    # By command
    refused = recourse_on(database, "move", str(reset), "--due-in-days", "3651", "--reason", "never")
    assert (refused.returncode, "Choose 1 to 3650 days" in " ".join(refused.stderr.split())) == (2, True)
    assert rows(terms) == [(None, False, reason)]
    assert recourse_on(database, "move", str(reset), "--due-in-days", "45", "--notify").returncode == 0
    assert recourse_on(database, "move", str(reset), "--no-due-date", "--no-notify").returncode == 0
    assert rows(terms) == [(None, False, reason)]
    # The audit says what was changed, from what, to what
    assert rows("SELECT details FROM audit WHERE action = 'reset.moved' ORDER BY id") == [
        ({"before": {"due_in_days": 30, "notify": True}, "after": {"due_in_days": 60, "notify": False}},),
        ({"before": {"due_in_days": 60}, "after": {"due_in_days": None}},),
        ({"before": {"due_in_days": None, "notify": False}, "after": {"due_in_days": 45, "notify": True}},),
        ({"before": {"due_in_days": 45, "notify": True}, "after": {"due_in_days": None, "notify": False}},),
    ]
    with transaction() as session, pytest.raises(DueInDaysInvalid):
        move(session, scene.admin, session.get_one(Reset, reset), due_in_days=0)
    # … and the reset does what it was changed to
    with transaction() as session:
        move(session, scene.admin, session.get_one(Reset, reset), due_in_days=45)
    let_it_be_time(reset)
    recover()
    post.drain()
    assert (state_of(reset), len(alerts(reset))) == ("succeeded", 0)
    days = "SELECT round(extract(epoch FROM due_at - now()) / 86400) FROM enrolment WHERE course_id = :course LIMIT 1"
    assert ask(days, course=scene.course.id) == 45
