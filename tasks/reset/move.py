"""Move a planned reset to another time, or give it another reason, before it begins."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.evidence import EvidencePart, PartKind, part_of
from models.evidence_holds import add_part
from models.refusals.resets import AlreadyBegun, ReasonMissing
from models.resets import Reset
from tasks.messages import WORK_OUTBOXES, send_outbox
from tasks.reset.outcomes import is_planned
from tasks.reset.plan import check_start, permission_for


def move(
    session: Session, actor: Actor, reset: Reset, *, start_at: datetime | None = None, reason: str | None = None
) -> None:
    """Give the planned reset this start and this reason; `None` leaves it as it is. Its requester and audience stay.

    Raises `Forbidden`, `AlreadyBegun` if it has begun, ended or was never planned for later, `StartAtInvalid`,
    `ReasonMissing`.
    """
    actor.must_have(permission_for(reset.audience))
    session.refresh(reset, with_for_update={"key_share": True})  # a worker may be beginning it
    if not is_planned(reset):
        raise AlreadyBegun
    changed: dict[str, str] = {}
    if reason is not None:
        if not reason.strip():
            raise ReasonMissing
        if reason.strip() != reset.reason:
            reset.reason = changed["reason"] = reason.strip()
    if start_at is not None and start_at != reset.start_at:
        check_start(start_at)
        changed |= {"before": reset.start_at.isoformat(), "start_at": start_at.isoformat()}
        reset.start_at = start_at
    if changed:
        session.flush()
        if session.scalar(select(EvidencePart.id).where(part_of(reset.id, PartKind.REQUEST)).limit(1)) is not None:
            add_part(session, reset, PartKind.REQUEST)  # what is stored says the old reason or time
            send_outbox(session, WORK_OUTBOXES)
        audit.record(session, actor, "reset.moved", reset.id, reset.organization_id, **changed)
