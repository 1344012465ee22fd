"""How other commands find the running `recourse up` of a folder. There is at most one."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from cli.local import LocalServersError
from cli.local.errors import plain_errors
from cli.local.locks import is_held_alone, open_lock, take_alone
from cli.local.processes import wait_until

FILE = "up.json"
LOCK = "up.lock"  # held while it runs; the kernel releases it however it ends


@dataclass
class Addresses:
    """What a running `recourse up` publishes about itself."""

    pid: int
    since: datetime
    web: str  # URL
    flower: str  # URL
    parts: list[str]  # names of the parts that it runs
    given_up: list[str] = field(default_factory=list)  # names of the parts that it gave up

    def publish(self, home: Path) -> None:
        """Write them where other commands find them."""
        new = home / f"{FILE}.new"
        new.write_text(json.dumps(asdict(self), default=datetime.isoformat))
        new.replace(home / FILE)  # whole or not at all


class UpElsewhereError(LocalServersError):
    """Another `recourse up` has this folder, and has not published its addresses."""


@contextmanager
def only_up(home: Path) -> Iterator[Addresses | None]:
    """Make this process the folder's `recourse up`. Yields `None`, or the addresses of the one that is running already.

    Raises `UpElsewhereError` while that one is starting or stopping.
    """
    with plain_errors(home):
        lock = open_lock(home / LOCK)
    try:
        if not wait_until(lambda: take_alone(lock), 1):  # `running_up` holds it for less than a second
            other = _published(home)
            if other is None:
                raise UpElsewhereError(
                    f"Another `recourse up` is starting or stopping in {home}. Try again in a few seconds."
                )
            yield other
            return
        (home / FILE).unlink(missing_ok=True)
        try:
            yield None
        finally:
            (home / FILE).unlink(missing_ok=True)
    finally:
        os.close(lock)


def running_up(home: Path) -> Addresses | None:
    """Returns the addresses of the folder's `recourse up`, `None` if none is running."""
    return _published(home) if (home / LOCK).exists() and is_held_alone(home / LOCK) else None


def _published(home: Path) -> Addresses | None:
    try:
        found = json.loads((home / FILE).read_text())
        return Addresses(**found | {"since": datetime.fromisoformat(found["since"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
