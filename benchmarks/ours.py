"""Recourse: a reset that is requested, run by a worker, settled, and its alerts sent."""

import time
from uuid import UUID

from sqlalchemy import exists, func, select

from benchmarks.outcome import Measured, outcome
from benchmarks.stage import Stage, Target
from benchmarks.workers import Worker, WorkerError, running
from models.access import Actor, console_operator
from models.notifications import Notification, NotificationState
from models.people import Organization
from models.resets import Reset, ResetState
from models.session import transaction
from tasks.app import app
from tasks.preview import preview
from tasks.request import request_reset

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
        actor = operator(session.scalars(select(Organization).where(Organization.slug == target.organization)).one())
        plan = preview(session, actor, target.course)
    with transaction() as session:
        reset = request_reset(session, actor, plan=plan.token, confirm=target.course, reason="benchmark")
    return _wait(reset.id, worker)


def operator(organization: Organization) -> Actor:
    """Who asks for the reset."""
    return console_operator(organization)


def _wait(reset_id: UUID, worker: Worker) -> tuple[float, float]:
    """Seconds from the request until it was settled, by the ledger, and until no alert was left, as seen from here."""
    pending = exists().where(Notification.reset_id == Reset.id, Notification.state == NotificationState.PENDING)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        worker.check()
        with transaction() as session:
            state, seconds = session.execute(
                select(Reset.state, func.extract("epoch", Reset.finished_at - Reset.requested_at)).where(
                    Reset.id == reset_id
                )
            ).one()
            if seconds is not None:
                if state != ResetState.SUCCEEDED:
                    raise WorkerError(f"The reset ended as {state}.")
                so_far, left = session.execute(
                    select(func.extract("epoch", func.clock_timestamp() - Reset.requested_at), pending).where(
                        Reset.id == reset_id
                    )
                ).one()
                if not left:
                    return float(seconds), float(so_far)
        time.sleep(0.05)
    raise WorkerError(f"The reset did not end within {LIMIT:.0f} seconds.")
