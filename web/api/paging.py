"""Lists in pages, with the address of the next one in the `Link` header (RFC 8288)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request, Response

from web.api.schemas.base import NO_NUL
from web.pager import Pager
from web.problems import Problem

MOST_ITEMS = 200

After = Annotated[str, Query(max_length=2000, pattern=NO_NUL, description="From the `Link` header of the page before")]
Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Items on a page")]

T = TypeVar("T")


class Page(Pager):
    """The page of a list that is asked for."""

    def __init__(self, request: Request, answer: Response, cursor: str, limit: int, kinds: tuple[type, ...]) -> None:
        """Raises `Problem` for a cursor that is not from this list: a program sent back to its first page would never
        come to its end."""
        super().__init__(request, cursor, kinds, lines=limit)
        self._answer = answer
        if cursor and self.after is None:
            words = "`after` is not from a `Link` header of this list. Start again without it."
            raise Problem("request-invalid", words, errors=[{"at": "query.after", "detail": words}])

    def cut(self, found: Sequence[T], key: Callable[[T], tuple[Any, ...]]) -> Sequence[T]:
        """Returns the page's items, of those found with `limit`, and sets the header if there are more."""
        items = super().cut(found, key)
        if self.next:
            self._answer.headers["Link"] = f'<{self.next}>; rel="next"'
        return items


def page_of(*kinds: type, items: int = 50) -> Any:
    """Returns a dependency: the page of a list ordered by values of these types, of `items` unless asked otherwise."""

    def page(request: Request, answer: Response, after: After = "", limit: Limit = items) -> Page:
        return Page(request, answer, after, limit, kinds)

    return Depends(page)
