"""What all outboxes have in common as tables: who has something due, the next item, and whether a row still waits for
the try that it was taken for.

Each outbox declares an `Outbox` beside its table, with an index on `(turn, due_at)` of the rows that wait. Whose turn
it is, is found by stepping through that index, so it costs a look-up for each turn and not for each row: a million
e-mails of one organization are one step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Column, ColumnElement, Select, and_, case, func, inspect, select, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.dml import ReturningUpdate

from models.base import Base


@dataclass(frozen=True)
class Turn:
    """Someone of whom something is due: by `key` the next item is found, and organizations take turns."""

    key: Any
    organization: Any


@dataclass(frozen=True)
class Item:
    """An item that was taken for its so-manieth try: the key of its row, and when it will be due again."""

    key: tuple[Any, ...]
    turn: Turn
    attempt: int
    due_again_at: datetime


@dataclass(frozen=True)
class Outbox:
    """The table of an outbox, and the columns by which it is worked off."""

    table: type[Base]
    turn: InstrumentedAttribute[Any]
    due_at: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]
    attempts: InstrumentedAttribute[int]
    waiting: ColumnElement[bool]
    """As the index has it, in literals: of a condition with parameters PostgreSQL cannot tell that it is the same."""
    given_up: ColumnElement[bool] | None = None
    """Which rows were tried in vain and are tried no more; none where there is no end."""
    organization: ColumnElement[Any] | None = None
    """Whose a row is, where that is not the `turn` itself."""
    then_by: tuple[InstrumentedAttribute[Any], ...] = ()
    """Which comes first of what is due at one moment. The index has it too: thousands may be."""
    begun: Mapping[str, Any] = field(default_factory=dict)
    """What else is written when a try begins."""

    @property
    def key(self) -> tuple[Column[Any], ...]:
        """The table's primary key."""
        return cast("tuple[Column[Any], ...]", inspect(self.table).primary_key)


def turns(session: Session, outbox: Outbox) -> list[Turn]:
    """All of whom something is due, in the order of their keys."""
    return [Turn(*row) for row in session.execute(turns_query(outbox))]


def turns_query(outbox: Outbox) -> Select[Any]:
    """The query of `turns`."""
    found = _due(outbox)
    organization = found.c.organization if outbox.organization is not None else found.c.turn
    return select(found.c.turn, organization.label("organization")).order_by(found.c.turn)


def is_due(session: Session, outbox: Outbox) -> bool:
    """Whether anything is."""
    return session.scalar(select(_due(outbox).c.turn).limit(1)) is not None


def _due(outbox: Outbox) -> Any:
    """The turns of which something is due, by a loose index scan: PostgreSQL has none of its own for this."""
    turn, waiting = outbox.turn, outbox.waiting
    step = select(turn.label("turn")).where(waiting).order_by(turn).limit(1).cte("step", recursive=True)
    after = select(turn).where(waiting, turn > step.c.turn).order_by(turn).limit(1).scalar_subquery()
    step = step.union_all(select(after).where(step.c.turn.is_not(None)))
    first = (
        select(outbox.due_at.label("due_at"))
        .where(waiting, turn == step.c.turn)
        .order_by(outbox.due_at)
        .limit(1)
        .lateral("first")
    )
    columns = [step.c.turn]
    if outbox.organization is not None:
        whose = (
            select(outbox.organization.label("organization"))
            .where(waiting, turn == step.c.turn)
            .limit(1)
            .lateral("whose")
        )
        columns.append(whose.c.organization)
        query: Select[Any] = select(*columns).select_from(step).join(first, true()).join(whose, true())
    else:
        query = select(*columns).select_from(step).join(first, true())
    return query.where(step.c.turn.is_not(None), first.c.due_at <= func.now()).subquery("due")


def take(session: Session, outbox: Outbox, turn: Turn, waits: tuple[int, ...], most: int = 1) -> list[Item]:
    """Take the next items of the turn for a try: counted, and with the moment of the next one, by `waits` (seconds).

    To be committed before the try is made: whoever dies of it leaves nothing to clear up.
    """
    statement = take_query(outbox, turn, waits, most).execution_options(synchronize_session=False)
    return [Item(tuple(row[2:]), turn, row[0], row[1]) for row in session.execute(statement)]


def take_query(outbox: Outbox, turn: Turn, waits: tuple[int, ...], most: int) -> ReturningUpdate[Any]:
    """The statement of `take`."""
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
    """The condition that a row is this item's, and nobody has taken or changed it since.

    The moment tells it too, and not the number of the try alone: that may begin anew.
    """
    same_key = (column == value for column, value in zip(outbox.key, item.key, strict=True))
    return and_(outbox.waiting, *same_key, outbox.attempts == item.attempt, outbox.due_at == item.due_again_at)
