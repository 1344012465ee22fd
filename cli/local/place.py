"""Where the servers' files are, and as whom the servers run.

That is the folder itself and whoever runs the command, unless this is root: PostgreSQL refuses to run as root, and
the user that it runs as instead may not be able to enter root's folder.
"""

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.local.errors import LocalServersError

# sun_path has 104 bytes on macOS and 108 on Linux, with the closing NUL.
SOCKET_PATH_LIMIT = 103
LONGEST_SOCKET = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Place:
    """The folders of one pair of servers, and their user."""

    home: Path
    folder: Path  # holds the data, the settings and the logs
    sockets: Path
    user: pwd.struct_passwd | None  # None: the servers run as whoever runs this process

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

    def delete(self) -> None:
        """Delete everything, wherever it is."""
        elsewhere = _shelter_path(self.home)
        for folder in (self.sockets, elsewhere, self.home):
            if folder.exists():
                shutil.rmtree(folder)
        with suppress(OSError):
            elsewhere.parent.rmdir()  # if this was the last one there


def make_home(home: Path) -> None:
    """Make the folder if it is missing."""
    if not home.exists():
        home.mkdir(parents=True)
        # Started by root, the servers run as another user, who has to get through this folder.
        home.chmod(0o711 if _is_root() else 0o700)


def place_of(home: Path) -> Place:
    """The place that belongs to this folder, the same one every time."""
    user = _server_user(home) if _is_root() else None
    folder = home
    if (home / "elsewhere").is_symlink():
        folder = shelter(home)
    elif user and not may_run(user, home):
        if (home / "postgres").exists():
            raise LocalServersError(
                f"The database in {home} belongs to the user {user.pw_name}, who may no longer enter that "
                "folder. Let them through with `chmod o+x` on the folders above it, or move it back."
            )
        folder = shelter(home)
        _tell_where(home, folder)
    sockets = folder / "run"
    if not _fits_a_socket(sockets):
        short = Path("/tmp") / f"recourse-{os.geteuid()}-{_short_name(home)}"  # noqa: S108 - private_folder checks it
        sockets = shelter(home) / "run" if user else short
    return Place(home, folder, sockets, user)


def may_run(user: pwd.struct_passwd, path: Path) -> bool:
    """Whether that user may run this file or enter this folder. The kernel is asked: it knows every rule."""
    question = ["/bin/sh", "-c", 'test -x "$0"', str(path)]
    answer = subprocess.run(question, cwd="/", user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False)
    return answer.returncode == 0


def shelter(home: Path) -> Path:
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


def _server_user(home: Path) -> pwd.struct_passwd:
    """Whom to run the servers as when we are root: the owner of the data, if any."""
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


def _fits_a_socket(folder: Path) -> bool:
    """Whether sockets can be in that folder: its path is short, and plain, as it goes into URLs unquoted."""
    path = str(folder / LONGEST_SOCKET)
    return len(path) <= SOCKET_PATH_LIMIT and re.fullmatch(r"[A-Za-z0-9/._-]+", path) is not None


def _short_name(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]


def _is_root() -> bool:
    return os.geteuid() == 0
