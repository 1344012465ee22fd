"""A database in which another application lives, with Alembic as well."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic import command

from tests.conftest import PROJECT, alembic_config
from tests.databases import made_database, recourse_on, values

# As `alembic init` and two models of somebody's make it
THEIRS = """
CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
CREATE TABLE "user" (id serial PRIMARY KEY, login text);
INSERT INTO "user" (login) VALUES ('somebody');
CREATE TABLE audit (id serial PRIMARY KEY, what text);
"""

JOB = """
import os, json
import tests
os.environ.update(json.loads(os.environ["OURS"]))
from tests.post import Post
from tests.scenes import make_scene, report_of, state_of, ask
from tasks.app import app
scene = make_scene(learners=3, completed=100)
reset = scene.request()
with Post() as post:
    post.drain()
report = report_of(reset)
result = app.AsyncResult(str(reset))
print(json.dumps({"state": state_of(reset), "cleared": report["progress"]["cleared"], "result": result.state}))
"""


@pytest.fixture
def shared(database: str) -> Iterator[str]:
    """The database of another application."""
    with made_database(database, "recourse_shared") as url:
        for statement in THEIRS.split(";"):
            values(url, statement)
        yield url


def tables(url: str, schema: str) -> set[str]:
    return {
        name for (name,) in values(url, f"SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace")
    }


def reset_on(url: str, **settings: str) -> dict[str, object]:
    """Run a reset from its request to its end on this database, in a process of its own."""
    named = {name: value for name, value in os.environ.items() if name.startswith("RECOURSE_")}
    named |= {"RECOURSE_DATABASE_URL": url} | {f"RECOURSE_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-c", JOB],
        cwd=PROJECT,
        env=os.environ | {"OURS": json.dumps(named)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_another_applications_tables_are_told_apart_and_left_alone(shared: str, subtests: pytest.Subtests) -> None:
    before = tables(shared, "public")
    for words in (["database", "upgrade"], ["resets"]):
        with subtests.test(" ".join(words)):
            refused = recourse_on(shared, *words)
            said = " ".join(refused.stderr.split())
            assert refused.returncode == 2, refused.stderr
            assert "Traceback" not in said
            assert "belongs to another application" in said
            assert "alembic_version is at 0001" in said
            assert "audit, user" in said
            assert "set RECOURSE_DATABASE_SCHEMA=recourse" in said
    with subtests.test("doctor"):
        found = json.loads(recourse_on(shared, "doctor", "--json", "--part", "beat").stdout)
        assert "RECOURSE_DATABASE_SCHEMA=recourse" in found[1]["remedy"]
    assert tables(shared, "public") == before


def test_a_schema_of_its_own_holds_all_that_recourse_makes(shared: str) -> None:
    before = tables(shared, "public")
    own = {"database_schema": "recourse"}
    upgraded = recourse_on(shared, "database", "upgrade", **own)
    assert upgraded.returncode == 0, upgraded.stderr
    assert "Created the schema recourse." in upgraded.stderr
    assert {"recourse_version", "user", "audit", "reset_item", "celery_taskmeta", "task_id_sequence"} <= tables(
        shared, "recourse"
    )
    assert tables(shared, "public") == before
    assert values(shared, "SELECT version_num FROM alembic_version") == [("0001",)]
    functions = "SELECT DISTINCT pronamespace::regnamespace::text FROM pg_proc WHERE proname LIKE '%audit%'"
    assert values(shared, functions) == [("recourse",)]
    checked = recourse_on(shared, "database", "check", **own)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # A reset runs to its end there, and Celery's result lies beside it
    said = reset_on(shared, **own)
    assert said == {"state": "succeeded", "cleared": 3, "result": "SUCCESS"}
    assert values(shared, "SELECT count(*) FROM recourse.reset") == [(1,)]
    assert values(shared, 'SELECT login FROM public."user"') == [("somebody",)]
    assert tables(shared, "public") == before
    # … and an audit that is older than may be is forgotten there
    assert values(shared, "SELECT recourse.forget_audit_before(now() - interval '91 days', 10)") == [(0,)]


def test_the_options_of_the_url_are_kept(shared: str) -> None:
    theirs = "options=-c%20search_path%3Drecourse_by_url%20-c%20work_mem%3D5MB"
    url = f"{shared}&{theirs}"
    values(shared, "CREATE SCHEMA recourse_by_url")
    upgraded = recourse_on(url, "database", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    assert "reset_item" in tables(shared, "recourse_by_url")
    assert "reset_item" not in tables(shared, "public")
    assert reset_on(url)["state"] == "succeeded"
    assert values(shared, "SELECT count(*) FROM recourse_by_url.celery_taskmeta") == [(1,)]


def test_a_database_of_the_usual_version_table_becomes_one_of_ours(database: str) -> None:
    # Given a database as it was at 0005
    command.downgrade(alembic_config(), "0005")
    values(database, "ALTER TABLE recourse_version RENAME TO alembic_version")
    values(database, "ALTER TABLE alembic_version RENAME CONSTRAINT recourse_version_pkc TO alembic_version_pkc")
    # Then it is told to be behind, and is carried over
    assert "is at migration 0005" in " ".join(recourse_on(database, "resets").stderr.split())
    upgraded = recourse_on(database, "database", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    assert "alembic_version" not in tables(database, "public")
    assert {"recourse_version", "recourse_version_pkc"} <= tables(database, "public")


def test_a_schema_that_does_not_exist_in_the_search_path_is_said(shared: str) -> None:
    refused = recourse_on(f"{shared}&options=-c%20search_path%3Dnowhere", "database", "upgrade")
    assert refused.returncode == 2
    assert "No schema of the search path exists" in refused.stderr
