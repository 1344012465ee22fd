"""What happens when a worker process starts, and around each task."""

from typing import Any

from celery.signals import (
    setup_logging,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
)
from structlog.contextvars import bind_contextvars, clear_contextvars

from config.logging import configure_logging
from models.records import RecordKindUnfitError
from models.session import forget_engine
from tasks.at_start import check_record_kinds
from tasks.tracing import start_tracing, stop_tracing


@setup_logging.connect
def _log_as_json(**_: Any) -> None:
    """Being connected is also what keeps Celery from setting up logs of its own."""
    configure_logging()


@worker_init.connect
def _look_at_the_record_kinds(**_: Any) -> None:
    """With a kind that no learner could be cleared of, a worker does not even begin."""
    try:
        check_record_kinds()
    except RecordKindUnfitError as error:
        raise SystemExit(str(error)) from None  # Celery goes on after any other exception
    finally:
        forget_engine()


@worker_process_init.connect
def _own_connections(**_: Any) -> None:
    """The parent's connections are the parent's: using one from two processes mixes up both."""
    forget_engine(close=False)
    start_tracing("recourse-worker")


@worker_process_shutdown.connect
def _send_the_last_spans(**_: Any) -> None:
    stop_tracing()


@task_prerun.connect
def _say_in_every_line_what_it_is_about(task_id: str, task: Any, kwargs: dict[str, Any], **_: Any) -> None:
    """What the task logs, and the libraries below it, carries the task and the reset."""
    about = {"reset": kwargs["reset_id"]} if kwargs.get("reset_id") else {}
    bind_contextvars(task=task.name, task_id=task_id, **about)


@task_postrun.connect
def _say_it_no_longer(**_: Any) -> None:
    clear_contextvars()
