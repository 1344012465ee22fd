"""Keyset pagination: each page starts after the last line of the previous one.

Every page costs the same, and no line is repeated or left out when others are added or removed.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from types import UnionType
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request

LINES = 50
LONGEST = 5000  # characters of a cursor

T = TypeVar("T")


class Pager:
    """The part of a list that a request asks for."""

    def __init__(
        self,
        request: Request,
        cursor: str,
        kinds: tuple[type | UnionType, ...],
        lines: int = LINES,
        *,
        path: str | None = None,
        without: tuple[str, ...] = (),
        query: Mapping[str, str] | None = None,
    ) -> None:
        """`cursor` comes from the previous page, or is empty; `kinds` are the types of its values. An invalid cursor
        means the first page. `path` is the list's address if it differs from the request's; links leave out the query
        parameters `without`, or have those of `query`."""
        self._path = path or request.url.path
        asked = request.query_params if query is None else query
        self._query = {name: value for name, value in asked.items() if name not in without}
        self.after: Any = _opened(cursor, kinds)
        self._lines = lines
        self.limit = lines + 1  # the extra line shows whether there is a next page
        self.next: str | None = None

    def cut(self, found: Sequence[T], key: Callable[[T], tuple[Any, ...]]) -> Sequence[T]:
        """Return this page's lines of those found with `limit`; `key` returns a line's sort values."""
        if len(found) > self._lines:
            self.next = self._address(after=_closed(key(found[self._lines - 1])))
        return found[: self._lines]

    @property
    def first(self) -> str | None:
        """The address of the first page, or `None` if this is it."""
        return self._address(after=None) if self.after is not None else None

    def _address(self, **changed: str | None) -> str:
        kept = {name: value for name, value in (self._query | changed).items() if value}
        return f"{self._path}?{urlencode(kept)}" if kept else self._path


def _closed(values: tuple[Any, ...]) -> str:
    text = json.dumps([value.isoformat() if isinstance(value, datetime) else value for value in values], default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _opened(cursor: str, kinds: tuple[type | UnionType, ...]) -> tuple[Any, ...] | None:
    if not cursor or len(cursor) > LONGEST:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return tuple(_as(kind, value) for kind, value in zip(kinds, values, strict=True))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _as(kind: type | UnionType, value: Any) -> Any:
    if isinstance(kind, UnionType):  # a value that a row may not have
        if value is None:
            return None
        kind = kind.__args__[0]
    given = type(value)  # exactly: to Python, a bool is an int
    if kind is float and given in (int, float) and isfinite(value):
        return float(value)
    if given is not (int if kind is int else str):
        raise ValueError("wrong type")
    if isinstance(value, str):
        value.encode()  # raises ValueError for a lone surrogate
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    if isinstance(value, int) and not 0 <= value < 2**63:
        raise ValueError("out of range")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("NUL character")
    return value
