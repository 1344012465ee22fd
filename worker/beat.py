"""What runs by the clock. Beat only ticks: what is due is in the database, so a lost or doubled tick is harmless."""

from typing import Any

from celery import Celery

from config.celery import INTERACTIVE
from config.settings import settings
from tasks.app import app


@app.on_after_configure.connect
def schedule_ticks(sender: Celery, **_: Any) -> None:
    """Give beat its schedule, once the settings can be read."""
    ticks = {"recover": settings().recover_every_seconds, "retrain": settings().retrain_every_seconds}
    sender.conf.beat_schedule = {
        name: {
            "task": f"recourse.{name}",
            "schedule": every,
            # Ticks that nobody took in time are of no use, and must not pile up while no worker runs.
            "options": {"queue": INTERACTIVE, "expires": every},
        }
        for name, every in ticks.items()
    }
