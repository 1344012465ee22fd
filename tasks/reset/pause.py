"""Pause and resume a reset, an organization, or everything.

A slice that is being cleared ends, and no other one begins. Learners who are reset already are alerted, and cleared by
the participants. A pause is a row, which outlasts any restart; see `models/pauses.py` for who reads it.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.languages import translatable
from models import audit
from models.access import Actor, Permission
from models.pauses import Pause, PauseScope, is_paused, pause_of_organization, pauses_of
from models.people import Organization
from models.refusals.pauses import PausedMoreWidely, PauseReasonMissing
from models.refusals.resets import PAUSE, AlreadySettled
from models.reset_queue import next_in_queue
from models.resets import SETTLED, Reset, ResetState
from models.session import changed_rows
from models.training import Course
from models.webhook_messages import tell
from models.webhooks import WebhookEvent
from tasks.messages import send_coordinator
from tasks.reset.plan import permission_for

WHOLE = {
    PauseScope.EVERYTHING: (translatable("Everything"), translatable("an operator")),
    PauseScope.ORGANIZATION: (translatable("The organization"), translatable("an administrator")),
}


def pause_reset(session: Session, actor: Actor, reset: Reset, reason: str) -> None:
    """Pause the reset, planned or running. Pausing it twice is the same as once.

    Raises `Forbidden`, `AlreadySettled`, `PauseReasonMissing`.
    """
    actor.must_have(permission_for(reset.audience))
    _hold(session, reset)
    if reset.state in SETTLED:
        raise AlreadySettled(reset.state, PAUSE)
    if _pause(session, actor, Pause(organization_id=reset.organization_id, reset_id=reset.id, reason=reason)):
        audit.record(session, actor, "reset.paused", reset.id, reset.organization_id, reason=reason.strip())
        if waiting := next_in_queue(session, reset.organization_id):
            send_coordinator(session, waiting)


def resume_reset(session: Session, actor: Actor, reset: Reset) -> None:
    """Resume the reset. If it is not paused, nothing happens. Raises `Forbidden`, `PausedMoreWidely`."""
    actor.must_have(permission_for(reset.audience))
    _hold(session, reset)
    if _resume(session, Pause.reset_id == reset.id, Reset.id == reset.id):
        audit.record(session, actor, "reset.resumed", reset.id, reset.organization_id)
    elif held := pauses_of(session, [reset]).get(reset.id):
        raise PausedMoreWidely(*WHOLE[held.scope])


def pause_organization(session: Session, actor: Actor, reason: str) -> None:
    """Pause all resets of the actor's organization, and its rules. Raises `Forbidden`, `PauseReasonMissing`."""
    actor.must_have_all()
    if _pause(session, actor, Pause(organization_id=actor.organization_id, reset_id=None, reason=reason)):
        audit.record(
            session,
            actor,
            "organization.paused",
            actor.organization_id,
            actor.organization_id,
            reason=reason.strip(),
        )


def resume_organization(session: Session, actor: Actor) -> None:
    """Resume the actor's organization; its resets that are paused by themselves stay so.

    Raises `Forbidden`, `PausedMoreWidely`.
    """
    actor.must_have_all()
    whole = (Pause.organization_id == actor.organization_id) & Pause.reset_id.is_(None)
    if _resume(session, whole, Reset.organization_id == actor.organization_id):
        audit.record(session, actor, "organization.resumed", actor.organization_id, actor.organization_id)
    elif held := pause_of_organization(session, actor.organization_id):
        raise PausedMoreWidely(*WHOLE[held.scope])


def pause_everything(session: Session, operator: Actor | str, reason: str) -> None:
    """Pause the whole installation. `operator` is a user, or the account at the console.

    Raises `Forbidden`, `PauseReasonMissing`.
    """
    _must_operate(operator)
    if _pause(session, operator, Pause(organization_id=None, reset_id=None, reason=reason)):
        _record_everywhere(session, operator, "installation.paused", reason=reason.strip())


def resume_everything(session: Session, operator: Actor | str) -> bool:
    """Resume the whole installation; what is paused by itself stays so. Returns whether it was paused.

    Raises `Forbidden`.
    """
    _must_operate(operator)
    whole = Pause.organization_id.is_(None)
    resumed = _resume(session, whole, Reset.id.is_not(None))
    if resumed:
        _record_everywhere(session, operator, "installation.resumed")
    return resumed


def _must_operate(operator: Actor | str) -> None:
    if isinstance(operator, Actor):
        operator.must_have(Permission.OPERATIONS)


def _hold(session: Session, reset: Reset) -> None:
    # The slices of a million learners may be being written: wait for it, as cancelling does.
    session.execute(text("SET LOCAL lock_timeout TO '60s'"))
    session.refresh(reset, with_for_update={"key_share": True})


def _pause(session: Session, actor: Actor | str, pause: Pause) -> bool:
    """Write the pause, and show it. Returns whether there was none."""
    if not (reason := pause.reason.strip()):
        raise PauseReasonMissing
    user_id, name = (None, actor) if isinstance(actor, str) else (actor.user_id, actor.name)
    before = list(session.scalars(_running(_resets_under(pause), ~is_paused())))
    written = changed_rows(
        session,
        insert(Pause)
        .values(
            organization_id=pause.organization_id,
            reset_id=pause.reset_id,
            reason=reason,
            paused_by=user_id if pause.organization_id is not None else None,
            pauser=name,
        )
        .on_conflict_do_nothing(),
    )
    if written:
        _tell(session, before, WebhookEvent.RESET_PAUSED)
        for reset in before:  # shows it in Flower
            send_coordinator(session, reset)
    return bool(written)


def _resume(session: Session, which: ColumnElement[bool], resets: ColumnElement[bool]) -> bool:
    """Delete the pause, and continue what it alone held. Returns whether there was one."""
    held = list(session.scalars(_running(resets, is_paused())))
    if not session.scalars(select(select(Pause).where(which).exists())).one():
        return False
    due = and_(Reset.state == ResetState.REQUESTED, Reset.start_at <= func.now(), resets, is_paused())
    waiting = list(session.scalars(select(Reset).where(due).order_by(Reset.start_at, Reset.id)))
    session.execute(delete(Pause).where(which))
    ids = [reset.id for reset in (*held, *waiting)]
    free = set(session.scalars(select(Reset.id).where(Reset.id.in_(ids), ~is_paused())))
    _tell(session, [reset for reset in held if reset.id in free], WebhookEvent.RESET_RESUMED)
    changed_rows(  # `recover` is to wait for the answers to these messages, as to any
        session, update(Reset).where(Reset.id.in_(free)).values(recovered_at=func.now(), sent_in_vain=0)
    )
    for reset in (*held, *waiting):
        if reset.id in free:
            send_coordinator(session, reset)
    return True


def _resets_under(pause: Pause) -> ColumnElement[bool]:
    if pause.reset_id is not None:
        return Reset.id == pause.reset_id
    if pause.organization_id is not None:
        return Reset.organization_id == pause.organization_id
    return Reset.id.is_not(None)


def _running(which: ColumnElement[bool], held: ColumnElement[bool]) -> Select[Reset]:
    going = and_(Reset.state == ResetState.RUNNING, Reset.cancel_requested_at.is_(None))
    return select(Reset).where(going, which, held).order_by(Reset.id)


def _tell(session: Session, resets: Sequence[Reset], event: WebhookEvent) -> None:
    for reset in resets:
        course = session.get_one(Course, reset.course_id)
        named = {"course": course.code, "course_external_id": course.external_id}
        tell(
            session,
            reset.organization_id,
            event,
            reset.id,
            {"reset": str(reset.id), **named, "state": reset.state.value},
        )


def _record_everywhere(session: Session, operator: Actor | str, action: str, **details: str) -> None:
    for organization_id in session.scalars(select(Organization.id).order_by(Organization.id)):
        audit.record(session, operator, action, organization_id, organization_id, **details)
