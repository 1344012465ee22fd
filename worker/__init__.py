"""How the tasks are run: `celery -A worker worker`, and `celery -A worker beat` for the clock."""

from tasks.app import app
from worker import beat, lifecycle, orphans

__all__ = ["app", "beat", "lifecycle", "orphans"]
