"""The messages waiting in Redis, for a test to deliver, lose, repeat or hold back.

These are the real messages that `send_task` published, read from the real queues. The function that runs them is that
of a worker's child process, and results go to the real result backend. The test only decides the order and number of
deliveries.
"""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Self

from celery.app.trace import trace_task

from config.celery import BULK, INTERACTIVE, NOTIFY
from tasks.app import TASK_MODULES, app
from tasks.messages import PROBE

ENOUGH = 5000  # deliveries; a job that needs more never ends

for module in TASK_MODULES:
    import_module(module)


@dataclass(frozen=True)
class Letter:
    """One message."""

    task: str
    id: str
    queue: str
    kwargs: dict[str, Any]
    headers: dict[str, Any] = field(repr=False)


class Post:
    """The queues of the broker."""

    def __enter__(self) -> Self:
        self._connection = app.connection_for_read()
        self._channel = self._connection.channel()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.release()

    def take(self) -> list[Letter]:
        """Take all waiting messages out of the broker. Probes only say that they were taken: they are not returned."""
        return [letter for queue in (INTERACTIVE, BULK, NOTIFY) for letter in self._take_from(queue)]

    def _take_from(self, name: str) -> list[Letter]:
        letters = []
        while message := app.amqp.queues[name].bind(self._channel).get(accept=["json"]):
            message.ack()
            _args, kwargs, _embed = message.decode()
            letter = Letter(message.headers["task"], message.headers["id"], name, kwargs, message.headers)
            if letter.task == PROBE:
                self.deliver(letter)
            else:
                letters.append(letter)
        return letters

    def deliver(self, letter: Letter) -> str:
        """Run the message's task as a worker does, and return its final state."""
        task = app.tasks[letter.task]
        request = letter.headers | {"delivery_info": {"routing_key": letter.queue, "redelivered": False}}
        outcome = trace_task(task, letter.id, [], letter.kwargs, request, app=app).info
        if outcome is None:
            return "SUCCESS"
        if outcome.state == "FAILURE" and not isinstance(outcome.retval, task.throws or ()):
            raise outcome.retval
        return str(outcome.state)

    def drain(self) -> list[Letter]:
        """Deliver all messages in order, and those they cause, until none waits. Returns them."""
        delivered: list[Letter] = []
        while letters := self.take():
            for letter in letters:
                self.deliver(letter)
                delivered.append(letter)
                assert len(delivered) < ENOUGH, f"the messages never end: {delivered[-5:]}"
        return delivered
