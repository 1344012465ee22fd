"""Small disks to fill: in-memory file systems in a mount namespace that only the test's commands see.

Root is not needed: other users mount in a user namespace of their own. A process keeps the namespace open, and
`python tests/small_disks.py PID COMMAND …` runs commands in it.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000  # CLONE_NEWUSER, CLONE_NEWNS
PRIVATE = (1 << 18) | (1 << 14)  # MS_PRIVATE, MS_REC
PROJECT = Path(__file__).parents[1]


class SmallDisks:
    """Disks of these sizes in MB, mounted on these empty folders."""

    def __init__(self, sizes: Mapping[Path, int]) -> None:
        mounts = [f"{folder}:{size}" for folder, size in sizes.items()]
        self._holder = subprocess.Popen(
            [sys.executable, __file__, "hold", *mounts],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "mounted\n", "no file system can be mounted here"

    @property
    def run_in(self) -> list[str]:
        """Return the words before a command that make it see the disks."""
        return [sys.executable, __file__, str(self._holder.pid)]

    def fill(self, folder: Path) -> Path:
        """Write until the disk is full. Returns the file; deleting it frees the disk."""
        filler = self.outside(folder / "filler")
        with filler.open("ab", buffering=0) as file:
            for size in (1024**2, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue
        return filler

    def outside(self, path: Path) -> Path:
        """Return where a path of the namespace is outside of it."""
        return Path(f"/proc/{self._holder.pid}/root{path}")

    def close(self) -> None:
        """Unmount the disks once the last command in the namespace ends."""
        self._holder.communicate("")


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _hold(libc: ctypes.CDLL, mounts: list[str]) -> None:
    uid, gid = os.getuid(), os.getgid()
    _check(libc.unshare(NEW_MOUNTS if uid == 0 else NEW_USER | NEW_MOUNTS))
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _check(libc.mount(b"none", b"/", None, PRIVATE, None))
    for mount in mounts:
        folder, size = mount.rsplit(":", 1)
        _check(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={size}m,mode=0755".encode()))
    print("mounted", flush=True)  # noqa: T201 - for the test
    sys.stdin.read()


def _run(libc: ctypes.CDLL, holder: str, command: list[str]) -> None:
    for kind in ("mnt",) if os.getuid() == 0 else ("user", "mnt"):
        namespace = os.open(f"/proc/{holder}/ns/{kind}", os.O_RDONLY)
        _check(libc.setns(namespace, 0))
        os.close(namespace)
    os.chdir(PROJECT)  # the working folder is still the one outside
    os.execvp(command[0], command)


if __name__ == "__main__":
    library = ctypes.CDLL(None, use_errno=True)
    what, *rest = sys.argv[1:]
    if what == "hold":
        _hold(library, rest)
    else:
        _run(library, what, rest)
