"""The one door: who comes through it, who does not, and how often."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from config.settings import settings
from models.access import Actor, Permission, acting_user, acting_user_by_id, console_operator
from models.refusals.access import Forbidden
from models.refusals.base import Refused
from models.refusals.people import GroupUnknown, UserUnknown
from models.refusals.requests import IdempotencyMismatch
from models.refusals.resets import (
    AudienceInvalid,
    ConfirmMismatch,
    DueInDaysInvalid,
    NotAssigned,
    PlanExpired,
    PlanInvalid,
    ReasonMissing,
)
from models.refusals.training import CourseUnknown
from models.resets import Audience
from models.session import engine, forget_engine, transaction
from tasks.app import app
from tasks.reset.impact import preview
from tasks.reset.request import request_reset
from tasks.signed_messages import RequestRefused
from tests.post import Post
from tests.rules import group
from tests.scenes import COURSE, OTHER_COURSE, REASON, Scene, ask, make_scene, rows, run


@pytest.fixture
def scene(database: str, set_up: Callable[..., None]) -> Scene:
    set_up(allow_unsigned_messages=True)  # how they are signed: `test_signed_messages.py`
    return make_scene()


def actor_with(scene: Scene, *permissions: Permission) -> Actor:
    return Actor(scene.organization.id, "user:7", scene.users()[0].id, frozenset(permissions))


def assert_nothing_asked(post: Post) -> None:
    assert ask("SELECT count(*) FROM reset") == 0
    assert ask("SELECT count(*) FROM audit") == 0
    assert post.take() == []


@pytest.mark.parametrize("typed", ["", "fire-101", "FIRE-101 ", "FIRE-10", "DATA-202"])
def test_the_course_code_has_to_be_typed_exactly(scene: Scene, post: Post, typed: str) -> None:
    with pytest.raises(ConfirmMismatch, match="FIRE-101 exactly"):
        scene.request(confirm=typed)
    assert_nothing_asked(post)


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_a_reason_is_needed(scene: Scene, post: Post, reason: str) -> None:
    with pytest.raises(ReasonMissing):
        scene.request(reason=reason)
    assert_nothing_asked(post)


@pytest.mark.parametrize("code", ["NOPE", "fire-101", "' OR 1=1 --"])
def test_a_course_that_is_not_there_is_refused(scene: Scene, code: str) -> None:
    with pytest.raises(CourseUnknown, match="upper and lower case count"):
        scene.preview(course=code)


def test_a_course_of_another_organization_is_not_there(scene: Scene) -> None:
    other = make_scene("globex", 1)
    run("UPDATE course SET code = 'SECRET-1' WHERE id = :id", id=other.course.id)
    with pytest.raises(CourseUnknown):
        scene.preview(course="SECRET-1")


@pytest.mark.parametrize(
    ("audience", "held", "needed"),
    [
        (Audience.ASSIGNED, Permission.USERS, Permission.COURSES),
        (Audience.COMPLETED, Permission.USERS, Permission.COURSES),
        (Audience.USERS, Permission.COURSES, Permission.USERS),
    ],
)
def test_each_audience_has_its_permission(
    scene: Scene, post: Post, audience: Audience, held: Permission, needed: Permission
) -> None:
    users = [scene.users()[0].id] if audience == Audience.USERS else None
    granted = scene.preview(audience=audience, users=users)
    lesser = actor_with(scene, held)
    with pytest.raises(Forbidden, match=needed.value), transaction() as session:
        preview(session, lesser, COURSE, audience=audience, users=users)
    # A plan that someone else made does not lend their permission.
    with pytest.raises(Forbidden, match=needed.value), transaction() as session:
        request_reset(session, lesser, plan=granted.token, confirm=COURSE, reason=REASON)
    assert_nothing_asked(post)
    with transaction() as session:
        assert request_reset(session, actor_with(scene, needed), plan=granted.token, confirm=COURSE, reason=REASON)


def test_a_plan_of_another_organization_is_refused(scene: Scene, post: Post) -> None:
    other = make_scene("globex", 1)
    planned = other.preview()
    with pytest.raises(PlanInvalid), transaction() as session:
        request_reset(session, scene.admin, plan=planned.token, confirm=COURSE, reason=REASON)
    assert_nothing_asked(post)


def test_an_old_plan_is_refused(scene: Scene, post: Post) -> None:
    planned = scene.preview()
    with time_machine.travel(planned.plan.expires_at + timedelta(seconds=1)):
        with pytest.raises(PlanExpired, match="older than 15 minutes"):
            scene.request(planned)
        assert_nothing_asked(post)


def test_a_plan_that_was_changed_is_refused(scene: Scene, post: Post) -> None:
    whole, another = scene.preview().token, scene.preview(course=OTHER_COURSE).token
    spliced = another.rpartition(".")[0] + "." + whole.rpartition(".")[2]
    for token in (whole[:-1], whole + "A", whole[1:], spliced, ""):
        with pytest.raises(PlanInvalid), transaction() as session:
            request_reset(session, scene.admin, plan=token, confirm=COURSE, reason=REASON)
    assert_nothing_asked(post)


def test_users_who_lack_the_course_are_named(scene: Scene) -> None:
    lacking = scene.users()[0]
    run("UPDATE enrolment SET unassigned_at = now() WHERE user_id = :id", id=lacking.id)
    with pytest.raises(NotAssigned, match=f"FIRE-101 is not assigned to {lacking.email}"):
        scene.preview(audience=Audience.USERS, users=[user.email for user in scene.users()[:3]])


def test_an_unknown_user_is_named(scene: Scene) -> None:
    with pytest.raises(UserUnknown, match="nobody@acme"):
        scene.preview(audience=Audience.USERS, users=[scene.users()[0].email, "nobody@acme.example"])


def test_a_user_of_another_organization_is_unknown(scene: Scene) -> None:
    stranger = make_scene("globex", 1).users()[0]
    for name in (stranger.id, stranger.email):
        with pytest.raises(UserUnknown):
            scene.preview(audience=Audience.USERS, users=[name])


@pytest.mark.parametrize("users", [None, [], list(range(1, 1002))], ids=["none", "empty", "too many"])
def test_the_audience_users_needs_users_and_not_too_many(scene: Scene, users: Any) -> None:
    with pytest.raises(AudienceInvalid, match="Name 1 to 1,000 users"):
        scene.preview(audience=Audience.USERS, users=users)


@pytest.mark.parametrize("audience", ["everyone", "", "ASSIGNED"])
def test_an_unknown_audience_is_refused(scene: Scene, audience: str) -> None:
    with pytest.raises(AudienceInvalid, match="must be one of assigned, completed, users"):
        scene.preview(audience=audience)


def test_naming_users_without_their_audience_does_not_reset_everyone(scene: Scene) -> None:
    with pytest.raises(AudienceInvalid, match="all learners would be reset"):
        scene.preview(users=[scene.users()[0].email])


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_due_date_out_of_reach_is_refused(scene: Scene, days: int) -> None:
    with pytest.raises(DueInDaysInvalid):
        scene.preview(due_in_days=days)


def test_a_deactivated_admin_and_an_unknown_id_are_refused(scene: Scene) -> None:
    stranger = make_scene("globex", 1).admin.user_id
    assert stranger
    run('UPDATE "user" SET active = false WHERE id = :id', id=scene.admin.user_id)
    with transaction() as session:
        for find, who in (
            (acting_user, "admin@acme.example"),
            (acting_user_by_id, scene.admin.user_id),
            (acting_user_by_id, stranger),
        ):
            with pytest.raises(UserUnknown):
                find(session, scene.organization, who)  # type: ignore[operator]


def test_the_audit_distinguishes_an_operator_at_the_console(scene: Scene, post: Post) -> None:
    operator = console_operator(scene.organization)
    with transaction() as session:
        planned = preview(session, operator, COURSE)
        request_reset(session, operator, plan=planned.token, confirm=COURSE, reason=REASON)
    assert ask("SELECT requested_by FROM reset") is None
    assert ask("SELECT actor FROM audit").startswith("console:")


# ---- once and not twice


def test_confirming_a_plan_twice_makes_one_reset(scene: Scene, post: Post) -> None:
    planned = scene.preview()
    assert scene.request(planned) == scene.request(planned) == planned.plan.id
    assert ask("SELECT count(*) FROM audit") == 1
    assert len(post.take()) == 1


def test_a_double_click_that_races_itself_makes_one_reset(scene: Scene, post: Post) -> None:
    # Given two requests with the same plan, of which neither is committed when the other begins
    planned = scene.preview()
    together, made = threading.Barrier(4), []

    def click() -> None:
        together.wait()
        made.append(scene.request(planned, idempotency_key="one click"))

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join(20)
    assert made == [planned.plan.id] * 4
    assert ask("SELECT count(*) FROM reset") == ask("SELECT count(*) FROM audit") == 1
    assert len(post.take()) == 1


def test_the_same_key_with_the_same_request_gives_the_same_reset(scene: Scene, post: Post) -> None:
    first = scene.request(idempotency_key="2026-01")
    again = scene.request(idempotency_key="2026-01")  # with a new plan, as from a caller that starts over
    assert again == first
    assert len(post.take()) == 1
    post.drain()
    assert scene.request(idempotency_key="2026-01") == first, "and it does so when the reset is over"


@pytest.mark.parametrize(
    "change",
    [{"reason": "another"}, {"course": OTHER_COURSE}, {"due_in_days": 3}, {"notify": False}, {"audience": "completed"}],
    ids=lambda change: next(iter(change)),
)
def test_a_key_used_for_another_request_is_refused(scene: Scene, post: Post, change: dict[str, Any]) -> None:
    scene.request(idempotency_key="2026-01")
    change = change | ({"audience": Audience(change["audience"])} if "audience" in change else {})
    with pytest.raises(IdempotencyMismatch):
        scene.request(idempotency_key="2026-01", **change)
    assert ask("SELECT count(*) FROM reset") == 1


def test_a_plan_confirmed_under_another_key_is_refused(scene: Scene) -> None:
    planned = scene.preview()
    scene.request(planned, idempotency_key="one")
    with pytest.raises(IdempotencyMismatch):
        scene.request(planned, idempotency_key="two")


def test_a_key_belongs_to_its_organization(scene: Scene) -> None:
    other = make_scene("globex", 1)
    assert scene.request(idempotency_key="2026-01") != other.request(idempotency_key="2026-01")


def test_an_expired_plan_that_was_confirmed_in_time_still_gives_its_reset(scene: Scene) -> None:
    planned = scene.preview()
    first = scene.request(planned)
    with time_machine.travel(planned.plan.expires_at + timedelta(seconds=1)):
        assert scene.request(planned) == first


# ---- messages and transactions


def test_nothing_is_sent_for_a_request_that_is_rolled_back(scene: Scene, post: Post) -> None:
    planned = scene.preview()
    with suppress(ZeroDivisionError), transaction() as session:
        request_reset(session, scene.admin, plan=planned.token, confirm=COURSE, reason=REASON)
        1 / 0  # noqa: B018 - as a page that breaks after asking
    assert_nothing_asked(post)


def test_the_message_is_sent_only_once_the_row_is_committed(scene: Scene, post: Post) -> None:
    planned = scene.preview()
    with transaction() as session:
        request_reset(session, scene.admin, plan=planned.token, confirm=COURSE, reason=REASON)
        assert post.take() == []
    assert len(post.take()) == 1


# ---- by message


def by_message(scene: Scene, **changes: Any) -> dict[str, Any]:
    return {
        "organization": scene.organization.slug,
        "course": COURSE,
        "requested_by": scene.admin.user_id,
        "reason": REASON,
        "confirm": COURSE,
        "idempotency_key": "2026-01",
    } | changes


def send(post: Post, kwargs: dict[str, Any]) -> tuple[Any, Callable[[], Any]]:
    asked = app.send_task("recourse.request_reset", kwargs=kwargs, queue="interactive")
    [letter] = [letter for letter in post.take() if letter.id == asked.id]
    post.deliver(letter)
    return asked, lambda: asked.get(timeout=5)


def test_another_application_asks_by_message_and_gets_the_resets_id(scene: Scene, post: Post) -> None:
    asked, answer = send(post, by_message(scene))
    assert UUID(answer()["reset"])
    _, again = send(post, by_message(scene))
    assert again() == answer()
    assert rows("SELECT id::text, requester FROM reset") == [(answer()["reset"], f"user:{scene.admin.user_id}")]
    assert asked.state == "SUCCESS"


def test_external_ids_name_course_and_learners_in_a_message(scene: Scene, post: Post) -> None:
    scene.name_externally(course="4711", first_learner="kim-17")
    second = scene.users()[1]
    _, answer = send(
        post,
        by_message(
            scene,
            course="external:4711",
            confirm="external:4711",
            audience="users",
            user_ids=[second.id],
            users=["external:kim-17", second.email.upper()],
        ),
    )
    [(course, users)] = rows("SELECT course_id, user_ids FROM reset WHERE id::text = :id", id=answer()["reset"])
    assert (course, users) == (scene.course.id, sorted([scene.enrolments()[0].user_id, second.id]))
    _, refused = send(post, by_message(scene, course="external:4712", confirm="external:4712"))
    with pytest.raises(Exception, match="There is no course 'external:4712'"):
        refused()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"organization": "nobody"}, "There is no organization 'nobody'."),
        ({"course": "NOPE"}, "There is no course 'NOPE'. Check the course code; upper and lower case count."),
        ({"confirm": "fire-101"}, "The confirmation does not match. Type the course code FIRE-101 exactly to confirm."),
        ({"requested_by": 999_999}, "There is no active user '999999' in this organization. Check the address or id."),
        ({"audience": "users", "user_ids": [1]}, "FIRE-101 is not assigned to 1. Assign it first, or leave them out."),
        ({"reason": " "}, "A reset needs a reason,"),
        ({"due_in_days": 0}, "The new due date is out of range. Choose 1 to 3650 days from now."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_refusal_by_message_is_a_failure_that_says_the_refusals_sentence(
    scene: Scene, post: Post, change: dict[str, Any], words: str
) -> None:
    asked, answer = send(post, by_message(scene, **change))
    assert asked.state == "FAILURE"
    with pytest.raises(RequestRefused) as failure:
        answer()
    code, sentence = failure.value.args
    assert code in {kind.code for kind in Refused.__subclasses__()}
    assert sentence.startswith(words)
    assert ask("SELECT count(*) FROM reset") == 0
    assert post.take() == []


@pytest.mark.parametrize(
    "change",
    [
        {"reason": None},
        {"reason": "a\x00b"},
        {"due_in_days": "30"},
        {"due_in_days": 2.5},
        {"user_ids": [1, "x"], "audience": "users"},
        {"notify": "false"},
        {"idempotency_key": None},
        {"idempotency_key": ""},
        {"requested_by": "admin@acme.example"},
        {"names": ["admin@acme.example"]},
        {"users": "admin@acme.example"},
    ],
    ids=lambda change: "-".join(f"{name}={value!r}" for name, value in change.items()),
)
def test_a_message_with_arguments_of_the_wrong_kind_is_refused_by_the_arguments_name(
    scene: Scene, post: Post, change: dict[str, Any]
) -> None:
    _, answer = send(post, by_message(scene, **change))
    with pytest.raises(RequestRefused) as failure:
        answer()
    code, sentence = failure.value.args
    assert code == "arguments-invalid"
    assert next(iter(change)) in sentence
    assert "acme.example" not in sentence, "what people sent may be about people"
    assert_nothing_asked(post)


@pytest.mark.parametrize("user_ids", [[], [1]])
def test_named_users_without_their_audience_never_become_everyone(
    scene: Scene, post: Post, user_ids: list[int]
) -> None:
    _, answer = send(post, by_message(scene, user_ids=user_ids))
    with pytest.raises(RequestRefused, match="audience-invalid"):
        answer()
    assert_nothing_asked(post)


def test_a_request_by_message_waits_for_a_database_that_is_away(scene: Scene, post: Post) -> None:
    # Given a table that cannot be read for now
    asked = app.send_task("recourse.request_reset", kwargs=by_message(scene), queue="interactive")
    [letter] = post.take()
    with transaction() as session:
        session.connection().exec_driver_sql("LOCK TABLE course")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("RECOURSE_LOCK_TIMEOUT_SECONDS", "0.1")
            settings.cache_clear()
            engine.cache_clear()
            # When the message comes, then Celery has it come again
            assert post.deliver(letter) == "RETRY"
            forget_engine()
    settings.cache_clear()
    [again] = post.take()
    assert again.id == asked.id
    assert again.headers["retries"] == 1
    post.deliver(again)
    assert asked.get(timeout=5)["reset"]


def test_a_group_that_is_deleted_before_the_confirmation_is_refused(scene: Scene) -> None:
    group(scene, "nights", [scene.users()[0].email])
    seen = scene.preview(audience="group", group="nights")
    run("DELETE FROM group_member")
    run("DELETE FROM user_group")
    with pytest.raises(GroupUnknown):
        scene.request(seen)
