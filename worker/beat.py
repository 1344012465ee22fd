"""The schedule of periodic tasks. Due times are in the database, so a lost or duplicate tick is harmless."""

from typing import Any

from celery import Celery
from celery.signals import beat_embedded_init, beat_init, before_task_publish

from config.celery import BULK, INTERACTIVE, NOTIFY
from config.log import logger
from config.settings import settings
from models.heartbeat import BEAT, leave_heartbeat
from models.session import DBAPIError, forget_engine, in_words, transaction
from tasks.app import app
from worker.waiting import wait_for_servers

log = logger(__name__)

TIDY_EVERY = 600  # seconds
JOURNAL_EVERY = 60  # seconds; resets of the last minute may be missing from the journal


@app.on_after_configure.connect
def schedule_ticks(sender: Celery, **_: Any) -> None:
    """Set beat's schedule, which depends on the settings."""
    ticks = {
        "recover": settings().recover_every_seconds,
        "retrain": settings().retrain_every_seconds,
        "tidy": TIDY_EVERY,
        "keep_journal": JOURNAL_EVERY,
    }
    # No one waits for `tidy`; `keep_journal` waits for the storage.
    queues = {"tidy": BULK, "keep_journal": NOTIFY}
    sender.conf.beat_schedule = {
        name: {
            "task": f"recourse.{name}",
            "schedule": every,
            # Ticks must not pile up while no worker runs.
            "options": {"queue": queues.get(name, INTERACTIVE), "expires": every},
        }
        for name, every in ticks.items()
    }


@beat_init.connect
def _start(**_: Any) -> None:
    wait_for_servers()
    report_alive()


@before_task_publish.connect(sender="recourse.recover")
def report_alive(**_: Any) -> None:
    """Store the time in the database. Beat answers no questions, and a tick alone would need a worker to be seen."""
    try:
        with transaction() as session:
            leave_heartbeat(session, BEAT)
    except DBAPIError as error:  # send the tick all the same
        log.warning("heartbeat_not_left", error=in_words(error))


@beat_embedded_init.connect
def _own_connections(**_: Any) -> None:
    """Use connections of this process: a beat embedded in a worker is forked from it."""
    forget_engine(close=False)
    report_alive()
