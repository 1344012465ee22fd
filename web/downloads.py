"""Files that are made while they are sent."""

import mimetypes
import time
from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from web.csv_lines import LONGEST_SECONDS, DownloadTooSlowError


def download(name: str, pieces: Iterator[bytes]) -> StreamingResponse:
    """Returns the file as a download. What its first piece raises is raised here, before the answer begins."""
    first = next(pieces, b"")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Content-Disposition": disposition}
    return StreamingResponse(_limited(chain([first], pieces)), media_type=kind, headers=headers)


def _limited(pieces: Iterator[bytes]) -> Iterator[bytes]:
    began = time.monotonic()
    for piece in pieces:
        if time.monotonic() - began > LONGEST_SECONDS:
            raise DownloadTooSlowError
        yield piece
