"""The folder in which large bodies wait until they are whole, and how full it may be.

Its files have no names (they are deleted as they are made), so that nothing is left of a process that was killed.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import settings
from web.problems import Problem

MEGABYTE = 1_000_000
FULL = "There is no room for this file at the moment. Nothing was changed. Try again in a few minutes."


class Spool:
    """How much each organization has in the folder. To be used by the event loop alone."""

    def __init__(self) -> None:
        self._bytes: Counter[int] = Counter()

    @contextmanager
    def share(self, organization_id: int) -> Iterator[Callable[[int], None]]:
        """What a body takes for the time of the scope: to be told how many bytes it has. Raises `Problem` when the
        folder is full, or half of it is this organization's."""
        had = 0

        def grow(to: int) -> None:
            nonlocal had
            limit = settings().spool_limit_mb * MEGABYTE
            more = to - had
            if more and (self._bytes.total() + more > limit or self._bytes[organization_id] + more > limit // 2):
                raise no_room()
            self._bytes[organization_id] += more
            had = to

        try:
            yield grow
        finally:
            self._bytes[organization_id] -= had
            if not self._bytes[organization_id]:
                del self._bytes[organization_id]


@contextmanager
def in_use() -> Iterator[None]:
    """Have the process's temporary files go to the folder, those of the form parser too. They would fill a container's
    memory in `/tmp`."""
    before = tempfile.tempdir
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(folder())
    try:
        yield
    finally:
        tempfile.tempdir = before


def folder() -> Path:
    """Where it is."""
    return settings().spool_folder or settings().home.absolute() / "spool"


def no_room() -> Problem:
    """What is said when the folder holds as much as it may. A full disk says so itself, with 507."""
    return Problem(503, "busy", FULL, headers={"Retry-After": "60"})
