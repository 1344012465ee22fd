"""Pauses and the queue of an organization."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from models.access import Actor, Permission
from models.refusals.access import Forbidden
from models.refusals.pauses import PausedMoreWidely, PauseReasonMissing
from models.refusals.resets import AlreadySettled
from models.resets import Reset
from models.session import Session, transaction
from models.webhooks import WebhookEvent, open_endpoint
from tasks.people.organizations import standing
from tasks.reset import pause
from tests.post import Letter, Post
from tests.rules import CALENDAR, make
from tests.scenes import Scene, alerts, ask, ledger, make_scene, recover, report_of, rows, run, state_of

WHY = "the figures look wrong"
SLICE, COORDINATOR = "recourse.clear_learners", "recourse.reset_course"


def held(scene: Scene, deed: Callable[..., None], reset_id: UUID | None = None, *words: str) -> None:
    """Pause or resume, as the admin."""
    with transaction() as session:
        of = (scene.admin,) if reset_id is None else (scene.admin, session.get_one(Reset, reset_id))
        deed(session, *of, *words)


def everything(deed: Callable[[Session, str], object] | Callable[[Session, str, str], object], *words: str) -> None:
    with transaction() as session:
        deed(session, "console:root", *words)


def begin(post: Post, slices: int) -> list[Letter]:
    """Write the slices and clear so many. Returns the messages that then wait."""
    [coordinator] = post.take()
    post.deliver(coordinator)
    letters = post.take()
    for letter in letters[:slices]:
        post.deliver(letter)
    return letters[slices:]


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("whole", ["reset", "organization", "everything"])
def test_no_slice_begins_while_paused_and_all_end_after_it(post: Post, whole: str, set_up: Callable[..., None]) -> None:
    # Given a reset of ten slices of which three are done, and a webhook
    set_up(webhook_allow_private=True, recover_after_seconds=0.001)
    scene = make_scene(learners=250, completed=1000)
    with transaction() as session:
        open_endpoint(session, scene.organization.id, "http://127.0.0.1:9/", list(WebhookEvent))
    reset = scene.request()
    letters = begin(post, 3)
    # When it, its organization or everything is paused, twice
    for _ in range(2):
        match whole:
            case "reset":
                held(scene, pause.pause_reset, reset, WHY)
            case "organization":
                held(scene, pause.pause_organization, None, WHY)
            case _:
                everything(pause.pause_everything, WHY)
    for letter in letters:
        post.deliver(letter)
    recover()
    post.drain()
    # Then nobody else is reset, whatever messages come and however often `recover` looks
    assert report_of(reset)["progress"]["cleared"] == 75
    assert (state_of(reset), report_of(reset)["done"]) == ("running", False)
    assert ask("SELECT sum(recoveries) FROM reset") == 0
    shown = report_of(reset)["paused"]
    assert (shown["scope"], shown["reason"]) == (whole, WHY)
    assert ask("SELECT count(*) FROM reset_slice WHERE published_at IS NOT NULL AND settled_at IS NULL") == 0
    # … a second one does not begin either, and after the pause all learners of both are reset, each once
    other = scene.request(course="DATA-202")
    post.drain()
    if whole != "reset":
        assert state_of(other) == "requested"
    match whole:
        case "reset":
            held(scene, pause.resume_reset, reset)
        case "organization":
            held(scene, pause.resume_organization)
        case _:
            everything(pause.resume_everything)
    post.drain()
    assert [state_of(one) for one in (reset, other)] == ["succeeded"] * 2
    assert report_of(reset)["progress"]["cleared"] == 250
    assert ask("SELECT count(*) FROM pause") == 0
    assert ask("SELECT max(attempts) FROM reset_slice") == 1
    assert len(alerts(reset)) == len(alerts(other)) > 0
    events = [event for (event,) in rows("SELECT event FROM webhook_message WHERE event LIKE 'reset.%ed' ORDER BY id")]
    assert [events.count(one) for one in ("reset.paused", "reset.resumed")] == [1, 1]
    actions = [action for (action,) in rows("SELECT action FROM audit ORDER BY id")]
    subject = {"reset": "reset", "organization": "organization"}.get(whole, "installation")
    assert [actions.count(f"{subject}.{one}") for one in ("paused", "resumed")] == [1, 1]


@pytest.mark.usefixtures("small_slices")
def test_a_paused_reset_can_be_cancelled_and_its_pause_ends_with_it(post: Post) -> None:
    scene = make_scene(learners=250, completed=1000)
    reset = scene.request()
    letters = begin(post, 5)
    held(scene, pause.pause_reset, reset, WHY)
    scene.cancel(reset)
    for letter in letters:
        post.deliver(letter)
    post.drain()
    assert state_of(reset) == "cancelled"
    assert [state for state, _ in ledger(reset).values()].count("cleared") == 125
    assert ask("SELECT count(*) FROM pause") == 0
    with pytest.raises(AlreadySettled, match="nothing left to pause"):
        held(scene, pause.pause_reset, reset, WHY)


def test_due_rules_and_planned_resets_of_a_paused_organization_wait(post: Post) -> None:
    scene, other = make_scene(), make_scene("globex")
    planned = scene.request(start_at=datetime.now(UTC) + timedelta(days=1))
    now = datetime.now(UTC)
    begins = (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    rules = [make(one, now, **CALENDAR | {"starts": begins, "catch_up": "skip"}) for one in (scene, other)]
    held(scene, pause.pause_organization, None, WHY)
    run("UPDATE reset SET start_at = now()")
    from tasks.rules.retrain import look  # imports tasks, which no test module may

    for hours in (24.5, 30):
        look(now + timedelta(hours=hours))
        recover()
        post.drain()
    assert state_of(planned) == "requested"
    due = dict(
        rows(
            """SELECT rule_id, state || ': ' || coalesce(reason, '') FROM occurrence
               WHERE due_at < now() + interval '2 days'"""
        )
    )
    assert due[rules[0]] == "planned: postponed: resets are paused"
    assert due[rules[1]] in ("requested: ", "settled: ")
    held(scene, pause.resume_organization)
    look(now + timedelta(hours=31))
    post.drain()
    assert state_of(planned) == "succeeded"
    assert ask("SELECT count(*) FROM occurrence WHERE rule_id = :id AND reset_id IS NOT NULL", id=rules[0]) == 1


def test_who_may_pause_and_resume_what(post: Post) -> None:
    scene = make_scene(learners=1)
    reset = scene.request()
    people = Actor(scene.organization.id, "user:1", None, frozenset([Permission.USERS]))
    manager = Actor(scene.organization.id, "user:2", None, frozenset([Permission.COURSES]))
    with transaction() as session:
        found = session.get_one(Reset, reset)
        with pytest.raises(Forbidden, match="Training: Manage courses"):
            pause.pause_reset(session, people, found, WHY)
        for actor in (people, manager):
            with pytest.raises(Forbidden):
                pause.pause_organization(session, actor, WHY)
            with pytest.raises(Forbidden):
                pause.resume_organization(session, actor)
        with pytest.raises(Forbidden, match="Platform operations"):
            pause.pause_everything(session, scene.admin, WHY)
        with pytest.raises(Forbidden, match="Platform operations"):
            pause.resume_everything(session, scene.admin)
        with pytest.raises(PauseReasonMissing):
            pause.pause_reset(session, manager, found, "  ")
        pause.pause_reset(session, manager, found, WHY)
    # Who resumes a part of what is paused is told what to resume
    held(scene, pause.pause_organization, None, WHY)
    held(scene, pause.resume_reset, reset)
    with pytest.raises(PausedMoreWidely, match="The organization is paused"):
        held(scene, pause.resume_reset, reset)
    everything(pause.pause_everything, WHY)
    held(scene, pause.resume_organization)
    with pytest.raises(PausedMoreWidely, match="Everything is paused, and this with it"):
        held(scene, pause.resume_organization)


def test_more_resets_than_may_run_queue_and_say_their_place(post: Post, set_up: Callable[..., None]) -> None:
    # Given an organization that may run two resets, and requests three and another of one learner
    set_up(running_resets_per_organization=2, recover_after_seconds=0.001)
    scene = make_scene(completed=100)
    run(
        """INSERT INTO course (organization_id, code, title)
           SELECT :organization, 'C-' || n, 'Course' FROM generate_series(1, 2) n""",
        organization=scene.organization.id,
    )
    run(
        """INSERT INTO enrolment (organization_id, user_id, course_id)
           SELECT u.organization_id, u.id, c.id FROM "user" u JOIN course c USING (organization_id)
           WHERE u.email LIKE 'learner-%' AND c.code LIKE 'C-%'"""
    )
    first, second, third, fourth = (scene.request(course=code) for code in ("FIRE-101", "DATA-202", "C-1", "C-2"))
    for letter in post.take():
        post.deliver(letter)
    slices = post.take()
    # Then two run, two say their place, and `recover` does not take them for lost
    assert [state_of(one) for one in (first, second, third, fourth)] == ["running"] * 2 + ["requested"] * 2
    assert [report_of(one)["place"] for one in (first, second, third, fourth)] == [None, None, 1, 2]
    with transaction() as session:
        here = standing(session, scene.organization.id)
    assert (here.running, here.most_running, here.queued) == (2, 2, 2)
    recover()
    called = {letter.kwargs.get("reset_id") for letter in post.take()}
    assert called.isdisjoint({str(third), str(fourth)})
    # … one of a single learner does not wait
    one = scene.request(audience="users", users=[scene.users()[0].id], course="C-2")
    for letter in post.take():
        post.deliver(letter)
    assert state_of(one) == "running"
    # … who pauses one makes room for the next, and when one ends, the next begins
    held(scene, pause.pause_reset, second, WHY)
    for letter in post.take():
        if letter.task == COORDINATOR:
            post.deliver(letter)
    assert [state_of(one) for one in (second, third, fourth)] == ["running", "running", "requested"]
    assert report_of(fourth)["place"] == 1
    for letter in slices:
        post.deliver(letter)
    post.drain()
    assert [state_of(one) for one in (first, second, third, fourth)] == [
        "succeeded",
        "running",
        "succeeded",
        "succeeded",
    ]
    assert ask("SELECT sum(recoveries) FROM reset WHERE id = ANY(:ids)", ids=[third, fourth]) == 0
