"""The completions that a rolling rule looks at, always a range of the index `ix_enrolment_completed`.

Months and due days are counted on the rule's clock, in Python; the database only compares moments. See
`docs/decisions/0031-due-times-are-local.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from models.exemptions import exempt_at
from models.groups import members_at
from models.people import User
from models.training import Enrolment


@dataclass(frozen=True)
class DueCompletions:
    """The completions of a course by everyone assigned, or by the members of a group."""

    course_id: int
    group_id: int | None
    joined_by: datetime  # users who joined the group later do not count

    def between(self, first: datetime | None, end: datetime | None) -> ColumnElement[bool]:
        """The condition that an enrolment was completed at `first` or later, and before `end`."""
        conditions = [Enrolment.course_id == self.course_id, Enrolment.unassigned_at.is_(None)]
        if first is not None:
            conditions.append(Enrolment.completed_at >= first)
        if end is not None:
            conditions.append(Enrolment.completed_at < end)
        if self.group_id is not None:
            conditions.append(Enrolment.user_id.in_(members_at(self.group_id, self.joined_by)))
        return and_(*conditions)

    def earliest(self, session: Session, first: datetime) -> datetime | None:
        """Returns the moment of the earliest completion at `first` or later, `None` if there is none."""
        return session.scalar(select(func.min(Enrolment.completed_at)).where(self.between(first, None)))

    def count(self, session: Session, first: datetime, end: datetime) -> int:
        """Returns the number of completions from `first` until before `end`, without learners who are exempt now."""
        return session.scalars(select(func.count()).select_from(Enrolment).where(*self._counted(first, end))).one()

    def names(self, session: Session, first: datetime, end: datetime, limit: int) -> Sequence[str]:
        """Returns the first names in the alphabet of those whom `count` counts."""
        query = select(User.name).join(Enrolment, Enrolment.user_id == User.id).where(*self._counted(first, end))
        return session.scalars(query.order_by(User.name).limit(limit)).all()

    def _counted(self, first: datetime, end: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return self.between(first, end), ~exempt_at(self.joined_by)
