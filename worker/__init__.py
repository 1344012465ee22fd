"""How the tasks are run: `celery -A worker worker`, and `celery -A worker beat` for the clock."""

from tasks.app import app
from worker import beat, lifecycle, orphans, waiting

__all__ = ["app", "beat", "lifecycle", "orphans", "waiting"]
