"""Processes that a killed command left behind.

What a command starts is marked with whose it is, so the next one can tell it from the children of a command that still
runs. Where there is no /proc, as on macOS, nothing is found; there the children end by themselves.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from cli.local.processes import wait_until

MARK = "RECOURSE_CHILD_OF"
PATIENCE = 5.0  # seconds for those that notice by themselves that their command is gone


def mark(home: Path) -> dict[str, str]:
    """What the environment of this command's children has: they are of this folder, and of this process."""
    return {MARK: f"{os.getpid()} {_began(os.getpid())} {home.absolute()}"}


def end_leftovers(home: Path) -> int:
    """End the children of commands of this folder that are gone. Gives how many there were."""
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
        with suppress(OSError, ValueError):  # it has just ended, or is somebody else's
            variables = (folder / "environ").read_bytes().split(b"\0")
            ours = next((line for line in variables if line.startswith(f"{MARK}=".encode())), None)
            if ours is None:
                continue
            pid, began, place = os.fsdecode(ours).partition("=")[2].split(" ", 2)
            if place == str(home.absolute()) and _began(int(pid)) != began:
                found.append(int(folder.name))
    return found


def _began(pid: int) -> str:
    """When that process was started, in ticks of the kernel; empty if there is none."""
    try:
        # The name of the program, in brackets, may hold anything.
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
