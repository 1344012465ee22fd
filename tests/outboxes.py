"""An outbox worked off by hand: one lane of it, in this process."""

import time

from models.outbox import Item, is_due, take, turns
from models.session import transaction
from tasks.outbox.answers import Answer
from tasks.outbox.hands import Hands
from tasks.outbox.lane import work_off
from tasks.outbox.turns import Turns


def work(kind: type[Hands], seconds: float = 10) -> int:
    """Work on what is due for so long at most. Gives how many items were taken."""
    end = time.monotonic() + seconds
    return work_off(kind, Turns(kind), lambda: time.monotonic() > end)


def take_one(kind: type[Hands]) -> Item:
    """The next item, taken for a try that is then to be made by hand."""
    with transaction() as session:
        [item] = take(session, kind.outbox, turns(session, kind.outbox)[0], kind.waits)
    return item


def settle(kind: type[Hands], item: Item, answer: Answer) -> None:
    """Write down what came of a try, as a lane does."""
    with transaction() as session:
        kind().settle(session, item, answer)


def work_is_due(kind: type[Hands]) -> bool:
    with transaction() as session:
        return is_due(session, kind.outbox)
