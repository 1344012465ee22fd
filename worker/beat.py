"""What runs by the clock. Beat only ticks: what is due is in the database, so a lost or doubled tick is harmless."""

from typing import Any

import structlog
from celery import Celery
from celery.signals import beat_embedded_init, beat_init, before_task_publish

from config.celery import BULK, INTERACTIVE, NOTIFY
from config.settings import settings
from models.heartbeat import BEAT, leave_heartbeat
from models.session import DBAPIError, forget_engine, in_words, transaction
from tasks.app import app
from worker.waiting import wait_for_servers

log = structlog.get_logger(__name__)

TIDY_EVERY = 600  # seconds
JOURNAL_EVERY = 60  # seconds: how much a backup can bring back at most


@app.on_after_configure.connect
def schedule_ticks(sender: Celery, **_: Any) -> None:
    """Give beat its schedule, once the settings can be read."""
    ticks = {
        "recover": settings().recover_every_seconds,
        "retrain": settings().retrain_every_seconds,
        "tidy": TIDY_EVERY,
        "keep_journal": JOURNAL_EVERY,
    }
    # Nobody waits for the one; the other waits for the storage.
    queues = {"tidy": BULK, "keep_journal": NOTIFY}
    sender.conf.beat_schedule = {
        name: {
            "task": f"recourse.{name}",
            "schedule": every,
            # Ticks that nobody took in time are of no use, and must not pile up while no worker runs.
            "options": {"queue": queues.get(name, INTERACTIVE), "expires": every},
        }
        for name, every in ticks.items()
    }


@beat_init.connect
def _wait_first(**_: Any) -> None:
    wait_for_servers()
    show_itself()


@before_task_publish.connect(sender="recourse.recover")
def show_itself(**_: Any) -> None:
    """Leave the time in the database: nobody can ask beat whether it is there, and a tick needs a worker to arrive."""
    try:
        with transaction() as session:
            leave_heartbeat(session, BEAT)
    except DBAPIError as error:  # the next tick may be luckier, and this one must go out all the same
        log.warning("heartbeat_not_left", error=in_words(error))


@beat_embedded_init.connect
def _own_connections(**_: Any) -> None:
    """A beat within a worker is a process of its own, with connections of its own."""
    forget_engine(close=False)
    show_itself()
