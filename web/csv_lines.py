"""Tables as CSV (RFC 4180), a line at a time, however long they are."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fastapi.responses import StreamingResponse

LINES_AT_ONCE = 500


def csv_answer(name: str, head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> StreamingResponse:
    """The table as a download called `name`. `rows` are read while it is sent."""
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return StreamingResponse(
        _lines(head, rows), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )


def _lines(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(value) for value in row])
        if number % LINES_AT_ONCE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    """A spreadsheet would run a name that begins like a formula; after OWASP's page on CSV injection."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value
