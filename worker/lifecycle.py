"""What happens when a worker process starts."""

from typing import Any

from celery.signals import setup_logging, worker_process_init

from config.logging import configure_logging
from models.session import forget_engine


@setup_logging.connect
def _log_as_json(**_: Any) -> None:
    """Being connected is also what keeps Celery from setting up logs of its own."""
    configure_logging()


@worker_process_init.connect
def _own_connections(**_: Any) -> None:
    """The parent's connections are the parent's: using one from two processes mixes up both."""
    forget_engine(close=False)
