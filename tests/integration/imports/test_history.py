"""History: progress, completions and scores by import and API, and that none of it undoes a reset."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from models.access import Permission
from models.session import transaction
from tasks.rules.occurrences import due_enrolments
from tests.integration.imports.test_api_imports import NDJSON, counts, errors, send
from tests.post import Post
from tests.rules import ROLLING, at, make, occurrences, rule_of, tick
from tests.scenes import COURSE, Scene, ask, make_scene, rows, run
from tests.web import client_of, make_user, token_for

HEAD = "course,email,progress,progress_at,completed_at,score\n"


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=6, completed=0, begun=0)


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    with client_of(served, token_for(scene.admin.user_id or 0)) as client:
        yield client


def line(number: int, progress: object = "", moved: object = "", done: object = "", score: object = "") -> str:
    return f"{COURSE},learner-{number}@acme.example,{progress},{moved},{done},{score}\n"


def now(number: int) -> tuple[Any, ...]:
    """Returns what is stored of a learner: state, progress, and the completion with its record."""
    (found,) = rows(
        "SELECT e.state, e.progress, e.completed_at, c.completed_at, c.score::float8 FROM enrolment e "
        'JOIN "user" u ON u.id = e.user_id JOIN course k ON k.id = e.course_id '
        "LEFT JOIN completion c USING (registration) WHERE k.code = :code AND u.email = :email",
        code=COURSE,
        email=f"learner-{number}@acme.example",
    )
    return tuple(found)


def reset(scene: Scene, post: Post, number: int | None = None) -> None:
    """Reset a learner, or all."""
    users = [user.id for user in scene.users() if user.email == f"learner-{number}@acme.example"]
    scene.request(**({"audience": "users", "users": users} if number else {}))
    post.drain()


JANUARY, MARCH = datetime(2026, 1, 10, 9, tzinfo=UTC), datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_completions_of_the_past_get_their_record_and_a_score(api: httpx.Client, scene: Scene) -> None:
    run("DELETE FROM enrolment WHERE user_id = (SELECT id FROM \"user\" WHERE email = 'learner-1@acme.example')")
    before = dict(rows("SELECT id, registration FROM enrolment"))
    file = HEAD + line(1, 100, "", JANUARY.isoformat(), 92.5) + line(2, "", "", JANUARY.isoformat()) + line(3, 40)
    file += line(4, 100)

    first = send(api, "enrolments", file)

    assert counts(first) == {"enrolments": (4, 1, 3, 0), "completions": (2, 2, 0, 0)}
    assert now(1) == ("completed", 100, JANUARY, JANUARY, 92.5)
    assert now(2) == ("completed", 100, JANUARY, JANUARY, None)
    assert now(3) == ("in_progress", 40, None, None, None)
    assert now(4) == ("in_progress", 99, None, None, None), "only a completion makes it 100 %"
    assert dict(rows("SELECT id, registration FROM enrolment")).items() >= before.items()
    versions = rows(
        "SELECT ctid::text, xmin::text FROM enrolment UNION ALL SELECT ctid::text, xmin::text FROM completion"
    )
    again = send(api, "enrolments", file)
    assert counts(again) == {"enrolments": (4, 0, 0, 4), "completions": (2, 0, 0, 2)}
    assert again.json()["ignored"] == {}
    assert versions == rows(
        "SELECT ctid::text, xmin::text FROM enrolment UNION ALL SELECT ctid::text, xmin::text FROM completion"
    )
    # It is history: nobody gets a certificate, an alert, a mail or a webhook for it
    for table in ("certificate", "notification", "mail", "webhook_message"):
        assert ask(f"SELECT count(*) FROM {table}") == 0, table


def test_a_newer_completion_replaces_an_older_one_and_never_the_other_way_round(
    api: httpx.Client, scene: Scene
) -> None:
    send(api, "enrolments", HEAD + line(1, "", "", JANUARY.isoformat(), 80) + line(2, 60))
    newer = send(api, "enrolments", HEAD + line(1, "", "", MARCH.isoformat()) + line(2, 30))
    assert counts(newer) == {"enrolments": (2, 0, 1, 1), "completions": (1, 0, 1, 0)}
    assert now(1) == ("completed", 100, MARCH, MARCH, None), "the score belonged to the older one"
    assert now(2) == ("in_progress", 60, None, None, None), "progress never goes down"
    older = send(api, "enrolments", HEAD + line(1, 20, "", JANUARY.isoformat(), 80))
    assert counts(older) == {"enrolments": (1, 0, 0, 1), "completions": (1, 0, 0, 1)}
    assert older.json()["ignored"] == {"older_completions": 1}
    assert now(1) == ("completed", 100, MARCH, MARCH, None)
    # The same completion, marked later
    assert counts(send(api, "enrolments", HEAD + line(1, "", "", MARCH.isoformat(), 71)))["completions"] == (1, 0, 1, 0)
    assert now(1) == ("completed", 100, MARCH, MARCH, 71.0)


def test_nothing_a_late_file_says_undoes_a_reset(api: httpx.Client, scene: Scene, post: Post) -> None:
    send(api, "enrolments", HEAD + line(1, "", "", JANUARY.isoformat(), 80) + line(2, 60) + line(3, 60))
    reset(scene, post)
    first, last = rows("SELECT min(reset_at), max(reset_at) FROM enrolment")[0]
    assert now(1) == ("assigned", 0, None, None, None)
    just_before, just_after = first - timedelta(milliseconds=1), last + timedelta(milliseconds=1)
    late = HEAD + line(1, 100, "", just_before.isoformat(), 80) + line(2, 60) + line(3, 60, just_before.isoformat())
    answer = send(api, "enrolments", late)
    assert counts(answer) == {"enrolments": (3, 0, 0, 3), "completions": (1, 0, 0, 1)}
    assert answer.json()["ignored"] == {"completions_before_reset": 1, "progress_before_reset": 2}
    for number in (1, 2, 3):
        assert now(number) == ("assigned", 0, None, None, None)
    # What happened since counts
    since = HEAD + line(1, "", "", just_after.isoformat(), 81) + line(2, 0, just_after.isoformat())
    since += line(3, 20, just_after.isoformat())
    assert counts(send(api, "enrolments", since)) == {"enrolments": (3, 0, 3, 0), "completions": (1, 1, 0, 0)}
    assert now(1) == ("completed", 100, just_after, just_after, 81.0)
    assert now(2) == ("in_progress", 0, None, None, None)
    assert now(3) == ("in_progress", 20, None, None, None)
    # … and so does a due date, unless it had passed by then
    due = f"course,email,due_at\n{COURSE},learner-4@acme.example,{JANUARY.isoformat()}\n"
    assert counts(send(api, "enrolments", due)) == {"enrolments": (1, 0, 0, 1)}


def test_history_of_an_ended_assignment_is_counted_and_not_written(api: httpx.Client, scene: Scene) -> None:
    run("UPDATE enrolment SET unassigned_at = now()")
    answer = send(api, "enrolments", HEAD + line(1, "", "", JANUARY.isoformat()) + line(2, 50) + line(3, 0))
    assert answer.json()["ignored"] == {"not_assigned": 2}
    assert counts(answer)["enrolments"] == (3, 0, 0, 3)
    assert ask("SELECT count(*) FROM completion") == 0


def test_errors_in_history_are_reported_by_line(api: httpx.Client, scene: Scene) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    file = HEAD + line(1, 101) + line(2, "x") + line(3, "", "", "", 90) + line(4, "", "", JANUARY.isoformat(), -1)
    file += line(5, "", "", "2026-01-10") + line(6, 10, ahead, ahead)
    found = errors(send(api, "enrolments", file))
    assert found == [
        (2, "progress: must be a number from 0 to 100"),
        (3, "progress: must be a number from 0 to 100"),
        (4, "score: must be empty without completed_at"),
        (5, "score: must be a number from 0 to 100"),
        (6, "completed_at: must be a date and time with a time zone, such as 2027-01-31T12:00:00Z"),
        (7, "completed_at: must not be in the future"),
        (7, "progress_at: must not be in the future"),
    ]
    who = f'"course": "{COURSE}", "email": "learner-1@acme.example"'
    for odd in ("true", '"50"', "NaN", "1e999", "[]", "-0.5"):
        answer = send(api, "enrolments", f'{{{who}, "progress": {odd}}}', NDJSON)
        assert answer.status_code == (200 if odd == '"50"' else 422), odd
    assert counts(send(api, "enrolments", f'{{{who}, "progress": 72.9}}', NDJSON)) == {"enrolments": (1, 0, 1, 0)}
    assert now(1)[:2] == ("in_progress", 72)


def test_a_rolling_rule_finds_who_is_due_from_imported_completions(api: httpx.Client, scene: Scene) -> None:
    ends = {number: datetime(2026, 1, day, 9, tzinfo=UTC) for number, day in enumerate((10, 10, 11, 12), 1)}
    send(api, "enrolments", HEAD + "".join(line(number, "", "", day.isoformat(), 90) for number, day in ends.items()))
    rule_id = make(scene, datetime(2026, 12, 1, tzinfo=UTC), **ROLLING)
    due = datetime(2027, 1, 10, 12, tzinfo=UTC)
    with at(due), transaction() as session:
        found = session.scalars(due_enrolments(rule_of(rule_id), due.date(), due)).all()
    wanted = (
        'SELECT e.id FROM enrolment e JOIN "user" u ON u.id = e.user_id WHERE e.course_id = :course '
        "AND u.email IN ('learner-1@acme.example', 'learner-2@acme.example')"
    )
    assert sorted(found) == sorted(id_ for (id_,) in rows(wanted, course=scene.course.id))
    tick(due)
    assert len(occurrences(rule_id)) == 2


# By API


def under(scene: Scene, number: int) -> str:
    (registration,) = rows(
        'SELECT registration FROM enrolment e JOIN "user" u ON u.id = e.user_id '
        "WHERE e.course_id = :course AND u.email = :email",
        course=scene.course.id,
        email=f"learner-{number}@acme.example",
    )[0]
    return f"/v1/registrations/{registration}/completion"


def test_an_admin_dates_a_completion_and_it_issues_no_certificate(
    api: httpx.Client, scene: Scene, post: Post, served: str
) -> None:
    body = {"completed_at": JANUARY.isoformat(), "score": 92.5}
    done = api.put(under(scene, 1), json=body)
    assert done.json() == {"completed_at": "2026-01-10T09:00:00Z", "score": 92.5, "certificate": None}
    assert now(1) == ("completed", 100, JANUARY, JANUARY, 92.5)
    assert api.put(under(scene, 1), json=body).json() == done.json()
    assert ask("SELECT count(*) FROM audit WHERE action = 'learning.written_for'") == 1
    # Only a newer one replaces it
    api.put(under(scene, 1), json={"completed_at": MARCH.isoformat()}).raise_for_status()
    assert now(1) == ("completed", 100, MARCH, MARCH, None)
    older = api.put(under(scene, 1), json=body)
    assert older.json() == {"completed_at": "2026-03-01T08:00:00Z", "score": None, "certificate": None}
    user = ask("SELECT id FROM \"user\" WHERE email = 'learner-1@acme.example'")
    assert api.get(f"/v1/users/{user}/courses/{COURSE}").json()["score"] is None
    # And what a reset put an end to does not come back
    reset(scene, post, 1)
    refused = api.put(under(scene, 1), json=body)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/completion-undatable")
    assert "reset after this date" in refused.json()["detail"]
    ahead = {"completed_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    assert "in the future" in api.put(under(scene, 1), json=ahead).json()["detail"]
    assert now(1) == ("assigned", 0, None, None, None)


def test_nobody_dates_their_own_completion(api: httpx.Client, scene: Scene, served: str) -> None:
    body = {"completed_at": JANUARY.isoformat()}
    learner = ask("SELECT id FROM \"user\" WHERE email = 'learner-1@acme.example'")
    with client_of(served, token_for(learner)) as client:
        refused = client.put(under(scene, 1), json=body)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
        assert client.put(under(scene, 2), json=body).json()["type"] == "/problems/stale-registration"
    run('UPDATE "user" SET permissions = ARRAY[:permission] WHERE id = :id', permission=Permission.COURSES, id=learner)
    with client_of(served, token_for(learner)) as client:
        refused = client.put(under(scene, 1), json=body)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/own-completion")
    people = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    with client_of(served, token_for(people.id)) as client:
        assert client.put(under(scene, 2), json=body).json()["type"] == "/problems/stale-registration"
    assert ask("SELECT count(*) FROM completion") == 0
