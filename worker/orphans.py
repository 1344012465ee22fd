"""A worker's child processes end with it, even if it is killed."""

import os
import threading
import time
from typing import Any

from billiard import current_process
from celery.signals import beat_embedded_init, worker_process_init

LOOK_EVERY = 1.0  # seconds


@worker_process_init.connect
@beat_embedded_init.connect
def end_with_the_worker(**_: Any) -> None:
    """End this process when its worker is gone. It would wait for work forever, and keep its memory."""
    worker: int = current_process()._parent_pid  # os.getppid() may already be another process
    threading.Thread(target=_wait_for_its_end, args=[worker], name="end with the worker", daemon=True).start()


def _wait_for_its_end(worker: int) -> None:
    while os.getppid() == worker:
        time.sleep(LOOK_EVERY)
    os._exit(1)  # without clean-up, as in a power failure: the ledger knows what is open
