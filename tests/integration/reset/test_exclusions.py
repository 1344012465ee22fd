"""Exempt learners, and those who completed a course lately, are left out: said before, and afterwards with why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from models.access import Permission
from models.directory import course_of, user_of
from models.refusals.access import Forbidden
from models.refusals.audience_lists import ExemptionInvalid, ExemptionUnknown
from models.refusals.resets import SkipCompletedInvalid
from models.session import engine, transaction
from models.training import Enrolment
from tasks.reset.exemptions import end_exemption, exempt
from tests.post import Post
from tests.rules import ROLLING, completed, make, occurrences, tick
from tests.scenes import COURSE, Scene, alerts, as_actor, ask, ledger, make_scene, records_of, rows, run, state_of
from tests.web import client_of, make_user, token_for

pytestmark = pytest.mark.usefixtures("database")

EXEMPT = "the learner is exempt from resets of this course"
LATELY = "completed within 30 days before the preview"


def leave_out(scene: Scene, enrolment: Enrolment, until: datetime | None = None, **options: Any) -> None:
    values = {"reason": "on leave", "until": until} | options
    with transaction() as session:
        course = course_of(session, scene.organization.id, COURSE)
        exempt(session, scene.admin, course, user_of(session, scene.organization.id, enrolment.user_id), **values)


def take_in(scene: Scene, enrolment: Enrolment) -> None:
    with transaction() as session:
        course = course_of(session, scene.organization.id, COURSE)
        end_exemption(session, scene.admin, course, user_of(session, scene.organization.id, enrolment.user_id))


def test_who_is_left_out_is_shown_before_and_skipped_with_why(post: Post) -> None:
    # Given learners of whom one is exempt, and two completed the course lately
    scene = make_scene(learners=12, completed=100, certificates=False)
    exempt_one, lately, exempt_too, *others = scene.enrolments()
    long_ago = datetime.now(UTC) - timedelta(days=31)
    for one in (exempt_one, *others):
        completed(one.id, long_ago)
    for one in (lately, exempt_too):
        completed(one.id, datetime.now(UTC) - timedelta(days=29))
    leave_out(scene, exempt_one)
    leave_out(scene, exempt_too, datetime.now(UTC) + timedelta(days=1))
    # Then the preview counts them as left out, and not what they have
    seen = scene.preview(skip_completed_days=30)
    assert (seen.learners, seen.to_reset, seen.excluded) == (12, 9, {EXEMPT: 2, LATELY: 1})
    wanted = {user.id for user in scene.users() if user.notifications_on} & {one.user_id for one in others}
    assert (seen.completions, seen.alerts) == (9, len(wanted))
    # And the reset skips them, says why, and leaves what they have
    reset = scene.request(seen)
    post.drain()
    found = ledger(reset)
    assert {one.id: found.pop(one.id) for one in (exempt_one, lately, exempt_too)} == {
        exempt_one.id: ("skipped", EXEMPT),
        exempt_too.id: ("skipped", EXEMPT),
        lately.id: ("skipped", LATELY),
    }
    assert set(found.values()) == {("cleared", None)}
    assert records_of(scene.course)["completion"] == 3
    assert exempt_one.user_id not in alerts(reset)
    assert state_of(reset) == "succeeded"
    with pytest.raises(SkipCompletedInvalid):
        scene.preview(skip_completed_days=0)


def test_the_exemption_counts_that_the_preview_showed_and_one_made_since(post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    shown, since, neither = scene.enrolments()
    leave_out(scene, shown)
    seen = scene.preview()
    assert seen.excluded == {EXEMPT: 1}
    take_in(scene, shown)  # nobody was shown that this learner would be reset
    leave_out(scene, since)
    reset = scene.request(seen)
    post.drain()
    assert ledger(reset) == {
        shown.id: ("skipped", EXEMPT),
        since.id: ("skipped", EXEMPT),
        neither.id: ("cleared", None),
    }
    assert scene.preview().excluded == {EXEMPT: 1}


def test_an_exemption_is_replaced_ended_and_audited() -> None:
    scene = make_scene(learners=1)
    [learner] = scene.enrolments()
    leave_out(scene, learner, datetime.now(UTC) + timedelta(days=1))
    leave_out(scene, learner, reason="medical")
    take_in(scene, learner)
    with pytest.raises(ExemptionUnknown):
        take_in(scene, learner)
    assert scene.preview().excluded == {}
    assert rows("SELECT reason, until IS NULL, made_by, ended_by FROM exemption ORDER BY id") == [
        ("on leave", False, scene.admin.user_id, scene.admin.name),
        ("medical", True, scene.admin.user_id, scene.admin.name),
    ]
    audited = "SELECT action, actor, details->>'reason' FROM audit WHERE action LIKE 'exemption%' ORDER BY id"
    admin = scene.admin.name
    assert rows(audited) == [
        ("exemption.added", admin, "on leave"),
        ("exemption.added", admin, "medical"),
        ("exemption.ended", admin, None),
    ]
    for wrong in ({"reason": " "}, {"reason": "x" * 501}, {"until": datetime.now(UTC)}):
        with pytest.raises(ExemptionInvalid):
            leave_out(scene, learner, **wrong)
    nobody = as_actor(scene, make_user(scene.organization.id, "kim@acme.example").id)
    with pytest.raises(Forbidden):
        leave_out(replace(scene, admin=nobody), learner)


def test_a_rolling_rule_asks_again_once_an_exemption_with_a_date_has_ended(post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    for_good, dated, neither = scene.enrolments()
    year_ago = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=366)
    for one in (for_good, dated, neither):
        completed(one.id, year_ago)
    rule = make(scene, year_ago + timedelta(days=1), **ROLLING, warn_days=7)
    leave_out(scene, for_good)
    leave_out(scene, dated, datetime.now(UTC) + timedelta(hours=1))
    tick(datetime.now(UTC))
    states = {state: reason for _, state, reason in occurrences(rule)}
    assert states["skipped"] == EXEMPT
    assert states["requested"] is None
    assert "postponed to the next day" in str(states["planned"])
    run("UPDATE exemption SET until = made_at WHERE until IS NOT NULL")
    run("UPDATE occurrence SET released_at = now() WHERE state = 'planned'")
    run("UPDATE retraining_rule SET look_at = now()")
    tick(datetime.now(UTC) + timedelta(seconds=1))
    assert sorted(state for _, state, _ in occurrences(rule)) == ["requested", "requested", "skipped"]
    post.drain()
    assert records_of(scene.course)["completion"] == 1


def test_nobody_is_warned_of_a_retraining_that_leaves_them_out(post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    first = scene.enrolments()[0]
    leave_out(scene, first)
    soon = datetime.now(UTC) + timedelta(days=3)
    terms = {"kind": "calendar", "recurrence": "FREQ=YEARLY", "starts": f"{soon:%Y-%m-%dT%H:%M}", "warn_days": 7}
    make(scene, datetime.now(UTC), time_zone="UTC", **terms)
    tick(datetime.now(UTC) + timedelta(seconds=1))
    warned = {user for (user,) in rows("SELECT user_id FROM notification WHERE kind = 'retraining_ahead'")}
    assert first.user_id not in warned
    assert warned


def test_exemptions_are_made_listed_and_ended_by_api(served: str) -> None:
    scene = make_scene(learners=2)
    user = scene.users()[0]
    manager = make_user(scene.organization.id, "manager@acme.example", Permission.COURSES)
    with client_of(served, token_for(manager.id)) as api:
        made = api.post(f"/v1/courses/{COURSE}/exemptions", json={"user": user.email, "reason": "on leave"})
        assert (made.status_code, made.json()["made_by"]) == (201, manager.name)
        [listed] = api.get(f"/v1/courses/{COURSE}/exemptions").json()["items"]
        assert listed == made.json()
        planned = api.post(f"/v1/courses/{COURSE}/reset-plans", json={}).json()
        assert planned["excluded"] == [{"reason": EXEMPT, "learners": 1}]
        assert api.delete(f"/v1/courses/{COURSE}/exemptions/{user.id}").status_code == 204
        assert api.delete(f"/v1/courses/{COURSE}/exemptions/{user.id}").status_code == 404
    assert ask("SELECT ended_at IS NOT NULL FROM exemption")


def test_no_exemption_ends_after_the_years_that_can_be_shown() -> None:
    scene = make_scene(learners=1)
    with pytest.raises(ExemptionInvalid):
        leave_out(scene, scene.enrolments()[0], datetime(9999, 12, 31, 23, tzinfo=UTC))


def test_who_is_unassigned_while_a_reset_is_cut_into_slices_has_an_outcome(post: Post, database: str) -> None:
    """Each statement sees what is committed when it begins."""
    scene = make_scene(learners=3)
    gone, exempt_one, other = scene.enrolments()
    leave_out(scene, exempt_one)
    reset = scene.request(audience="users", users=[one.user_id for one in (gone, exempt_one, other)])
    done = []

    def between(_: object, __: object, statement: str, *___: object) -> None:
        if not done and statement.startswith(("INSERT INTO reset_slice", "INSERT INTO reset_item")):
            done.append(statement)
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("UPDATE enrolment SET unassigned_at = now() WHERE id = %s", [gone.id])
                connection.execute("DELETE FROM exemption")

    event.listen(engine(), "after_cursor_execute", between)
    try:
        post.drain()
    finally:
        event.remove(engine(), "after_cursor_execute", between)
    assert done
    assert ledger(reset)[exempt_one.id] == ("skipped", EXEMPT)
    assert set(ledger(reset)) == {gone.id, exempt_one.id, other.id}
    assert state_of(reset) == "succeeded"
