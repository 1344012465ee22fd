"""How a worker takes messages: as Celery does, without what our tasks do not use."""

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
