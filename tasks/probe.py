"""The probes of queues: see `models/queue_probes.py`.

If probes of a queue are not read, workers are asked whether they read it: see
`docs/decisions/0121-workers-are-asked-when-a-queue-is-not-read.md`.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.celery import INTERACTIVE
from config.settings import settings
from models.heartbeat import TICKS, leave_heartbeat
from models.queue_probes import begin_probe, end_probe, forget_probes, long_unread, note_workers, probes_read
from models.session import transaction
from tasks.app import app
from tasks.broker import without_worker
from tasks.messages import PROBE, send_probe

UNREAD = 30.0  # seconds until workers are asked whether one of them reads the queue at all: it may only be long
ROLL_CALL = 1.0  # seconds that workers have for their answer; waited for only if one is missing


@app.task(name=PROBE, send_events=False)  # it would bury the resets in Flower
def probe(*, queue: str, sent_at: str) -> None:
    """Note that the queue was read up to the moment when this was sent."""
    with transaction() as session:
        if queue == INTERACTIVE:  # busy workers may drop ticks that waited for too long, but they are there
            leave_heartbeat(session, TICKS)
        end_probe(session, queue, datetime.fromisoformat(sent_at))


def read_up_to(session: Session, waiting: Mapping[str, int]) -> dict[str, datetime | None]:
    """Returns by queue up to which moment it was read: until now if it is empty. `None` if that is not known yet.

    `waiting` has the number of messages by queue. Where some wait, a probe is sent behind them.
    """
    now = session.scalars(select(func.now())).one()
    empty = [queue for queue, messages in waiting.items() if not messages]
    read = probes_read(session) | dict.fromkeys(empty, now)
    forget_probes(session, empty)
    for queue in waiting.keys() - set(empty):
        sent_at = begin_probe(session, queue, settings().recover_every_seconds / 2)
        if sent_at is not None:
            send_probe(session, queue, sent_at)
    return {queue: read.get(queue) for queue in waiting}


def look_for_workers() -> None:
    """Ask the workers about queues that were not read for a while, and note which of them no worker consumes.

    Raises `OperationalError` of kombu if the broker does not answer.
    """
    with transaction() as session:
        unread = long_unread(session, UNREAD)
    if unread:
        missing = without_worker(unread, within=ROLL_CALL)
        with transaction() as session:
            note_workers(session, unread, missing)
