"""What of a list a request asks for: its search, its filters, its order and its page, all of them in the address."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import StreamingResponse

from models.listing import Listed, Orders
from models.session import Session
from web.csv_lines import csv_answer, in_batches
from web.pager import LINES, Pager

MOST_TYPED = 200  # characters of a search or a filter
UP, DOWN = "ascending", "descending"


T = TypeVar("T")


class Shown:
    """A list as it is asked for. A list ignores parameters that it does not know."""

    def __init__(
        self,
        request: Request,
        orders: Orders,
        filters: Mapping[str, Container[str] | None] | None = None,
        *,
        path: str | None = None,
        csv: str | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> None:
        """`filters` are the values that each filter can have, `None` for any text. `path` is the list's address, and
        `csv` that of its file, if they are not the request's and that with `.csv`; `typed` stands for its query."""
        query = request.query_params if typed is None else typed
        self._orders = orders
        self.path = path or request.url.path.removesuffix(".csv")
        self._csv = csv or f"{self.path}.csv"
        self.q = _cleaned(query.get("q", ""))
        self.chosen = {name: _cleaned(query.get(name, "")) for name in filters or {}}
        for name, values in (filters or {}).items():
            if values is not None and self.chosen[name] not in values:
                self.chosen[name] = ""
        sort = query.get("sort", "")
        self.sort = sort if sort in orders else orders.usual
        self.order = orders.named(self.sort)
        self._after = query.get("after", "")
        kinds = self.order.kinds
        self.pager = Pager(request, self._after, kinds, LINES, path=self.path, query=self._query())

    def __getitem__(self, name: str) -> str:
        """Returns what a filter is set to, empty if it is not set."""
        return self.chosen[name]

    @property
    def is_narrowed(self) -> bool:
        """Whether a search or a filter is set."""
        return bool(self.q or any(self.chosen.values()))

    @property
    def is_sorted(self) -> bool:
        """Whether the order is not the usual one."""
        return self.sort != self._orders.usual

    @property
    def asked(self) -> dict[str, str]:
        """The query of this very page."""
        return {name: value for name, value in (self._query() | {"after": self._after}).items() if value}

    @property
    def csv(self) -> str:
        """The address of the file with the rows of all pages."""
        return _address(self._csv, self._query())

    def address(self, **changed: str) -> str:
        """Returns the address of the first page with these filters, or this order, instead."""
        return _address(self.path, self._query() | changed)

    def by(self, column: str) -> str:
        """Returns the address with the list in order of the column; the other way round if it is so already."""
        ways = [column, f"-{column}"]
        if column in self._orders.down:
            ways.reverse()
        wanted = ways[1] if self.sort == ways[0] else ways[0]
        return self.address(sort="" if wanted == self._orders.usual else wanted)

    def direction(self, column: str) -> str | None:
        """Returns how the list is sorted by the column, as `aria-sort` has it; `None` if it is not."""
        return {column: UP, f"-{column}": DOWN}.get(self.sort)

    def kept(self, *names: str) -> dict[str, str]:
        """Returns what the search form has to keep: the order, and these filters, if they are set."""
        query = self._query()
        return {name: query[name] for name in ("sort", *names) if query.get(name)}

    def cut(self, found: Sequence[Listed[T]]) -> list[T]:
        """Returns this page's rows of those found."""
        return [row for row, _ in self.pager.cut(found, lambda listed: listed[1])]

    def as_csv(
        self,
        name: str,
        head: tuple[str, ...],
        read: Callable[[Session, Any, int], Iterable[Listed[T]]],
        cells: Callable[[T], tuple[Any, ...]],
    ) -> StreamingResponse:
        """Returns the rows of all pages as a download called `name`. `read` is as for `in_batches`."""
        batches = in_batches(read, lambda listed: listed[1], is_sorted=self.is_sorted)
        return csv_answer(name, head, ([cells(row) for row, _ in batch] for batch in batches))

    def _query(self) -> dict[str, str]:
        return {"q": self.q, **self.chosen, "sort": self.sort if self.is_sorted else ""}


def _cleaned(text: str) -> str:
    return text.replace("\x00", "").strip()[:MOST_TYPED]


def _address(path: str, query: Mapping[str, str]) -> str:
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
