"""Who may write under which registration, by API and page: for oneself as a learner, for others with an audit entry."""

from collections.abc import Iterator

import httpx
import pytest

from models.access import Permission
from tests.scenes import COURSE, Scene, ask, make_scene, rows, run
from tests.web import client_of, form_token, make_user, token_for, visitor

SECRET_WORDS = "Between the learner and the grader."
AUDITED = "SELECT actor, subject, details FROM audit WHERE action = 'learning.written_for' ORDER BY id"


@pytest.fixture
def scene(served: str) -> Scene:
    """One learner who has not begun, and a course admin who takes the course too."""
    return make_scene(learners=1, completed=0, begun=0)


@pytest.fixture
def manager(scene: Scene) -> int:
    """A course manager who is assigned the course too."""
    user = make_user(scene.organization.id, "manager@acme.example", Permission.COURSES)
    run(
        "INSERT INTO enrolment (organization_id, user_id, course_id) VALUES (:organization, :user, :course)",
        organization=scene.organization.id,
        user=user.id,
        course=scene.course.id,
    )
    return user.id


@pytest.fixture
def program(served: str, manager: int) -> Iterator[httpx.Client]:
    """A program with the manager's token."""
    with client_of(served, token_for(manager)) as client:
        yield client


def under(user_id: int) -> str:
    registration = ask("SELECT registration FROM enrolment WHERE user_id = :id AND course_id = "
                       f"(SELECT id FROM course WHERE code = '{COURSE}' LIMIT 1)", id=user_id)  # fmt: skip
    return f"/v1/registrations/{registration}"


def activity(kind: str) -> int:
    return int(ask(f"SELECT min(a.id) FROM activity a JOIN course c ON c.id = a.course_id "
                   f"WHERE c.code = '{COURSE}' AND kind = :kind", kind=kind))  # fmt: skip


def write_everything(client: httpx.Client, address: str, **scored: float) -> None:
    """Write a record of each kind, and complete the course."""
    for lesson in rows("SELECT a.id FROM activity a JOIN course c ON c.id = a.course_id "
                       f"WHERE c.code = '{COURSE}' AND kind = 'lesson'"):  # fmt: skip
        client.put(f"{address}/activities/{lesson[0]}/progress", json={"percent": 100}).raise_for_status()
    for kind in ("practical_assessment", "assignment"):
        body = {"body": SECRET_WORDS} | scored
        client.post(f"{address}/activities/{activity(kind)}/submissions", json=body).raise_for_status()
    client.post(f"{address}/activities/{activity('discussion')}/posts", json={"body": SECRET_WORDS}).raise_for_status()
    client.put(f"{address}/completion").raise_for_status()


def test_an_admin_completes_their_own_course_as_any_learner(scene: Scene, program: httpx.Client, manager: int) -> None:
    refused = program.put(f"{under(manager)}/completion")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/not-yet-done")
    assert ask("SELECT count(*) FROM completion") == ask("SELECT count(*) FROM certificate") == 0
    write_everything(program, under(manager))
    assert ask("SELECT count(*) FROM certificate") == 1
    assert rows(AUDITED) == [], "writes for oneself are not audited"


def test_users_cannot_mark_their_own_work_whatever_their_permissions(
    scene: Scene, program: httpx.Client, manager: int
) -> None:
    for kind in ("practical_assessment", "assignment"):
        address = f"{under(manager)}/activities/{activity(kind)}/submissions"
        refused = program.post(address, json={"score": 100})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/own-work")
    assert ask("SELECT count(*) FROM practical_assessment") == ask("SELECT count(*) FROM assignment_submission") == 0


def test_each_write_for_another_user_is_in_the_audit_without_its_content(
    scene: Scene, program: httpx.Client, manager: int
) -> None:
    learner = scene.users()[0].id
    write_everything(program, under(learner), score=82.5)
    found = rows(AUDITED)
    assert {(actor, subject) for actor, subject, _ in found} == {(f"user:{manager}", str(learner))}
    assert [details for _, _, details in found] == [
        {"course": COURSE, "kind": kind}
        for kind in (
            "lesson_progress",
            "lesson_progress",
            "practical_assessment",
            "assignment_submission",
            "discussion_post",
            "completion",
        )
    ]
    # A second completion changes nothing
    program.put(f"{under(learner)}/completion").raise_for_status()
    assert len(rows(AUDITED)) == len(found)


def test_an_admin_completes_for_a_learner_what_was_done_elsewhere(
    scene: Scene, program: httpx.Client, manager: int
) -> None:
    learner = scene.users()[0].id
    done = program.put(f"{under(learner)}/completion")
    assert done.json()["certificate"]
    assert [(actor, details["kind"]) for actor, _, details in rows(AUDITED)] == [(f"user:{manager}", "completion")]


def test_a_refused_write_is_not_in_the_audit(scene: Scene, program: httpx.Client) -> None:
    learner = scene.users()[0].id
    wrong = f"{under(learner)}/activities/{activity('lesson')}/submissions"
    assert program.post(wrong, json={"body": "x"}).json()["type"] == "/problems/activity-unknown"
    assert rows(AUDITED) == []


def test_managing_users_does_not_allow_writing_for_others(scene: Scene, served: str) -> None:
    user = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    with client_of(served, token_for(user.id)) as client:
        refused = client.put(f"{under(scene.users()[0].id)}/completion")
    assert refused.json()["type"] == "/problems/stale-registration"


# A course without activities


def without_activities(scene: Scene) -> None:
    run("DELETE FROM activity WHERE course_id = :id", id=scene.course.id)


def test_a_learner_cannot_complete_a_course_without_activities(
    scene: Scene, served: str, manager: int, program: httpx.Client
) -> None:
    without_activities(scene)
    learner = scene.users()[0].id
    # Not by the API, not even with an admin's own token
    with client_of(served, token_for(learner)) as client:
        for asks, whose in ((client, learner), (program, manager)):
            refused = asks.put(f"{under(whose)}/completion")
            assert (refused.status_code, refused.json()["type"]) == (422, "/problems/not-yet-done")
            assert "no activities here, so you cannot complete it" in refused.json()["detail"]
    # Not by the page, which says who can record it
    browser = visitor(served, learner)
    page = browser.get(f"/my/courses/{COURSE}")
    assert "Complete course" not in page.text
    assert "This course has no activities here." in page.text
    registration = under(learner).rpartition("/")[2]
    form = {"csrf": form_token(browser.get("/my/settings")), "registration": registration}
    refused = browser.post(f"/my/courses/{COURSE}/completion", data=form)
    assert refused.status_code == 422
    assert "no activities here, so you cannot complete it" in refused.text
    assert ask("SELECT count(*) FROM completion") == ask("SELECT count(*) FROM certificate") == 0
    # A course manager can record it, which issues a certificate
    assert program.put(f"{under(learner)}/completion").json()["certificate"]
    assert "View your certificate" in browser.get(f"/my/courses/{COURSE}").text
