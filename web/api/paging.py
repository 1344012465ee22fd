"""Lists, a page at a time, with the address of the next in the `Link` header (RFC 8288)."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import Request, Response

from web.pager import Pager
from web.problems import Problem

T = TypeVar("T")


class Page(Pager):
    """Where in a list the request is."""

    def __init__(self, request: Request, answer: Response, cursor: str, limit: int, kinds: tuple[type, ...]) -> None:
        """As the pages' own, but a cursor that is none of ours is refused: a program that was sent back to the
        beginning would go round for ever."""
        super().__init__(request, cursor, kinds, lines=limit)
        self._answer = answer
        if cursor and self.after is None:
            words = "`after` is not from a `Link` header of this list. Begin without it."
            raise Problem(422, "request-invalid", words, errors=[{"at": "query.after", "detail": words}])

    def cut(self, found: Sequence[T], key: Callable[[T], tuple[Any, ...]]) -> Sequence[T]:
        """The items of this page, of those found with `limit`; the header is set if there are more."""
        items = super().cut(found, key)
        if self.next:
            self._answer.headers["Link"] = f'<{self.next}>; rel="next"'
        return items
