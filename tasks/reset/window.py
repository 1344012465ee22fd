"""The window: which slices are in the queue.

Only so many at a time, so that a large reset neither floods the broker nor stands before everyone else's; and only so
many of one organization, however many resets it has, which take turns. Of what is paused, none.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session, aliased

from config.celery import BULK, INTERACTIVE
from config.log import logger
from config.settings import settings
from models.pauses import is_paused
from models.people import Organization
from models.resets import Reset, ResetSlice, ResetState
from models.session import transaction
from tasks.messages import (
    WORK_OUTBOXES,
    SliceToSend,
    send_coordinator,
    send_notify,
    send_outbox,
    send_slices,
    show_progress,
)
from tasks.report import progress_of

AHEAD = 3000  # learners whose slices wait for a worker, for each unit of an organization's weight
LEARNERS_ONE_BY_ONE = 200  # up to this many, each learner is a subtask
FEWEST_IN_A_SLICE = 250
MOST_IN_A_SLICE = 1000
SLICES_AIMED_AT = 16
ALERTED_EVERY = 10  # slices
WHOLE_ATTEMPTS = 2  # a slice that was begun so often without settling anyone goes on one by one, after longer waits
RAREST = 32  # up to this multiple of the first wait
MOST_LOST_AT_ONCE = 1000  # slices per run of `recover`; the next run finds the rest

log = logger(__name__)


def is_small(reset: Reset) -> bool:
    """Returns whether each learner of the reset is a subtask. Its participants are asked once all are cleared."""
    return (reset.learners or 0) <= LEARNERS_ONE_BY_ONE


def slice_size(learners: int) -> int:
    """Returns the learners per slice: 1 in a small audience, more in a larger one."""
    if learners <= LEARNERS_ONE_BY_ONE:
        return 1
    return min(MOST_IN_A_SLICE, max(FEWEST_IN_A_SLICE, -(-learners // SLICES_AIMED_AT)))


def keep_going(reset_id: UUID, number: int) -> None:
    """After slice `number`: send what the window has room for, show progress, and call the coordinator if nothing is
    open. Learners of a large reset are alerted meanwhile, some slices at a time.

    Looks at the slices in a transaction of its own, after the slice's commit: of two slices that end at once, the
    later one sees both.
    """
    with transaction(durable=False) as session:  # undone by a crash, slices are sent twice
        # Held until the event is sent: the coordinator settles the reset only after that, so no progress can come
        # after the end and overwrite the result that Flower shows.
        which = select(Reset, is_paused()).where(Reset.id == reset_id)
        reset, paused = session.execute(which.with_for_update(read=True, of=Reset)).one_or_none() or (None, False)
        if reset is None or reset.state != ResetState.RUNNING:
            return
        progress = progress_of(session, reset.id)
        to_ask = is_small(reset) and progress.goes_on_elsewhere(paused=paused)
        if reset.cancel_requested_at or not progress.open_slices or to_ask:
            send_coordinator(session, reset)
        else:
            show_progress(reset, progress, paused=paused)
            large = progress.total > LEARNERS_ONE_BY_ONE
            if large and reset.notify and not reset.participants and number % ALERTED_EVERY == 0:
                send_notify(session, reset)
        if reset.participants and not is_small(reset):  # or nobody is asked yet
            send_outbox(session, WORK_OUTBOXES)
        fill_window(session, reset)


def fill_window(session: Session, reset: Reset) -> None:
    """Send the next slices of the organization's resets, as many as its window has room for: that reset first of which
    fewest are in the queue.

    What one person waits for has a window of its own. Comes last in a transaction: it holds others of the organization.
    """
    if reset.learners is not None:
        fill_window_of(session, reset.organization_id, one_by_one=reset.learners <= LEARNERS_ONE_BY_ONE)


def fill_window_of(session: Session, organization_id: int, *, one_by_one: bool) -> None:
    """Fill the window of an organization: that of its resets whose learners are subtasks each, or that of the others.

    Of the others, slices of about `AHEAD` learners wait for a worker, and more for an organization of more weight. So
    organizations share the workers by weight, whoever came first and however many resets they have.
    """
    peer, piece = aliased(Reset), aliased(ResetSlice)
    running = and_(
        peer.organization_id == organization_id,
        peer.state == ResetState.RUNNING,
        peer.cancel_requested_at.is_(None),
        (peer.learners <= LEARNERS_ONE_BY_ONE) == one_by_one,
        ~is_paused(peer),
    )
    of_peer = (piece.reset_id == peer.id) & piece.settled_at.is_(None)
    to_send = piece.published_at.is_(None) & ~piece.held
    anything = select(piece.number).join(peer, of_peer).where(running, to_send).exists()
    ours = select(Organization.weight).where(Organization.id == organization_id, anything)
    weight = session.scalar(ours.with_for_update(key_share=True))
    if weight is None:
        return
    sent_ones = of_peer & piece.published_at.is_not(None)
    in_flight = select(func.count()).where(sent_ones).correlate(peer).scalar_subquery()
    # One that was sent long ago is lost, and must not hold the others.
    lately = piece.published_at > func.now() - timedelta(seconds=settings().recover_after_seconds)
    ahead = select(func.sum(piece.learners)).where(sent_ones, piece.attempts == 0, lately).correlate(peer)
    peers = (
        select(peer.id, in_flight.label("in_flight"), func.coalesce(ahead.scalar_subquery(), 0).label("ahead"))
        .where(running)
        .cte("peers")
    )
    most = settings().slices_in_flight
    unsent = (
        select(piece.number, piece.learners)
        .where(piece.reset_id == peers.c.id, piece.settled_at.is_(None), to_send)
        .order_by(piece.number)
        .limit(most)
        .lateral("unsent")
    )
    place = func.row_number().over(partition_by=peers.c.id, order_by=unsent.c.number)
    turn = (peers.c.in_flight + place).label("turn")
    waiting = select(peers.c.id, unsent.c.number, unsent.c.learners, turn).join(unsent, true()).cte("waiting")
    order = (waiting.c.turn, waiting.c.number, waiting.c.id)  # in a tie, the one that is less far
    before = func.sum(waiting.c.learners).over(order_by=order) - waiting.c.learners
    lined_up = select(waiting, before.label("before")).where(waiting.c.turn <= most).cte("lined_up")
    all_in_flight = select(func.sum(peers.c.in_flight).cast(BigInteger)).scalar_subquery()
    all_ahead = select(func.sum(peers.c.ahead)).scalar_subquery()
    room = func.greatest(0, weight * _most_of_an_organization() - all_in_flight)
    nexts = (
        select(lined_up.c.id, lined_up.c.number)
        .where(literal(one_by_one) | (all_ahead + lined_up.c.before < weight * AHEAD))
        .order_by(lined_up.c.turn, lined_up.c.number, lined_up.c.id)
        .limit(room)
        .cte("nexts")
    )
    which = (ResetSlice.reset_id == nexts.c.id) & (ResetSlice.number == nexts.c.number)
    sent = _take(session, select(ResetSlice.reset_id, ResetSlice.number).join(nexts, which))
    for reset_id, slices in sent.items():
        send_slices(session, session.get_one(Reset, reset_id), slices, interactive=one_by_one)


def _most_of_an_organization() -> int:
    return settings().slices_in_flight_per_organization or 2 * settings().slices_in_flight


def send_lost(session: Session, read: Mapping[str, datetime | None]) -> list[UUID]:
    """Send lost slices again. Returns the resets they belong to. `read` says up to which moment each queue was read.

    A slice is lost if all that was sent when it was sent has been read and it was not begun, or if it was begun, and no
    worker is clearing it. What was begun repeatedly without settling anyone may be what kills its worker: only that
    waits longer each time. What may still wait in a long queue is not sent.
    """
    wait = settings().recover_after_seconds
    interactive = Reset.learners <= LEARNERS_ONE_BY_ONE
    read_up_to = case(
        (interactive, literal(read[INTERACTIVE], DateTime(timezone=True))),
        else_=literal(read[BULK], DateTime(timezone=True)),
    )
    begun = func.coalesce(ResetSlice.begun_at >= ResetSlice.published_at, false())
    times = func.least(RAREST, func.power(2, func.greatest(0, ResetSlice.in_vain - WHOLE_ATTEMPTS)))
    sent_long_ago = ResetSlice.published_at < _seconds_ago(wait)
    lost = case(
        (begun, ResetSlice.begun_at < _seconds_ago(wait * times)),
        else_=sent_long_ago & (ResetSlice.published_at < read_up_to),
    )
    these = (
        select(ResetSlice.reset_id, ResetSlice.number)
        .join(Reset, Reset.id == ResetSlice.reset_id)
        .where(
            Reset.state == ResetState.RUNNING,
            Reset.cancel_requested_at.is_(None),
            ResetSlice.published_at.is_not(None),
            ~is_paused(),
            lost,
        )
        .order_by(ResetSlice.published_at)
        .limit(MOST_LOST_AT_ONCE)
    )
    sent = _take(session, these)
    for reset_id, slices in sent.items():
        reset = session.get_one(Reset, reset_id)
        log.warning("slices_recovered", reset=str(reset_id), slices=len(slices))
        send_slices(session, reset, slices, interactive=is_small(reset))
    return list(sent)


def _seconds_ago(seconds: Any) -> ColumnElement[datetime]:
    return func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _take(session: Session, these: Select[UUID, int]) -> dict[UUID, list[SliceToSend]]:
    """Mark these slices as sent, except those that are settled, being cleared, or being sent by another process.

    Returns them by reset.
    """
    open_ones = these.where(ResetSlice.settled_at.is_(None))
    taken = open_ones.with_for_update(of=ResetSlice, skip_locked=True).cte("taken")
    rows = session.execute(
        update(ResetSlice)
        .where(ResetSlice.reset_id == taken.c.reset_id, ResetSlice.number == taken.c.number)
        .values(published_at=func.now(), publications=ResetSlice.publications + 1)
        .returning(ResetSlice.reset_id, ResetSlice.number, ResetSlice.position, ResetSlice.learners)
        .execution_options(synchronize_session=False)
    )
    sent: dict[UUID, list[SliceToSend]] = {}
    for reset_id, *figures in sorted(rows, key=lambda row: (row.reset_id, row.number)):
        sent.setdefault(reset_id, []).append(SliceToSend(*figures))
    return sent
