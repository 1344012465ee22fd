"""Change a planned reset before it begins: its start, its reason, its due date, and whether learners are alerted."""

from datetime import datetime
from typing import Any, TypedDict, Unpack

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
from tasks.reset.plan import check_due_in_days, check_start, permission_for


class Changes(TypedDict, total=False):
    """What to change of a planned reset; what is left out stays."""

    start_at: datetime | None  # `None`: stays
    reason: str | None  # `None`: stays
    due_in_days: int | None  # `None`: it sets no new due date
    notify: bool | None  # `None`: stays


def move(session: Session, actor: Actor, reset: Reset, **changes: Unpack[Changes]) -> None:
    """Change the planned reset. Its requester and its audience stay.

    Raises `Forbidden`, `AlreadyBegun` if it has begun, ended or was never planned for later, `StartAtInvalid`,
    `ReasonMissing`, `DueInDaysInvalid`.
    """
    actor.must_have(permission_for(reset.audience))
    session.refresh(reset, with_for_update={"key_share": True})  # a worker may be beginning it
    if not is_planned(reset):
        raise AlreadyBegun
    given = {name: value for name, value in changes.items() if value is not None or name == "due_in_days"}
    if "reason" in given:
        given["reason"] = str(given["reason"]).strip()
        if not given["reason"]:
            raise ReasonMissing
    check_due_in_days(changes.get("due_in_days"))
    before = {name: getattr(reset, name) for name in given}
    after = {name: value for name, value in given.items() if value != before[name]}
    if (start_at := changes.get("start_at")) and "start_at" in after:
        check_start(start_at)
    if not after:
        return
    for name, value in after.items():
        setattr(reset, name, value)
    session.flush()
    if session.scalar(select(EvidencePart.id).where(part_of(reset.id, PartKind.REQUEST)).limit(1)) is not None:
        add_part(session, reset, PartKind.REQUEST)  # what is stored says what was asked for before
        send_outbox(session, WORK_OUTBOXES)
    audit.record(
        session,
        actor,
        "reset.moved",
        reset.id,
        reset.organization_id,
        before={name: _as_json(before[name]) for name in after},
        after={name: _as_json(value) for name, value in after.items()},
    )


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
