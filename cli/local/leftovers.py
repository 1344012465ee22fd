"""Processes that a killed command left behind.

The environment of each child names the command that started it, so the next command can tell leftovers from the
children of a running command. Without /proc, as on macOS, nothing is found; there the children end by themselves.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from cli.local.processes import wait_until

MARK = "RECOURSE_CHILD_OF"
PATIENCE = 5.0  # seconds for those that end by themselves when their command is gone


def mark(home: Path) -> dict[str, str]:
    """Returns the variable that marks a child as started by this process, for this folder."""
    return {MARK: f"{os.getpid()} {_start_time(os.getpid())} {home.absolute()}"}


def end_leftovers(home: Path) -> int:
    """End the children that ended commands of this folder left behind. Returns how many there were."""
    found = _leftovers(home)
    if found and not wait_until(lambda: not _leftovers(home), PATIENCE):
        for pid in _leftovers(home):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _leftovers(home), PATIENCE)
    return len(found)


def _leftovers(home: Path) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):  # it has just ended, or belongs to another user
            variables = (folder / "environ").read_bytes().split(b"\0")
            ours = next((line for line in variables if line.startswith(f"{MARK}=".encode())), None)
            if ours is None:
                continue
            pid, started, place = os.fsdecode(ours).partition("=")[2].split(" ", 2)
            if place == str(home.absolute()) and _start_time(int(pid)) != started:
                found.append(int(folder.name))
    return found


def _start_time(pid: int) -> str:
    """Returns when the process started, in kernel ticks; empty if it does not exist."""
    try:
        # The program's name, in brackets, may contain anything.
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
