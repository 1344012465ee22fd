"""The stage: servers of its own, and a database that looks the same at the start of every run."""

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self
from uuid import UUID

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from cli.local import LocalServers, remove
from config.settings import settings
from models.session import forget_engine, transaction
from tasks.sample import enrol_everyone, make_courses, make_learners, make_organization

HOME = Path(".recourse/bench")
TEMPLATE = "bench_template"
CLONE = "bench_run"
PROJECT = Path(__file__).parents[1] / "pyproject.toml"
COURSES = 8  # of which one is reset: its rows lie between those of the others, as in life

ASKED = """
INSERT INTO reset (id, organization_id, course_id, audience, planned_at, notify, reason, requester, task_id)
SELECT uuidv7(), o.id, c.id, 'assigned', now(), true, 'benchmark', 'benchmark', uuidv7()
FROM course c JOIN organization o ON o.id = c.organization_id WHERE o.slug = :organization AND c.code = :course
RETURNING id, course_id
"""


@dataclass(frozen=True)
class Target:
    """A course to reset, and how many have completed it."""

    organization: str
    learners: int
    course: str = "C4"


class Stage:
    """PostgreSQL and Redis for the benchmark, with one target of each size in the template database."""

    def __init__(self, targets: list[Target]) -> None:
        self.targets = targets
        self.filled_at: datetime
        self._servers = LocalServers(HOME)
        self._url: URL

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _end)
        if (HOME / "in-use.lock").exists():  # left by a benchmark that was killed
            remove(HOME)
        urls = self._servers.start()
        self._url = make_url(urls.database)
        for name in [name for name in os.environ if name.startswith("RECOURSE_")]:
            del os.environ[name]  # what is measured is the product as it comes
        os.environ |= {
            "RECOURSE_DATABASE_URL": self._in(CLONE),
            "RECOURSE_BROKER_URL": urls.broker,
            "RECOURSE_SECRET_KEY": secrets.token_hex(32),
            "RECOURSE_HOME": str(HOME),
        }
        settings.cache_clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        forget_engine()
        self._servers.stop()
        remove(HOME)
        with suppress(OSError):
            HOME.parent.rmdir()  # if the benchmark was all there was in it

    def fill(self, say: Callable[[str], None]) -> None:
        """Make the template database: migrated, filled, vacuumed."""
        say("migrating")
        self._admin(f"CREATE DATABASE {CLONE}")  # the name in the settings, which the migrations go by
        command.upgrade(Config(toml_file=PROJECT), "head")
        forget_engine()
        self._admin(f"ALTER DATABASE {CLONE} RENAME TO {TEMPLATE}")
        filling = create_engine(self._in(TEMPLATE))
        for target in self.targets:
            say(f"filling: {target.learners:,} learners x {COURSES} courses")
            _fill(filling, target)
        say("vacuuming")
        with filling.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            self.filled_at = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        filling.dispose()

    @contextmanager
    def clone(self) -> Iterator[None]:
        """A fresh copy of the template, which the settings' database URL names."""
        # Copied as files: written through the log instead, the copy would fill it before the run begins.
        self._admin(f"CREATE DATABASE {CLONE} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        try:
            yield
        finally:
            forget_engine()
            self._admin(f"DROP DATABASE {CLONE} WITH (FORCE)")

    def checkpoint(self) -> None:
        """Write out what the preparation left, so that nobody's run pays for it."""
        self._admin("CHECKPOINT")

    def ask(self, query: str) -> str:
        """One value from the server."""
        with self._session() as connection:
            return str(connection.execute(text(query)).scalar_one())

    def _admin(self, statement: str) -> None:
        with self._session() as connection:
            connection.execute(text(statement))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        engine = create_engine(self._in("postgres"), isolation_level="AUTOCOMMIT")
        try:
            with Session(engine) as session:
                yield session
        finally:
            engine.dispose()

    def _in(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)


def ask(target: Target) -> tuple[UUID, int]:
    """Write down who asked for what, as every contender has it. Gives the reset's id and the course's."""
    with transaction() as session:
        reset_id, course_id = session.execute(
            text(ASKED), {"organization": target.organization, "course": target.course}
        ).one()
        return reset_id, course_id


def _fill(engine: Engine, target: Target) -> None:
    with Session(engine) as session, session.begin():
        organization = make_organization(session, target.organization, target.organization)
        make_learners(session, organization, target.learners)
        codes = {f"C{number}": f"Course {number}" for number in range(1, COURSES + 1)}
        courses = make_courses(session, organization, codes, certificates=False)
        session.execute(text("ANALYZE"))  # or the inserts are planned for empty tables
        enrol_everyone(session, organization, courses, completed=100, begun=100)


def _end(_signal: int, _frame: FrameType | None) -> None:
    """End on SIGTERM as on Ctrl-C: with the worker and the servers stopped."""
    raise KeyboardInterrupt
