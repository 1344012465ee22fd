"""Who is in a reset's audience, and the reasons for skipping learners."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from config.languages.stored import stored
from models.audience_lists import enrolments_in
from models.base import PgSnapshot, Xid8
from models.groups import GroupMember, members_at
from models.resets import Audience
from models.session import changed_rows
from models.training import Enrolment, EnrolmentState

BEFORE_ALL = "3"  # PostgreSQL's first transaction of all
ELSEWHERE = stored("another reset of this learner is still open")
RESET_SINCE = stored("another reset has reset this learner since")


class Asked(Protocol):
    """The audience, as a plan and a reset both describe it."""

    @property
    def course_id(self) -> int: ...
    @property
    def audience(self) -> Audience: ...
    @property
    def user_ids(self) -> list[int] | None: ...
    @property
    def group_id(self) -> int | None: ...
    @property
    def list_id(self) -> UUID | None: ...
    @property
    def skip_completed_days(self) -> int | None: ...
    @property
    def planned_at(self) -> datetime: ...
    @property
    def snapshot(self) -> str | None: ...


def in_audience(asked: Asked) -> ColumnElement[bool]:
    """Returns the condition that an enrolment is in the audience, as it was when the plan was made.

    Some of it may be left out; see `tasks.reset.exclusions`. Someone whom the plan could not see is not in it, since
    nobody has seen them in a preview: neither who was assigned after that, nor who was being assigned then, in a
    transaction that was not committed.
    """
    conditions: list[ColumnElement[bool]] = [
        listed(asked.list_id) if asked.audience == Audience.LIST else Enrolment.course_id == asked.course_id,
        Enrolment.unassigned_at.is_(None),
        Enrolment.assigned_at <= asked.planned_at,
        seen_by(asked.snapshot, Enrolment.assigned_xid),
    ]
    if asked.audience == Audience.COMPLETED:
        conditions += [Enrolment.state == EnrolmentState.COMPLETED, completion_seen_by(asked)]
    if asked.audience == Audience.USERS:
        conditions += [Enrolment.user_id.in_(asked.user_ids or [])]
    if asked.audience == Audience.GROUP:
        seen = seen_by(asked.snapshot, GroupMember.joined_xid)
        conditions += [Enrolment.user_id.in_(members_at(asked.group_id, asked.planned_at).where(seen))]
    return and_(*conditions)


def listed(list_id: UUID | None) -> ColumnElement[bool]:
    """Returns the condition that an enrolment is on the list.

    A list has learners of one course alone. To ask for the course too would let PostgreSQL compare each of them with
    each of the course's, as long as it has no statistics of a course that was just imported.
    """
    return Enrolment.id.in_(enrolments_in(list_id))


def completion_seen_by(asked: Asked) -> ColumnElement[bool]:
    """Returns the condition that the plan could see the enrolment's completion."""
    return and_(Enrolment.completed_at <= asked.planned_at, seen_by(asked.snapshot, Enrolment.completed_xid))


def seen_by(snapshot: str | None, xid: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Returns the condition that the snapshot shows this transaction; always true without a snapshot."""
    if snapshot is None:
        return true()
    return func.pg_visible_in_snapshot(xid, literal(snapshot, PgSnapshot()))


def trust_what_is_seen(
    session: Session, course_id: int, user_ids: list[int] | None, group_id: int | None, list_id: UUID | None = None
) -> None:
    """Before a plan is made, make every row that a query sees visible to it, whatever its transaction's number.

    A restored backup brings numbers along from the server it came from, which this one has not given out yet. Writes
    nothing in a database that was never restored, but for what its own transaction wrote.
    """

    def now_seen(xid: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        return func.pg_visible_in_snapshot(xid, func.pg_current_snapshot())

    def or_always(xid: InstrumentedAttribute[str]) -> ColumnElement[str]:
        return case((now_seen(xid), xid), else_=literal(BEFORE_ALL, Xid8()))

    def trust(
        table: type[Enrolment | GroupMember], which: ColumnElement[bool], *xids: InstrumentedAttribute[str]
    ) -> None:
        unseen = or_(*(~now_seen(xid) for xid in xids))
        changed_rows(session, update(table).where(which, unseen).values({xid: or_always(xid) for xid in xids}))

    learners = Enrolment.course_id == course_id if list_id is None else listed(list_id)
    if user_ids is not None:
        learners &= Enrolment.user_id.in_(user_ids)
    trust(Enrolment, learners, Enrolment.assigned_xid, Enrolment.completed_xid, Enrolment.registered_xid)
    if group_id is not None:
        trust(GroupMember, GroupMember.group_id == group_id, GroupMember.joined_xid)
