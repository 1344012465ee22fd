"""Resets of single learners, as someone asks for them who waits for the result."""

import time
from collections.abc import Callable

from sqlalchemy import text

from benchmarks.asked import value
from benchmarks.contenders import recourse
from benchmarks.programs import RunError
from models.session import transaction

LOOK_EVERY = 0.01
PAUSE = 0.05  # between two of them
LIMIT = 60.0
EMAILS = """
SELECT u.email FROM enrolment e JOIN "user" u ON u.id = e.user_id JOIN course c ON c.id = e.course_id
JOIN organization o ON o.id = c.organization_id WHERE o.slug = :organization AND c.code = :course ORDER BY e.id
"""
SECONDS = "SELECT extract(epoch FROM finished_at - requested_at) FROM reset WHERE id = :reset"


class Singles:
    """The learners of a small course, who are reset one after the other."""

    def __init__(self, organization: str, course: str) -> None:
        self._organization, self._course = organization, course
        with transaction() as session:
            found = session.scalars(text(EMAILS), {"organization": organization, "course": course})
            self._left = list(found)

    def reset(self, count: int) -> list[float]:
        """Reset the next `count` learners. Returns the seconds from each request to its settled reset."""
        return [self._next() for _ in range(count)]

    def reset_while(self, lasts: Callable[[], bool]) -> list[float]:
        """Reset the next learners as long as `lasts` returns true, at least one. Returns the seconds of each."""
        took = [self._next()]
        while lasts():
            if self._left:
                took.append(self._next())
            time.sleep(PAUSE)
        return took

    def _next(self) -> float:
        reset_id = recourse.request(self._organization, self._course, self._left.pop())
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if (seconds := value(SECONDS, reset=reset_id)) is not None:
                return float(seconds)
            time.sleep(LOOK_EVERY)
        raise RunError(f"The reset of a single learner did not end within {LIMIT:.0f} seconds.")
