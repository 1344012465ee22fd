"""Tables as CSV (RFC 4180), however long they are.

They are read in batches, each in a short transaction of its own, and no connection is held while a batch is sent: a
client may read as slowly as it likes. So a file is no picture of one moment. It has every row that is there throughout
and keeps its place in the order, once, as that row was when its batch was read.
"""

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from models.session import Session, transaction

LINES_AT_ONCE = 1000
LONGEST_SECONDS = 3600.0  # whoever may read it now may not for ever: what is read on tomorrow must be asked for anew

T = TypeVar("T")


class DownloadTooSlowError(Exception):
    """A table was read more slowly than it may be; the client sees that the file did not come whole."""


def in_batches(
    read: Callable[[Session, Any, int], Iterable[T]], place: Callable[[T], tuple[Any, ...]]
) -> Iterator[Sequence[T]]:
    """What `read` finds, a batch at a time: from after a place, or from the beginning for none, and so many at most.

    `place` is where something stands in the order. Raises `DownloadTooSlowError`.
    """
    began, after = time.monotonic(), None
    while True:
        with transaction() as session:
            found = list(read(session, after, LINES_AT_ONCE))
        if found:
            yield found
        if len(found) < LINES_AT_ONCE:
            return
        if time.monotonic() - began > LONGEST_SECONDS:
            raise DownloadTooSlowError
        after = place(found[-1])


def csv_answer(name: str, head: tuple[str, ...], batches: Iterable[Iterable[tuple[Any, ...]]]) -> StreamingResponse:
    """The table as a download called `name`. Each batch is read when the one before is sent."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return StreamingResponse(
        _texts(head, batches), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )


def _texts(head: tuple[str, ...], batches: Iterable[Iterable[tuple[Any, ...]]]) -> Iterator[str]:
    yield _text([head])
    for batch in batches:
        yield _text([_cell(value) for value in row] for row in batch)


def _text(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A spreadsheet would run a name that begins like a formula; after OWASP's page on CSV injection."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
