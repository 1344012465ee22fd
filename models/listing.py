"""Lists that people sort, search and page through: their orders, the places of their rows, and their capped counts.

A list is read by keyset, in any of its orders: each page starts after the last row of the previous one. See
`docs/decisions/0126-lists-are-read-in-any-order.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Result,
    Select,
    SQLColumnExpression,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

MOST_COUNTED = 10_000  # rows; a longer list says “more than 10,000”

PLACE = "place_"  # begins the names of the columns with a row's place

T = TypeVar("T")

Place = tuple[Any, ...]
Listed = tuple[T, Place]  # a row of a list, with its place in the order in which it was read


@dataclass(frozen=True)
class Key:
    """A value that rows are sorted by. Rows without it come last, in either direction."""

    value: SQLColumnExpression[Any]
    kind: type  # of the value
    nullable: bool = False


@dataclass(frozen=True)
class Order:
    """An order of all rows of a list: no two of them have the same keys."""

    keys: tuple[Key, ...]
    descending: bool = False

    @property
    def kinds(self) -> tuple[type | UnionType, ...]:
        """The types of the values of a place."""
        return tuple(key.kind | None if key.nullable else key.kind for key in self.keys)

    def rows(
        self, session: Session, query: Select[*tuple[Any, ...]], after: Place | None, limit: int | None, **values: Any
    ) -> Result[*tuple[Any, ...]]:
        """Returns up to `limit` rows of the query after the place `after`. `values` are its parameters."""
        plan_with_values(session)
        return session.execute(self.page(query, after, limit), values)

    def page(self, query: Select[*tuple[Any, ...]], after: Place | None, limit: int | None) -> Select[*tuple[Any, ...]]:
        """Returns the query for up to `limit` rows after the place `after`. Its last columns are the row's place."""
        values = [key.value for key in self.keys]
        query = query.add_columns(*(value.label(f"{PLACE}{number}") for number, value in enumerate(values)))
        query = query.order_by(*self.by(values)).limit(limit)
        return query if after is None else query.where(self._after(after))

    def by(self, values: Sequence[SQLColumnExpression[Any]]) -> list[ColumnElement[Any]]:
        """Returns what to order by, where the keys have these names."""
        ways = [value.desc() if self.descending else value.asc() for value in values]
        return [way.nulls_last() if key.nullable else way for way, key in zip(ways, self.keys, strict=True)]

    def place(self, row: Sequence[Any]) -> Place:
        """Returns the place of a row of `page`."""
        return tuple(row[-len(self.keys) :])

    @staticmethod
    def places_in(page: FromClause) -> list[ColumnElement[Any]]:
        """Returns the columns of a page, as a subquery, that are a row's place."""
        return [column for name, column in page.c.items() if name.startswith(PLACE)]

    def _after(self, place: Place) -> ColumnElement[bool]:
        if not any(key.nullable for key in self.keys):  # one comparison, which an index serves
            mine, theirs = tuple_(*(key.value for key in self.keys)), place
            return mine < theirs if self.descending else mine > theirs
        steps = []
        for number, (key, value) in enumerate(zip(self.keys, place, strict=True)):
            if value is not None:  # only equals come after a row without it
                beyond = key.value < value if self.descending else key.value > value
                beyond = or_(beyond, key.value.is_(None)) if key.nullable else beyond
                steps.append(and_(*map(_same, self.keys[:number], place[:number]), beyond))
        return or_(false(), *steps)


def _same(key: Key, value: Any) -> ColumnElement[bool]:
    return key.value.is_(None) if value is None else key.value == value


class Orders:
    """The orders of a list: by each of its columns, up or down."""

    def __init__(self, usual: str, columns: Mapping[str, tuple[Key, ...]], *, down: tuple[str, ...] = ()) -> None:
        """`columns` are the keys by the name of a column; `down` are those whose greatest values are asked for first.
        `usual` is the order that a list has at first, such as `name`, or `-requested` for the latest first."""
        self.usual, self.columns, self.down = usual, columns, down

    def __contains__(self, name: str) -> bool:
        return name.removeprefix("-") in self.columns

    def named(self, name: str = "") -> Order:
        """Returns the order with this name; the usual one if there is none."""
        name = name if name in self else self.usual
        return Order(self.columns[name.removeprefix("-")], descending=name.startswith("-"))


def rank(column: SQLColumnExpression[Any], states: Sequence[StrEnum]) -> ColumnElement[int]:
    """Returns the position of the column's value among the states: rows are sorted by the order of these."""
    return case({state: number for number, state in enumerate(states)}, value=column, else_=len(states))


def contains(search: str, *columns: SQLColumnExpression[Any]) -> list[ColumnElement[bool]]:
    """Returns the condition that one of the columns contains the text, in any case; nothing for an empty text."""
    return [or_(*(column.icontains(search, autoescape=True) for column in columns))] if search else []


@dataclass(frozen=True)
class Count:
    """How many rows a list has: if `more`, more than `number`."""

    number: int
    more: bool = False


def plan_with_values(session: Session) -> None:
    """Have the statements of this transaction planned for their own values, each time.

    PostgreSQL would keep a plan for any value after some calls, and for a search that matches few of a million rows
    that takes ten times as long.
    """
    session.execute(text("SET LOCAL plan_cache_mode TO force_custom_plan"))


@dataclass(frozen=True)
class Matches:
    """The rows that a search or a filter leaves: how many they are, and a condition that finds them quickly."""

    count: Count
    quickly: ColumnElement[bool]


def matches(session: Session, key: InstrumentedAttribute[Any], query: Select[*tuple[Any, ...]]) -> Matches:
    """Returns the rows of the query, whose ids are `key`.

    It looks for them in no order, which PostgreSQL does by the best index or in parallel. To look through a million
    rows in order for the few that match takes ten times as long. If more than `MOST_COUNTED` match, they are
    everywhere, and are found in order.
    """
    plan_with_values(session)
    found = list(session.scalars(query.with_only_columns(key).order_by(None).limit(MOST_COUNTED + 1)))
    if len(found) > MOST_COUNTED:
        return Matches(Count(MOST_COUNTED, more=True), true())
    return Matches(Count(len(found)), key == any_(literal(found, ARRAY(key.type))))


def count_of(session: Session, query: Select[*tuple[Any, ...]]) -> Count:
    """Returns how many rows the query has. It stops at `MOST_COUNTED`, so that it is quick however many there are."""
    some = query.with_only_columns(literal(1), maintain_column_froms=True).limit(MOST_COUNTED + 1).subquery()
    plan_with_values(session)
    found = session.scalars(select(func.count()).select_from(some)).one()
    return Count(min(found, MOST_COUNTED), found > MOST_COUNTED)
