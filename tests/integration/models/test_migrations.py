"""Migrations: in turn, as long as they take, and in nobody's way."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import errors

from models.migrations.gentle import stopping
from models.migrations.run import blocking_statements
from tests.conftest import alembic_config
from tests.databases import made_database, recourse_on, started_on, values
from tests.scenes import ask, make_scene, run
from tests.workers import until

ADVISORY_LOCK = 7242637

MIGRATION = """
import sqlalchemy as sa
from alembic import op
from models.migrations import gentle

revision = "9999"
down_revision = {head!r}
branch_labels = depends_on = None


def upgrade():
    {upgrade}


def downgrade():
    pass
"""


@pytest.fixture
def migration(tmp_path: Path) -> Callable[[str], Config]:
    """Alembic with one migration more: `migration("op.execute(…)")`."""

    def made(upgrade: str) -> Config:
        config = alembic_config()
        scripts = ScriptDirectory.from_config(config)
        (tmp_path / "9999_next.py").write_text(MIGRATION.format(head=scripts.get_current_head(), upgrade=upgrade))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", f"{scripts.versions}\n{tmp_path}")
        return config

    return made


@contextmanager
def writing(database: str, statement: str) -> Iterator[list[float]]:
    """Write all the time, in the background. Yields how long each write took, in seconds."""
    took: list[float] = []
    enough = threading.Event()

    def work() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            while not enough.is_set():
                began = time.monotonic()
                connection.execute(statement.encode())
                took.append(time.monotonic() - began)
                enough.wait(0.01)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        until(lambda: took)
        yield took
    finally:
        enough.set()
        writer.join(30)
    assert not writer.is_alive()


def test_the_second_of_two_migrations_waits_for_the_first_and_finds_nothing_to_do(database: str) -> None:
    with made_database(database, "recourse_bare") as url:
        # Given a migration that is under way, for longer than anybody waits for a lock
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as first:
            first.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
            both = [started_on(url, "database", "upgrade", lock_timeout_seconds=1) for _ in range(2)]
            waiting = [process.stderr.readline() for process in both if process.stderr]
            assert waiting == ["Another migration is running. Waiting for it to end.\n"] * 2
            time.sleep(2)
        # When it ends, they take turns
        said = [process.communicate(timeout=120) for process in both]
    # Then one migrates and the other finds nothing to do
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("there was nothing to do" in out for out, _ in said) == 1, said


def test_a_statement_of_a_migration_may_take_longer_than_others(
    database: str, set_up: Callable[..., None], migration: Callable[[str], Config]
) -> None:
    set_up(statement_timeout_seconds=0.5)
    config = migration('op.execute("SELECT pg_sleep(1.5)")')
    command.upgrade(config, "head")
    assert ask("SELECT version_num FROM recourse_version") == "9999"


def test_nobody_waits_behind_a_migration_that_waits_for_a_long_transaction(
    database: str, migration: Callable[[str], Config]
) -> None:
    make_scene(learners=3)
    config = migration('op.add_column("course", sa.Column("note", sa.Text()))')
    said: list[str] = []
    config.attributes["say"] = said.append
    write = "UPDATE course SET title = 'Fire safety' WHERE code = 'FIRE-101'"
    with writing(database, write) as took, psycopg.connect(database) as long:
        long.execute("SELECT count(*) FROM course")  # and the transaction stays open
        ending = threading.Timer(6, long.commit)
        ending.start()
        began = time.monotonic()
        command.upgrade(config, "head")
        assert time.monotonic() - began > 5, "it has waited for nobody"
        ending.join()
    assert ask("SELECT count(note) FROM course") == 0
    assert max(took) < 2.5, f"somebody waited for {max(took):.1f} s"
    assert any("is locked. Trying again" in words and "longest transaction" in words for words in said), said


def test_an_index_is_built_while_others_write_and_again_where_that_was_interrupted(
    database: str, migration: Callable[[str], Config]
) -> None:
    make_scene(learners=3)
    config = migration('gentle.build_index("ix_course_title", "course", ["title"])')
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_course_title')"
    write = "UPDATE course SET title = title || '.' WHERE code = 'FIRE-101'"
    with writing(database, write) as took, psycopg.connect(database) as long:
        # Given a transaction for whose end the index has to wait, and a migration that is killed meanwhile
        long.execute("UPDATE course SET title = 'Data' WHERE code = 'DATA-202'")
        broken: list[BaseException] = []

        def migrate() -> None:
            try:
                command.upgrade(config, "head")
            except Exception as error:
                broken.append(error)

        killed = threading.Thread(target=migrate)
        killed.start()
        until(lambda: ask(valid) is False)
        time.sleep(2)  # longer than it may wait for a lock
        run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recourse-migration'")
        killed.join(30)
        assert broken
        assert ask(valid) is False
        assert ask("SELECT version_num FROM recourse_version") != "9999"
        # When it is run again, and the transaction ends in the middle of it
        ending = threading.Timer(3, long.commit)
        ending.start()
        command.upgrade(config, "head")
        ending.join()
    # Then the index is whole, and nobody has waited
    assert ask(valid) is True
    assert ask("SELECT version_num FROM recourse_version") == "9999"
    assert len(took) > 100
    assert max(took) < 1.5, f"somebody waited for {max(took):.1f} s"


def test_constraints_are_added_while_others_write_and_hold_in_the_end(
    database: str, migration: Callable[[str], Config]
) -> None:
    make_scene(learners=3)
    config = migration(
        'gentle.add_unique("uq_course_title", "course", ["title"]); '
        'gentle.add_check("ck_course_named", "course", "length(title) > 0"); '
        'gentle.add_foreign_key("fk_course_self", "course", "course", ["id"], ["id"])'
    )
    assert blocking_statements(config) == {}
    with pytest.raises(errors.UniqueViolation):
        values(database, "UPDATE course SET title = 'the same'")
    with pytest.raises(errors.CheckViolation):
        values(database, "UPDATE course SET title = '' WHERE code = 'FIRE-101'")
    assert values(database, "SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == [(0,)]
    # Killed before its end was written down, it runs again
    run(
        "UPDATE recourse_version SET version_num = :head",
        head=ScriptDirectory.from_config(alembic_config()).get_current_head(),
    )
    command.upgrade(config, "head")


@pytest.mark.parametrize(
    ("upgrade", "stops"),
    [
        ('op.create_index("ix_course_title", "course", ["title"])', True),
        ('op.execute("create unique index on course (title)")', True),
        ('op.create_unique_constraint("uq_course_title", "course", ["title"])', True),
        ('op.create_check_constraint("named", "course", "title <> \'\'")', True),
        ('op.create_foreign_key("fk_course_self", "course", "course", ["id"], ["id"])', True),
        ('op.add_column("course", sa.Column("note", sa.Text()))', False),
        ('op.create_table("note", sa.Column("id", sa.BigInteger()), sa.Column("text", sa.Text(), index=True))', False),
    ],
)
def test_a_migration_that_stops_the_writers_of_a_table_is_refused(
    database: str, migration: Callable[[str], Config], upgrade: str, stops: bool
) -> None:
    found = blocking_statements(migration(upgrade))
    assert ("9999" in found) is stops, found


def test_none_of_ours_does(database: str) -> None:
    with made_database(database, "recourse_bare") as url:
        checked = recourse_on(url, "database", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "No new upgrade operations detected" in checked.stdout


def test_the_check_names_the_statement() -> None:
    assert stopping(["CREATE INDEX a ON b (c)", "CREATE TABLE d (e int)", 'CREATE INDEX f ON "d" (e)']) == [
        "CREATE INDEX a ON b (c)"
    ]


def test_a_migration_gives_up_on_a_server_that_is_too_old_or_a_lock_that_never_ends(
    database: str, migration: Callable[[str], Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.migrations.turns.PATIENCE_SECONDS", 0.5)
    config = migration('op.add_column("course", sa.Column("note", sa.Text()))')
    with psycopg.connect(database) as long:
        long.execute("SELECT count(*) FROM course")
        with pytest.raises(Exception, match=r"stayed locked for ten minutes.*process \d+") as raised:
            command.upgrade(config, "head")
    assert type(raised.value).__name__ == "DatabaseUnfitError"
    command.upgrade(config, "head")


def test_celery_finds_its_tables_as_it_would_make_them(database: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from celery.backends.database.models import ResultModelBase

    from models.session import engine

    celery = set(ResultModelBase.metadata.tables)
    with engine().connect() as connection:
        options = {"include_name": lambda name, kind, _: kind != "table" or name in celery}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, ResultModelBase.metadata) == []
    assert celery == {"celery_taskmeta", "celery_tasksetmeta"}
    sequences = "SELECT sequencename FROM pg_sequences WHERE sequencename LIKE 'task%id_sequence' ORDER BY 1"
    assert values(database, sequences) == [("task_id_sequence",), ("taskset_id_sequence",)]


def test_a_killed_migration_leaves_its_turn_to_the_next(database: str) -> None:
    with made_database(database, "recourse_bare") as url:
        first = started_on(url, "database", "upgrade")
        until(lambda: values(url, f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = {ADVISORY_LOCK}"))
        first.kill()
        first.communicate()
        again = recourse_on(url, "database", "upgrade")
        assert again.returncode == 0, again.stderr
        assert isinstance(again, subprocess.CompletedProcess)
