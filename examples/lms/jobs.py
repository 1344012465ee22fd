"""The LMS's Celery: `celery -A jobs worker -Q lms`. It shares the broker with Recourse, and nothing else."""

import time
from typing import Any

import recourse
import settings
import store
from celery import Celery
from celery.utils.log import get_task_logger
from kombu import Queue

log = get_task_logger(__name__)
app = Celery("lms", broker=settings.BROKER)
app.conf.update(
    task_queues=[Queue("lms")],
    task_default_queue="lms",
    task_ignore_result=True,
    task_acks_late=True,  # a killed worker's request is delivered again
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)
store.prepare()


@app.task(name="lms.clear", shared=False)
def clear(**asked: Any) -> None:
    """Clear records, as a participant of Recourse's resets, and report."""
    if not recourse.is_from_recourse("lms.clear", settings.PARTICIPANT_SECRET, asked):
        return
    report = {"idempotency_key": asked["idempotency_key"], **store.clear(asked)}
    _tell("recourse.report_cleared", settings.PARTICIPANT_SECRET, report)


def request_reset(course: str, reason: str, key: str) -> None:
    """Ask for a reset by message. The answer comes to `answered`."""
    arguments = {
        "organization": settings.ORGANIZATION,
        "course": course,
        "confirm": course,
        "reason": reason,
        "idempotency_key": key,
        "application": settings.APPLICATION,
        "sent_at": int(time.time()),
        "reply_to": {"task": "lms.answered", "queue": "lms"},
    }
    _tell("recourse.request_reset", settings.MESSAGE_SECRET, arguments)


@app.task(name="lms.answered", shared=False)
def answered(answer: dict[str, Any]) -> None:
    """Note Recourse's answer: the id of the reset, or why it was refused."""
    log.warning("Recourse says %s", answer)


def _tell(task: str, secret: str, arguments: dict[str, Any]) -> None:
    queue = Queue("recourse.interactive")  # declared by Recourse
    app.send_task(task, kwargs=recourse.signed(task, secret, arguments), queue=queue, declare=[], add_to_parent=False)
