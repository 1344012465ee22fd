"""The `recourse up` of a folder: there is one at most, and other commands find where it serves its pages."""

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
LOCK = "up.lock"  # held while it runs, and given back by the kernel however it ends


@dataclass
class Whereabouts:
    """What a running `recourse up` says of itself."""

    pid: int
    since: datetime
    web: str  # addresses
    flower: str
    parts: list[str]  # those that it runs, by name
    given_up: list[str] = field(default_factory=list)  # parts that could not be kept up

    def tell(self, home: Path) -> None:
        """Have other commands find it."""
        new = home / f"{FILE}.new"
        new.write_text(json.dumps(asdict(self), default=datetime.isoformat))
        new.replace(home / FILE)  # whole or not at all


class UpElsewhereError(LocalServersError):
    """Another `recourse up` has this folder, and has not said yet where it is."""


@contextmanager
def the_only_one(home: Path) -> Iterator[Whereabouts | None]:
    """In the scope, this process is the folder's `recourse up`. Gives where another one is, if that is so.

    Raises `UpElsewhereError` while that one is starting or stopping.
    """
    with plain_errors(home):
        lock = open_lock(home / LOCK)
    try:
        if not wait_until(lambda: take_alone(lock), 1):  # a look by another command takes less
            other = _told(home)
            if other is None:
                raise UpElsewhereError(
                    f"Another `recourse up` is just starting or stopping in {home}. Try again in a few seconds."
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


def whereabouts(home: Path) -> Whereabouts | None:
    """The running one's; none where none is up."""
    return _told(home) if (home / LOCK).exists() and is_held_alone(home / LOCK) else None


def _told(home: Path) -> Whereabouts | None:
    try:
        found = json.loads((home / FILE).read_text())
        return Whereabouts(**found | {"since": datetime.fromisoformat(found["since"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
