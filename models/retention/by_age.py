"""Deleting the oldest rows of a table, a limited number at a time. Open rows are kept, however old they are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, any_, delete, func, literal_column, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from config.settings import settings
from models.arrays import array_of
from models.base import Base
from models.session import changed_rows

Before = ColumnElement[datetime]


@dataclass(frozen=True)
class Retention:
    """How long the rows of a table are kept."""

    table: str
    kept: str | timedelta  # a period, or the name of the setting that holds it in days
    delete: Callable[[Session, Before, int], int]
    """Deletes up to this many older rows, and returns how many it deleted."""
    oldest: Select[Any]
    """Selects the time of the oldest row that will ever be deleted."""

    @property
    def age(self) -> timedelta | None:
        """The age at which rows are deleted, `None` if they are kept for good."""
        if isinstance(self.kept, timedelta):
            return self.kept
        days = getattr(settings(), self.kept)
        return timedelta(days=days) if days else None


def forget(session: Session, retention: Retention, most: int) -> int:
    """Delete up to `most` rows that have reached their age. Returns how many: fewer than `most` if no more are left."""
    if retention.age is None:
        return 0
    return retention.delete(session, func.now() - retention.age, most)


def age_of_oldest(session: Session, retention: Retention) -> float | None:
    """Returns the age in seconds of the table's oldest row, `None` if it has no rows."""
    oldest = retention.oldest.scalar_subquery()
    age = session.scalar(select(func.extract("epoch", func.now() - oldest)))
    return None if age is None else max(0.0, float(age))


def by_age(
    kind: type[Base],
    kept: str | timedelta,
    moment: ColumnElement[Any] | InstrumentedAttribute[Any],
    *conditions: ColumnElement[bool],
    indexed: ColumnElement[bool] | None = None,
    needed: ColumnElement[bool] | None = None,
) -> Retention:
    """Returns the retention of a table whose rows are deleted once `moment` is old enough and all `conditions` hold.

    `moment` needs an index; `indexed` is the condition of a partial one. Rows that are `needed` by another table stay.
    That condition is checked only for the oldest rows, so that no other table is scanned. It must be temporary: many
    needed rows would block younger ones from being deleted.
    """
    name = str(kind.__tablename__)
    place: ColumnElement[Any] = literal_column(f"{name}.ctid")
    in_index = true() if indexed is None else indexed

    def delete_some(session: Session, before: Before, most: int) -> int:
        old = (
            select(place)
            .select_from(kind)
            .where(moment < before, in_index, *conditions)
            .order_by(moment)
            .limit(most)
            .with_for_update(of=kind, skip_locked=True)  # the next run deletes rows that are locked now
        )
        # An array of row addresses: for a join, PostgreSQL would scan the whole table once that seems cheaper.
        these = place == any_(array_of(old))
        return changed_rows(session, delete(kind).where(these, true() if needed is None else ~needed))

    return Retention(name, kept, delete_some, select(func.min(moment)).where(in_index))
