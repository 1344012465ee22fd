"""Request: the only way to start a reset, whoever asks. Requests by message come through `request_by_message.py`."""

from dataclasses import asdict

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.settings import settings
from models import audit
from models.access import Actor
from models.groups import Group
from models.refusals.people import GroupUnknown
from models.refusals.requests import IdempotencyMismatch
from models.refusals.resets import AlreadyResetting, ConfirmMismatch, PlanExpired, ReasonMissing
from models.resets import Reset
from tasks.messages import send_coordinator
from tasks.reset.exclusions import all_elsewhere
from tasks.reset.lists import use_list
from tasks.reset.outdated import check_as_shown
from tasks.reset.plan import Plan, expired, opened_by
from tasks.tracing import current_traceparent, span

KEPT = {"read": True, "key_share": True}  # nobody deletes it before the reset is stored


def request_reset(
    session: Session,
    actor: Actor,
    *,
    plan: str,
    confirm: str,
    reason: str = "",
    idempotency_key: str | None = None,
) -> Reset:
    """Store a confirmed reset. Its job is sent when the session's transaction commits, or at the plan's start.

    `plan` is a preview's token, `confirm` the course code as typed; `reason`, or else the plan's, goes to the audit.
    The same plan, or the same key with the same request, gives the reset that was already made. Raises
    `PlanInvalid`, `PlanExpired`, `Forbidden`, `ConfirmMismatch`, `ReasonMissing`, `IdempotencyMismatch`,
    `AlreadyResetting`, `PlanOutdated`, `GroupUnknown`, `ListUnknown`, `ListUsed`.
    """
    asked = opened_by(actor, plan)
    if confirm != asked.course_code:
        raise ConfirmMismatch(asked.course_code)
    reason = reason.strip() or asked.reason.strip()
    if not reason:
        raise ReasonMissing
    if earlier := _earlier(session, asked, reason, idempotency_key):
        return earlier
    if expired(asked):
        raise PlanExpired(settings().plan_minutes)
    if asked.group_id is not None and session.get(Group, asked.group_id, with_for_update=KEPT) is None:
        raise GroupUnknown(asked.group_id)
    lines = use_list(session, actor, asked.list_id) if asked.list_id is not None else {}
    if asked.start_at is None and all_elsewhere(session, asked):
        raise AlreadyResetting(asked.course_code)
    check_as_shown(session, asked)
    return _write(session, actor, asked, reason, idempotency_key, lines)


def _earlier(session: Session, plan: Plan, reason: str, idempotency_key: str | None) -> Reset | None:
    """Returns the reset that the same request has made before. Raises `IdempotencyMismatch`."""
    reset = session.get(Reset, plan.id)
    if reset is None and idempotency_key is not None:
        reset = session.scalar(
            select(Reset).where(Reset.organization_id == plan.organization_id, Reset.idempotency_key == idempotency_key)
        )
    if reset is None:
        return None
    later = reset.start_at if reset.start_at > reset.requested_at else None
    terms = ("course_id", "audience", "user_ids", "group_id", "list_id", "skip_completed_days", "due_in_days", "notify")
    before = (*(getattr(reset, term) for term in terms), later, reset.reason)
    now = (*(getattr(plan, term) for term in terms), plan.start_at, reason)
    if before != now or idempotency_key not in (None, reset.idempotency_key):
        raise IdempotencyMismatch
    return reset


def _write(
    session: Session, actor: Actor, plan: Plan, reason: str, idempotency_key: str | None, lines: dict[str, int]
) -> Reset:
    with span("request_reset", reset=str(plan.id)):
        return _write_in_its_trace(session, actor, plan, reason, idempotency_key, lines)


def _write_in_its_trace(
    session: Session, actor: Actor, plan: Plan, reason: str, idempotency_key: str | None, lines: dict[str, int]
) -> Reset:
    written = session.scalar(
        insert(Reset)
        .values(
            id=plan.id,
            organization_id=plan.organization_id,
            course_id=plan.course_id,
            audience=plan.audience,
            user_ids=plan.user_ids,
            group_id=plan.group_id,
            list_id=plan.list_id,
            skip_completed_days=plan.skip_completed_days,
            planned_at=plan.planned_at,
            snapshot=plan.snapshot,
            shown=asdict(plan.shown) if plan.shown else None,
            as_of=func.pg_current_snapshot(),
            due_in_days=plan.due_in_days,
            notify=plan.notify,
            reason=reason,
            requested_by=actor.user_id,
            requester=actor.name,
            start_at=plan.start_at or func.now(),
            idempotency_key=idempotency_key,
            task_id=plan.id,
            traceparent=current_traceparent(),
        )
        .on_conflict_do_nothing()  # a double click: the second request finds the first one's row below
        .returning(Reset.id)
    )
    if written is None:
        earlier = _earlier(session, plan, reason, idempotency_key)
        assert earlier is not None
        return earlier
    reset = session.get_one(Reset, plan.id)
    audit.record(
        session,
        actor,
        "reset.requested",
        reset.id,
        reset.organization_id,
        course=plan.course_code,
        reason=reason,
        **lines,
    )
    if plan.start_at is None:  # otherwise `recover` calls it at its start
        send_coordinator(session, reset)
    return reset
