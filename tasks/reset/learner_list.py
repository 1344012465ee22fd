"""The learners of a reset as a list that is searched, filtered and sorted, however many they are.

Learners with an outcome are in the ledger; those who are open are members of open slices. Each page is read from both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, any_, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from config.settings import settings
from models.listing import Count, Key, Listed, Matches, Orders, Place, contains, count_of, matches, plan_with_values
from models.open_learners import open_learners_of
from models.people import User
from models.refusals.resets import DetailsDeleted
from models.resets import SETTLED, ItemState, Reset, ResetItem, ResetSlice
from models.training import Enrolment
from tasks.reset.lookup import ItemLine, items_of

FEW_OPEN = 20_000  # learners

_NAMES = {
    "name": (Key(User.name, str), Key(User.id, int)),
    "email": (Key(func.lower(User.email), str), Key(User.id, int)),
}
_OF_ITEMS = Orders("number", {"number": (Key(ResetItem.enrolment_id, int),), **_NAMES})
_OF_OPEN = Orders("number", {"number": (Key(Enrolment.id, int),), **_NAMES})
LEARNER_ORDERS = _OF_ITEMS


@dataclass(frozen=True)
class LearnerFilter:
    """What learners of a reset a list shows; by default, all."""

    state: ItemState | None = None
    search: str = ""  # a part of the name or the address


def matching_learners(session: Session, reset: Reset, search: str) -> Matches | None:
    """Returns the users of the course whose name or address contains the text; `None` for an empty text."""
    if not search:
        return None
    users = select(User.id).join(Enrolment, Enrolment.user_id == User.id).where(*_of_course(reset))
    return matches(session, User.id, users.where(*contains(search, User.name, User.email)))


def count_learners(session: Session, reset: Reset, which: LearnerFilter, found: Matches | None = None) -> Count:
    """Returns how many learners of the reset match."""
    parts = [part.with_only_columns(literal(1)) for part, _ in _parts(session, reset, which, found)]
    together = union_all(*parts).subquery()
    return count_of(session, select(literal(1)).select_from(together))


def learners_listed(
    session: Session,
    reset: Reset,
    which: LearnerFilter = LearnerFilter(),
    *,
    found: Matches | None = None,
    sort: str = "",
    after: Place | None = None,
    limit: int,
) -> list[Listed[ItemLine]]:
    """Returns up to `limit` learners of the reset that match, after the place `after`.

    `found` comes from `matching_learners`. Raises `DetailsDeleted`.
    """
    if reset.details_deleted_at is not None:
        raise DetailsDeleted(settings().keep_ledger_days)
    order = LEARNER_ORDERS.named(sort)
    if sort in ("", LEARNER_ORDERS.usual) and not which.search:
        items = items_of(session, reset, state=which.state, after=after[0] if after else 0, limit=limit)
        return [(item, (item.enrolment_id,)) for item in items]
    parts = [orders.named(sort).page(part, after, limit) for part, orders in _parts(session, reset, which, found)]
    together = union_all(*parts).subquery()
    places = order.places_in(together)
    plan_with_values(session)
    query = select(together).order_by(*order.by(places)).limit(limit)
    return [(ItemLine(*row[:6]), order.place(row)) for row in session.execute(query)]


def _parts(
    session: Session, reset: Reset, which: LearnerFilter, found: Matches | None
) -> list[tuple[Select[*tuple[Any, ...]], Orders]]:
    """Returns the queries for the learners who have an item and for those who have none, with the orders of each."""
    conditions = [*contains(which.search, User.name, User.email), *([] if found is None else [found.quickly])]
    parts = []
    if which.state != ItemState.PENDING:
        parts.append((_settled(reset, which.state).where(*conditions), _OF_ITEMS))
    if which.state in (None, ItemState.PENDING) and (reset.state not in SETTLED or not parts):
        parts.append((_open(session, reset).where(*conditions), _OF_OPEN))
    return parts


def _settled(reset: Reset, state: ItemState | None) -> Select[*tuple[Any, ...]]:
    query = (
        select(Enrolment.id, User.id, User.name, User.email, ResetItem.state, ResetItem.reason)
        .select_from(ResetItem)
        .join(Enrolment, Enrolment.id == ResetItem.enrolment_id)
        .join(User, User.id == Enrolment.user_id)
        .where(ResetItem.reset_id == reset.id, *_of_course(reset))
    )
    return query if state is None else query.where(ResetItem.state == state)


def _open(session: Session, reset: Reset) -> Select[*tuple[Any, ...]]:
    state = literal(ItemState.PENDING, ResetItem.state.type).label("state")
    return (
        select(Enrolment.id, User.id, User.name, User.email, state, null().cast(Text).label("reason"))
        .select_from(Enrolment)
        .join(User, User.id == Enrolment.user_id)
        .where(_is_open(session, reset), *_of_course(reset))
    )


def _is_open(session: Session, reset: Reset) -> ColumnElement[bool]:
    """A few who are open are looked up; where most are, each user in turn is looked at, until the page is full."""
    slices = (ResetSlice.reset_id == reset.id, ResetSlice.settled_at.is_(None))
    left = session.scalar(select(func.sum(ResetSlice.learners - ResetSlice.counted)).where(*slices)) or 0
    if left <= FEW_OPEN:
        return Enrolment.id.in_(open_learners_of(reset.id))
    around = (ResetSlice.first <= Enrolment.id, ResetSlice.last >= Enrolment.id)
    of_slice = select(ResetSlice.number).where(*slices, *around, Enrolment.id == any_(ResetSlice.members))
    item = select(ResetItem.state).where(ResetItem.reset_id == reset.id, ResetItem.enrolment_id == Enrolment.id)
    return of_slice.exists() & ~item.exists()


def _of_course(reset: Reset) -> Sequence[ColumnElement[bool]]:
    """What all learners of the reset have in common: so the indexes of users in order are of use."""
    return (User.organization_id == reset.organization_id, Enrolment.course_id == reset.course_id)
