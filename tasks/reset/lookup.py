"""Resets as people look at them: the list, one of them, its learners, and why some were not reset.

Everything here is within the organization of whoever looks, and within their permissions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from config.settings import settings
from models.access import Actor
from models.listing import Count, Key, Listed, Matches, Orders, Place, contains, count_of, matches, rank
from models.open_learners import open_learners_of
from models.pauses import Paused, pauses_of
from models.people import User
from models.refusals.resets import DetailsDeleted, ResetUnknown
from models.reset_queue import places_of
from models.resets import Audience, ItemState, Reset, ResetItem, ResetState, reset_by_id
from models.training import Course, Enrolment
from tasks.evidence.lookup import Standing, standing_of
from tasks.report import progress_of, report_of
from tasks.reset.plan import permission_for

CAUSES = 20  # shown at most
_REQUESTER = func.coalesce(User.name, Reset.requester)


@dataclass(frozen=True)
class ResetLine:
    """A reset in a list."""

    reset: Reset
    course_code: str
    course_title: str
    requester: str  # name of the user, or the account at the console
    paused: Paused | None = None
    place: int | None = None  # in the queue of its organization, from 1


@dataclass(frozen=True)
class ItemLine:
    """What became of one learner."""

    enrolment_id: int
    user_id: int
    name: str
    email: str
    state: ItemState
    reason: str | None


@dataclass(frozen=True)
class Cause:
    """A reason that learners were skipped or failed for, and how many of them."""

    state: ItemState
    reason: str
    learners: int


def reset_seen_by(session: Session, actor: Actor, reset_id: UUID | str) -> Reset:
    """The reset with this id. One of another organization is as unknown as one that never was.

    Raises `ResetUnknown`, and `Forbidden` for an actor who may not make resets of its kind.
    """
    reset = reset_by_id(session, reset_id)
    if reset.organization_id != actor.organization_id:
        raise ResetUnknown(str(reset_id))
    actor.must_have(permission_for(reset.audience))
    return reset


RESET_ORDERS = Orders(
    "-requested",
    {
        "requested": (Key(Reset.requested_at, datetime), Key(Reset.id, UUID)),
        "course": (Key(Course.title, str), Key(Reset.id, UUID)),
        "state": (Key(rank(Reset.state, list(ResetState)), int), Key(Reset.id, UUID)),
        "learners": (Key(Reset.learners, int, nullable=True), Key(Reset.id, UUID)),
        "requester": (Key(_REQUESTER, str), Key(Reset.id, UUID)),
        "start": (Key(Reset.start_at, datetime), Key(Reset.id, UUID)),
    },
    down=("requested", "learners"),
)


@dataclass(frozen=True)
class ResetFilter:
    """What resets a list shows; by default, all that the actor may see."""

    states: Sequence[ResetState] = ()
    course_code: str | None = None
    search: str = ""  # a part of the course's title, the requester or the reason
    idempotency_key: str | None = None


def matching_resets(session: Session, actor: Actor, which: ResetFilter) -> Matches | None:
    """Returns those of the resets that the actor may see whom the filter leaves; `None` if it leaves all."""
    if which == ResetFilter():
        return None
    return matches(session, Reset.id, _joined(select(Reset.id)).where(*_seen_by(actor, which)))


def count_resets(session: Session, actor: Actor, *states: ResetState) -> Count:
    """Returns how many resets the actor may see, or in these states."""
    mine = select(Reset.id).where(*_seen_by(actor, ResetFilter(states)))
    return count_of(session, mine.order_by(Reset.requested_at, Reset.id))  # by the index with this order


def resets_listed(
    session: Session,
    actor: Actor,
    which: ResetFilter = ResetFilter(),
    *,
    found: Matches | None = None,
    sort: str = "",
    after: Place | None = None,
    limit: int,
) -> list[Listed[ResetLine]]:
    """Up to `limit` of the resets that the actor may see and that match, after the place `after`. `found` comes from
    `matching_resets`."""
    conditions = [*_seen_by(actor, which), *([] if found is None else [found.quickly])]
    return _lines(session, conditions, limit, sort, after)


def _seen_by(actor: Actor, which: ResetFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        Reset.organization_id == actor.organization_id,
        Reset.audience.in_([one for one in Audience if permission_for(one) in actor.permissions]),
        *contains(which.search, Course.title, _REQUESTER, Reset.reason),
    ]
    if which.states:
        conditions.append(Reset.state.in_(which.states))
    if which.course_code is not None:
        conditions.append(Course.is_named(which.course_code))
    if which.idempotency_key is not None:
        conditions.append(Reset.idempotency_key == which.idempotency_key)
    return conditions


def resets_seen_by(
    session: Session,
    actor: Actor,
    *,
    states: Sequence[ResetState] = (),
    course_code: str | None = None,
    idempotency_key: str | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[ResetLine]:
    """The resets that the actor may see, latest first: from after `before`, the moment and id of the last one seen."""
    which = ResetFilter(states, course_code, idempotency_key=idempotency_key)
    return [line for line, _ in resets_listed(session, actor, which, after=before, limit=limit)]


def latest_resets(session: Session, organization_ids: Sequence[int], limit: int) -> list[ResetLine]:
    """The latest resets of these organizations: for whoever holds the database anyway."""
    return [line for line, _ in _lines(session, [Reset.organization_id.in_(organization_ids)], limit)]


def line_of(session: Session, reset: Reset) -> ResetLine:
    """One reset as a line."""
    return _lines(session, [Reset.id == reset.id], 1)[0][0]


def facts_of(session: Session, line: ResetLine) -> dict[str, Any]:
    """Everything about a reset except its learners, for programs."""
    reset = line.reset
    names = ("id", "audience", "state", "reason", "requested_at", "start_at", "finished_at", "due_in_days", "notify")
    return (
        {name: getattr(reset, name) for name in names}
        | {"course": line.course_code, "requester": line.requester}
        | report_of(session, reset, progress_of(session, reset.id), line.paused, line.place)
        | {"cancelled": reset.cancel_requested_at is not None, "error": reset.error}
        | {"evidence": _evidence(standing_of(session, reset))}
    )


def _evidence(standing: Standing) -> dict[str, Any] | None:
    names = ("written", "waiting", "given_up", "why", "next_try_at")
    return {name: getattr(standing, name) for name in names} if standing.parts else None


def _lines(
    session: Session,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    sort: str = "",
    after: Place | None = None,
) -> list[Listed[ResetLine]]:
    """The resets that meet the conditions, with their places."""
    order = RESET_ORDERS.named(sort)
    query = _joined(select(Reset, Course.code, Course.title, _REQUESTER)).where(*conditions)
    rows = order.rows(session, query, after, limit).all()
    resets = [row[0] for row in rows]
    paused, places = pauses_of(session, resets), places_of(session, resets)
    return [
        (ResetLine(row[0], row[1], row[2], row[3], paused.get(row[0].id), places.get(row[0].id)), order.place(row))
        for row in rows
    ]


def _joined(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    query = query.select_from(Reset).join(Course, Course.id == Reset.course_id)
    return query.outerjoin(User, User.id == Reset.requested_by)


def items_of(
    session: Session, reset: Reset, *, state: ItemState | None = None, after: int = 0, limit: int
) -> list[ItemLine]:
    """Learners of the reset, by enrolment id from after `after`; of one state if it is given.

    Raises `DetailsDeleted`.
    """
    if reset.details_deleted_at is not None:
        raise DetailsDeleted(settings().keep_ledger_days)
    parts = []
    if state != ItemState.PENDING:
        parts.append(_settled(reset, state, after, limit))
    if state in (None, ItemState.PENDING):
        parts.append(_open(reset, after, limit))
    learners = union_all(*parts).subquery()
    query = (
        select(learners.c.enrolment_id, User.id, User.name, User.email, learners.c.state, learners.c.reason)
        .join(Enrolment, Enrolment.id == learners.c.enrolment_id)
        .join(User, User.id == Enrolment.user_id)
        .order_by(learners.c.enrolment_id)
        .limit(limit)
    )
    return [ItemLine(*row) for row in session.execute(query)]


def _settled(reset: Reset, state: ItemState | None, after: int, limit: int) -> Select[int, ItemState, str | None]:
    items = select(ResetItem.enrolment_id, ResetItem.state, ResetItem.reason)
    items = items.where(ResetItem.reset_id == reset.id, ResetItem.enrolment_id > after)
    if state is not None:
        items = items.where(ResetItem.state == state)
    return items.order_by(ResetItem.enrolment_id).limit(limit)


def _open(reset: Reset, after: int, limit: int) -> Select[int, ItemState, str | None]:
    learners = open_learners_of(reset.id, after=after, slices=limit)
    (enrolment,) = learners.selected_columns
    state = literal(ItemState.PENDING, ResetItem.state.type).label("state")
    columns = (enrolment, state, null().cast(Text).label("reason"))
    return learners.with_only_columns(*columns).order_by(enrolment).limit(limit)


def causes_of(session: Session, reset: Reset) -> list[Cause]:
    """Why learners were skipped or failed, most frequent first."""
    rows = session.execute(
        select(ResetItem.state, ResetItem.reason, func.count())
        .where(ResetItem.reset_id == reset.id, ResetItem.state.in_((ItemState.SKIPPED, ItemState.FAILED)))
        .group_by(ResetItem.state, ResetItem.reason)
        .order_by(func.count().desc())
        .limit(CAUSES)
    )
    return [Cause(state, reason or "", learners) for state, reason, learners in rows]
