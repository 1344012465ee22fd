"""Stored totals of settled resets and of deleted rows.

A settled reset is added to the tallies some time after its end. Until then, it is counted with each query: a total is
its tally plus the resets that are not in it yet, which are few, however many resets there are.
"""

from collections import Counter
from typing import Any

from sqlalchemy import Text, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import BigInteger

from models.base import Base
from models.resets import SETTLED, Reset, ResetSlice, ResetState

LEARNERS = (ResetSlice.cleared, ResetSlice.unchanged, ResetSlice.skipped, ResetSlice.failed)


class Tally(Base):
    """A named total: `resets/succeeded`, `learners/cleared`, `recoveries`, `deleted/notification`."""

    __tablename__ = "tally"

    name: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[int]


def add(session: Session, figures: dict[str, int]) -> None:
    """Add to the totals, in order of their names to avoid deadlocks."""
    names = sorted(name for name, figure in figures.items() if figure)
    if not names:
        return
    row = insert(Tally).from_select(
        [Tally.name, Tally.total],
        select(
            func.unnest(literal(names, ARRAY(Text))),
            func.unnest(literal([figures[name] for name in names], ARRAY(BigInteger))),
        ),
    )
    session.execute(
        row.on_conflict_do_update(index_elements=[Tally.name], set_={"total": Tally.total + row.excluded.total})
    )


def totals(session: Session) -> dict[str, int]:
    """Returns all current totals: the tallies, plus the resets that are not in them yet."""
    kept = {name: total for name, total in session.execute(select(Tally.name, Tally.total))}  # noqa: C416 - a row
    return dict(Counter(kept) + Counter(_figures(session, ~Reset.counted)))


def count_settled(session: Session, most: int) -> int:
    """Add up to `most` settled resets to the tallies. Returns how many."""
    found = list(
        session.scalars(
            select(Reset.id)
            .where(~Reset.counted, Reset.state.in_(SETTLED))
            .order_by(Reset.id)
            .limit(most)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
    if found:
        add(session, _figures(session, Reset.id.in_(found)))
        session.execute(
            update(Reset).where(Reset.id.in_(found)).values(counted=True).execution_options(synchronize_session=False)
        )
    return len(found)


def count_no_more(session: Session, reset: Reset) -> None:
    """Subtract a reset that is about to continue from the tallies. Its row must be locked by this transaction."""
    if reset.counted:
        figures = _figures(session, Reset.id == reset.id)
        add(session, {name: -figure for name, figure in figures.items()})
        reset.counted = False


def _figures(session: Session, which: Any) -> dict[str, int]:
    figures: Counter[str] = Counter()
    resets = select(Reset.state, func.count(), func.sum(Reset.recoveries)).where(which).group_by(Reset.state)
    for state, count, recoveries in session.execute(resets):
        figures[of_state(state)] += count
        figures["recoveries"] += int(recoveries)
    sums = [func.coalesce(func.sum(column), 0) for column in LEARNERS]
    learners = session.execute(select(*sums).join(Reset, Reset.id == ResetSlice.reset_id).where(which)).one()
    for column, count in zip(LEARNERS, learners, strict=True):
        figures[f"learners/{column.key}"] += int(count)
    return figures


def of_state(state: ResetState) -> str:
    """Returns the name of the total of resets in this state."""
    return f"resets/{state.value}"


def of_deleted(table: str) -> str:
    """Returns the name of the total of rows deleted from this table by age."""
    return f"deleted/{table}"
