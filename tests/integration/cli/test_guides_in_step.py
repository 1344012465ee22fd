"""The commands of the guides that bring users, groups and history, and keep them in step, on a web app and database."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.guides import Reader, blocks
from tests.integration.imports.test_oneroster import packed
from tests.integration.imports.test_xapi import lines, said
from tests.scenes import ask, make_scene, rows, run
from tests.web import token_for

MIGRATE = "docs/how-to/migrate-history.md"
IN_STEP = "docs/how-to/keep-in-step.md"
NIGHTLY = "Each night, by file"

USERS = "external_id,email,name\np-4711,kai@acme.example,Kai\np-4712,lou@acme.example,Lou\n"
COURSES = "external_id,code,title\nc-12,SAFETY-101,Safety\nhttps://lms.example/c,FIRE-201,Fire\n"


@pytest.fixture
def reader(served: str, tmp_path: Path) -> Reader:
    reader = Reader(os.environ, tmp_path / "reader", API=served)
    csv = (PROJECT / MIGRATE).read_text().split("```csv\n")[1].split("```")[0]
    groups = "group,name,user_external_id\nbern-2,Bern,p-4711\n"
    reader.has(history_csv=csv, users_csv=USERS, courses_csv=COURSES, enrolments_csv=csv, groups_csv=groups)
    (reader.folder / "oneroster.zip").write_bytes(packed())
    who = {"account": {"name": "p-4712"}}
    statements = lines(
        said("completed", who=who, what="https://lms.example/c"),
        said("completed", who=who, what="https://lms.example/courses/safety"),
    )
    (reader.folder / "statements.ndjson").write_bytes(statements)
    return reader


def authorized(reader: Reader, email: str) -> None:
    """Have the reader act as this user."""
    user = ask('SELECT id FROM "user" WHERE email = :email', email=email)
    reader.environment["auth"] = f"Authorization: Bearer {token_for(user)}"


def test_keep_in_step_by_scim_by_api_and_by_hand(reader: Reader) -> None:
    scene = make_scene("demo", learners=2)
    run("UPDATE course SET code = 'SAFETY-101' WHERE id = :id", id=scene.course.id)
    page = blocks(IN_STEP)
    del page[NIGHTLY]
    assert len(page) >= 2

    printed = reader.runs("\n".join(page.values()))

    assert '"totalResults":1' in printed, "the connection is checked with a filter"
    assert rows("SELECT code, name, external_id FROM user_group") == [("bern-2", "Bern, shift 2", "site-17")]
    assert ask("SELECT count(*) FROM audit WHERE action = 'enrolment.ended'") == 1
    assert ask("SELECT count(*) FROM audit WHERE action = 'user.erased'") == 1
    assert rows("SELECT external_id, removed_at IS NOT NULL FROM \"user\" WHERE email = 'lee.long@demo.example'") == [
        ("hr-2001", True)
    ]


def test_keep_in_step_by_nightly_files(reader: Reader) -> None:
    reader.runs('recourse organization add acme --name "Acme Ltd" --admin kim@acme.example')
    authorized(reader, "kim@acme.example")
    by_file, by_api = blocks(IN_STEP)[NIGHTLY].split("for what in", 1)

    assert "which the file does not name" in reader.runs(by_file)
    assert ask("SELECT count(*) FROM group_member") == 1
    again = reader.runs("for what in" + by_api)
    assert again.count('"changed":0') >= 4
    assert '"new":1' not in again


def test_migrate_history(reader: Reader) -> None:
    page = blocks(MIGRATE)

    assert "Completions" in reader.runs(page.pop("Import the files"))
    assert rows("SELECT completed_at::text, score::float8 FROM completion") == [("2026-02-03 13:30:00+00", 92.5)]
    assert "Completions" in reader.runs(page.pop("From OneRoster"))
    assert "Ignored: 1 statements about other objects than courses." in reader.runs(page.pop("From xAPI statements"))
    query = "SELECT k.code FROM completion JOIN enrolment e USING (registration) JOIN course k ON k.id = e.course_id "
    learner = 'JOIN "user" u ON u.id = e.user_id WHERE u.external_id = '
    assert sorted(code for (code,) in rows(query + learner + "'p-4712'")) == ["FIRE-201", "SAFETY-101"]
    authorized(reader, "kim@acme.example")
    reader.environment["REGISTRATION"] = str(
        ask(
            "INSERT INTO enrolment (organization_id, user_id, course_id) SELECT u.organization_id, u.id, k.id "
            "FROM \"user\" u, course k WHERE u.external_id = 'p-4711' AND k.code = 'FIRE-201' RETURNING registration"
        )
    )
    assert json.loads(reader.runs(page.pop("One completion at a time")))["score"] == 92.5
    reader.runs(page.pop("Then add the rules"))
    assert ask("SELECT count(*) FROM retraining_rule WHERE months = 12") == 1
    assert page == {}, "no command of the guide is left out"
