"""What a run did to the database. Two contenders are compared only if they did the same."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text

from benchmarks.target import Target
from models.records import record_kinds
from models.session import transaction

Outcome = Mapping[str, object]

ENROLMENTS = """
SELECT o.slug, c.code, e.state, e.progress, e.completed_at IS NULL AS completion_gone, e.due_at IS NULL AS due_gone,
       uuid_extract_timestamp(e.registration) > :since AS new_registration, count(*) AS enrolments
FROM enrolment e JOIN course c ON c.id = e.course_id JOIN organization o ON o.id = c.organization_id
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
"""
# A request that has no user has no digest either: every alert is to a learner.
ALERTS = """
SELECT o.slug, c.code, n.kind, n.state, count(*) AS alerts, sum(n.user_id) AS whose
FROM notification n JOIN course c ON c.id = n.course_id JOIN organization o ON o.id = c.organization_id
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


OPEN = """
SELECT count(*) FROM enrolment e JOIN course c ON c.id = e.course_id JOIN organization o ON o.id = c.organization_id
WHERE o.slug = :organization AND c.code = :course
AND (e.state <> 'assigned' OR e.progress <> 0 OR e.completed_at IS NOT NULL)
"""
LEFT = """
SELECT count(*) FROM {kind} r JOIN enrolment e ON e.registration = r.registration JOIN course c ON c.id = e.course_id
JOIN organization o ON o.id = c.organization_id WHERE o.slug = :organization AND c.code = :course
"""


class OutcomesDifferError(Exception):
    """Two contenders did different things, so their times say nothing."""


def outcome(since: datetime) -> Outcome:
    """Returns what a reset changes, in figures, over all courses: also those that no contender may touch.

    A registration given after `since` counts as a new one.
    """
    with transaction() as session:
        session.execute(text("SET LOCAL statement_timeout TO 0"))
        found: dict[str, object] = {
            "enrolments": session.execute(text(ENROLMENTS), {"since": since}).all(),
            "alerts": session.execute(text(ALERTS)).all(),
        }
        for kind in record_kinds():
            found[kind.kind()] = session.execute(text(f"SELECT count(*) FROM {kind.kind()}")).scalar_one()
    return found


def must_be_same(ours: Outcome, theirs: Outcome, name: str) -> None:
    """Raises `OutcomesDifferError`, which says what the contender with that name left and Recourse did not."""
    for what, found in ours.items():
        if found != theirs[what]:
            raise OutcomesDifferError(f"{what}: Recourse left {found}, {name} left {theirs[what]}")


def must_be_reset(target: Target) -> None:
    """Raises `OutcomesDifferError` if a learner of the target's course is not reset, or a record is left."""
    course = {"organization": target.organization, "course": target.course}
    queries = {"enrolments": OPEN} | {kind.kind(): LEFT.format(kind=kind.kind()) for kind in record_kinds()}
    with transaction() as session:
        session.execute(text("SET LOCAL statement_timeout TO 0"))
        for what, query in queries.items():
            if left := session.execute(text(query), course).scalar_one():
                raise OutcomesDifferError(f"{what}: Recourse left {left:,} that it had to reset")
