"""Evidence as people look at it: the store, and where a reset's evidence stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.evidence import EvidencePart, EvidenceStore, PartKind, PartState
from models.refusals.evidence import EvidenceOff
from models.resets import Reset


@dataclass(frozen=True)
class Standing:
    """Where the evidence of a reset, or of an organization, stands."""

    written: int  # parts
    waiting: int
    given_up: int
    learners: int  # in written parts
    why: str | None  # the last failed attempt of a part that waits, or was given up
    next_try_at: datetime | None

    @property
    def parts(self) -> int:
        """How many there are."""
        return self.written + self.waiting + self.given_up


NONE = Standing(0, 0, 0, 0, None, None)


def store_seen_by(session: Session, actor: Actor) -> EvidenceStore:
    """Returns the store of the actor's organization. Raises `Forbidden`, `EvidenceOff`."""
    actor.must_have(Permission.COURSES)
    store = session.get(EvidenceStore, actor.organization_id)
    if store is None:
        raise EvidenceOff
    return store


def standing_of(session: Session, reset: Reset) -> Standing:
    """Returns where the reset's evidence stands. Asks nothing if it has none."""
    return _standing(session, EvidencePart.reset_id == reset.id) if reset.evidence else NONE


def standing_of_all(session: Session, actor: Actor) -> Standing:
    """Returns where the evidence of the organization's resets stands. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    return _standing(session, EvidencePart.organization_id == actor.organization_id)


def facts_of(store: EvidenceStore, standing: Standing) -> dict[str, Any]:
    """Returns everything about a store but its secret, and what waits for it, for programs."""
    names = ("url", "endpoint", "region", "access_key_id", "lock_days", "changed_at")
    figures = ("written", "waiting", "given_up", "why", "next_try_at")
    return {name: getattr(store, name) for name in names} | {name: getattr(standing, name) for name in figures}


def _standing(session: Session, mine: ColumnElement[bool]) -> Standing:
    state = EvidencePart.state
    failing = state.in_((PartState.WAITING, PartState.GIVEN_UP))
    learners = func.sum(func.cardinality(EvidencePart.members))
    row = session.execute(
        select(
            func.count().filter(state == PartState.WRITTEN),
            func.count().filter(state == PartState.WAITING),
            func.count().filter(state == PartState.GIVEN_UP),
            func.coalesce(learners.filter(state == PartState.WRITTEN, EvidencePart.kind == PartKind.LEARNERS), 0),
            func.max(EvidencePart.outcome).filter(failing),
            func.min(EvidencePart.next_try_at).filter(state == PartState.WAITING, EvidencePart.outcome.is_not(None)),
        ).where(mine)
    ).one()
    written, waiting, given_up, learners_written, why, next_try_at = row
    return Standing(written, waiting, given_up, int(learners_written), why, next_try_at)
