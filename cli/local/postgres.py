"""The local PostgreSQL: create its data folder, start it, stop it."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import psycopg.conninfo

from cli.local.errors import NO_SPACE, LocalServersError, disk_full
from cli.local.place import LONGEST_SOCKET, Place
from cli.local.postgres_conf import DATABASE, write_configuration
from cli.local.processes import START_LIMIT, STOP_LIMIT, last_lines, reap, start_and_wait, wait_until
from cli.local.programs import postgres_major
from cli.local.space import is_full

HAS_A_BUILTIN_LOCALE = 17  # the first version


class Postgres:
    """The PostgreSQL of one place, running or not."""

    def __init__(self, place: Place) -> None:
        self.url = f"postgresql+psycopg://{DATABASE}@/{DATABASE}?host={place.sockets}&port=5432"
        self._place = place
        self._data = place.folder / "postgres"
        self.log = place.folder / "postgres.log"
        self._conninfo = psycopg.conninfo.make_conninfo(
            host=str(place.sockets), port=5432, user=DATABASE, dbname="postgres", connect_timeout=5
        )

    def name(self) -> str:
        """Returns its product name and version. It must be running."""
        return f"PostgreSQL {self._ask('SHOW server_version')}"

    def start(self, programs: Path) -> bool:
        """Start it unless it is running, and create the database if missing. Returns whether this call started it."""
        started = not self._joined()
        if started:
            self._make_data(programs)
            configuration = write_configuration(self._place)
            self._place.private_folder(self._place.sockets)
            # No server of ours is running, so a pid in these files is dead, reused by another program, or a zombie.
            # PostgreSQL would refuse to start because of the last two. It also protects its data by shared memory.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            (self._place.sockets / f"{LONGEST_SOCKET}.lock").unlink(missing_ok=True)
            self._end_orphans()
            command = [str(programs / "postgres"), "-D", str(self._data), "-c", f"config_file={configuration}"]
            start_and_wait("PostgreSQL", self._place, command, self.log, self.is_ready)
        if not self._ask("SELECT count(*) FROM pg_database WHERE datname = %s", DATABASE):
            self._ask(f"CREATE DATABASE {DATABASE}")
        return started

    def stop(self) -> None:
        """Stop it if it is running: end sessions, roll back transactions, and write everything to disk."""
        for how, limit in ((signal.SIGINT, STOP_LIMIT), (signal.SIGQUIT, 10)):
            pid = self._running_pid()
            if pid is None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, how)
            wait_until(lambda: self._running_pid() is None, limit)
        reap()

    def is_ready(self) -> bool:
        """Returns whether it accepts connections."""
        return self._ping() == psycopg.pq.Ping.OK

    def is_gone(self) -> bool:
        """Returns whether it has ended. A slow or hanging server has not."""
        return self._running_pid() is None

    def _end_orphans(self) -> None:
        """End processes of a killed server. A busy one keeps the shared memory until it is done."""
        if not wait_until(lambda: not self._orphans(), 1):
            for pid in self._orphans():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self._orphans(), 5)

    def _orphans(self) -> list[int]:
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]  # none on macOS
        return [pid for pid in pids if _is_postgres(pid, self._data)]

    def _joined(self) -> bool:
        """Wait for a server that is starting or stopping. Returns whether one is running then."""
        if not wait_until(lambda: self._ping() != psycopg.pq.Ping.REJECT, START_LIMIT):
            raise LocalServersError(
                f"PostgreSQL has been recovering for more than {START_LIMIT / 60:.0f} minutes. Try again "
                f"later; its log is {self.log}."
            )
        # A server that runs but does not answer is starting, hangs, or has lost its socket to a cleaner of /tmp.
        wait_until(lambda: self.is_ready() or self._running_pid() is None, 3)
        if self.is_ready():
            return True
        self.stop()
        return False

    def _make_data(self, programs: Path) -> None:
        with suppress(OSError):
            self._data.rmdir()  # only if empty
        if self._data.exists():
            self._check_data(programs)
            return
        # Renamed when complete, since initdb may be killed midway.
        half_made = self._data.with_name("postgres.new")
        shutil.rmtree(half_made, ignore_errors=True)
        self._place.private_folder(half_made)
        command = [str(programs / "initdb"), "--pgdata", str(half_made), "--username", DATABASE]
        command += ["--encoding=UTF8", *_locale(postgres_major(programs))]
        # pg_hba.conf is ours, see write_configuration.
        command += ["--auth=reject", "--no-instructions"]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **self._place.run_as())
        if made.returncode != 0:
            shutil.rmtree(half_made, ignore_errors=True)
            raise LocalServersError(
                f"PostgreSQL could not create its data folder {self._data}. It said:\n"
                f"{last_lines(made.stderr)}\n"
                "Correct that, or set RECOURSE_DATABASE_URL to a PostgreSQL of your own."
            )
        half_made.rename(self._data)

    def _check_data(self, programs: Path) -> None:
        self._place.private_folder(self._data)
        try:
            major = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise LocalServersError(
                f"{self._data} contains something, but no database. Move it out of the way and try again."
            ) from None
        if major != str(ours := postgres_major(programs)):
            raise LocalServersError(
                f"The data in {self._data} is of PostgreSQL {major}, and this is PostgreSQL {ours}. "
                f"Migrate it with pg_dump of version {major}, or move the folder out of the way to start with an "
                "empty database."
            )

    def _ask(self, query: str, *values: str) -> Any:
        try:
            with psycopg.connect(self._conninfo, autocommit=True) as connection:
                answer = connection.execute(query.encode(), values or None)
                return next(answer, (None,))[0] if answer.description else None
        except psycopg.Error as error:
            # Before version 16, a server whose disk is full refuses connections for “could not write init file”.
            if NO_SPACE in str(error) or is_full(self._place.home):
                raise LocalServersError(disk_full(self._place.folder)) from error
            raise LocalServersError(
                f"PostgreSQL in {self._place.home} refused a query: {error}. Its log is {self.log}."
            ) from error

    def _ping(self) -> int:
        return psycopg.pq.PGconn.ping(self._conninfo.encode())

    def _running_pid(self) -> int | None:
        """Returns the pid of the server with this data folder if it is running. A pid file alone proves nothing."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if _is_postgres(pid, self._data) else None


def _locale(major: int) -> list[str]:
    """Returns the options of initdb for a locale that sorts by code point, on every machine in the same way."""
    if major < HAS_A_BUILTIN_LOCALE:
        return ["--locale=C.UTF-8"]
    # A bare machine has no other locales.
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]


def _is_postgres(pid: int, data: Path) -> bool:
    if not Path("/proc/self/cwd").exists():  # macOS
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        command = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        return "postgres" in command and str(data) in command
    try:
        # The server's working directory is its data folder, even after that was moved.
        is_here = os.path.samefile(f"/proc/{pid}/cwd", data)
        return is_here and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
