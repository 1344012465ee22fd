"""A lane: take the next, try, settle, one after the other."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog
from sqlalchemy.exc import DBAPIError

from models.outbox import Item
from models.session import in_words, is_connection_lost, transaction
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.hands import AwayError, Hands
from tasks.outbox.total_time import TookTooLongError, hanging, within
from tasks.outbox.turns import Turns

HANGING_A_LANE = 4  # tries left behind, from which on no more are begun
LONGEST_WHY = 500

log = structlog.get_logger(__name__)


class _Hung(NotNow):
    """It did not come back."""


def work_off(kind: type[Hands], turns: Turns, over: Callable[[], bool]) -> int:
    """Work on what is due until nothing is, or it is `over`. Gives how many items it took.

    What a try raises is that item's own failure, whatever it is. What the database raises is nobody's: the item is due
    again at the moment that was written before.
    """
    tried = 0
    hands = kind()
    try:
        while not over() and _ready(hands, turns):
            items = turns.take_next(over)
            if not items:
                break
            answers = _try(hands, items)
            try:
                _settle(hands, items, answers)
            finally:
                turns.done(
                    items,
                    well=any(isinstance(answer, Taken | Unwanted) for answer in answers),
                    tried=not all(isinstance(answer, Unwanted) for answer in answers),
                )
            tried += len(items)
            if any(isinstance(answer, _Hung) for answer in answers):
                hands.let_go()
                hands = kind()
    finally:
        with suppress(TookTooLongError):
            within(kind.seconds(), hands.close, kind.name)
    if tried:
        log.info(f"{kind.name}_tried", items=tried)
    return tried


def _ready(hands: Hands, turns: Turns) -> bool:
    """Whether a try can be made; if not, the rest is left to a later run."""
    if hanging(hands.name) >= HANGING_A_LANE * hands.at_once():
        why = "too many tries hang"
    else:
        try:
            within(hands.seconds(), hands.ready, hands.name)
        except (AwayError, TookTooLongError) as error:
            why = str(error)
            hands.let_go()
        else:
            return True
    turns.away = True
    log.warning(f"{hands.name}_away", error=why, remedy="the next run asks again")
    return False


def _try(hands: Hands, items: Sequence[Item]) -> list[Answer]:
    """What came of each, also where the try raised or did not come back."""
    # The process was killed at the last try too, or that would have been settled.
    if any(_is_worn_out(hands, item) for item in items):
        lost = NotNow("the process was lost each time this was tried")
        return [lost if _is_worn_out(hands, item) else _try(hands, [item])[0] for item in items]
    try:
        return within(hands.seconds(), lambda: hands.attempt_all(items), hands.name)
    except TookTooLongError as error:
        return [_Hung(f"no answer: {error}", unsure=True)] * len(items)
    except Exception as error:
        if len(items) > 1:  # one of them must not be the failure of all
            return [answer for item in items for answer in _try(hands, [item])]
        log.exception(f"{hands.name}_failed", item=_named(items[0]), error=in_words(error))
        return [NotNow(f"it cannot be done: {in_words(error)}")]


def _is_worn_out(hands: Hands, item: Item) -> bool:
    return hands.gives_up and item.attempt > len(hands.waits) + 1


def _settle(hands: Hands, items: Sequence[Item], answers: Sequence[Answer]) -> None:
    final = [_final(hands, item, answer) for item, answer in zip(items, answers, strict=True)]
    try:
        with transaction() as session:
            hands.settle_all(session, items, final)
    except DBAPIError as error:
        if is_connection_lost(error):
            raise
        for item, answer in zip(items, final, strict=True) if len(items) > 1 else ():
            _settle(hands, [item], [answer])
        if len(items) == 1:  # as if its process had died: it is due again, and given up at last
            log.exception(f"{hands.name}_not_settled", item=_named(items[0]), error=in_words(error))


def _final(hands: Hands, item: Item, answer: Answer) -> Answer:
    """The answer in words that can be kept; given up where it was the last try."""
    if not isinstance(answer, NotNow | Never):
        return answer
    if isinstance(answer, NotNow) and hands.gives_up and item.attempt > len(hands.waits):
        answer = Never(f"given up after {item.attempt} tries: {answer.why}")
    answer = replace(answer, why=_plain(answer.why))
    if isinstance(answer, Never):
        log.error(f"{hands.name}_never", item=_named(item), attempt=item.attempt, why=answer.why)
    else:
        log.warning(f"{hands.name}_not_now", item=_named(item), attempt=item.attempt, why=answer.why)
    return answer


def _plain(why: str) -> str:
    """Without what PostgreSQL does not take as text: it is somebody else's answer."""
    return "".join(letter if letter.isprintable() else " " for letter in why)[:LONGEST_WHY]


def _named(item: Item) -> str:
    return " ".join(map(str, item.key))
