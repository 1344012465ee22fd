"""The stage: servers of its own, and a database that looks the same at the start of every run."""

import os
import secrets
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from alembic import command
from alembic.config import Config
from redis import Redis
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.orm import Session

from benchmarks.fill import fill
from benchmarks.target import WARM_UP, Target
from cli.local import LocalServers, remove
from config.settings import settings
from models.session import forget_engine

HOME = Path(".recourse/bench")
EMPTY, TEMPLATE, CLONE = "bench_empty", "bench_template", "bench_run"
PROJECT = Path(__file__).parents[1] / "pyproject.toml"


class Stage:
    """PostgreSQL and Redis for the benchmark. A context manager; it leaves nothing behind."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` is called with what is being done."""
        self.say = say
        self._servers = LocalServers(HOME)
        self._url: URL
        self.broker: Redis

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _end)
        self.say("starting")
        if (HOME / "in-use.lock").exists():  # left by a benchmark that was killed
            remove(HOME)
        self._point_at_servers()
        # The moment of each commit, by which it is known when the last alert was there. It needs a restart.
        self._admin("ALTER SYSTEM SET track_commit_timestamp TO on")
        self._servers.stop()
        self._servers.start()
        self._migrate()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        forget_engine()
        self._servers.stop()
        remove(HOME)
        with suppress(OSError):
            HOME.parent.rmdir()  # if the benchmark was all there was in it

    @contextmanager
    def filled(self, targets: Iterable[Target]) -> Iterator[None]:
        """Fill the template that is cloned within the scope with these targets, and with the one to warm up with."""
        self._admin(f"CREATE DATABASE {TEMPLATE} TEMPLATE {EMPTY} STRATEGY file_copy")
        try:
            filling = create_engine(self._in(TEMPLATE))
            for target in sorted({WARM_UP, *targets}, key=lambda target: target.learners):
                self.say(f"filling {target.learners:,} learners in {target.courses} courses")
                fill(filling, target)
            self.say("vacuuming")
            with filling.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM (FREEZE, ANALYZE)"))
            filling.dispose()
            yield
        finally:
            self._admin(f"DROP DATABASE {TEMPLATE} WITH (FORCE)")

    @contextmanager
    def clone(self) -> Iterator[None]:
        """Provide a fresh copy of the template, which the settings and libpq's environment name, and an empty Redis."""
        self.broker.flushall()
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

    def ask(self, query: str) -> Any:
        """Returns one value from the server."""
        with self._session() as session:
            return session.execute(text(query)).scalar_one()

    def _point_at_servers(self) -> None:
        urls = self._servers.start()
        self._url = make_url(urls.database)
        for name in [name for name in os.environ if name.startswith(("RECOURSE_", "PG"))]:
            del os.environ[name]  # what is measured is the product as it comes
        socket = make_url(urls.broker).database
        assert socket is not None, "the local Redis listens on a socket"
        self.broker = Redis(unix_socket_path=f"/{socket.lstrip('/')}")
        host, port = self._url.query["host"], self._url.query["port"]
        assert isinstance(host, str)
        assert isinstance(port, str)
        os.environ |= {
            "RECOURSE_DATABASE_URL": self._in(CLONE),
            "RECOURSE_BROKER_URL": urls.broker,
            "RECOURSE_SECRET_KEY": secrets.token_hex(32),
            "RECOURSE_HOME": str(HOME),
            # By these, programs that know nothing of our settings find the same servers.
            "PGHOST": host,
            "PGPORT": port,
            "PGUSER": str(self._url.username),
            "PGDATABASE": CLONE,
            "REDIS_SOCKET": f"/{socket.lstrip('/')}",
        }
        settings.cache_clear()

    def _migrate(self) -> None:
        self.say("migrating")
        self._admin(f"CREATE DATABASE {CLONE}")  # the name in the settings, which the migrations go by
        command.upgrade(Config(toml_file=PROJECT), "head")
        forget_engine()
        self._admin(f"ALTER DATABASE {CLONE} RENAME TO {EMPTY}")

    def _admin(self, statement: str) -> None:
        with self._session() as session:
            session.execute(text(statement))

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


def _end(_signal: int, _frame: FrameType | None) -> None:
    """End on SIGTERM as on Ctrl-C: with the workers and the servers stopped."""
    raise KeyboardInterrupt
