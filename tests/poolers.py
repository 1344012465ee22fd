"""A real PgBouncer in transaction mode, on loopback."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg
from sqlalchemy import make_url

from tests.conftest import libpq
from tests.flowers import free_port
from tests.system import program
from tests.workers import until

CONFIGURATION = """
[databases]
* = host={sockets} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
{more}
"""


class Pooler:
    """PgBouncer before the database of a URL, which names a role and its password.

    It has few sessions of the server, so each is used by many.
    """

    def __init__(self, url: str, *, sessions: int = 6, more: str = "") -> None:
        """`more` are lines of its configuration."""
        there, port = make_url(url), free_port()
        sockets = str(there.query["host"])
        self.url = there.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        # Only the user of the server may enter the folder of its sockets, and PgBouncer does not run as root.
        owner = Path(sockets).stat()
        self._run_as = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        self._folder = Path(tempfile.mkdtemp(prefix="recourse-pooler-"))
        ini = CONFIGURATION.format(sockets=sockets, port=port, folder=self._folder, sessions=sessions, more=more)
        (self._folder / "pgbouncer.ini").write_text(ini)
        (self._folder / "users.txt").write_text(f'"{there.username}" "{there.password}"\n')
        for path in (self._folder, *self._folder.iterdir()):
            path.chmod(0o700)
            os.chown(path, owner.st_uid, owner.st_gid)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [program("pgbouncer", "pgbouncer"), str(self._folder / "pgbouncer.ini")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._run_as
            )
        until(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            with psycopg.connect(libpq(self.url), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False
