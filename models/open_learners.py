"""Learners whom a reset has still to settle: members of its open slices who have no item in the ledger yet."""

from uuid import UUID

from sqlalchemy import Select, column, func, select, true
from sqlalchemy.orm import aliased
from sqlalchemy.types import BigInteger

from models.resets import Reset, ResetItem, ResetSlice, ResetState


def open_learners_of(reset_id: UUID, *, after: int = 0, slices: int | None = None) -> Select[int]:
    """Returns the query for the enrolments that are open in the reset, after enrolment `after`.

    `slices` limits it to that many of the next open slices; each of them has at least one open learner.
    """
    next_ones = (
        select(ResetSlice.reset_id, ResetSlice.members)
        .where(ResetSlice.reset_id == reset_id, ResetSlice.settled_at.is_(None), ResetSlice.last > after)
        .order_by(ResetSlice.first)
        .limit(slices)
        .subquery()
    )
    return _members_without_item(aliased(ResetSlice, next_ones)).where(column("enrolment_id") > after)


def open_learners_in(course_id: int) -> Select[int]:
    """Returns the query for the enrolments that are open in any running reset of the course."""
    running = (
        select(ResetSlice.reset_id, ResetSlice.members)
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(Reset.course_id == course_id, Reset.state == ResetState.RUNNING, ResetSlice.settled_at.is_(None))
        .offset(0)  # found first: otherwise PostgreSQL may look through the members of other courses' slices
        .subquery()
    )
    return _members_without_item(aliased(ResetSlice, running))


def _members_without_item(slices: type[ResetSlice]) -> Select[int]:
    member = func.unnest(slices.members).table_valued(column("enrolment_id", BigInteger)).render_derived(name="member")
    item = select(ResetItem).where(
        ResetItem.reset_id == slices.reset_id, ResetItem.enrolment_id == member.c.enrolment_id
    )
    return select(member.c.enrolment_id).select_from(slices).join(member, true()).where(~item.exists())
