"""Run one lane of an outbox in this process."""

import time

from models.outbox import Item, is_due, take, turns
from models.session import transaction
from tasks.outbox.answers import Answer
from tasks.outbox.hands import Hands
from tasks.outbox.lane import work_off
from tasks.outbox.turns import Turns


def work(kind: type[Hands], seconds: float = 10) -> int:
    """Work on due items for at most `seconds`. Returns how many were taken."""
    end = time.monotonic() + seconds
    return work_off(kind, Turns(kind), lambda: time.monotonic() > end)


def take_one(kind: type[Hands]) -> Item:
    """Take the next item, without trying it."""
    with transaction() as session:
        [item] = take(session, kind.outbox, turns(session, kind.outbox)[0], kind.waits)
    return item


def settle(kind: type[Hands], item: Item, answer: Answer) -> None:
    """Record the result of a try, as a lane does."""
    with transaction() as session:
        kind().settle(session, item, answer)


def work_is_due(kind: type[Hands]) -> bool:
    with transaction() as session:
        return is_due(session, kind.outbox)
