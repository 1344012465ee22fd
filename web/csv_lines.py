"""Tables of any length as CSV (RFC 4180).

Rows are read in batches, each in a short transaction, and no connection is held while a batch is sent, so slow clients
block nothing. A file is therefore no snapshot: it has each row that exists throughout the download and keeps its place
in the order exactly once, in the state at the time its batch was read.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from models.session import Session, transaction
from tasks.csv_text import csv_text

LINES_AT_ONCE = 1000
SORTED_AT_ONCE = 10_000  # in orders without an index, which are made anew for each batch
LONGEST_SECONDS = 3600.0  # then a new request checks the permission again

T = TypeVar("T")


class DownloadTooSlowError(Exception):
    """The client reads too slowly; it sees an incomplete download."""


def in_batches(
    read: Callable[[Session, Any, int], Iterable[T]],
    place: Callable[[T], tuple[Any, ...]],
    *,
    is_sorted: bool = False,
) -> Iterator[Sequence[T]]:
    """Yield rows in batches. `read` takes a session, the place to read after (`None`: the start), and a limit.

    `place` returns a row's place in the order; `is_sorted` says that it is not the usual one.
    Raises `DownloadTooSlowError`.
    """
    began, after = time.monotonic(), None
    at_once = SORTED_AT_ONCE if is_sorted else LINES_AT_ONCE
    while True:
        with transaction() as session:
            found = list(read(session, after, at_once))
        if found:
            yield found
        if len(found) < at_once:
            return
        if time.monotonic() - began > LONGEST_SECONDS:
            raise DownloadTooSlowError
        after = place(found[-1])


def csv_answer(name: str, head: tuple[str, ...], batches: Iterable[Iterable[tuple[Any, ...]]]) -> StreamingResponse:
    """Return the table as a download called `name`. Each batch is read after the previous one is sent."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return StreamingResponse(
        _texts(head, batches), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )


def _texts(head: tuple[str, ...], batches: Iterable[Iterable[tuple[Any, ...]]]) -> Iterator[str]:
    yield csv_text([head])
    for batch in batches:
        yield csv_text(batch)
