"""Bulk imports: the whole file or nothing, with errors by line."""

import io
import json
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.access import console_operator
from models.refusals.imports import ImportInvalid
from models.session import transaction
from tasks.imports import IMPORTS, Form
from tests.scenes import COURSE, Scene, ask, make_scene, rows, run
from tests.web import client_of, token_for

CSV, NDJSON = "text/csv", "application/x-ndjson"


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene()


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    assert scene.admin.user_id is not None
    with client_of(served, token_for(scene.admin.user_id)) as client:
        yield client


def send(api: httpx.Client, what: str, content: str | bytes, kind: str = CSV) -> httpx.Response:
    data = content.encode() if isinstance(content, str) else content
    return api.post(f"/v1/imports/{what}", content=data, headers={"Content-Type": kind})


def counts(answer: httpx.Response) -> dict[str, tuple[int, int, int, int]]:
    assert answer.status_code == 200, answer.text
    return {what: tuple(count.values()) for what, count in answer.json()["counts"].items()}


def errors(answer: httpx.Response) -> list[tuple[int, str]]:
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body["type"] == "/problems/import-invalid"
    assert "Nothing was imported" in body["detail"]
    return [(one["line"], one["detail"]) for one in body["errors"]]


def user(email: str) -> tuple[Any, ...]:
    (found,) = rows(
        'SELECT name, active, notifications_on, locale, time_zone, permissions FROM "user" WHERE email = :email',
        email=email,
    )
    return tuple(found)


def test_users_are_added_and_changed_and_missing_values_stay(api: httpx.Client, scene: Scene) -> None:
    first = send(api, "users", "email,name,locale\nnew@acme.example,Nia New,de-CH\nLEARNER-1@acme.example,Changed,\n")

    assert counts(first) == {"users": (2, 1, 1, 0)}
    assert user("new@acme.example") == ("Nia New", True, True, "de-CH", "UTC", [])
    assert user("learner-1@acme.example") == ("Changed", True, True, "en", "UTC", [])
    again = send(
        api,
        "users",
        '{"email": "new@acme.example", "active": false, "time_zone": "Europe/Zurich"}\n'
        '\n{"email": "learner-1@acme.example", "name": "Changed", "notifications_on": null}',
        NDJSON,
    )
    assert counts(again) == {"users": (2, 0, 1, 1)}
    assert again.json()["lines"] == 2
    assert user("new@acme.example") == ("Nia New", False, True, "de-CH", "Europe/Zurich", [])
    audited = rows("SELECT actor, action, details FROM audit WHERE action = 'users.imported' ORDER BY id")
    assert audited[0] == (
        scene.admin.name,
        "users.imported",
        {"lines": 2, "users": {"new": 1, "changed": 1}},
    )
    assert len(audited) == 2


def test_a_file_from_a_spreadsheet_is_read(api: httpx.Client) -> None:
    written = b'\xef\xbb\xbfname,email\r\n"Ng, ""Kim""\r\nJr",kim@acme.example\r\n Lee , lee@acme.example \r\n'

    assert counts(send(api, "users", written, "text/csv; charset=utf-8")) == {"users": (2, 2, 0, 0)}

    assert user("kim@acme.example")[0] == 'Ng, "Kim"\r\nJr'
    assert user("lee@acme.example")[0] == "Lee"


def test_every_invalid_line_is_reported_and_nothing_is_imported(api: httpx.Client) -> None:
    answer = send(
        api,
        "users",
        "email,name,active,locale,time_zone\n"
        "good@acme.example,Good,,,\n"
        "bad,Bad,,,\n"
        "x@acme.example,X,yes,,\n"
        "y@acme.example,Y,,d,\n"
        "z@acme.example,Z,,,Mars/Phobos\n"
        ",Nobody,,,\n"
        "too,few\n"
        "GOOD@acme.example,Twice,,,\n"
        "new@acme.example,,,,\n"
        "admin@acme.example,,false,,\n"
        "nul@acme.example,a\x00b,,,\n",
    )

    assert errors(answer) == [
        (3, "email: must be an e-mail address"),
        (4, "active: must be true or false"),
        (5, "locale: must be a language tag, such as de-CH"),
        (6, "time_zone: must be the name of a time zone, such as Europe/Zurich"),
        (7, "email: must not be empty"),
        (8, "the line has 2 cells, but the header has 5"),
        (9, "email: line 2 has the same address"),
        (10, "name: must not be empty for a new user"),
        (11, "active: you cannot deactivate yourself"),
        (12, "name: contains a character that is not allowed"),
    ]
    assert ask("SELECT count(*) FROM \"user\" WHERE email LIKE 'good%'") == 0
    assert ask("SELECT count(*) FROM audit WHERE action LIKE '%imported'") == 0


def test_a_hundred_errors_are_listed_and_the_rest_counted(api: httpx.Client) -> None:
    wrong = "".join("bad,Bad\n" for _ in range(150)) + "".join("same@acme.example,S\n" for _ in range(101))

    answer = send(api, "users", "email,name\n" + wrong)

    assert [line for line, _ in errors(answer)] == list(range(2, 102))
    assert answer.json()["more"] == 150


ODD_FILES: list[tuple[str | bytes, Form, int, str]] = [
    ("", Form.CSV, 1, "the file is empty"),
    ("", Form.NDJSON, 1, "the file is empty"),
    ("email,nick\n", Form.CSV, 1, "the header is wrong: 'nick' is not a column"),
    ("name\nKim\n", Form.CSV, 1, "the header is wrong: email or external_id is missing"),
    ("email,email\n", Form.CSV, 1, "email appears twice"),
    (b"email,name\n\xe4@acme.example,K\n", Form.CSV, 2, "not UTF-8"),
    ('email,name\na@b.c,"K\n', Form.CSV, 2, "unexpected end of data"),
    ("x" * 1_000_001, Form.CSV, 1, "more than 1,000,000 bytes"),
    ("email,name\na@b.c," + "x" * 300_000, Form.CSV, 2, "field larger than field limit"),
    ('email,name\n"a\n' + '","a\n' * 300_000, Form.CSV, 2, "the record has more than 1,000,000 characters"),
    ('{"\\ud800": 1}', Form.NDJSON, 1, "\\ud800: there is no such column"),
    ("{", Form.NDJSON, 1, "not JSON"),
    ("[1]", Form.NDJSON, 1, "not a JSON object"),
    ("[" * 100_000, Form.NDJSON, 1, "not JSON"),
    ('{"email": 5}', Form.NDJSON, 1, "email: must be text"),
    ('{"email": ["a@b.c"]}', Form.NDJSON, 1, "email: must be text"),
    ('{"email": {"a": 1}}', Form.NDJSON, 1, "email: must be text"),
    ('{"email": "a@b.c", "name": "\\ud800"}', Form.NDJSON, 1, "name: contains a character that is not allowed"),
    ('{"email": "a@b.c", "permissions": []}', Form.NDJSON, 1, "permissions: there is no such column"),
    ('{"email": 1e999}', Form.NDJSON, 1, "email: must be text"),
]


def test_malformed_files_are_refused_and_break_nothing(scene: Scene) -> None:
    for content, form, line, detail in ODD_FILES:
        file = io.BytesIO(content.encode() if isinstance(content, str) else content)
        with pytest.raises(ImportInvalid) as refused, transaction() as session:
            IMPORTS["users"](session, scene.admin, file, form)
        found = refused.value.errors[0]
        assert found[0] == line, content
        assert detail in found[1], content


def test_courses_come_with_their_activities(api: httpx.Client, scene: Scene) -> None:
    first = send(
        api,
        "courses",
        "code,title,certificates_on,activity,kind,activity_title\n"
        "SAFE-1,Working safely,true,intro,lesson,Introduction\n"
        "SAFE-1,,,exam,practical_assessment,Exam\n"
        "EMPTY.1,Empty,,,,\n"
        f"{COURSE},Fire safety II,,extra,assignment,Extra\n",
    )

    assert counts(first) == {"courses": (3, 2, 1, 0), "activities": (3, 3, 0, 0)}
    activities = rows(
        "SELECT reference, kind, a.title FROM activity a JOIN course c ON c.id = course_id WHERE code = :code "
        "ORDER BY a.id",
        code="SAFE-1",
    )
    assert activities == [("intro", "lesson", "Introduction"), ("exam", "practical_assessment", "Exam")]
    again = send(
        api,
        "courses",
        json.dumps({"code": "SAFE-1", "certificates_on": True, "activities": [
            {"reference": "exam", "title": "Final exam"},
            {"reference": "talk", "kind": "discussion", "title": "Talk"},
        ]}),
        NDJSON,
    )  # fmt: skip
    assert counts(again) == {"courses": (1, 0, 0, 1), "activities": (2, 1, 1, 0)}
    assert ask("SELECT title FROM activity WHERE reference = 'exam'") == "Final exam"
    assert ask("SELECT count(*) FROM activity a JOIN course c ON c.id = course_id WHERE code = 'SAFE-1'") == 3


def test_errors_in_courses_are_reported_by_line(api: httpx.Client) -> None:
    answer = send(
        api,
        "courses",
        "code,title,certificates_on,activity,kind,activity_title\n"
        "A/B,Slash,,,,\n"
        "SAFE-1,One,true,intro,lesson,Introduction\n"
        "SAFE-1,Two,false,intro,lesson,Introduction\n"
        "NEW-1,,,,,\n"
        f"{COURSE},,,1,discussion,Other\n"
        f"{COURSE},,,new,,\n"
        f"{COURSE},,,,lesson,\n"
        f"{COURSE},,,x,exam,X\n",
    )

    assert errors(answer) == [
        (2, "code: must be a course code of 1 to 64 letters, digits, dots, hyphens and underscores"),
        (4, "title: line 3 has another value for course SAFE-1"),
        (4, "certificates_on: line 3 has another value for course SAFE-1"),
        (4, "activity: line 3 has the same reference, intro"),
        (5, "title: must not be empty for a new course"),
        (6, "kind: cannot change; 1 is a lesson"),
        (7, "kind, activity_title: must not be empty for a new activity"),
        (8, "activity: must not be empty if kind or activity_title is given"),
        (9, "kind: must be one of lesson, practical_assessment, discussion, assignment"),
    ]
    nested = send(api, "courses", '{"code": "X-1", "title": "X", "activities": [5, {"kind": "lesson"}]}', NDJSON)
    assert [line for line, _ in errors(nested)] == [1, 1]


def test_courses_are_assigned_changed_unassigned_and_assigned_again(api: httpx.Client, scene: Scene) -> None:
    run("""INSERT INTO "user" (organization_id, email, name) VALUES (:id, 'new@acme.example', 'New')""",
        id=scene.organization.id)  # fmt: skip
    known = scene.enrolments()[0]
    run("UPDATE enrolment SET due_at = NULL WHERE id = :id", id=known.id)
    email = ask('SELECT email FROM "user" WHERE id = :id', id=known.user_id)

    made = send(
        api, "enrolments", f"course,email,due_at\n{COURSE},new@acme.example,2027-01-31T12:00:00+01:00\n"
        f"{COURSE},{email},2027-01-31T12:00:00Z\n"
    )  # fmt: skip

    assert counts(made) == {"enrolments": (2, 1, 1, 0)}
    back = f'{{"course": "{COURSE}", "email": "{email.upper()}", "assigned": false}}'
    assert counts(send(api, "enrolments", back, NDJSON)) == {"enrolments": (1, 0, 1, 0)}
    assert counts(send(api, "enrolments", back, NDJSON)) == {"enrolments": (1, 0, 0, 1)}
    assert ask("SELECT unassigned_at IS NOT NULL FROM enrolment WHERE id = :id", id=known.id)
    # A file without `assigned` leaves it unassigned
    for silent in (f"course,email\n{COURSE},{email}\n", f"course,email,assigned\n{COURSE},{email},\n"):
        assert counts(send(api, "enrolments", silent)) == {"enrolments": (1, 0, 0, 1)}
    assert ask("SELECT unassigned_at IS NOT NULL FROM enrolment WHERE id = :id", id=known.id)
    # … and one with it assigns the course again
    again = send(api, "enrolments", f"course,email,assigned\n{COURSE},{email},true\n")
    assert counts(again) == {"enrolments": (1, 0, 1, 0)}
    (now,) = rows("SELECT registration, state, progress, unassigned_at FROM enrolment WHERE id = :id", id=known.id)
    assert now == (known.registration, known.state, known.progress, None)


def test_errors_in_enrolments_are_reported_by_line(api: httpx.Client) -> None:
    make_scene("globex")
    answer = send(
        api,
        "enrolments",
        "course,email,due_at\n"
        "NONE-1,learner-1@acme.example,\n"
        f"{COURSE},nobody@acme.example,\n"
        f"{COURSE},learner-1@globex.example,\n"
        f"{COURSE},learner-2@acme.example,2027-01-31\n"
        f"{COURSE},learner-3@acme.example,\n"
        f"{COURSE},Learner-3@acme.example,\n",
    )

    assert errors(answer) == [
        (2, "course: there is no course NONE-1"),
        (3, "email: there is no user nobody@acme.example"),
        (4, "email: there is no user learner-1@globex.example"),
        (5, "due_at: must be a date and time with a time zone, such as 2027-01-31T12:00:00Z"),
        (7, "email: line 6 has the same course and user"),
    ]


def test_an_import_leaves_other_organizations_alone(api: httpx.Client) -> None:
    other = make_scene("globex")
    before = rows('SELECT * FROM "user" WHERE organization_id = :id ORDER BY id', id=other.organization.id)

    send(api, "users", "email,name\nlearner-1@globex.example,Mine\n")
    send(api, "courses", f"code,title\n{COURSE},Mine\n")

    assert rows('SELECT * FROM "user" WHERE organization_id = :id ORDER BY id', id=other.organization.id) == before
    assert ask("SELECT title FROM course WHERE id = :id", id=other.course.id) == "Fire safety"


def test_a_body_of_another_media_type_is_refused(api: httpx.Client) -> None:
    for kind in ("", "application/json", "text/csv; charset=latin-1"):
        answer = send(api, "users", "email,name\n", kind)
        assert (answer.status_code, answer.json()["type"]) == (415, "/problems/media-type-unsupported")


def test_a_file_that_is_too_large_is_not_read_to_its_end(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.bodies.limits.IMPORT_LIMIT", 1_000_000)
    block = b"u@acme.example,User\n" * 30_000

    for content in (block * 3, iter([block] * 3)):  # the second does not declare its length
        answer = api.post("/v1/imports/users", content=content, headers={"Content-Type": CSV})
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")


def test_memory_does_not_grow_with_the_file(scene: Scene, tmp_path: Path) -> None:
    def most_memory(lines: int) -> int:
        path = tmp_path / f"{lines}.csv"
        with path.open("w") as file:
            file.write("email,name\n")
            file.writelines(f"u{number}@acme.example,User {number}\n" for number in range(lines))
        tracemalloc.start()
        with path.open("rb") as binary, transaction() as session:
            done = IMPORTS["users"](session, console_operator(scene.organization), binary, Form.CSV)
            session.rollback()
        assert done.counts["users"].new == lines
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most_memory(10)  # loads what is loaded once
    assert most_memory(40_000) < most_memory(2_000) + 2_000_000


def test_two_imports_at_once_do_not_deadlock(api: httpx.Client) -> None:
    lines = [f"u{number}@acme.example,U" for number in range(3000)]
    answers: list[httpx.Response] = []

    def work(one: list[str]) -> None:
        answers.append(send(api, "users", "email,name\n" + "\n".join(one)))

    threads = [threading.Thread(target=work, args=(one,)) for one in (lines, lines[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200, 200]
    assert sum(answer.json()["counts"]["users"]["new"] for answer in answers) == 3000


def test_the_command_line_imports_a_file(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import app as commands

    good, bad = tmp_path / "users.csv", tmp_path / "bad.ndjson"
    good.write_text("email,name\nnew@acme.example,Nia New\n")
    bad.write_text('{"email": "x"}\n')

    commands(["import", "users", str(good), "--organization", "acme"], standalone_mode=False)
    with pytest.raises(ImportInvalid, match="line 1: email: must be an e-mail address"):
        commands(["import", "users", str(bad)], standalone_mode=False)

    assert "Users" in capsys.readouterr().out
    assert user("new@acme.example")[0] == "Nia New"
    assert ask("SELECT actor FROM audit WHERE action = 'users.imported'").startswith("console:")
