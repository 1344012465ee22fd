"""A learner who writes while the course is reset, and how long each write takes."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import text

from models.learning import record_progress
from models.refusals.training import StaleRegistration
from models.session import transaction

MOST = 5_000  # learners who write, spread over the course
LEARNERS = """
SELECT e.id, e.registration FROM enrolment e JOIN course c ON c.id = e.course_id
JOIN organization o ON o.id = c.organization_id
WHERE o.slug = :organization AND c.code = :course ORDER BY random() LIMIT :most
"""
LESSON = """
SELECT a.id FROM activity a JOIN course c ON c.id = a.course_id JOIN organization o ON o.id = c.organization_id
WHERE o.slug = :organization AND c.code = :course AND a.kind = 'lesson' LIMIT 1
"""
REGISTRATION = "SELECT registration FROM enrolment WHERE id = :enrolment"


@contextmanager
def writing(organization: str, course: str) -> Iterator[list[float]]:
    """Write the progress of the course's learners within the scope, one write after the other, in a thread.

    Provides the seconds that each write took, from the start of its transaction to its commit or its refusal.
    """
    waits: list[float] = []
    errors: list[BaseException] = []
    over = threading.Event()
    names = {"organization": organization, "course": course}
    with transaction() as session:
        learners = {row.id: row.registration for row in session.execute(text(LEARNERS), names | {"most": MOST})}
        lesson: int = session.execute(text(LESSON), names).scalar_one()

    def write() -> None:
        try:
            ids = list(learners)
            while not over.is_set():
                enrolment = random.choice(ids)
                began = time.perf_counter()
                is_stale = not _write(learners[enrolment], lesson)
                waits.append(time.perf_counter() - began)
                if is_stale:  # the learner's page asks for the new registration
                    learners[enrolment] = _registration(enrolment)
        except BaseException as error:
            errors.append(error)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield waits
    finally:
        over.set()
        writer.join()
    if errors:
        raise errors[0]


def _write(registration: UUID, lesson: int) -> bool:
    """Write the progress of a lesson. Returns whether the registration was a current one."""
    try:
        with transaction() as session:
            record_progress(session, registration, lesson, random.randint(0, 100))
    except StaleRegistration:
        return False
    return True


def _registration(enrolment: int) -> UUID:
    with transaction() as session:
        registration: UUID = session.execute(text(REGISTRATION), {"enrolment": enrolment}).scalar_one()
        return registration
