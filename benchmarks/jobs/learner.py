"""Reset one learner in one transaction: the work that every job of the other contenders does."""

import threading
from typing import Any

import psycopg

FIND = """
SELECT id, registration FROM enrolment
WHERE course_id = %(course)s AND user_id = %(user)s AND unassigned_at IS NULL FOR UPDATE
"""
TABLES = (  # of all record kinds
    "lesson_progress",
    "practical_assessment",
    "discussion_post",
    "assignment_submission",
    "completion",
    "certificate",
)
STATEMENTS = (
    *(f"DELETE FROM {table} WHERE registration = %(registration)s" for table in TABLES),
    """UPDATE enrolment SET state = 'assigned', progress = 0, completed_at = NULL, registration = uuidv7(),
       due_at = CASE WHEN due_at > now() THEN due_at END WHERE id = %(enrolment)s""",
    """INSERT INTO notification (reset_id, user_id, course_id, state, sent_at)
       SELECT %(reset)s, id, %(course)s, 'sent', now() FROM "user"
       WHERE id = %(user)s AND notifications_on AND active""",
)

_here = threading.local()


def own_connection() -> psycopg.Connection[Any]:
    """Returns the connection of this thread, opened at its first use, to the database that libpq's variables name."""
    if not hasattr(_here, "connection"):
        _here.connection = psycopg.connect(autocommit=True)
    connection: psycopg.Connection[Any] = _here.connection
    return connection


def clear_learner(connection: psycopg.Connection[Any], reset_id: str, course_id: int, user_id: int) -> None:
    """Delete one user's records in the course, give the enrolment a new registration, and alert the user."""
    values = {"reset": reset_id, "course": course_id, "user": user_id}
    with connection.transaction():
        found = connection.execute(FIND, values).fetchone()
        if found is not None:
            values |= {"enrolment": found[0], "registration": found[1]}
            for statement in STATEMENTS:
                connection.execute(statement.encode(), values)


async def clear_learner_async(
    connection: psycopg.AsyncConnection[Any], reset_id: str, course_id: int, user_id: int
) -> None:
    """Do the same with asyncio."""
    values = {"reset": reset_id, "course": course_id, "user": user_id}
    async with connection.transaction():
        found = await (await connection.execute(FIND, values)).fetchone()
        if found is not None:
            values |= {"enrolment": found[0], "registration": found[1]}
            for statement in STATEMENTS:
                await connection.execute(statement.encode(), values)
