"""Who is in a reset."""

from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, and_

from models.resets import Audience
from models.training import Enrolment, EnrolmentState


class Asked(Protocol):
    """What a plan and a reset both say about whom it is for."""

    @property
    def course_id(self) -> int: ...
    @property
    def audience(self) -> Audience: ...
    @property
    def user_ids(self) -> list[int] | None: ...
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
    return and_(*conditions)
