"""What we ask the broker itself, whichever it is: whether it answers, and how many messages wait."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from amqp import AMQPError, ChannelError
from kombu.exceptions import OperationalError

from config.celery import QUEUES, name_on_the_broker
from tasks.app import app

NO_SUCH_QUEUE = "404"


def broker_down() -> tuple[type[Exception], ...]:
    """What a broker that is down, or goes down, raises. Sending a task raises only the first."""
    from redis import RedisError

    return (OperationalError, RedisError, AMQPError, OSError)


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn every error of the broker in the scope into an `OperationalError`."""
    try:
        yield
    except OperationalError:
        raise
    except broker_down() as error:
        raise OperationalError(str(error) or type(error).__name__) from error


def check_broker(seconds: float) -> None:
    """Ask the broker for an answer. Raises `OperationalError` if there is none within so many seconds."""
    with broker_errors(), app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=seconds)
        # Neither transport sends anything before it needs to; both have to answer this one.
        with connection.channel() as channel:
            _waiting(channel, QUEUES[0])


def messages_waiting() -> dict[str, int]:
    """Returns how many messages wait in each queue, without those a worker has taken. Raises `OperationalError`."""
    found = {}
    with broker_errors(), app.connection_for_read() as connection:
        for queue in QUEUES:
            with connection.channel() as channel:  # RabbitMQ closes it if there is no such queue
                found[queue] = _waiting(channel, queue)
    return found


def _waiting(channel: Any, queue: str) -> int:
    try:
        return int(channel.queue_declare(queue=name_on_the_broker(queue), passive=True).message_count)
    except ChannelError as error:
        if str(error.reply_code) == NO_SUCH_QUEUE:  # nothing was sent yet, or on Redis, the queue is empty
            return 0
        raise


class _AllTaken(Exception):  # noqa: N818 - not an error: it ends the wait for further answers
    """The workers that have answered consume every queue."""


def without_worker(queues: Collection[str], *, within: float, name: str | None = None) -> set[str]:
    """Ask the workers what they consume. Returns those of the queues that nobody names within so many seconds.

    It returns at once when all are named. With `name`, only that worker is asked. Workers of other applications do not
    receive the question. Raises `OperationalError` if the broker does not answer.
    """
    missing = {name_on_the_broker(queue): queue for queue in queues}

    def take_off(answer: dict[str, list[dict[str, str]]]) -> None:
        for consumed in answer.values():
            for queue in consumed:
                missing.pop(queue.get("name", ""), None)
        if not missing:
            raise _AllTaken

    try:
        with broker_errors():
            app.control.broadcast(
                "active_queues",
                destination=[name] if name else None,
                reply=True,
                timeout=within,
                callback=take_off,
            )
    except _AllTaken:
        pass
    return set(missing.values())
