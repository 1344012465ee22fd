"""Long lists, a page at a time: each page begins after the last line of the one before, so that it costs the same
however far down it is, and nothing is shown twice or left out when lines come and go meanwhile."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request

LINES = 50

T = TypeVar("T")


class Pager:
    """Where in a list the request is."""

    def __init__(
        self,
        request: Request,
        cursor: str,
        kinds: tuple[type, ...],
        lines: int = LINES,
        *,
        path: str | None = None,
        but: tuple[str, ...] = (),
    ) -> None:
        """`cursor` is what an earlier page gave, or empty; `kinds` are the types of the values in it. A cursor that is
        none of ours means the beginning. `path` is where the list is, if not where the request went, which has the
        parameters `but` beside those of the list."""
        self._path = path or request.url.path
        self._query = {name: value for name, value in request.query_params.items() if name not in but}
        self.after: Any = _opened(cursor, kinds)
        self._lines = lines
        self.limit = lines + 1  # one more tells whether there is a next page
        self.next: str | None = None

    def cut(self, found: Sequence[T], key: Callable[[T], tuple[Any, ...]]) -> Sequence[T]:
        """The lines of this page, of those found with `limit`; `key` gives what the list is ordered by."""
        if len(found) > self._lines:
            self.next = self._address(after=_closed(key(found[self._lines - 1])))
        return found[: self._lines]

    @property
    def first(self) -> str | None:
        """The address of the first page, if this is another."""
        return self._address(after=None) if self.after is not None else None

    def _address(self, **changed: str | None) -> str:
        kept = {name: value for name, value in (self._query | changed).items() if value}
        return f"{self._path}?{urlencode(kept)}" if kept else self._path


def _closed(values: tuple[Any, ...]) -> str:
    text = json.dumps([value.isoformat() if isinstance(value, datetime) else value for value in values], default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _opened(cursor: str, kinds: tuple[type, ...]) -> tuple[Any, ...] | None:
    if not cursor:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(_as(kind, value) for kind, value in zip(kinds, values, strict=True))
    except (ValueError, TypeError):
        return None


def _as(kind: type, value: Any) -> Any:
    if not isinstance(value, int if kind is int else str):
        raise ValueError("not of its kind")  # noqa: TRY004 - it is somebody's cursor, and no call of ours
    if isinstance(value, str):
        value.encode()  # raises a ValueError for half a character
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a moment without its time zone")
        return moment
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    if isinstance(value, int) and not 0 <= value < 2**63:
        raise ValueError("not of its kind")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("no text of ours")
    return value
