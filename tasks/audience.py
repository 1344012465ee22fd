"""Who is in a reset, and why somebody is not."""

from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, Select, and_, exists, select
from sqlalchemy.orm import Session

from models.groups import GroupMember
from models.resets import Audience, ItemState, ResetItem
from models.training import Enrolment, EnrolmentState

ELSEWHERE = "another reset of this learner is still open"
NOT_ASSIGNED = "the course is no longer assigned"


class Asked(Protocol):
    """What a plan and a reset both say about whom it is for."""

    @property
    def course_id(self) -> int: ...
    @property
    def audience(self) -> Audience: ...
    @property
    def user_ids(self) -> list[int] | None: ...
    @property
    def group_id(self) -> int | None: ...
    @property
    def planned_at(self) -> datetime: ...


def in_audience(asked: Asked) -> ColumnElement[bool]:
    """The condition that an enrolment is in the audience, as it was when the plan was made.

    Someone assigned after that is not in it: nobody has seen them in a preview.
    """
    conditions: list[ColumnElement[bool]] = [
        Enrolment.course_id == asked.course_id,
        Enrolment.unassigned_at.is_(None),
        Enrolment.assigned_at <= asked.planned_at,
    ]
    if asked.audience == Audience.COMPLETED:
        conditions += [
            Enrolment.state == EnrolmentState.COMPLETED,
            Enrolment.completed_at <= asked.planned_at,
        ]
    if asked.audience == Audience.USERS:
        conditions += [Enrolment.user_id.in_(asked.user_ids or [])]
    if asked.audience == Audience.GROUP:
        conditions += [Enrolment.user_id.in_(members(asked.group_id, asked.planned_at))]
    return and_(*conditions)


def members(group_id: int | None, joined_by: datetime) -> Select[int]:
    """The users who belong to the group and did so at that moment."""
    return select(GroupMember.user_id).where(GroupMember.group_id == group_id, GroupMember.joined_at <= joined_by)


def all_elsewhere(session: Session, asked: Asked) -> bool:
    """Whether there are learners in the audience, and each of them is open in another reset at this moment."""
    anyone = select(Enrolment.id).where(in_audience(asked))
    open_item = exists().where(ResetItem.enrolment_id == Enrolment.id, ResetItem.state == ItemState.PENDING)
    return session.scalars(select(anyone.exists() & ~anyone.where(~open_item).exists())).one()
