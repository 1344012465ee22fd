"""How a worker handles one message of ours: as Celery does, with one thing mended."""

from typing import Any

from celery.worker.request import Request


class Delivery(Request):
    """A message that a worker has in hand."""

    def cancel(self, pool: Any, signal: str | None = None, emit_retry: bool = True) -> None:
        """End the run of a worker that stops or has lost the broker; the message comes again.

        Celery would store RETRY as its result, also where results are ignored, and then the run to come would never
        replace it.
        """
        super().cancel(pool, signal, emit_retry=emit_retry and not self.ignore_result)
