"""Completion over time: daily counts of each course, taken at the end of the day in UTC. Counts only, and no person.

Past completions are gone after a reset, so these counts cannot be made up for later. See
`docs/decisions/0117-completion-over-time.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Date, ForeignKey, Index, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.settings import settings
from models.base import Base
from models.resets import Reset, ResetSlice
from models.training import Course, Enrolment, EnrolmentState

FEWEST = 10
"""Learners that a course must have for its counts to be kept or shown: of fewer, a count says much about each."""


class CourseDay(Base):
    """A course at the end of a day."""

    __tablename__ = "course_day"
    __table_args__ = (Index(None, "day"),)

    course_id: Mapped[int] = mapped_column(ForeignKey("course.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    assigned: Mapped[int]  # learners; 0: learners were reset before the day was counted, so it is not known
    completed: Mapped[int]  # of these
    due: Mapped[int]  # of these, by their due dates: who should have completed it
    overdue: Mapped[int]  # of these, who have not


@dataclass(frozen=True)
class Day:
    """A course on a day. Today's counts are those of now."""

    day: date
    assigned: int
    completed: int
    due: int
    overdue: int
    resets: int = 0  # that reset someone on this day
    learners_reset: int = 0


# A learner's moments, each with what it adds to the counts. Moments before the assignment count with it, and the end of
# the assignment takes back what the learner was counted as. A day ends before its midnight, as in `Enrolment.is_due`.
_COUNT = """
WITH span AS (  -- the days to be counted. Until the course's last reset, some completions are no longer known.
    SELECT c.id AS course_id,
           greatest(min((e.assigned_at AT TIME ZONE 'UTC')::date), max((e.reset_at AT TIME ZONE 'UTC')::date),
                    (SELECT max(day) + 1 FROM course_day d WHERE d.course_id = c.id),
                    (now() AT TIME ZONE 'UTC')::date + 1 - CAST(:kept AS integer)) AS first,
           (now() AT TIME ZONE 'UTC')::date - 1 AS last,
           coalesce(max((e.reset_at AT TIME ZONE 'UTC')::date) >= (now() AT TIME ZONE 'UTC')::date, false) AS too_late
    FROM course c JOIN enrolment e ON e.course_id = c.id
    WHERE {courses} AND NOT EXISTS (SELECT FROM course_day d WHERE d.course_id = c.id
                                                               AND d.day = (now() AT TIME ZONE 'UTC')::date - 1)
    GROUP BY c.id
    HAVING count(*) FILTER (WHERE e.unassigned_at IS NULL) >= :fewest
), learner AS (
    SELECT s.course_id, s.first, e.assigned_at, e.unassigned_at,
           CASE WHEN e.completed_at < coalesce(e.unassigned_at, 'infinity')
                THEN greatest(e.completed_at, e.assigned_at) END AS completed_at,
           CASE WHEN e.due_at < coalesce(e.unassigned_at, 'infinity')
                THEN greatest(e.due_at, e.assigned_at) END AS due_at
    FROM span s JOIN enrolment e USING (course_id)
    WHERE s.first <= s.last
    OFFSET 0  -- computes each moment once, and not wherever it is named
), moment AS (
    SELECT course_id, greatest((at AT TIME ZONE 'UTC')::date, first) AS day,
           sum(assigned) AS assigned, sum(completed) AS completed, sum(due) AS due, sum(overdue) AS overdue
    FROM learner l CROSS JOIN LATERAL (VALUES
        (l.assigned_at, 1, 0, 0, 0),
        (l.completed_at, 0, 1, 0, -(coalesce(l.completed_at > l.due_at, false))::int),
        (l.due_at, 0, 0, 1, (coalesce(l.completed_at > l.due_at, true))::int),
        (l.unassigned_at, -1, -(l.completed_at IS NOT NULL)::int, -(l.due_at IS NOT NULL)::int,
         -(l.due_at IS NOT NULL AND l.completed_at IS NULL)::int)
    ) AS change (at, assigned, completed, due, overdue)
    WHERE at IS NOT NULL
    GROUP BY 1, 2
), counted AS (
    SELECT s.course_id, d.day::date AS day,
           sum(coalesce(m.assigned, 0)) OVER so_far AS assigned, sum(coalesce(m.completed, 0)) OVER so_far AS completed,
           sum(coalesce(m.due, 0)) OVER so_far AS due, sum(coalesce(m.overdue, 0)) OVER so_far AS overdue
    FROM span s CROSS JOIN LATERAL generate_series(s.first, s.last, interval '1 day') AS d (day)
    LEFT JOIN moment m ON m.course_id = s.course_id AND m.day = d.day::date
    WINDOW so_far AS (PARTITION BY s.course_id ORDER BY d.day)
)
INSERT INTO course_day (course_id, day, assigned, completed, due, overdue)
SELECT course_id, day, assigned, completed, due, overdue FROM counted WHERE assigned >= :fewest
UNION ALL
SELECT course_id, last, 0, 0, 0, 0 FROM span WHERE too_late  -- so that nobody looks at it again
ON CONFLICT DO NOTHING
"""
COUNT_ALL = text(_COUNT.format(courses="true"))
COUNT_SOME = text(_COUNT.format(courses="c.id = ANY (CAST(:courses AS bigint[]))"))


def count_days(session: Session, most: int) -> int:  # noqa: ARG001 - as the other steps of `tidy`
    """Count each course at the end of each day since it was last counted. Returns how many rows were written.

    A day is counted from the times of the enrolments, whenever that is done: after a pause, the missing days are made
    up for, and a new course gets its past. Days before a course's last reset cannot be.
    """
    done: Any = session.execute(COUNT_ALL, _values())
    return int(done.rowcount)


def count_days_before_reset(session: Session, course_ids: Sequence[int]) -> None:
    """Count the days of these courses that are not counted yet, as they cannot be once a learner is reset or erased.

    Call it before the first learner is. Costs one lookup for a course whose yesterday is counted.
    """
    session.execute(COUNT_SOME, _values() | {"courses": [*course_ids]})


def _values() -> dict[str, Any]:
    return {"kept": settings().keep_completion_days or None, "fewest": FEWEST}


def completion_over_time(session: Session, course: Course, since: date | None = None) -> list[Day]:
    """Returns the course's days since that one, in order; the last is today. Days with too few learners are missing,
    and those that are not known."""
    resets = _resets_by_day(session, course, since)
    query = select(CourseDay.day, CourseDay.assigned, CourseDay.completed, CourseDay.due, CourseDay.overdue)
    query = query.where(CourseDay.course_id == course.id, CourseDay.assigned > 0).order_by(CourseDay.day)
    if since is not None:
        query = query.where(CourseDay.day >= since)
    days = [Day(*row) for row in (*session.execute(query), *_today(session, course))]
    none = (0, 0)
    marks = [resets.get(one.day, none) for one in days]
    return [
        replace(one, resets=number, learners_reset=learners)
        for one, (number, learners) in zip(days, marks, strict=True)
    ]


def _today(session: Session, course: Course) -> list[Any]:
    now = func.now()
    assigned = func.count()
    row = session.execute(
        select(
            _day_of(now),
            assigned,
            assigned.filter(Enrolment.state == EnrolmentState.COMPLETED),
            assigned.filter(Enrolment.is_due(now)),
            assigned.filter(Enrolment.is_overdue(now)),
        ).where(Enrolment.course_id == course.id, Enrolment.unassigned_at.is_(None))
    ).one()
    return [row] if row[1] >= FEWEST else []


def _resets_by_day(session: Session, course: Course, since: date | None) -> dict[date, tuple[int, int]]:
    """Returns the number of resets and of the learners they reset, by day."""
    day = _day_of(ResetSlice.settled_at)
    query = (
        select(day, func.count(ResetSlice.reset_id.distinct()), func.sum(ResetSlice.cleared))
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(Reset.course_id == course.id, Reset.organization_id == course.organization_id, ResetSlice.cleared > 0)
        .group_by(day)
    )
    if since is not None:
        query = query.where(day >= since, Reset.finished_at.is_(None) | (Reset.finished_at >= since))
    return {found: (resets, int(learners)) for found, resets, learners in session.execute(query)}


def _day_of(moment: Any) -> Any:
    return func.timezone("UTC", moment).cast(Date)
