"""A lane: take the next item, attempt it, settle it, repeat."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from config.languages.stored import stored
from config.log import logger
from models.outbox import Item
from models.session import in_words, is_connection_lost, transaction
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.handler import AwayError, Handler
from tasks.outbox.total_time import TookTooLongError, hanging, within
from tasks.outbox.turns import Turns

HANGING_A_LANE = 4  # with so many abandoned attempts per lane, no new one starts
LONGEST_WHY = 500
GIVEN_UP = stored("given up after {attempts} attempts: {why}")
UNEXPECTED = stored("unexpected error: {error}")

log = logger(__name__)


class _TimedOut(NotNow):
    """The attempt exceeded its time limit."""


def work_off(kind: type[Handler], turns: Turns, over: Callable[[], bool]) -> int:
    """Attempt due items until none is left or `over` returns true. Returns the number of items attempted.

    Any exception of an attempt counts as a failure of that item. A database error does not: the item is due again at
    the time that was committed before the attempt.
    """
    tried = 0
    handler = kind()
    try:
        while not over() and _ready(handler, turns):
            items = turns.take_next(over)
            if not items:
                break
            answers = _try(handler, items)
            try:
                _settle(handler, items, answers)
            finally:
                turns.done(
                    items,
                    rest=_rest(handler, answers),
                    tried=not all(isinstance(answer, Unwanted) for answer in answers),
                )
            tried += len(items)
            if any(isinstance(answer, _TimedOut) for answer in answers):
                handler.abort()
                handler = kind()
    finally:
        with suppress(TookTooLongError):
            within(kind.seconds(), handler.close, kind.name)
    if tried:
        log.info(f"{kind.name}_tried", items=tried)
    return tried


def _rest(handler: Handler, answers: Sequence[Answer]) -> float:
    """Returns for how many seconds the receiver is to be left alone: after failures, or if it wants to."""
    if not any(isinstance(answer, Taken | Unwanted) for answer in answers):
        return handler.rest_seconds
    return max((answer.rest for answer in answers if isinstance(answer, Taken)), default=0.0)


def _ready(handler: Handler, turns: Turns) -> bool:
    """Returns whether an attempt can start. If not, the rest is left to a later run."""
    if hanging(handler.name) >= HANGING_A_LANE * handler.at_once():
        why = "too many attempts hang"
    else:
        try:
            within(handler.seconds(), handler.ready, handler.name)
        except (AwayError, TookTooLongError) as error:
            why = str(error)
            handler.abort()
        else:
            return True
    turns.away = True
    log.warning(f"{handler.name}_away", error=why, remedy="the next run tries again")
    return False


def _try(handler: Handler, items: Sequence[Item]) -> list[Answer]:
    """Returns one answer per item, also where an attempt raised or timed out."""
    # The last attempt was not settled either, so its process was killed.
    if any(_is_worn_out(handler, item) for item in items):
        lost = NotNow(handler.worn_out)
        return [lost if _is_worn_out(handler, item) else _try(handler, [item])[0] for item in items]
    try:
        return within(handler.seconds(), lambda: handler.attempt_all(items), handler.name)
    except TookTooLongError as error:
        return [_TimedOut(str(error), unsure=True)] * len(items)
    except Exception as error:
        if len(items) > 1:  # one bad item must not fail the others
            return [answer for item in items for answer in _try(handler, [item])]
        log.exception(f"{handler.name}_failed", item=_named(items[0]), error=in_words(error))
        return [NotNow(UNEXPECTED.format(error=in_words(error)))]


def _is_worn_out(handler: Handler, item: Item) -> bool:
    return handler.gives_up and item.attempt > len(handler.waits) + 1


def _settle(handler: Handler, items: Sequence[Item], answers: Sequence[Answer]) -> None:
    final = [_final(handler, item, answer) for item, answer in zip(items, answers, strict=True)]
    try:
        with transaction() as session:
            handler.settle_all(session, items, final)
    except DBAPIError as error:
        if is_connection_lost(error):
            raise
        for item, answer in zip(items, final, strict=True) if len(items) > 1 else ():
            _settle(handler, [item], [answer])
        if len(items) == 1:  # as if its process had died: it is due again, and given up after the last wait
            log.exception(f"{handler.name}_not_settled", item=_named(items[0]), error=in_words(error))


def _final(handler: Handler, item: Item, answer: Answer) -> Answer:
    """Returns the answer to store: `Never` in place of `NotNow` after the last attempt, and text that can be stored."""
    if not isinstance(answer, NotNow | Never):
        return answer
    if isinstance(answer, NotNow) and handler.gives_up and item.attempt > len(handler.waits):
        answer = Never(GIVEN_UP.format(attempts=item.attempt, why=answer.why))
    answer = replace(answer, why=_plain(answer.why))
    if isinstance(answer, Never):
        log.error(f"{handler.name}_never", item=_named(item), attempt=item.attempt, why=answer.why)
    else:
        log.warning(f"{handler.name}_not_now", item=_named(item), attempt=item.attempt, why=answer.why)
    return answer


def _plain(why: str) -> str:
    """Returns the receiver's answer without the characters that PostgreSQL refuses."""
    return "".join(letter if letter.isprintable() else " " for letter in why)[:LONGEST_WHY]


def _named(item: Item) -> str:
    return " ".join(map(str, item.key))
