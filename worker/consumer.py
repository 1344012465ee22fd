"""How a worker takes messages: as Celery does, without what our tasks do not use, and with a correction."""

from typing import ClassVar

from celery.worker.consumer import Consumer as CelerysConsumer


class Consumer(CelerysConsumer):
    """Takes messages from the broker."""

    class Blueprint(CelerysConsumer.Blueprint):
        """The parts of the consumer."""

        # For messages with a due time, it would make 28 queues and as many exchanges on RabbitMQ, with names that all
        # applications share. Our due times are in the database.
        default_steps: ClassVar[list[str]] = [
            step for step in CelerysConsumer.Blueprint.default_steps if "delayed_delivery" not in step
        ]

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Give up the lost connection, so that the worker makes another.

        Celery 5.7 closes the channel to Redis, which first reads the answer it waits for, and so fails. It then closes
        the channel again, now without its transport; if a task is running, that raises, and the worker ends.
        """
        channel = getattr(self.connection, "_default_channel", None)
        if channel is not None and getattr(channel, "_in_poll", None):
            channel._in_poll = None  # there is no answer to wait for: the ledger knows what was in it
        super().on_connection_error_after_connected(exc)
