"""The folder where large bodies are kept until they are whole, and how full it may be.

Its files have no names (they are deleted as soon as they are created), so a killed process leaves none behind.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.languages import translatable
from config.settings import settings
from web.problems import Problem

MEGABYTE = 1_000_000
FULL = translatable(
    "The server has no room for this file at the moment. Nothing was changed. Try again in a few minutes."
)


class Spool:
    """How much of the folder each organization uses. For the event loop alone."""

    def __init__(self) -> None:
        self._bytes: Counter[int] = Counter()

    @contextmanager
    def share(self, organization_id: int) -> Iterator[Callable[[int], None]]:
        """Yields a function to call with a body's size as it grows; its share is freed at the end of the scope.

        The function raises `Problem` if the folder would be full, or more than half of it this organization's.
        """
        had = 0

        def grow(to: int) -> None:
            nonlocal had
            limit = settings().spool_limit_mb * MEGABYTE
            more = to - had
            if more and (self._bytes.total() + more > limit or self._bytes[organization_id] + more > limit // 2):
                raise Problem("busy", FULL, headers={"Retry-After": "60"})
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
    """Have the process's temporary files, the form parser's included, go to the folder. In a container, `/tmp` may be
    memory."""
    before = tempfile.tempdir
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(folder())
    try:
        yield
    finally:
        tempfile.tempdir = before


def folder() -> Path:
    """Returns the folder's path."""
    return settings().spool_folder or settings().home.absolute() / "spool"
