"""Entry point for Celery: `celery -A worker worker` runs tasks, and `celery -A worker beat` sends the periodic ones."""

from tasks.app import app
from worker import beat, lifecycle, orphans, task_log, waiting

__all__ = ["app", "beat", "lifecycle", "orphans", "task_log", "waiting"]
