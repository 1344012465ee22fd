"""Recourse by its own path: a preview, its request, a worker, the settled reset, and its alerts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from sqlalchemy import select, text

from benchmarks.asked import value
from benchmarks.contenders.contender import Contender, Took
from benchmarks.programs import LOOK_EVERY, Program, RunError
from benchmarks.target import Target
from benchmarks.workers import PROCESSES, celery_worker, celery_worker_beside
from models.access import Actor, console_operator
from models.people import Organization
from models.resets import ResetState
from models.session import transaction
from tasks.app import app
from tasks.reset.impact import preview
from tasks.reset.request import request_reset

QUEUES = "interactive,bulk,notify"
LIMIT = 3600.0
COUNTING = 0.05  # of the time, at most, may go into counting alerts while they are sent

STATE = "SELECT state, extract(epoch FROM finished_at - requested_at) FROM reset WHERE id = :reset"
IS_SETTLED = "SELECT finished_at IS NOT NULL FROM reset WHERE id = :reset"
EXPECTED = """
SELECT count(*) FROM enrolment e
JOIN "user" u ON u.id = e.user_id JOIN course c ON c.id = e.course_id JOIN organization o ON o.id = c.organization_id
WHERE o.slug = :organization AND c.code = :course AND e.unassigned_at IS NULL AND u.notifications_on AND u.active
"""
SENT = "SELECT count(*) FROM notification WHERE reset_id = :reset AND kind = 'course_assigned' AND state = 'sent'"
# The moment of the last commit, however the alerts are written, and exact however seldom we look.
LAST_ALERT = """
SELECT extract(epoch FROM max(pg_xact_commit_timestamp(written.by)) - max(reset.requested_at))
FROM reset, (SELECT DISTINCT xmin AS by FROM notification WHERE reset_id = :reset) written WHERE reset.id = :reset
"""


@contextmanager
def started(*options: str) -> Iterator[Callable[[Target], Took]]:
    """Start a worker with these further options of Celery's command."""
    with worker(*options) as program:
        yield partial(reset, program)


@contextmanager
def worker(*options: str, processes: int = PROCESSES) -> Iterator[Program]:
    """Run the product's worker within the scope."""
    with celery_worker(app, "worker", "-Q", QUEUES, *options, processes=processes) as program:
        yield program


@contextmanager
def interactive_worker() -> Iterator[Program]:
    """Run, beside the worker, the one for what a person waits for, as `recourse up` and Compose do."""
    with celery_worker_beside(app, "worker", "-Q", "interactive") as program:
        yield program


def reset(program: Program, target: Target) -> Took:
    """Reset the target's course and wait until its last alert is sent."""
    alerts = value(EXPECTED, organization=target.organization, course=target.course)
    return wait(program, request(target.organization, target.course), alerts)


def request(organization: str, course: str, *users: str) -> UUID:
    """Preview and request a reset for everyone assigned, or for the users with these addresses. Returns its id."""
    with transaction() as session:
        session.execute(text("SET LOCAL statement_timeout TO 0"))
        actor = actor_of(organization)
        named = {"audience": "users", "users": list(users)} if users else {}
        token = preview(session, actor, course, about=True, **named).token  # type: ignore[arg-type]
    with transaction() as session:
        return request_reset(session, actor, plan=token, confirm=course, reason="benchmark").id


def actor_of(organization: str) -> Actor:
    """Returns the operator of that organization."""
    with transaction() as session:
        return console_operator(session.scalars(select(Organization).where(Organization.slug == organization)).one())


def wait(program: Program, reset_id: UUID, alerts: int) -> Took:
    """Wait until the reset is settled and that many alerts are sent. Raises `RunError`."""
    end = time.monotonic() + LIMIT
    settled: float | None = None
    while time.monotonic() < end:
        program.check()
        settled = settled or _settled(program, reset_id)
        began = time.monotonic()
        if settled is not None and value(SENT, reset=reset_id) >= alerts:
            last = value(LAST_ALERT, reset=reset_id) if alerts else None
            return Took(settled, max(settled, float(last or 0)))
        time.sleep(max(LOOK_EVERY, (time.monotonic() - began) / COUNTING if settled else 0))
    raise RunError(f"The reset did not end within {LIMIT:.0f} seconds. The worker's log:\n{program.last_lines()}")


def _settled(program: Program, reset_id: UUID) -> float | None:
    with transaction() as session:
        state, seconds = session.execute(text(STATE), {"reset": reset_id}).one()
    if seconds is not None and state != ResetState.SUCCEEDED:
        raise RunError(f"The reset ended as {state}. The end of the worker's log:\n{program.last_lines()}")
    return None if seconds is None else float(seconds)


RECOURSE = Contender("recourse", "Recourse", started)
