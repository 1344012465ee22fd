"""The messages that wait in Redis, taken out by hand: to deliver, to lose, to double, to hold back.

They are the real ones: what `send_task` published, read from the real queues, and run by the function that a worker's
child process runs, with results in the real result backend. Only the order and the number of deliveries is the test's.
"""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Self

from celery.app.trace import trace_task

from config.celery import BULK, INTERACTIVE, NOTIFY
from tasks.app import TASK_MODULES, app

ENOUGH = 5000  # deliveries; a job that needs more goes round in circles

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
        """All the messages that wait, taken out of the broker."""
        return [letter for queue in (INTERACTIVE, BULK, NOTIFY) for letter in self._take_from(queue)]

    def _take_from(self, name: str) -> list[Letter]:
        letters = []
        while message := app.amqp.queues[name].bind(self._channel).get(accept=["json"]):
            message.ack()
            _args, kwargs, _embed = message.decode()
            letters.append(Letter(message.headers["task"], message.headers["id"], name, kwargs, message.headers))
        return letters

    def deliver(self, letter: Letter) -> str:
        """Run the message's task as a worker does. Gives the state that it ended in."""
        task = app.tasks[letter.task]
        request = letter.headers | {"delivery_info": {"routing_key": letter.queue, "redelivered": False}}
        outcome = trace_task(task, letter.id, [], letter.kwargs, request, app=app).info
        if outcome is None:
            return "SUCCESS"
        if outcome.state == "FAILURE" and not isinstance(outcome.retval, task.throws or ()):
            raise outcome.retval
        return str(outcome.state)

    def drain(self) -> list[Letter]:
        """Deliver everything in order, and what comes of it, until no message waits. Gives what was delivered."""
        delivered: list[Letter] = []
        while letters := self.take():
            for letter in letters:
                self.deliver(letter)
                delivered.append(letter)
                assert len(delivered) < ENOUGH, f"there is no end of messages: {delivered[-5:]}"
        return delivered
