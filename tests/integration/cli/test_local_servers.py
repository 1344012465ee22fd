"""The local PostgreSQL and Redis, really started, each test in a folder of its own."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from cli.local import LocalServers, LocalServersError, LocalUrls, postgres_settings, programs, remove
from cli.local.broker import Broker
from cli.local.place import place_of
from cli.local.postgres import Postgres
from cli.local.postgres_conf import GB, MB, usable_memory

PROJECT = Path(__file__).parents[3]
AS_ROOT = os.geteuid() == 0

# A command that starts the servers, prints how many it started, and ends when its standard input is closed.
COMMAND = """
import sys
from pathlib import Path
from cli.local import LocalServers
with LocalServers(Path(sys.argv[1])) as servers:
    servers.start()
    print(len(servers.started), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    # Not pytest's tmp_path: the user who runs root's servers may not enter it. That has a test of its own.
    folder = Path(tempfile.mkdtemp(prefix="recourse-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    if (folder / "home" / "in-use.lock").exists():
        remove(folder / "home")
    shutil.rmtree(folder)


def command(home: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", COMMAND, str(home)]
    return subprocess.Popen(
        arguments, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def started_by(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def ask(urls: LocalUrls, query: str) -> object:
    with psycopg.connect(urls.database.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return next(cursor)[0] if cursor.description else None


def broker(urls: LocalUrls) -> redis.Redis:
    return redis.Redis(unix_socket_path=urls.broker.removeprefix("redis+socket://").partition("?")[0])


def is_up(home: Path) -> bool:
    place = place_of(home)
    return Postgres(place).is_ready() or Broker(place).is_ready()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def postgres_pid(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def test_both_servers_answer_and_stop_when_the_last_user_leaves(home: Path) -> None:
    first, second = LocalServers(home), LocalServers(home)
    urls = first.start()
    assert [name.split()[0] for name in first.started] in (["PostgreSQL", "Redis"], ["PostgreSQL", "Valkey"])
    assert second.start() == urls
    assert second.started == []
    assert ask(urls, "SELECT current_database()") == "recourse"
    assert broker(urls).ping()
    first.stop()
    assert is_up(home)
    second.stop()
    assert not is_up(home)


def test_celery_reaches_the_broker(home: Path) -> None:
    from kombu import Connection

    with LocalServers(home, postgres=False) as servers:
        urls = servers.start()
        assert urls.database == ""
        with Connection(urls.broker) as connection:
            queue = connection.SimpleQueue("probe")
            queue.put({"hello": 1})
            assert queue.get(timeout=5).payload == {"hello": 1}


def test_data_is_kept_and_redis_is_left_out_if_not_wanted(home: Path) -> None:
    with LocalServers(home, redis=False) as servers:
        ask(servers.start(), "CREATE TABLE kept AS SELECT 42 AS answer")
    with LocalServers(home, redis=False) as servers:
        urls = servers.start()
        assert ask(urls, "SELECT answer FROM kept") == 42
        assert urls.broker == ""
        assert [name.split()[0] for name in servers.started] == ["PostgreSQL"]


def test_commands_that_start_at_once_share_the_servers(home: Path) -> None:
    commands = [command(home) for _ in range(3)]
    assert sorted(started_by(each) for each in commands) == [0, 0, 2]
    for each in commands:
        assert is_up(home)
        each.communicate()
        assert each.returncode == 0
    assert not is_up(home)


def test_the_next_command_uses_and_stops_the_servers_of_a_killed_one(home: Path) -> None:
    killed = command(home)
    assert started_by(killed) == 2
    killed.kill()
    output, _ = killed.communicate(timeout=5)  # would hang if a server had kept the pipe
    assert output == ""
    assert is_up(home)
    with LocalServers(home) as servers:
        servers.start()
        assert servers.started == []
    assert not is_up(home)


def test_committed_data_survives_killed_servers(home: Path) -> None:
    with LocalServers(home) as servers:
        urls = servers.start()
        ask(urls, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(postgres_pid(home), signal.SIGKILL)
        os.kill(int(broker(urls).info("server")["process_id"]), signal.SIGKILL)
        until(lambda: not is_up(home))
        urls = servers.start()
        assert ask(urls, "SELECT answer FROM kept") == 42
        assert broker(urls).ping()


@pytest.mark.parametrize("whose", ["nobody's", "another program's"])
def test_a_stale_pid_file_does_not_prevent_a_start(home: Path, whose: str) -> None:
    with LocalServers(home, redis=False) as servers:
        servers.start()
        lines = (home / "postgres" / "postmaster.pid").read_text().splitlines()
    other = subprocess.Popen(["/bin/sleep", "60"], **place_of(home).run_as())
    if whose == "nobody's":
        other.kill()
        other.wait()
    (home / "postgres" / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
    with LocalServers(home, redis=False) as servers:
        assert ask(servers.start(), "SELECT 1") == 1
    if whose != "nobody's":
        assert other.poll() is None
        other.kill()
        other.wait()


def test_a_server_whose_socket_was_deleted_is_replaced(home: Path) -> None:
    with LocalServers(home, redis=False) as servers:
        servers.start()
        first = postgres_pid(home)
        (home / "run" / ".s.PGSQL.5432").unlink()
        assert ask(servers.start(), "SELECT 1") == 1
        assert postgres_pid(home) != first


def test_an_incomplete_data_folder_is_created_again(home: Path) -> None:
    (home / "postgres.new" / "base").mkdir(parents=True)
    home.chmod(0o755)
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")
    with LocalServers(home, redis=False) as servers:
        assert ask(servers.start(), "SELECT 1") == 1
    assert not (home / "postgres.new").exists()


def test_a_folder_whose_path_is_too_long_for_a_socket_works(home: Path) -> None:
    deep = home / ("and-deeper" * 8) / "with a space & ümlaut" / "home"
    with LocalServers(deep) as servers:
        urls = servers.start()
        assert len(str(deep / "run" / ".s.PGSQL.5432")) > 107
        assert ask(urls, "SELECT 1") == 1
        assert broker(urls).ping()
    assert not is_up(deep)
    remove(deep)
    assert not place_of(home).sockets.exists()


def test_data_of_another_version_is_refused_and_left_alone(home: Path) -> None:
    with LocalServers(home) as servers:
        servers.start()
    version = home / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(LocalServersError, match=r"is of PostgreSQL 17, .* pg_dump of version 17"):
        LocalServers(home).start()
    assert not is_up(home)
    version.write_text("18\n")


def test_a_folder_that_contains_no_database_is_refused_and_left_alone(home: Path) -> None:
    with LocalServers(home, postgres=False) as servers:
        servers.start()
    place_of(home).private_folder(home / "postgres")
    (home / "postgres" / "thesis.txt").write_text("years of work")
    with pytest.raises(LocalServersError, match="contains something, but no database"):
        LocalServers(home).start()
    assert (home / "postgres" / "thesis.txt").read_text() == "years of work"


def test_the_end_of_the_log_is_shown_if_a_server_does_not_start(home: Path) -> None:
    with LocalServers(home) as servers:
        servers.start()
    with (home / "postgres" / "postgresql.auto.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(LocalServersError, match=r"(?s)PostgreSQL did not start.*no_such_setting"):
        LocalServers(home).start()
    assert not is_up(home)


def test_missing_programs_are_reported_with_a_way_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.prefix", "/nowhere")
    monkeypatch.delenv("RECOURSE_POSTGRES_PROGRAMS", raising=False)
    with pytest.raises(LocalServersError, match="set RECOURSE_DATABASE_URL"):
        LocalServers(home).start()
    with pytest.raises(LocalServersError, match="RECOURSE_BROKER_URL"):
        LocalServers(home, postgres=False).start()


def test_a_folder_that_cannot_be_used_is_reported_in_a_sentence(home: Path) -> None:
    home.write_text("a file, not a folder")
    with pytest.raises(LocalServersError, match=r"cannot be used: .*Not a directory"):
        LocalServers(home).start()


def test_a_folder_in_use_is_not_removed(home: Path) -> None:
    with LocalServers(home, redis=False) as servers:
        urls = servers.start()
        with pytest.raises(LocalServersError, match="is using"):
            remove(home)
        assert ask(urls, "SELECT 1") == 1
    remove(home)
    assert not home.exists()
    with pytest.raises(LocalServersError, match="nothing was deleted"):
        remove(home.parent)


def test_a_folder_is_not_removed_while_a_folder_in_it_is_in_use(home: Path) -> None:
    with LocalServers(home, postgres=False) as servers:
        servers.start()
    with LocalServers(home / "demo", postgres=False) as servers:
        servers.start()
        with pytest.raises(LocalServersError, match=r"demo; stop that command"):
            remove(home)
        assert is_up(home / "demo")
    remove(home)
    assert not home.exists()


def test_a_forked_child_does_not_stop_the_servers_of_its_parent(home: Path) -> None:
    with LocalServers(home, postgres=False) as servers:
        servers.start()
        child = multiprocessing.get_context("fork").Process(target=servers.stop)
        child.start()
        child.join(10)
        assert child.exitcode == 0
        assert is_up(home)


def test_settings_fit_the_machine_and_keep_every_commit(home: Path) -> None:
    with LocalServers(home, redis=False) as servers:
        urls = servers.start()
        for name, expected in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "listen_addresses": "",
            "max_connections": "200",
            "client_connection_check_interval": "1s",
            "TimeZone": "UTC",
        }.items():
            assert ask(urls, f"SHOW {name}") == expected, name
        expected_buffers = postgres_settings(usable_memory(), 0, 0)["shared_buffers"].removesuffix("MB")
        shown = ask(urls, "SELECT setting::bigint * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'")
        assert shown == int(expected_buffers)
        assert ask(urls, "SELECT upper('é')") == "É"


def test_settings_of_a_small_and_of_a_big_machine() -> None:
    small = postgres_settings(memory=512 * MB, free_disk=GB, free_shm=64 * MB)
    assert small["shared_buffers"] == "128MB"
    assert small["max_wal_size"] == "256MB"
    assert small["dynamic_shared_memory_type"] == "mmap"
    big = postgres_settings(memory=64 * GB, free_disk=500 * GB, free_shm=32 * GB)
    assert big["shared_buffers"] == "4096MB"
    assert big["max_wal_size"] == "8192MB"
    assert big["dynamic_shared_memory_type"] == "posix"


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
def test_an_ordinary_user_has_everything_in_their_own_folder(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    with LocalServers(home) as servers:  # completes late imports, whose files that user may not read
        servers.start()
    theirs = home.parent / "theirs"
    theirs.mkdir()
    os.chown(theirs, nobody.pw_uid, nobody.pw_gid)

    def as_nobody() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        with LocalServers(theirs / "home") as servers:
            urls = servers.start()
            assert ask(urls, "SELECT 1") == 1
            assert broker(urls).ping()
            assert (theirs / "home").stat().st_mode & 0o077 == 0
            assert all(path.stat().st_uid == nobody.pw_uid for path in theirs.rglob("*"))
        assert not is_up(theirs / "home")

    child = multiprocessing.get_context("fork").Process(target=as_nobody)
    child.start()
    child.join(60)
    assert child.exitcode == 0


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user's servers run as that user")
def test_root_runs_the_servers_as_another_user(home: Path) -> None:
    with LocalServers(home) as servers:
        urls = servers.start()
        pids = [postgres_pid(home), int(broker(urls).info("server")["process_id"])]
        assert all(os.stat(f"/proc/{pid}").st_uid == place_of(home).user.pw_uid != 0 for pid in pids)
        assert home.stat().st_uid == 0
        assert place_of(home).sockets.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user's servers run as that user")
def test_root_keeps_the_data_elsewhere_if_that_user_may_not_enter_the_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = home.parent / "closed"
    closed.mkdir(mode=0o700)
    # As if the programs were installed under /root.
    may_run = programs.may_run
    monkeypatch.setattr(
        programs, "may_run", lambda user, path: "site-packages" not in str(path) and may_run(user, path)
    )
    with LocalServers(closed / "home") as servers:
        urls = servers.start()
        ask(urls, "CREATE TABLE kept AS SELECT 42 AS answer")
        elsewhere = (closed / "home" / "elsewhere").resolve()
        assert str(elsewhere) in (closed / "home" / "README").read_text()
        assert closed.stat().st_mode & 0o077 == 0
    closed.chmod(0o755)
    with LocalServers(closed / "home") as servers:
        assert ask(servers.start(), "SELECT answer FROM kept") == 42
    remove(closed / "home")
    assert not elsewhere.exists()
