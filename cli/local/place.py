"""Where the servers' files are, and which user runs the servers.

Usually that is the folder itself, and the user who runs the command. But PostgreSQL refuses to run as root, so root's
servers run as another user, who may not be able to enter root's folder.
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
    """The folders of PostgreSQL and Redis, and the user who runs them."""

    home: Path
    folder: Path  # holds the data, the settings and the logs
    sockets: Path
    user: pwd.struct_passwd | None  # `None`: the user of this process

    def private_folder(self, path: Path) -> Path:
        """Create a folder that only the user of the servers and root may enter, or check that it is one."""
        owner = self.user.pw_uid if self.user else os.geteuid()
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            if self.user:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
            raise LocalServersError(
                f"{path} belongs to another user or is open to others, so the servers cannot use it. "
                f"Run this as the owner of {self.home}, or move {path} out of the way."
            )
        return path

    def run_as(self) -> dict[str, Any]:
        """Returns arguments for `subprocess`: the user, a folder that any user may enter, and a clean environment."""
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
    """Create the folder if it is missing."""
    if not home.exists():
        home.mkdir(parents=True)
        # Root's servers run as another user, who must be able to pass through this folder.
        home.chmod(0o711 if _is_root() else 0o700)


def place_of(home: Path) -> Place:
    """Returns the place that belongs to this folder, always the same. Raises `LocalServersError`."""
    user = _server_user(home) if _is_root() else None
    folder = home
    if (home / "elsewhere").is_symlink():
        folder = shelter(home)
    elif user and not may_run(user, home):
        if (home / "postgres").exists():
            raise LocalServersError(
                f"The database in {home} belongs to the user {user.pw_name}, who may no longer enter that "
                "folder. Allow it with `chmod o+x` on the folders above it, or move it back."
            )
        folder = shelter(home)
        _tell_where(home, folder)
    sockets = folder / "run"
    if not _fits_a_socket(sockets):
        short = Path("/tmp") / f"recourse-{os.geteuid()}-{_short_name(home)}"  # noqa: S108 - private_folder checks it
        sockets = shelter(home) / "run" if user else short
    return Place(home, folder, sockets, user)


def may_run(user: pwd.struct_passwd, path: Path) -> bool:
    """Returns whether the user may run this file or enter this folder. Asks the kernel, which knows every rule."""
    question = ["/bin/sh", "-c", 'test -x "$0"', str(path)]
    answer = subprocess.run(question, cwd="/", user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False)
    return answer.returncode == 0


def shelter(home: Path) -> Path:
    """Create a folder that any user may enter, for root's servers when their user may not enter root's folder.

    It is in /var/lib and not in /var/tmp, where systemd deletes old files and any user could create it first.
    """
    folder = _shelter_path(home)
    for step in (folder.parent, folder):
        if not step.exists():
            step.mkdir()
            step.chmod(0o755)
        found = step.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
            raise LocalServersError(f"{step} must be a folder that only root may write to. Move it out of the way.")
    return folder


def _shelter_path(home: Path) -> Path:
    linked = home / "elsewhere"
    return linked.readlink() if linked.is_symlink() else Path("/var/lib/recourse") / _short_name(home)


def _tell_where(home: Path, folder: Path) -> None:
    (home / "elsewhere").symlink_to(folder)
    (home / "README").write_text(
        f"The database of this folder is kept in {folder}.\n\n"
        "Recourse was started by root. PostgreSQL does not run as root, and the user that runs it may not\n"
        "enter this folder. `make clean` removes both folders.\n"
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
    """Returns whether the folder can hold sockets: its path is short, and needs no quoting in URLs."""
    path = str(folder / LONGEST_SOCKET)
    return len(path) <= SOCKET_PATH_LIMIT and re.fullmatch(r"[A-Za-z0-9/._-]+", path) is not None


def _short_name(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]


def _is_root() -> bool:
    return os.geteuid() == 0
