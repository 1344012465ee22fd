"""Run one lane of an outbox in this process."""

import time

from models.outbox import Item, is_due, take, turns
from models.session import transaction
from tasks.outbox.answers import Answer
from tasks.outbox.handler import Handler
from tasks.outbox.lane import work_off
from tasks.outbox.turns import Turns


def work(kind: type[Handler], seconds: float = 10) -> int:
    """Work off what is due, for at most `seconds`. Returns the number of items attempted."""
    end = time.monotonic() + seconds
    return work_off(kind, Turns(kind), lambda: time.monotonic() > end)


def take_one(kind: type[Handler]) -> Item:
    """Take the next item; the test then makes the attempt itself."""
    with transaction() as session:
        [item] = take(session, kind.outbox, turns(session, kind.outbox)[0], kind.waits)
    return item


def settle(kind: type[Handler], item: Item, answer: Answer) -> None:
    """Write the result of an attempt, as a lane does."""
    with transaction() as session:
        kind().settle(session, item, answer)


def work_is_due(kind: type[Handler]) -> bool:
    with transaction() as session:
        return is_due(session, kind.outbox)
