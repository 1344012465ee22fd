"""Every shell command of the guides about history and nightly files, on a real web app and database."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.integration.imports.test_oneroster import packed
from tests.integration.imports.test_xapi import lines, said
from tests.scenes import ask, rows
from tests.web import token_for

MIGRATE = PROJECT / "docs" / "how-to" / "migrate-history.md"
IN_STEP = PROJECT / "docs" / "how-to" / "keep-in-step.md"
SHIM = f'recourse() {{ {shlex.quote(sys.executable)} -m cli.main "$@"; }}\n'

USERS = "external_id,email,name\np-4711,kai@acme.example,Kai\np-4712,lou@acme.example,Lou\n"
COURSES = "external_id,code,title\nc-12,SAFETY-101,Safety\nhttps://lms.example/c,FIRE-201,Fire\n"


def blocks(page: Path, heading: str | None = None) -> list[str]:
    """Returns the shell blocks of the page, or of one of its sections."""
    text = page.read_text()
    if heading:
        text = re.split(r"\n## ", text.split(f"\n## {heading}\n", 1)[1])[0]
    found = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert found
    return found


@pytest.fixture
def folder(database: str, tmp_path: Path) -> Path:
    csv = MIGRATE.read_text().split("```csv\n")[1].split("```")[0]
    (tmp_path / "history.csv").write_text(csv)
    (tmp_path / "users.csv").write_text(USERS)
    (tmp_path / "courses.csv").write_text(COURSES)
    (tmp_path / "enrolments.csv").write_text(csv)
    (tmp_path / "groups.csv").write_text("group,name,user_external_id\nbern-2,Bern,p-4711\n")
    (tmp_path / "oneroster.zip").write_bytes(packed())
    who = {"account": {"name": "p-4712"}}
    statements = lines(
        said("completed", who=who, what="https://lms.example/c"),
        said("completed", who=who, what="https://lms.example/courses/safety"),
    )
    (tmp_path / "statements.ndjson").write_bytes(statements)
    return tmp_path


def run(folder: Path, block: str, **values: str) -> str:
    """Run a block, and stop at the first command that fails."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", SHIM + block],
        cwd=folder,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(PROJECT)} | values,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, block + done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_each_command_that_brings_the_history_works(served: str, folder: Path) -> None:
    first, oneroster, xapi, one, rule = blocks(MIGRATE)
    assert "Completions" in run(folder, first)
    assert rows("SELECT completed_at::text, score::float8 FROM completion") == [("2026-02-03 13:30:00+00", 92.5)]
    assert "Completions" in run(folder, oneroster)
    assert "Ignored: 1 statements about other objects than courses." in run(folder, xapi)
    query = "SELECT k.code FROM completion JOIN enrolment e USING (registration) JOIN course k ON k.id = e.course_id "
    learner = 'JOIN "user" u ON u.id = e.user_id WHERE u.external_id = '
    assert sorted(code for (code,) in rows(query + learner + "'p-4712'")) == ["FIRE-201", "SAFETY-101"]
    # One completion, by API
    admin = ask("SELECT id FROM \"user\" WHERE email = 'kim@acme.example'")
    registration = ask(
        "INSERT INTO enrolment (organization_id, user_id, course_id) SELECT u.organization_id, u.id, k.id "
        "FROM \"user\" u, course k WHERE u.external_id = 'p-4711' AND k.code = 'FIRE-201' RETURNING registration::text"
    )
    answer = run(
        folder, one, API=served, auth=f"Authorization: Bearer {token_for(admin)}", REGISTRATION=str(registration)
    )
    assert json.loads(answer)["score"] == 92.5
    run(folder, rule)
    assert ask("SELECT count(*) FROM retraining_rule WHERE months = 12") == 1


@pytest.mark.timeout(600)
def test_each_command_of_the_nightly_files_works(served: str, folder: Path) -> None:
    run(folder, 'recourse organization add acme --name "Acme Ltd" --admin kim@acme.example')
    commands, by_api = blocks(IN_STEP, "Each night, by file")
    assert "which the file does not name" in run(folder, commands)
    assert ask("SELECT count(*) FROM group_member") == 1
    admin = ask("SELECT id FROM \"user\" WHERE email = 'kim@acme.example'")
    said = run(folder, by_api, API=served, auth=f"Authorization: Bearer {token_for(admin)}")
    assert said.count('"changed":0') >= 4
    assert '"new":1' not in said
