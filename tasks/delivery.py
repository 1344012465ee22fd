"""How a worker handles a message: as Celery does, with two corrections."""

from datetime import UTC, datetime, timedelta
from typing import Any

from celery.worker.request import Request

CLOCKS_DIFFER_BY = timedelta(minutes=15)


class Delivery(Request):
    """A message that a worker has taken."""

    def maybe_expire(self) -> bool:
        """Returns whether the message has expired, even if this machine's clock is fast.

        Otherwise, a fast worker would drop every tick of beat. What expires is never harmful when late, only useless.
        """
        if self.expires is None or datetime.now(UTC if self.expires.tzinfo else None) < self.expires + CLOCKS_DIFFER_BY:
            return False
        return bool(super().maybe_expire())

    def cancel(self, pool: Any, signal: str | None = None, emit_retry: bool = True) -> None:
        """End the run because the worker stops or has lost the broker; the message will be delivered again.

        Celery would store RETRY even for tasks that ignore results, and the next run would never replace it.
        """
        super().cancel(pool, signal, emit_retry=emit_retry and not self.ignore_result)
