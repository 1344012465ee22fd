"""A Celery chord of one task per user, as most would write it: each task clears one user in its own transaction."""

import time
from uuid import UUID

from celery import Celery, chord
from sqlalchemy import delete, func, select, update

from benchmarks.outcome import Measured, outcome
from benchmarks.stage import Stage, Target, ask
from benchmarks.workers import LOOK_EVERY, Worker, WorkerError, running
from config.settings import settings
from models.notifications import Notification, NotificationState
from models.people import User
from models.records import record_kinds
from models.resets import Reset, ResetState
from models.session import transaction
from models.training import Enrolment, EnrolmentState

LIMIT = 600.0

app = Celery("chord", set_as_current=False)
app.add_defaults(lambda: {"broker_url": settings().broker_url, "result_backend": settings().broker_url})


def clear_user(reset_id: str, course_id: int, user_id: int) -> None:
    """Clear one user's records, set the enrolment back, alert the user."""
    with transaction() as session:
        enrolment = session.scalars(
            select(Enrolment)
            .where(Enrolment.course_id == course_id, Enrolment.user_id == user_id, Enrolment.unassigned_at.is_(None))
            .with_for_update()
        ).one()
        for kind in record_kinds():
            session.execute(delete(kind).where(kind.registration == enrolment.registration))
        session.execute(
            update(Enrolment)
            .where(Enrolment.id == enrolment.id)
            .values(
                state=EnrolmentState.ASSIGNED,
                progress=0,
                completed_at=None,
                registration=func.uuidv7(),
                due_at=enrolment.due_at if enrolment.due_at and enrolment.due_at.timestamp() > time.time() else None,
            )
        )
        user = session.get_one(User, user_id)
        if user.notifications_on and user.active:
            alert = Notification(reset_id=UUID(reset_id), user_id=user_id, course_id=course_id)
            alert.state, alert.sent_at = NotificationState.SENT, session.scalars(select(func.now())).one()
            session.add(alert)


def finish(_results: list[None], reset_id: str) -> None:
    """All users are cleared: the chord's callback."""
    with transaction() as session:
        session.execute(
            update(Reset)
            .where(Reset.id == UUID(reset_id))
            .values(state=ResetState.SUCCEEDED, finished_at=func.clock_timestamp())
        )


clear_user_task = app.task(name="chord.clear_user")(clear_user)
finish_task = app.task(name="chord.finish")(finish)


def run(stage: Stage, target: Target, warm_up: Target) -> Measured:
    """Reset the target's course by a chord."""
    with stage.clone(), running(app, "benchmarks.chord") as worker:
        _reset(warm_up, worker)
        stage.checkpoint()
        with worker.watched() as peak:
            seconds = _reset(target, worker)
        return Measured(seconds, seconds, outcome(stage.filled_at), peak.bytes)


def _reset(target: Target, worker: Worker) -> float:
    reset_id, course_id = ask(target)
    with transaction() as session:
        users = session.scalars(
            select(Enrolment.user_id).where(Enrolment.course_id == course_id, Enrolment.unassigned_at.is_(None))
        ).all()
    begun = time.monotonic()
    header = [clear_user_task.s(str(reset_id), course_id, user_id) for user_id in users]
    result = chord(header, app=app)(finish_task.s(str(reset_id)))
    while time.monotonic() < begun + LIMIT:
        worker.check()
        with transaction() as session:
            seconds = session.scalars(
                select(func.extract("epoch", Reset.finished_at - Reset.requested_at)).where(Reset.id == reset_id)
            ).one()
        if seconds is not None:
            result.parent.get(timeout=60)  # lets go of the results, which would look for Redis when Python ends
            result.get(timeout=60)
            return float(seconds)
        time.sleep(LOOK_EVERY)
    raise WorkerError(f"The chord did not end within {LIMIT:.0f} seconds.")
