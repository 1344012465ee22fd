"""Recourse: a reset that is requested, run by a worker, settled, and its alerts sent."""

import time
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from benchmarks.outcome import Measured, outcome
from benchmarks.stage import Stage, Target
from benchmarks.workers import LOOK_EVERY, Worker, WorkerError, last_lines, running
from models.access import console_operator
from models.notifications import Notification, NotificationState
from models.people import Organization
from models.resets import Reset, ResetState
from models.session import transaction
from tasks.app import app
from tasks.reset.impact import preview
from tasks.reset.request import request_reset

LIMIT = 600.0


def run(stage: Stage, target: Target, warm_up: Target) -> Measured:
    """Reset the target's course by the product's own path."""
    with stage.clone(), running(app, "worker", "-Q", "interactive,bulk,notify") as worker:
        _reset(warm_up, worker)
        stage.checkpoint()
        with worker.watched() as peak:
            seconds, with_alerts = _reset(target, worker)
        return Measured(seconds, with_alerts, outcome(stage.filled_at), peak.bytes)


def _reset(target: Target, worker: Worker) -> tuple[float, float]:
    with transaction() as session:
        organization = session.scalars(select(Organization).where(Organization.slug == target.organization)).one()
        actor = console_operator(organization)
        plan = preview(session, actor, target.course)
    with transaction() as session:
        reset = request_reset(session, actor, plan=plan.token, confirm=target.course, reason="benchmark")
    return _wait(reset.id, worker)


def _wait(reset_id: UUID, worker: Worker) -> tuple[float, float]:
    """Seconds from the request until the ledger was settled, and until no alert was left, as seen from here."""
    settled: float | None = None
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        worker.check()
        with transaction() as session:
            if settled is None:
                settled = _settled_after(session, reset_id)
            if settled is not None and (all_sent := _all_sent_by_now(session, reset_id)):
                return settled, all_sent
        time.sleep(LOOK_EVERY)
    raise WorkerError(f"The reset did not end within {LIMIT:.0f} seconds.")


def _settled_after(session: Session, reset_id: UUID) -> float | None:
    took = func.extract("epoch", Reset.finished_at - Reset.requested_at)
    state, seconds = session.execute(select(Reset.state, took).where(Reset.id == reset_id)).one()
    if seconds is not None and state != ResetState.SUCCEEDED:
        raise WorkerError(f"The reset ended as {state}. The end of the worker's log:\n{last_lines()}")
    return None if seconds is None else float(seconds)


def _all_sent_by_now(session: Session, reset_id: UUID) -> float | None:
    pending = exists().where(Notification.reset_id == Reset.id, Notification.state == NotificationState.PENDING)
    so_far = func.extract("epoch", func.clock_timestamp() - Reset.requested_at)
    seconds = session.scalar(select(so_far).where(Reset.id == reset_id, ~pending))
    return None if seconds is None else float(seconds)
