"""A DBA's script: `script.sql`, run over the same tables."""

import time
from pathlib import Path
from uuid import UUID

import psycopg
from sqlalchemy import text

from benchmarks.outcome import Measured, outcome
from benchmarks.stage import Stage, Target
from models.session import engine, transaction

SCRIPT = Path(__file__).with_suffix(".sql").read_bytes()
ASKED = """
INSERT INTO reset (id, organization_id, course_id, audience, planned_at, notify, reason, requester, task_id)
SELECT uuidv7(), o.id, c.id, 'assigned', now(), true, 'benchmark', 'script', uuidv7()
FROM course c JOIN organization o ON o.id = c.organization_id WHERE o.slug = :organization AND c.code = :course
RETURNING id, course_id
"""


def run(stage: Stage, target: Target, warm_up: Target) -> Measured:
    """Reset the target's course in one transaction."""
    with stage.clone():
        _reset(warm_up)
        stage.checkpoint()
        seconds = _reset(target)
        return Measured(seconds, seconds, outcome(stage.filled_at))


def ask(target: Target) -> tuple[UUID, int]:
    """Write down who asked for what, as everybody does. Gives the reset's id and the course's."""
    with transaction() as session:
        reset_id, course_id = session.execute(
            text(ASKED), {"organization": target.organization, "course": target.course}
        ).one()
        return reset_id, course_id


def _reset(target: Target) -> float:
    reset_id, course_id = ask(target)
    with engine().connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        begun = time.perf_counter()
        # A cursor that puts the values in by itself can send the whole script at once.
        psycopg.ClientCursor(driver).execute(SCRIPT, {"reset": reset_id, "course": course_id})
        return time.perf_counter() - begun
