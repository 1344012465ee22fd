"""The task that clears one slice of a reset's learners, whatever goes wrong."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import ARRAY, BigInteger, any_, case, func, literal, select, update
from sqlalchemy.exc import DBAPIError, OperationalError

from config.languages.stored import stored
from config.log import logger
from config.settings import settings
from models.pauses import is_paused
from models.resets import Reset, ResetItem, ResetSlice
from models.session import in_words, is_servers_trouble, transaction
from tasks.app import app
from tasks.here import this_worker
from tasks.messages import CLEAR_LEARNERS
from tasks.reset.clear import clear, fail, hold, open_members
from tasks.reset.clear_together import clear_together, take_along
from tasks.reset.window import WHOLE_ATTEMPTS, keep_going

ABANDONED = stored("given up: the worker was lost each time this was tried")
MOST_ABANDONED = 5  # learners of a slice, one after the other; then it is hardly the learners
TRIES = 3  # deadlocks and lock time-outs pass; what does not pass by then is some learner's

log = logger(__name__)


@app.task(name=CLEAR_LEARNERS)
def clear_learners(*, reset_id: str, number: int) -> None:
    """Clear the learners of one slice, however often and whenever the message comes.

    What fails for good is tried again learner by learner, so that a bad one costs only themself, even if they kill the
    process. What fails with the connection or with a full disk is left open: `recover` sends it again.
    """
    reset = UUID(reset_id)
    attempt, learners = begin_attempt(reset, number)
    if not attempt:  # whoever has it in hand, or settled it, goes on; `recover` does if that one was lost
        return
    if attempt == learners == 1:
        _clear_with_others(reset, number)
        return
    with _servers_trouble_does_not_count(reset, [number]):
        _clear_somehow(reset, number, attempt)
    keep_going(reset, number)


def _clear_somehow(reset: UUID, number: int, attempt: int) -> None:
    if attempt > settings().slice_attempts:
        _abandon(reset, number)
        _clear_one_by_one(reset, number)
    elif attempt > WHOLE_ATTEMPTS:
        _clear_one_by_one(reset, number)
    else:
        _clear_whole(reset, [number])


def _clear_with_others(reset_id: UUID, number: int) -> None:
    """Clear the slice's one learner, and with them those whose messages are in the queue, until there are none."""
    numbers = [number, *take_along(reset_id, number)]
    while numbers:
        with _servers_trouble_does_not_count(reset_id, numbers):
            _clear_whole(reset_id, numbers)
        keep_going(reset_id, numbers[0])
        numbers = take_along(reset_id, number)


def _clear_whole(reset_id: UUID, numbers: list[int]) -> None:
    try:
        if len(numbers) > 1:
            clear_together(reset_id, numbers)
        else:
            _clear_patiently(reset_id, numbers[0])
    except Exception as error:
        if _is_no_learners(error):
            raise
        about = {"reset": str(reset_id), "slice": numbers[0], "slices": len(numbers)}
        log.warning("slice_failed", **about, error=in_words(error), remedy="one by one")
        for number in numbers:
            _clear_one_by_one(reset_id, number)


def begin_attempt(reset_id: UUID, number: int) -> tuple[int, int]:
    """Count that the slice is begun. Returns how often it was since one of its learners was last settled, and how many
    learners it has; zeros if all are settled, it is paused, or another worker is clearing it.

    A paused one counts as not sent: `fill_window` sends it again after the pause. In a transaction of its own, since it
    is to be remembered when the worker dies of what comes next.
    """
    which = (ResetSlice.reset_id == reset_id) & (ResetSlice.number == number) & ResetSlice.settled_at.is_(None)
    free = (
        select(ResetSlice.number, is_paused().label("paused"))
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(which)
        .with_for_update(of=ResetSlice, skip_locked=True)
        .cte("free")
    )
    paused = free.c.paused
    more = case((paused, 0), else_=1)
    with transaction(durable=False) as session:  # a count that a crash may lose
        begun = session.execute(
            update(ResetSlice)
            .where(which, ResetSlice.number == free.c.number)
            .values(
                attempts=ResetSlice.attempts + more,
                in_vain=ResetSlice.in_vain + more,
                begun_at=case((paused, ResetSlice.begun_at), else_=func.clock_timestamp()),
                worker=case((paused, ResetSlice.worker), else_=this_worker()),
                published_at=case((paused, None), else_=ResetSlice.published_at),
                publications=func.greatest(0, ResetSlice.publications - 1 + more),
            )
            .returning(ResetSlice.in_vain, ResetSlice.learners, paused)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if begun is None or begun.paused:
            return 0, 0
        return begun.in_vain, begun.learners


def _clear_patiently(reset_id: UUID, number: int, enrolment_id: int | None = None) -> None:
    tried = 1
    while True:
        try:
            if not clear(reset_id, number, enrolment_id):
                return
        except OperationalError as error:
            if tried == TRIES or is_servers_trouble(error):
                raise
            time.sleep(0.2 * tried)
            tried += 1


def _clear_one_by_one(reset_id: UUID, number: int) -> None:
    with transaction() as session:
        held = hold(session, reset_id, number)
        waiting = [] if held is None else open_members(session, held.ResetSlice)
    for enrolment_id in waiting:
        try:
            _clear_patiently(reset_id, number, enrolment_id)
        except Exception as error:
            if _is_no_learners(error):
                raise
            log.warning("learner_failed", reset=str(reset_id), enrolment=enrolment_id, error=in_words(error))
            fail(reset_id, number, in_words(error), enrolment_id)


def _is_no_learners(error: Exception) -> bool:
    """Whether it says nothing about any learner: the server has troubles of its own, or the time ran out."""
    return isinstance(error, SoftTimeLimitExceeded) or is_servers_trouble(error)


@contextmanager
def _servers_trouble_does_not_count(reset_id: UUID, numbers: Sequence[int]) -> Iterator[None]:
    """Take back the count of an attempt that ended through no fault of the slices."""
    try:
        yield
    except DBAPIError as error:
        if is_servers_trouble(error):
            with suppress(DBAPIError):
                _do_not_count(reset_id, numbers)
        raise


def _do_not_count(reset_id: UUID, numbers: Sequence[int]) -> None:
    which = (ResetSlice.reset_id == reset_id) & ResetSlice.number.in_(numbers)
    with transaction(durable=False) as session:
        session.execute(
            update(ResetSlice)
            .where(which, ResetSlice.in_vain > 0)
            .values(in_vain=ResetSlice.in_vain - 1)
            .execution_options(synchronize_session=False)
        )


def _abandon(reset_id: UUID, number: int) -> None:
    """Fail the first open learner: one by one, the worker got no further each time. After some of them, fail all."""
    with transaction() as session:
        held = hold(session, reset_id, number)
        waiting = [] if held is None else open_members(session, held.ResetSlice)
        if not waiting:
            return
        members = literal(held.ResetSlice.members, ARRAY(BigInteger))
        before = select(func.count()).where(
            ResetItem.reset_id == reset_id, ResetItem.enrolment_id == any_(members), ResetItem.reason == ABANDONED
        )
        whole = session.scalars(before).one() + 1 >= MOST_ABANDONED
    log.error("slice_abandoned", reset=str(reset_id), slice=number, enrolment=None if whole else waiting[0])
    fail(reset_id, number, ABANDONED, None if whole else waiting[0])
