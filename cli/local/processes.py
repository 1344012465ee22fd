"""Start a server and wait for it."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cli.local.errors import NO_SPACE, LocalServersError
from cli.local.place import Place

# Recovery after a crash replays up to max_wal_size of changes, which takes minutes on a slow disk.
START_LIMIT = 300.0
STOP_LIMIT = 120.0
LOG_LIMIT = 10 * 1024**2

# By log file. Lets us reap a server that was our child, whoever stopped it.
_children: dict[Path, subprocess.Popen[bytes]] = {}


def start_and_wait(name: str, place: Place, command: list[str], log: Path, is_ready: Callable[[], bool]) -> None:
    """Start a server with its output in `log`, and wait until it is ready. Raises `LocalServersError`."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as output:
        before = output.tell()
        # A session of its own, so that Ctrl-C reaches the commands, but not the servers that they still need.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **place.run_as(),
        )
    _children[log] = child
    try:
        wait_until(lambda: is_ready() or child.poll() is not None, START_LIMIT)
    finally:
        came_up = child.poll() is None and is_ready()
        if not came_up:
            child.terminate()
    if not came_up:
        with log.open("rb") as written:
            written.seek(before)
            said = last_lines(written.read().decode(errors="replace"))
        full = f" The disk of {log.parent} is full: free some space there." if NO_SPACE in said else ""
        raise LocalServersError(f"{name} did not start.{full} The end of its log, {log}:\n{said or '(nothing)'}")


def reap() -> None:
    """Reap the servers that have ended."""
    for log in [log for log, child in _children.items() if child.poll() is not None]:
        del _children[log]


def fate_of(log: Path) -> str:
    """Returns how the server with this log ended, as far as this process knows."""
    child = _children.get(log)
    return how_it_ended(child.poll() if child else None)


def how_it_ended(status: int | None) -> str:
    """Returns an exit status in words. It is `None` if another process was the parent."""
    if status is None:
        return "ended"
    if status < 0:
        return f"was killed ({signal.Signals(-status).name})"
    return f"ended with exit status {status}"


def wait_until(condition: Callable[[], bool], limit: float) -> bool:
    """Wait for the condition, at most `limit` seconds. Returns whether it came true."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.03)
    return True


def last_lines(text: str) -> str:
    """Returns as much of the end of a log as fits an error message."""
    return "\n".join(text.strip().splitlines()[-15:])


def last_line(log: Path, begin: int = 0) -> str:
    """Returns the last line of a log after byte `begin`, cut to 300 characters; empty if there is none."""
    try:
        with log.open("rb") as written:
            end = written.seek(0, 2)
            written.seek(max(begin, end - 10_000))
            lines = written.read().decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1].strip()[:300] if lines else ""
