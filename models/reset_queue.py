"""The queue of an organization: resets that are due, and wait until fewer of its resets run.

Resets of a few named users do not count and do not wait. What is paused does neither; when it is resumed, more may run
for a while.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from config.settings import settings
from models.pauses import is_paused
from models.people import Organization
from models.resets import Reset, ResetState

A_FEW = 200  # named users


def takes_a_place() -> ColumnElement[bool]:
    """Returns the condition that the reset counts: it is not one of a few named users."""
    return or_(Reset.user_ids.is_(None), func.cardinality(Reset.user_ids) > A_FEW)


def places(organization_id: int | None = None) -> Select[UUID, int]:
    """Returns the query for the resets that are due, and the place of each in the queue of its organization.

    From 1; those with a lower place may begin.
    """
    ours: tuple[ColumnElement[bool], ...] = (takes_a_place(), ~is_paused())
    if organization_id is not None:
        ours += (Reset.organization_id == organization_id,)
    running = (
        select(Reset.organization_id, func.count().label("resets"))
        .where(Reset.state == ResetState.RUNNING, *ours)
        .group_by(Reset.organization_id)
        .subquery("running")
    )
    due = and_(
        Reset.state == ResetState.REQUESTED, Reset.start_at <= func.now(), Reset.cancel_requested_at.is_(None), *ours
    )
    order: Any = func.row_number().over(partition_by=Reset.organization_id, order_by=(Reset.start_at, Reset.id))
    line = select(Reset.id, Reset.organization_id, order.label("nth")).where(due).subquery("line")
    free = func.greatest(0, settings().running_resets_per_organization - func.coalesce(running.c.resets, 0))
    return select(line.c.id, (line.c.nth - free).label("place")).outerjoin(
        running, running.c.organization_id == line.c.organization_id
    )


def must_queue(session: Session, reset: Reset) -> bool:
    """Returns whether the reset, which is due, has to wait for others of its organization."""
    found = places(reset.organization_id).subquery()
    return (session.scalar(select(found.c.place).where(found.c.id == reset.id)) or 0) > 0


def queued() -> Select[UUID]:
    """Returns the query for the resets that have to wait for others of their organization."""
    found = places().subquery()
    return select(found.c.id).where(found.c.place > 0)


def next_in_queue(session: Session, organization_id: int) -> Reset | None:
    """Returns the reset that may begin since another one of the organization ended or was paused; `None` if none waits.

    It locks the organization if one waits, so that two that end at once do not both call the same one.
    """
    line = places(organization_id).subquery()
    if session.scalar(select(line.c.id).limit(1)) is None:
        return None
    session.execute(select(Organization.id).where(Organization.id == organization_id).with_for_update(key_share=True))
    return session.scalar(select(Reset).join(line, line.c.id == Reset.id).where(line.c.place == 0))


def places_of(session: Session, resets: Sequence[Reset]) -> dict[UUID, int]:
    """Returns the places of those of the resets that wait in the queue of their organization."""
    waiting = [one.id for one in resets if one.state == ResetState.REQUESTED]
    if not waiting:
        return {}
    found = places().subquery()
    rows = session.execute(select(found.c.id, found.c.place).where(found.c.id.in_(waiting), found.c.place > 0))
    return {reset_id: int(place) for reset_id, place in rows}


def counts_of(session: Session, organization_id: int) -> tuple[int, int]:
    """Returns how many resets of the organization run, and how many of them wait in its queue."""
    running = select(func.count()).where(
        Reset.state == ResetState.RUNNING, Reset.organization_id == organization_id, takes_a_place(), ~is_paused()
    )
    line = places(organization_id).subquery()
    waiting = select(func.count()).select_from(line).where(line.c.place > 0)
    return session.scalars(running).one(), session.scalars(waiting).one()
