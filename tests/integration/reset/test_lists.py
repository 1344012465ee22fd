"""Audience lists: learners by name, from a file or a selection."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.access import MANAGEMENT, Permission
from models.directory import UserFilter
from models.people import User
from models.refusals.access import Forbidden
from models.refusals.audience_lists import (
    AudienceFileInvalid,
    AudienceTooLarge,
    ListUnknown,
    ListUsed,
    NobodySelected,
)
from models.refusals.resets import AudienceInvalid
from models.session import transaction
from tasks.app import app
from tasks.people.erase import erase
from tasks.people.users import remove_user
from tasks.reset.lists import list_of_users
from tests.lists import lines_of, make_list, preview_of
from tests.post import Post
from tests.rules import group
from tests.scenes import COURSE, as_actor, ask, ledger, make_scene, records_of, rows, run, state_of
from tests.web import client_of, make_user, token_for

pytestmark = pytest.mark.usefixtures("database")


def test_lines_that_name_no_learner_are_told_and_the_others_are_reset(post: Post) -> None:
    # Given a file that names learners by address and external id, and lines that name none
    scene = make_scene(learners=12, completed=100)
    scene.name_externally(course="c-1", first_learner="p-1")
    make_user(scene.organization.id, "unassigned@acme.example")
    first, second, third, *_ = enrolments = scene.enrolments()
    address = {user.id: user.email for user in scene.users()}
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    made = make_list(
        scene,
        "external_id,email,due_at\n"
        f"p-1,,{due.isoformat()}\n"
        f",{address[second.user_id].upper()},{due:%Y-%m-%d}\n"
        ",nobody@acme.example,\n"
        f",{address[first.user_id]},\n"
        f",{address[third.user_id]},\n"
        ",unassigned@acme.example,\n"
        "p-2,,\n",
    )
    # Then the lines that name none are told, by line, before anything is confirmed
    assert (made.lines, made.learners, made.unknown, made.unassigned, made.doubled) == (7, 3, 2, 1, 1)
    assert lines_of(made) == [
        (4, "nobody@acme.example", "unknown", None),
        (5, address[first.user_id], "doubled", 2),
        (7, "unassigned@acme.example", "unassigned", None),
        (8, "external:p-2", "unknown", None),
    ]
    seen = preview_of(scene, made, due_in_days=10)
    assert (seen.learners, seen.completions, seen.excluded) == (3, 3, {})
    assert len(seen.token) < 2000
    # And the reset clears the three, each with their due date
    reset = scene.request(seen)
    post.drain()
    assert ledger(reset) == {one.id: ("cleared", None) for one in (first, second, third)}
    assert records_of(scene.course)["completion"] == 9
    dates = {one.id: one.due_at for one in scene.enrolments()}
    start = ask("SELECT start_at FROM reset")
    assert dates[first.id] == due
    assert dates[second.id] == datetime(due.year, due.month, due.day, 23, 59, 59, tzinfo=UTC)
    assert dates[third.id] == start + timedelta(days=10)
    assert dates[enrolments[3].id] == enrolments[3].due_at
    [details] = ask("SELECT array_agg(details) FROM audit WHERE action = 'reset.requested'")
    assert {name: details[name] for name in ("lines", "learners", "unknown", "unassigned", "doubled")} == {
        "lines": 7,
        "learners": 3,
        "unknown": 2,
        "unassigned": 1,
        "doubled": 1,
    }


def test_who_is_unassigned_after_the_preview_is_skipped_and_said_to_be(post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    seen = preview_of(scene, make_list(scene, "email\n" + "".join(f"{user.email}\n" for user in scene.users())))
    gone = scene.enrolments()[1].id
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=gone)
    reset = scene.request(seen)
    post.drain()
    assert ledger(reset)[gone] == ("skipped", "the course is no longer assigned")
    assert state_of(reset) == "succeeded"


def test_one_reset_comes_of_a_list_for_who_made_it(post: Post) -> None:
    scene, other = make_scene(), make_scene("globex")
    made = make_list(scene, "email\nlearner-1@acme.example\n")
    colleague = as_actor(scene, make_user(scene.organization.id, "kim@acme.example", *MANAGEMENT).id)
    for stranger in (replace(scene, admin=colleague), other):
        with pytest.raises(ListUnknown):
            preview_of(stranger, made)
    with pytest.raises(ListUnknown):  # it is for one course
        preview_of(scene, made, course="DATA-202")
    manager = as_actor(scene, make_user(scene.organization.id, "lee@acme.example", Permission.COURSES).id)
    with pytest.raises(Forbidden):
        make_list(scene, "email\nlearner-1@acme.example\n", actor=manager)
    for options in ({"audience": "list"}, {"audience": "assigned", "list_id": made.id}):
        with pytest.raises(AudienceInvalid):
            scene.preview(**options)

    first, second = preview_of(scene, made), preview_of(scene, made)
    reset = scene.request(first)
    assert scene.request(first) == reset  # a double click
    with pytest.raises(ListUsed):
        scene.request(second)
    with pytest.raises(ListUsed):
        preview_of(scene, made)
    assert ask("SELECT count(*) FROM reset") == 1


def test_an_old_list_is_refused_and_deleted_and_a_used_one_goes_with_the_ledger(
    post: Post, set_up: Callable[..., None]
) -> None:
    set_up(keep_resets_days=1000)
    scene = make_scene(completed=100)
    old, used = (make_list(scene, "email\nlearner-1@acme.example\nnobody@acme.example\n") for _ in range(2))
    reset = scene.request(preview_of(scene, used))
    seen = preview_of(scene, old)
    post.drain()
    run("UPDATE audience_list SET created_at = now() - interval '25 hours'")
    with pytest.raises(ListUnknown):
        scene.request(seen)
    app.tasks["recourse.tidy"]()
    assert rows("SELECT id FROM audience_list") == [(used.id,)]
    counts = "SELECT (SELECT count(*) FROM audience_list_learner), (SELECT count(*) FROM audience_list_line)"
    assert rows(counts) == [(1, 1)]
    run("UPDATE reset SET finished_at = finished_at - interval '9000 days'")
    app.tasks["recourse.tidy"]()
    assert rows(counts) == [(0, 0)]
    assert rows("SELECT id, details_deleted_at IS NULL FROM reset") == [(reset, False)]
    run("DELETE FROM notification")
    run("UPDATE reset SET counted = true")
    app.tasks["recourse.tidy"]()
    assert rows("SELECT (SELECT count(*) FROM reset), (SELECT count(*) FROM audience_list)") == [(0, 0)]


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ("name\nAda\n", "line 1: the header is wrong"),
        ("email\nada\n", "line 2: email: must be an e-mail address"),
        ("email,due_at\na@b.example,2001-01-01\n", "line 2: due_at: must be in the future"),
        ("email,due_at\na@b.example,soon\n", "line 2: due_at: must be a date and time"),
        ("email,external_id\na@b.example,p-1\n", "line 2: external_id: must be empty"),
        ("", "line 1: the file is empty"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_line(lines: str, wrong: str) -> None:
    scene = make_scene(learners=1)
    with pytest.raises(AudienceFileInvalid) as refusal:
        make_list(scene, lines)
    assert wrong in str(refusal.value)
    assert "imported" not in str(refusal.value)
    assert ask("SELECT count(*) FROM audience_list") == 0


def test_a_file_has_at_most_100_000_lines() -> None:
    scene = make_scene(learners=1)
    with pytest.raises(AudienceTooLarge):
        make_list(scene, "email\n" + "".join(f"u{number}@acme.example\n" for number in range(100_001)))


def test_users_are_selected_by_id_or_by_what_matches() -> None:
    scene = make_scene(learners=12)
    make_user(scene.organization.id, "unassigned@acme.example")
    members = [user.email for user in scene.users()[:3]]
    bern = group(scene, "bern-2", [*members, "unassigned@acme.example"])

    def select(**which: object) -> tuple[int, int, int]:
        with transaction() as session:
            made = list_of_users(session, scene.admin, COURSE, **which)  # type: ignore[arg-type]
            return made.lines, made.learners, made.unassigned

    ids = [user.id for user in scene.users()[:5]]
    foreign = make_scene("globex", learners=1).users()[0].id
    assert select(users=[*ids, foreign]) == (5, 5, 0)
    assert select(matching=UserFilter(group_id=bern)) == (4, 3, 1)
    assert select(matching=UserFilter(search="learner-1")) == (len([1, 10, 11, 12]), 4, 0)
    with pytest.raises(NobodySelected):
        select(users=[])


def test_a_list_is_planned_confirmed_and_its_lines_read_by_api(served: str, post: Post) -> None:
    scene = make_scene(completed=100)
    with client_of(served, token_for(scene.admin.user_id or 0)) as api:
        sent = api.post(
            f"/v1/courses/{COURSE}/reset-plans:from-list?reason=incident+7731&skip_completed_days=1",
            content="email\nlearner-1@acme.example\nnobody@acme.example\nlearner-1@acme.example\n",
            headers={"Content-Type": "text/csv"},
        )
        assert sent.status_code == 201, sent.text
        plan = sent.json()
        found = plan["audience_list"]
        assert (found["lines"], found["learners"], found["unknown"], found["doubled"]) == (3, 1, 1, 1)
        again = api.post(f"/v1/courses/{COURSE}/reset-plans", json={"audience": "list", "list_id": found["id"]}).json()
        assert again["learners"] == 1
        lines = api.get(f"/v1/audience-lists/{found['id']}/lines", params={"format": "csv"}).text
        assert [row["problem"] for row in csv.DictReader(io.StringIO(lines))] == ["unknown", "doubled"]
        page = api.get(f"/v1/audience-lists/{found['id']}/lines", params={"limit": 1})
        assert [one["line"] for one in page.json()["items"]] == [3]
        assert 'rel="next"' in page.headers["link"]
        body = {"plan": again["plan"], "confirm": COURSE, "reason": "incident 7731"}
        done = api.post(f"/v1/courses/{COURSE}/resets", json=body, headers={"Idempotency-Key": "a"})
        assert (done.status_code, done.json()["audience"]) == (202, "list")
        used = api.post(f"/v1/courses/{COURSE}/reset-plans", json={"audience": "list", "list_id": found["id"]})
        assert used.json()["type"] == "/problems/audience-list-used"


def test_a_body_that_is_too_large_for_a_list_is_refused(served: str) -> None:
    scene = make_scene(learners=1)
    with client_of(served, token_for(scene.admin.user_id or 0)) as api:
        headers = {"Content-Type": "text/csv"}
        sent = api.post(f"/v1/courses/{COURSE}/reset-plans:from-list", content=b"x" * 20_000_001, headers=headers)
    assert (sent.status_code, "20 MB" in sent.text) == (413, True)


def test_who_was_removed_is_unknown() -> None:
    scene = make_scene(learners=3)
    scene.name_externally(course="c-1", first_learner="p-1")
    one, other, third = scene.users()
    with transaction() as session:
        for user in (one, other):
            remove_user(session, scene.admin, session.get_one(User, user.id))
    made = make_list(scene, f"external_id,email\np-1,\n,{other.email}\n,{third.email}\n")
    assert (made.learners, made.unknown) == (1, 2)
    assert lines_of(made) == [(2, "external:p-1", "unknown", None), (3, other.email, "unknown", None)]


def test_an_erasure_removes_an_address_from_lines(set_up: Callable[..., None]) -> None:
    scene = make_scene(learners=2)
    user = scene.users()[0]
    made = make_list(scene, f"email\n{user.email}\n{user.email}\n")
    with transaction() as session:
        erase(session, scene.admin, session.get_one(User, user.id), confirm=user.email)
    assert lines_of(made) == [(3, f"erased-{user.id}", "doubled", 2)]
