"""What a run did to the database. Two contenders are compared only if they did the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.records import record_kinds
from models.session import transaction

ENROLMENTS = """
SELECT o.slug, c.code, e.state, e.progress, e.completed_at IS NULL AS completion_gone, e.due_at IS NULL AS due_gone,
       uuid_extract_timestamp(e.registration) > :filled_at AS new_registration, count(*) AS enrolments
FROM enrolment e JOIN course c ON c.id = e.course_id JOIN organization o ON o.id = c.organization_id
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
"""
ALERTS = """
SELECT o.slug, c.code, n.state, count(*) AS alerts, sum(n.user_id) AS whose
FROM notification n JOIN course c ON c.id = n.course_id JOIN organization o ON o.id = c.organization_id
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


class OutcomesDifferError(Exception):
    """Two contenders did different things, so their times say nothing."""


@dataclass(frozen=True)
class Measured:
    """One run: seconds until the reset was settled, until its last alert was sent, and what it left."""

    seconds: float
    with_alerts: float
    outcome: Mapping[str, object]
    peak: int = 0


def outcome(filled_at: datetime) -> dict[str, object]:
    """All of the database that a reset changes, in figures; the other courses too, which nobody may touch."""
    with transaction() as session:
        found: dict[str, object] = {
            "enrolments": session.execute(text(ENROLMENTS), {"filled_at": filled_at}).all(),
            "alerts": session.execute(text(ALERTS)).all(),
        }
        for kind in record_kinds():
            found[kind.kind()] = session.execute(text(f"SELECT count(*) FROM {kind.kind()}")).scalar_one()
    return found


def must_be_same(ours: Measured, other: Measured, name: str) -> None:
    """Raises OutcomesDifferError."""
    for what, found in ours.outcome.items():
        if found != other.outcome[what]:
            raise OutcomesDifferError(f"{what}: Recourse left {found}, {name} left {other.outcome[what]}")
