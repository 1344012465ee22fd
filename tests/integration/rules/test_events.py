"""Reported events: by command and by message through the broker, once, and with the permission."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models.access import Permission
from models.events import EventKind
from models.refusals.access import Forbidden
from models.refusals.base import Refused
from models.refusals.events import EventMismatch
from models.refusals.people import GroupUnknown
from models.refusals.resets import AudienceInvalid, ReasonMissing
from models.refusals.training import CourseUnknown
from models.session import transaction
from tasks.app import app
from tasks.rules.event_preview import preview_event
from tasks.rules.events import report_event
from tests.post import Post
from tests.rules import EVENT, change, group, happen, make, occurrences, tick
from tests.scenes import COURSE, Scene, ask, make_scene, rows, run

REPORT = "recourse.report_event"
NOW = datetime(2026, 3, 1, 5, tzinfo=UTC)


@pytest.fixture
def scene(database: str, set_up: Callable[..., None]) -> Scene:
    set_up(allow_unsigned_messages=True)  # `test_signed_messages.py` tests signatures
    return make_scene(learners=6, completed=100)


def message(scene: Scene, **changes: Any) -> dict[str, Any]:
    """Returns the arguments that another application sends."""
    arguments = {
        "organization": "acme", "course": COURSE, "kind": "incident", "reason": "case 7731",
        "reported_by": scene.admin.user_id, "idempotency_key": "7731",
    }  # fmt: skip
    return {name: value for name, value in (arguments | changes).items() if value is not None}


def send(post: Post, kwargs: Mapping[str, Any]) -> Any:
    """Send the message through the broker and deliver it. Returns its result."""
    sent = app.send_task(REPORT, queue="interactive", kwargs=dict(kwargs))
    for letter in post.take():
        post.deliver(letter)
    return app.AsyncResult(sent.id)


def test_an_event_reported_by_message_starts_resets(scene: Scene, post: Post) -> None:
    rule = make(scene, NOW, **EVENT, event_kind="incident")
    answer = send(post, message(scene)).get(timeout=5)
    assert answer == {"event": ask("SELECT id FROM training_event"), "rules": 1}
    tick(datetime.now(UTC))
    post.drain()
    tick(datetime.now(UTC))
    assert [state for _, state, _ in occurrences(rule)] == ["settled"]
    assert rows("SELECT reason, requester FROM reset") == [("incident: case 7731", f"rule:{rule}")]


def test_a_repeated_message_is_one_event(scene: Scene, post: Post) -> None:
    rule = make(scene, NOW, **EVENT)
    first, second = (send(post, message(scene)).get(timeout=5) for _ in range(2))
    assert first == second
    assert len(occurrences(rule)) == ask("SELECT count(*) FROM training_event") == 1
    assert ask("SELECT count(*) FROM audit WHERE action = 'event.reported'") == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"organization": "globex"}, "organization-unknown"),
        ({"course": "NONE-1"}, "course-unknown"),
        ({"group": "bern"}, "group-unknown"),
        ({"reason": "  "}, "reason-missing"),
        ({"kind": "earthquake"}, "arguments-invalid"),
        ({"reported_by": 999_999}, "user-unknown"),
        ({"reported_by": "1"}, "arguments-invalid"),
        ({"idempotency_key": None}, "arguments-invalid"),
        ({"more": 1}, "arguments-invalid"),
    ],
)
def test_a_refused_message_answers_with_a_code(scene: Scene, post: Post, changes: Any, code: str) -> None:
    make(scene, NOW, **EVENT)
    result = send(post, message(scene, **changes))
    assert result.state == "FAILURE"
    assert result.result.args[0] == code
    assert ask("SELECT count(*) FROM training_event") == ask("SELECT count(*) FROM occurrence") == 0


def test_reporting_events_needs_the_permission_to_manage_courses(scene: Scene, post: Post) -> None:
    run("UPDATE \"user\" SET permissions = ARRAY[:users] WHERE id = :id", users=Permission.USERS.value,
        id=scene.admin.user_id)  # fmt: skip
    assert send(post, message(scene)).result.args[0] == "forbidden"
    assert ask("SELECT count(*) FROM training_event") == 0


def test_a_key_names_one_event_of_one_reporter(scene: Scene) -> None:
    happen(scene, NOW, "1")
    for other in ({"kind": EventKind.NON_COMPLIANCE}, {"reason": "another"}, {"course": "DATA-202"}):
        with pytest.raises(EventMismatch):
            happen(scene, NOW, "1", **other)
    assert happen(scene, NOW, "1", reporter="source:1").key == "1"
    assert ask("SELECT count(*) FROM training_event") == 2


def test_an_event_without_a_matching_rule_is_kept(scene: Scene) -> None:
    make(scene, NOW, **EVENT, event_kind="procedure_changed")
    event = happen(scene, NOW, "1")
    assert ask("SELECT count(*) FROM occurrence") == 0
    [(actor, details)] = rows("SELECT actor, details FROM audit WHERE subject = :id AND action = 'event.reported'",
                              id=str(event.id))  # fmt: skip
    assert (actor, details["rules"], details["reason"]) == (scene.admin.name, [], "press 4, hand injury")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [({"course": "NONE-1"}, CourseUnknown), ({"group": "none"}, GroupUnknown), ({"reason": " "}, ReasonMissing)],
)
def test_an_event_with_unknown_names_is_refused(scene: Scene, changes: Any, refusal: type[Refused]) -> None:
    with pytest.raises(refusal):
        happen(scene, NOW, "1", **changes)


def test_an_event_reaches_no_other_organization(scene: Scene) -> None:
    theirs = make_scene("globex", learners=3, completed=100)
    rule = make(theirs, NOW, **EVENT)
    happen(scene, NOW, "1")
    group(theirs, "lyon", [])
    with pytest.raises(GroupUnknown):
        happen(scene, NOW, "2", group="lyon")
    assert occurrences(rule) == []


def test_a_learner_cannot_report_events(scene: Scene) -> None:
    learner = replace(scene, admin=replace(scene.admin, permissions=frozenset()))
    with pytest.raises(Forbidden):
        happen(learner, NOW, "1")


def test_an_event_about_persons_resets_only_those_of_them_in_the_rules_audience(scene: Scene, post: Post) -> None:
    first, second, third = scene.users()[:3]
    group(scene, "bern-2", [second.email, third.email])
    group(scene, "zug-1", [])
    everyone = make(scene, NOW, **EVENT)
    bern, zug = (make(scene, NOW, **EVENT, audience="group", group=code) for code in ("bern-2", "zug-1"))
    paused = make(scene, NOW, **EVENT)
    change(scene, "pause", paused, NOW)
    told = {"kind": EventKind.INCIDENT, "course": COURSE, "reason": "press 4", "users": [first.email, second.email]}
    with transaction() as session:
        seen = preview_event(session, scene.admin, **told)
        found = {one.rule.id: (one.learners, one.due_at is None) for one in seen.rules}
    assert (found, seen.learners) == ({everyone: (2, False), bern: (1, False), paused: (2, True)}, 2)
    happen(scene, NOW, "7731", users=[first.email, second.email])
    tick(NOW)
    post.drain()
    assert ask("SELECT count(DISTINCT enrolment_id) FROM reset_item") == 2
    assert rows("SELECT rule_id, learners FROM occurrence WHERE reset_id IS NOT NULL ORDER BY learners") == [
        (bern, 1), (everyone, 2),
    ]  # fmt: skip
    assert occurrences(zug) == []


def test_naming_persons_takes_the_permission_for_users_too(scene: Scene) -> None:
    manager = replace(scene.admin, permissions=frozenset({Permission.COURSES}))
    told = {"kind": EventKind.INCIDENT, "course": COURSE, "reason": "x", "users": ["learner-1@acme.example"]}
    with pytest.raises(Forbidden, match="Users"), transaction() as session:
        report_event(session, manager, key="1", **told)
    group(scene, "bern-2", [])
    with pytest.raises(AudienceInvalid, match="not both"):
        happen(scene, NOW, "2", users=["learner-1@acme.example"], group="bern-2")
