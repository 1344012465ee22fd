"""What runs by the clock. Beat only ticks: what is due is in the database, so a lost or doubled tick is harmless."""

from typing import Any

from celery import Celery

from config.celery import INTERACTIVE
from config.settings import settings
from tasks.app import app


@app.on_after_configure.connect
def schedule_ticks(sender: Celery, **_: Any) -> None:
    """Give beat its schedule, once the settings can be read."""
    every = settings().recover_every_seconds
    sender.conf.beat_schedule = {
        "recover": {
            "task": "recourse.recover",
            "schedule": every,
            # Ticks that nobody took in time are of no use, and must not pile up while no worker runs.
            "options": {"queue": INTERACTIVE, "expires": every},
        }
    }
