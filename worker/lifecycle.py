"""Set-up and clean-up of the worker's processes."""

from typing import Any

from celery.signals import setup_logging, worker_init, worker_process_init, worker_process_shutdown

from config.logging import configure_logging
from models.records import RecordKindUnfitError
from models.session import forget_engine
from tasks.at_start import check_record_kinds
from tasks.tracing import start_tracing, stop_tracing


@setup_logging.connect
def _log_as_json(**_: Any) -> None:
    """Set up JSON logging. A receiver of this signal also keeps Celery from configuring its own."""
    configure_logging()


@worker_init.connect
def _check_record_kinds(**_: Any) -> None:
    """Refuse to start if learners could not be cleared of some record kind."""
    try:
        check_record_kinds()
    except RecordKindUnfitError as error:
        raise SystemExit(str(error)) from None  # Celery ignores every other exception here
    finally:
        forget_engine()


@worker_process_init.connect
def _set_up_process(**_: Any) -> None:
    """Use connections of this process: two processes must not share one."""
    forget_engine(close=False)
    start_tracing("recourse-worker")


@worker_process_shutdown.connect
def _flush_traces(**_: Any) -> None:
    stop_tracing()
