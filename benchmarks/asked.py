"""What a contender is asked to do: the course, the reset's row, and the learners."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from benchmarks.target import Target
from models.session import transaction

ASK = """
INSERT INTO reset (id, organization_id, course_id, audience, planned_at, notify, reason, requester, task_id)
SELECT uuidv7(), o.id, c.id, 'assigned', now(), true, 'benchmark', 'benchmark', uuidv7()
FROM course c JOIN organization o ON o.id = c.organization_id WHERE o.slug = :organization AND c.code = :course
RETURNING id, course_id
"""
LEARNERS = "SELECT user_id FROM enrolment WHERE course_id = :course AND unassigned_at IS NULL ORDER BY id"
OPEN = "SELECT EXISTS (SELECT FROM enrolment WHERE course_id = :course AND state <> 'assigned')"


@dataclass(frozen=True)
class Asked:
    """A requested reset. Recourse writes such a row by itself; the others get it made."""

    reset_id: UUID
    course_id: int


def ask(target: Target) -> Asked:
    """Write down the request to reset the target's course."""
    with transaction() as session:
        row = session.execute(text(ASK), {"organization": target.organization, "course": target.course}).one()
        return Asked(*row)


def learners_of(asked: Asked) -> list[int]:
    """Returns the ids of the users to reset."""
    with transaction() as session:
        return list(session.scalars(text(LEARNERS), {"course": asked.course_id}))


def is_open(asked: Asked) -> bool:
    """Returns whether a learner is not reset yet."""
    return bool(value(OPEN, course=asked.course_id))


def value(query: str, **parameters: object) -> Any:
    """Returns one value from the database of the run."""
    with transaction() as session:
        return session.execute(text(query), parameters).scalar_one()
