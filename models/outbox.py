"""The queries that all outboxes share: whose turn it is, the next items, and whether an item is still the same attempt.

Each outbox declares an `Outbox` beside its table, and a partial index on `(turn, due_at)` of the waiting rows. Turns
are found by stepping through that index, with one lookup per turn: a million e-mails of one organization are one step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Column, ColumnElement, Select, Text, and_, case, func, inspect, literal, select, true, update
from sqlalchemy import cast as cast_
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.dml import ReturningUpdate

from models.base import Base


@dataclass(frozen=True)
class Turn:
    """A value of the outbox's `turn` column with due items, and the organization it belongs to."""

    key: Any
    organization: Any


@dataclass(frozen=True)
class Item:
    """An item taken for an attempt: its primary key, the attempt number, and when the next attempt is due."""

    key: tuple[Any, ...]
    turn: Turn
    attempt: int
    due_again_at: datetime


@dataclass(frozen=True)
class Outbox:
    """The table of an outbox, and the columns that describe its queue."""

    table: type[Base]
    turn: InstrumentedAttribute[Any]
    due_at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
    attempts: InstrumentedAttribute[int]
    waiting: ColumnElement[bool]
    """The condition of the partial index, with literals: PostgreSQL does not match one with parameters."""
    given_up: ColumnElement[bool] | None = None
    """The rows that are given up, `None` if attempts never end."""
    organization: ColumnElement[Any] | None = None
    """The organization of a row, if it is not the `turn` itself."""
    then_by: tuple[InstrumentedAttribute[Any], ...] = ()
    """The order of items that are due at the same time, as in the index."""
    begun: Mapping[str, Any] = field(default_factory=dict)
    """Further columns that are set when an attempt begins."""
    tried_at: InstrumentedAttribute[datetime | None] | None = None
    """When the last attempt was; `None` if attempts never end, since it is for those that are given up."""

    @property
    def key(self) -> tuple[Column[Any], ...]:
        """The table's primary key."""
        return cast("tuple[Column[Any], ...]", inspect(self.table).primary_key)


def turns(session: Session, outbox: Outbox) -> list[Turn]:
    """Returns the turns with due items, in order of their keys."""
    return [Turn(*row) for row in session.execute(turns_query(outbox))]


def turns_query(outbox: Outbox) -> Select[Any]:
    """Returns the query of `turns`."""
    found = _due(outbox)
    organization = found.c.organization if outbox.organization is not None else found.c.turn
    return select(found.c.turn, organization.label("organization")).order_by(found.c.turn)


def is_due(session: Session, outbox: Outbox) -> bool:
    """Returns whether any item is due."""
    return session.scalar(select(_due(outbox).c.turn).limit(1)) is not None


def _due(outbox: Outbox) -> Any:
    """Returns the turns with due items."""
    turn, waiting = outbox.turn, outbox.waiting
    step = _steps(outbox)
    first = (
        select(outbox.due_at.label("due_at"))
        .where(waiting, turn == step.c.turn)
        .order_by(outbox.due_at)
        .limit(1)
        .lateral("first")
    )
    columns = [step.c.turn]
    if outbox.organization is not None:
        whose = _organization_of(outbox, step)
        columns.append(whose.c.organization)
        query: Select[Any] = select(*columns).select_from(step).join(first, true()).join(whose, true())
    else:
        query = select(*columns).select_from(step).join(first, true())
    return query.where(step.c.turn.is_not(None), first.c.due_at <= func.now()).subquery("due")


def _steps(outbox: Outbox) -> Any:
    """Returns the turns with waiting items, by a loose index scan, which PostgreSQL does not do by itself here."""
    turn, waiting, name = outbox.turn, outbox.waiting, f"step_{outbox.table.__tablename__}"
    step = select(turn.label("turn")).where(waiting).order_by(turn).limit(1).cte(name, recursive=True)
    after = select(turn).where(waiting, turn > step.c.turn).order_by(turn).limit(1).scalar_subquery()
    return step.union_all(select(after).where(step.c.turn.is_not(None)))


def _organization_of(outbox: Outbox, step: Any) -> Any:
    assert outbox.organization is not None
    return (
        select(outbox.organization.label("organization"))
        .where(outbox.waiting, outbox.turn == step.c.turn)
        .limit(1)
        .lateral("whose")
    )


def backlogs(outbox: Outbox, organization_id: ColumnElement[int] | None) -> Select[Any]:
    """Returns the query for how far behind the outbox is, of one organization or of all: when its first item was due,
    if it is, and how often the item was tried that waits longest for its next attempt."""
    turn, waiting = outbox.turn, outbox.waiting
    step = _steps(outbox)
    mine = select(outbox.due_at.label("due_at"), outbox.attempts.label("attempts")).where(waiting, turn == step.c.turn)
    first = mine.order_by(outbox.due_at).limit(1).lateral("first")
    last = mine.order_by(outbox.due_at.desc()).limit(1).lateral("last")
    overdue = func.min(first.c.due_at).filter(first.c.due_at <= func.now())
    query = select(overdue.label("overdue_since"), func.max(last.c.attempts).label("attempts"))
    query = query.select_from(step).join(first, true()).join(last, true()).where(step.c.turn.is_not(None))
    if organization_id is None:
        return query
    if outbox.organization is None:
        return query.where(cast_(step.c.turn, Text) == cast_(organization_id, Text))
    whose = _organization_of(outbox, step)
    return query.join(whose, true()).where(whose.c.organization == organization_id)


def given_up_lately(
    outbox: Outbox, organization_id: ColumnElement[int] | None, seconds: float, most: int
) -> ColumnElement[int]:
    """Returns how many items were given up within so many seconds, counted up to `most`; 0 if attempts never end.

    A partial index on `tried_at` of the rows that are given up serves it.
    """
    if outbox.given_up is None or outbox.tried_at is None:
        return literal(0)
    lately = outbox.tried_at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    query = select(literal(1)).select_from(outbox.table).where(outbox.given_up, lately)
    if organization_id is not None:
        whose = outbox.organization if outbox.organization is not None else outbox.turn
        query = query.where(whose == organization_id)
    return select(func.count()).select_from(query.limit(most).subquery()).scalar_subquery()


def take(session: Session, outbox: Outbox, turn: Turn, waits: tuple[int, ...], most: int = 1) -> list[Item]:
    """Take up to `most` due items of the turn: count the attempt, and set the next one by `waits` (seconds).

    Commit this before the attempt, so that a process that dies leaves nothing to clean up.
    """
    statement = take_query(outbox, turn, waits, most).execution_options(synchronize_session=False)
    return [Item(tuple(row[2:]), turn, row[0], row[1]) for row in session.execute(statement)]


def take_query(outbox: Outbox, turn: Turn, waits: tuple[int, ...], most: int) -> ReturningUpdate[Any]:
    """Returns the statement of `take`."""
    key = outbox.key
    due = (
        select(*key)
        .where(outbox.waiting, outbox.turn == turn.key, outbox.due_at <= func.now())
        .order_by(outbox.due_at, *outbox.then_by)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    wait = case(dict(enumerate(waits)), value=outbox.attempts, else_=waits[-1])
    begun = {
        outbox.attempts.key: outbox.attempts + 1,
        outbox.due_at.key: func.now() + func.make_interval(0, 0, 0, 0, 0, 0, wait),
        **outbox.begun,
    }
    return (
        update(outbox.table)
        .where(and_(*(column == due.c[column.key] for column in key)))
        .values(begun)
        .returning(outbox.attempts, outbox.due_at, *key)
    )


def is_this_try(outbox: Outbox, item: Item) -> ColumnElement[bool]:
    """Returns the condition that a row is this item, and was not taken or changed since.

    It compares the due time too, because the attempt number can start again.
    """
    same_key = (column == value for column, value in zip(outbox.key, item.key, strict=True))
    return and_(outbox.waiting, *same_key, outbox.attempts == item.attempt, outbox.due_at == item.due_again_at)
