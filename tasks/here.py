"""Where a task runs."""

from celery import current_task


def this_worker() -> str | None:
    """Returns the name of the worker that runs the current task, as Flower shows it; `None` outside of a worker."""
    return current_task.request.hostname if current_task else None
