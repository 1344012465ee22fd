"""Through PgBouncer in transaction mode, as a role of few rights."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from sqlalchemy import event, text

from cli.local import LocalUrls
from models.session import engine
from tests.conftest import PROJECT, SECRET, libpq
from tests.databases import APP, made_database, recourse_on, values, with_roles
from tests.mail_server import LoopbackMailServer
from tests.poolers import Pooler
from tests.scenes import ask, make_scene, records_of, report_of, rows, slow_down
from tests.workers import Worker, until

LEARNERS = 1_000  # four slices, two at a time
SESSIONS = 6
LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "search_path")

SetUp = Callable[..., None]


@dataclass(frozen=True)
class Database:
    """The URLs of one database: as the superuser, as the owner, as the application, and as that through the pooler."""

    superuser: str
    owner: str
    app: str
    pooled: str


@pytest.fixture(scope="module")
def pooled(servers: LocalUrls) -> Iterator[Database]:
    """A migrated database with the roles of the guide, behind a pooler."""
    with (
        made_database(servers.database, "recourse_pooled") as url,
        with_roles(url) as (app, owner),
        Pooler(app, sessions=SESSIONS) as pooler,
    ):
        # The application's address is already that of the pooler.
        theirs = {"broker_url": servers.broker, "secret_key": SECRET, "migration_database_url": owner}
        migrated = recourse_on(pooler.url, "database", "upgrade", **theirs)
        assert migrated.returncode == 0, migrated.stderr
        yield Database(url, owner, app, pooler.url)


def sessions_of_the_app(there: Database) -> int:
    return int(values(there.superuser, f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{APP}'")[0][0])


def test_a_reset_whose_worker_is_killed_runs_to_its_last_alert_and_mail(
    pooled: Database, database: str, set_up: SetUp, start_worker: Callable[..., Worker]
) -> None:
    set_up(database_url=pooled.superuser)
    scene = make_scene(learners=LEARNERS, completed=100, begun=100)
    values(pooled.superuser, 'UPDATE "user" SET notifications_on = false WHERE id % 20 <> 1')  # 50 e-mails will do
    slow_down(1)
    with LoopbackMailServer() as server:
        # Given a web app and a worker that know only the pooler, and a reset under way
        set_up(
            database_url=pooled.pooled,
            smtp_host="127.0.0.1",
            smtp_port=server.port,
            smtp_security="none",
            mail_from="Training <training@acme.example>",
            mail_per_second=10_000,
            mail_gather_seconds=0,
        )
        worker = start_worker()
        reset = scene.request()
        until(lambda: report_of(reset)["progress"]["cleared"])
        # When the worker is killed, and another one comes
        worker.kill()
        assert report_of(reset)["progress"]["cleared"] < LEARNERS
        values(pooled.superuser, "DROP FUNCTION dawdle CASCADE")  # it has been slow for long enough
        start_worker()
        # Then everyone is reset once, alerted, and has an e-mail
        until(lambda: report_of(reset)["done"], 60)
        assert report_of(reset)["progress"] == {
            "total": LEARNERS, "cleared": LEARNERS, "unchanged": 0, "skipped": 0, "failed": 0, "waiting": 0,
        }  # fmt: skip
        assert report_of(reset)["removed"]["completion"] == LEARNERS
        assert set(records_of(scene.course).values()) == {0}
        wanted = {user.email for user in scene.users() if user.notifications_on} | {"admin@acme.example"}
        until(lambda: len(server.delivered) >= len(wanted), 60)
        assert sorted(one.to for one in server.delivered) == sorted(wanted)
        # … and the job has its result
        until(lambda: ask("SELECT status FROM celery_taskmeta WHERE task_id = :id", id=str(reset)) == "SUCCESS")
    assert 0 < sessions_of_the_app(pooled) <= SESSIONS


def test_limits_and_schema_last_for_a_transaction_and_stay_in_no_session(
    pooled: Database, database: str, set_up: SetUp
) -> None:
    limits = {"lock_timeout_seconds": 7, "statement_timeout_seconds": 33, "database_schema": "public"}
    set_up(database_url=pooled.pooled, **limits)
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in LIMITS)
    for _ in range(2 * SESSIONS):
        assert rows(query) == [("7s", "33s", "33s", "public")]
    # Another client of the pooler gets the same sessions, and none of that
    with psycopg.connect(libpq(pooled.pooled), autocommit=True, prepare_threshold=None) as other:
        for _ in range(2 * SESSIONS):
            assert other.execute(query.encode()).fetchall() == [("0", "0", "0", '"$user", public')]


def test_without_a_pooler_a_transaction_costs_no_statement_for_its_limits(
    pooled: Database, database: str, set_up: SetUp
) -> None:
    def statements(url: str) -> list[str]:
        set_up(database_url=url, lock_timeout_seconds=7, statement_timeout_seconds=33, database_schema="public")
        query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in LIMITS)
        rows(query)  # connects
        seen: list[str] = []
        event.listen(engine(), "before_cursor_execute", lambda *given: seen.append(given[2]))
        assert [rows(query) for _ in range(3)] == [[("7s", "33s", "33s", "public")]] * 3
        return [statement.partition("(")[0] for statement in seen]

    assert statements(pooled.app) == ["SELECT current_setting"] * 3
    assert statements(pooled.pooled) == ["SELECT set_config", "SELECT current_setting"] * 3


def test_no_statement_is_prepared_behind_a_pooler(pooled: Database, database: str, set_up: SetUp) -> None:
    def prepared(url: str, **settings: object) -> int:
        set_up(database_url=url, **settings)
        with engine().connect() as connection:
            for _ in range(10):
                connection.execute(text("SELECT 7731"))
            return int(connection.scalar(text("SELECT count(*) FROM pg_prepared_statements")) or 0)

    assert prepared(pooled.app) > 0
    assert prepared(pooled.app, prepared_statements="off") == 0
    assert prepared(pooled.pooled, prepared_statements="auto") == 0


def test_doctor_knows_the_pooler_and_commands_work_through_it(pooled: Database, database: str) -> None:
    [database, *_] = json.loads(recourse_on(pooled.pooled, "doctor", "--json", "--part", "migrations").stdout)
    assert database["ok"], database
    assert "through a pooler, without prepared statements" in database["says"]
    [database, *_] = json.loads(recourse_on(pooled.app, "doctor", "--json", "--part", "migrations").stdout)
    assert "pooler" not in database["says"]
    # An import uses temporary tables
    done = recourse_on(pooled.pooled, "import", "oulad", str(PROJECT / "tests" / "oulad"))
    assert done.returncode == 0, done.stderr
    assert values(pooled.superuser, "SELECT count(*) > 0 FROM enrolment") == [(True,)]


@pytest.mark.parametrize("more", ["", "ignore_startup_parameters = options"])
def test_migrations_ask_for_the_databases_own_address(pooled: Database, database: str, more: str) -> None:
    with Pooler(pooled.app, more=more) as pooler:
        for words in (("database", "upgrade"), ("database", "grant", APP), ("database", "check")):
            refused = recourse_on(pooler.url, *words)
            assert refused.returncode == 2, refused.stdout + refused.stderr
            assert "Set RECOURSE_MIGRATION_DATABASE_URL to the address of the database itself" in refused.stderr


def test_the_guides_commands_run_through_a_pooler(pooled: Database, database: str) -> None:
    guide = (PROJECT / "docs" / "how-to" / "use-your-own-servers.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        name, *words = shlex.split(command)
        assert name == "recourse"
        done = recourse_on(pooled.pooled, *words, migration_database_url=pooled.owner)
        assert done.returncode == 0, done.stdout + done.stderr
