"""The processes of a worker end with it, even if it was killed."""

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
    """Have this process end when its worker is gone: it would wait for work for ever, and keep its memory."""
    worker: int = current_process()._parent_pid  # os.getppid() may be another one's already
    threading.Thread(target=_wait_for_its_end, args=[worker], name="end with the worker", daemon=True).start()


def _wait_for_its_end(worker: int) -> None:
    while os.getppid() == worker:
        time.sleep(LOOK_EVERY)
    os._exit(1)  # in the middle of whatever it does, as if the machine had gone: the ledger knows what is open
