"""Log events about messages and the runs of tasks, from Celery's signals."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from celery.signals import (
    task_failure,
    task_internal_error,
    task_postrun,
    task_prerun,
    task_received,
    task_rejected,
    task_retry,
    task_revoked,
    task_success,
    task_unknown,
)
from celery.states import IGNORED, REJECTED
from structlog.contextvars import bind_contextvars, clear_contextvars

from config.log import logger
from models.session import in_words

log = logger(__name__)


@task_received.connect
def _received(request: Any, **_: Any) -> None:
    log.info("task_received", **_about(request.name, request.id, request.kwargs))


@task_prerun.connect
def _begin(task_id: str, task: Any, kwargs: Mapping[str, Any], **_: Any) -> None:
    """Add the task and the reset to every line that is logged during the run, by any library."""
    bind_contextvars(**_about(task.name, task_id, kwargs))
    task.request.began = time.monotonic()


@task_success.connect
def _succeeded(sender: Any, **_: Any) -> None:
    log.info("task_succeeded", runtime=round(time.monotonic() - sender.request.began, 3))


@task_retry.connect
def _retried(sender: Any, request: Any, reason: Any = None, **_: Any) -> None:
    cause = getattr(reason, "exc", None)
    error = {"error": in_words(cause)} if cause else {}
    log.info("task_retried", **_about(sender.name, request.id, request.kwargs), **error)


@task_failure.connect
@task_internal_error.connect
def _failed(sender: Any, task_id: str, exception: Exception, kwargs: Mapping[str, Any], **_: Any) -> None:
    """Celery also calls this in the worker's main process, if the child that ran the task was killed."""
    expected = isinstance(exception, sender.throws)
    log.log(
        logging.INFO if expected else logging.ERROR,
        "task_ended",
        **_about(sender.name, task_id, kwargs),
        description="failed",
        error=in_words(exception),
        exc_info=None if expected else exception,
    )


@task_postrun.connect
def _end(state: str, **_: Any) -> None:
    if state in (IGNORED, REJECTED):
        log.info("task_ended", description=state.lower())
    clear_contextvars()


@task_revoked.connect
def _revoked(sender: Any, request: Any, expired: bool, **_: Any) -> None:
    log.info("task_revoked", **_about(sender.name, request.id, request.kwargs), expired=expired)


@task_unknown.connect
def _unknown(**signal: Any) -> None:
    log.error("task_unknown", task=signal["name"], task_id=signal["id"])


@task_rejected.connect
def _rejected(exc: Exception | None, **_: Any) -> None:
    log.error("task_rejected", error=type(exc).__name__)


def _about(task: str, task_id: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    reset = {"reset": arguments["reset_id"]} if arguments.get("reset_id") else {}
    return {"task": task, "task_id": task_id, **reset}
