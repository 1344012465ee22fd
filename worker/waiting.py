"""A worker or beat first waits until PostgreSQL and the broker answer, so that services can start in any order.

The code that uses a server handles later outages.
"""

import time
from collections.abc import Callable
from typing import Any

from celery.signals import worker_init
from kombu.exceptions import OperationalError

from config.log import logger
from config.logging import configure_logging
from models.session import DBAPIError, engine, forget_engine
from tasks.broker import check_broker

log = logger(__name__)

LOOK_EVERY = 1.0  # seconds


@worker_init.connect
def wait_for_servers(**_: Any) -> None:
    """Return once both servers answer. Logs the start and the end of the wait."""
    configure_logging()  # Celery would set it up later
    _wait_for("PostgreSQL", _database_error)
    _wait_for("broker", _broker_error)


def _wait_for(server: str, error_of: Callable[[], str | None]) -> None:
    began = time.monotonic()
    if (error := error_of()) is None:
        return
    log.warning("server_awaited", server=server, error=error)
    while error_of() is not None:
        time.sleep(LOOK_EVERY)
    log.info("server_answers", server=server, seconds=round(time.monotonic() - began, 1))


def _database_error() -> str | None:
    try:
        with engine().connect():
            return None
    except DBAPIError as error:
        return str(error.orig).strip()
    finally:
        forget_engine()  # no connection may be open when the worker forks


def _broker_error() -> str | None:
    try:
        check_broker(LOOK_EVERY)
    except OperationalError as error:
        return str(error)
    return None
