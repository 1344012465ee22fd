"""How a worker handles a message: as Celery does, with one correction."""

from typing import Any

from celery.worker.request import Request


class Delivery(Request):
    """A message that a worker has taken."""

    def cancel(self, pool: Any, signal: str | None = None, emit_retry: bool = True) -> None:
        """End the run because the worker stops or has lost the broker; the message will be delivered again.

        Celery would store RETRY even for tasks that ignore results, and the next run would never replace it.
        """
        super().cancel(pool, signal, emit_retry=emit_retry and not self.ignore_result)
