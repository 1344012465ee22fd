"""Commands for participants. Each checks the permission, writes, and adds a line to the audit log."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from config.languages import gettext, translatable
from config.languages.stored import stored
from models import audit
from models.access import Actor, Permission
from models.directory import course_of
from models.participants import MOST_AT_ONCE, AskState, Participant, ParticipantKind, ParticipantRequest
from models.refusals.participants import ParticipantExists, ParticipantInvalid, ParticipantOperatorOnly
from models.sealing import seal
from models.session import changed_rows
from tasks.messages import WORK_OUTBOXES, send_outbox
from tasks.participants.lookup import find_participant
from tasks.participants.plugin import made, plugins
from tasks.signed_messages import TheirTask

CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
BY_ADMIN = stored("an admin disabled it")


@dataclass(frozen=True)
class Terms:
    """How a participant is asked, and about which courses."""

    kind: ParticipantKind
    target: str  # a URL that `checked_address` has accepted, the name of a task, or that of a plug-in
    queue: str | None = None  # of the task
    options: Mapping[str, str] = field(default_factory=dict)  # of the plug-in
    courses: Sequence[str] = ()  # their codes; empty: all courses
    learners_at_once: int = 100
    per_second: Decimal | None = None  # requests, at most


def add_participant(session: Session, actor: Actor, code: str, terms: Terms) -> Participant:
    """Ask a participant about every learner of these courses whom a reset clears, from the next reset on.

    Raises `Forbidden`, `ParticipantInvalid`, `ParticipantExists`, `ParticipantOperatorOnly`, `CourseUnknown`.
    """
    actor.must_have(Permission.COURSES)
    if not CODE.fullmatch(code):
        raise ParticipantInvalid(translatable("A name is 1 to 40 lower-case letters, digits, hyphens and underscores."))
    _check(actor, terms)
    mine = (Participant.organization_id == actor.organization_id) & (Participant.code == code)
    if session.scalar(select(Participant.id).where(mine, Participant.removed_at.is_(None))) is not None:
        raise ParticipantExists(code)
    course_ids = [course_of(session, actor.organization_id, course).id for course in terms.courses]
    participant = Participant(
        organization_id=actor.organization_id,
        code=code,
        kind=terms.kind,
        target=terms.target,
        queue=terms.queue,
        sealed_options=seal(json.dumps(dict(terms.options))) if terms.options else None,
        course_ids=sorted(set(course_ids)) or None,
        learners_at_once=terms.learners_at_once,
        per_second=terms.per_second,
    )
    session.add(participant)
    session.flush()
    about = {"code": code, "kind": terms.kind.value, "target": terms.target, "courses": list(terms.courses)}
    audit.record(session, actor, "participant.added", participant.id, participant.organization_id, **about)
    return participant


def _check(actor: Actor, terms: Terms) -> None:
    if not 1 <= terms.learners_at_once <= MOST_AT_ONCE:
        raise ParticipantInvalid(gettext("Choose 1 to {most_at_once:,} learners at once.", most_at_once=MOST_AT_ONCE))
    if terms.per_second is not None and not 0 < terms.per_second <= 10_000:
        raise ParticipantInvalid(translatable("Choose a rate above 0 and up to 10,000 requests per second."))
    if terms.kind == ParticipantKind.HTTP:
        return
    if actor.user_id is not None:
        raise ParticipantOperatorOnly
    if terms.kind == ParticipantKind.CELERY:
        _check_task(terms)
    else:
        _check_plugin(terms)


def _check_task(terms: Terms) -> None:
    try:
        theirs = TheirTask(task=terms.target, queue=terms.queue or "")
    except ValidationError:
        raise ParticipantInvalid(
            translatable("Name the task and its queue, with letters, digits and `_ . : -`.")
        ) from None
    if theirs.is_ours:
        raise ParticipantInvalid(translatable("The task and the queue must be your own, not those of Recourse."))


def _check_plugin(terms: Terms) -> None:
    try:
        made(terms.target, terms.options)
    except KeyError:
        installed = ", ".join(plugins()) or "none"
        raise ParticipantInvalid(
            gettext(
                "The plug-in {name} is not installed. Installed: {installed}.", name=terms.target, installed=installed
            )
        ) from None
    except (TypeError, ValueError) as error:
        raise ParticipantInvalid(
            gettext("The plug-in {name} does not accept these options: {error}.", name=terms.target, error=error)
        ) from None


def disable_participant(session: Session, actor: Actor, code: str) -> None:
    """Stop asking the participant. Learners who wait for it fail, and can be retried once it is enabled again.

    Raises `Forbidden`, `ParticipantUnknown`.
    """
    participant = find_participant(session, actor, code, lock=True)
    if participant.disabled_at is None:
        participant.disabled_at, participant.disabled_why = _now(session), BY_ADMIN
        audit.record(session, actor, "participant.disabled", participant.id, participant.organization_id, code=code)
        _ask_at_once(session, participant)


def enable_participant(session: Session, actor: Actor, code: str) -> None:
    """Ask the participant again, from the next reset on. Raises `Forbidden`, `ParticipantUnknown`."""
    participant = find_participant(session, actor, code, lock=True)
    if participant.disabled_at is not None:
        participant.disabled_at = participant.disabled_why = None
        audit.record(session, actor, "participant.enabled", participant.id, participant.organization_id, code=code)


def remove_participant(session: Session, actor: Actor, code: str) -> None:
    """Never ask the participant again. Learners who wait for it fail. Raises `Forbidden`, `ParticipantUnknown`."""
    participant = find_participant(session, actor, code, lock=True)
    participant.removed_at = _now(session)
    audit.record(session, actor, "participant.removed", participant.id, participant.organization_id, code=code)
    _ask_at_once(session, participant)


def ask_now(session: Session, actor: Actor, code: str) -> int:
    """Ask a participant that is back at once, in place of at the next time that is due. Returns how many requests
    wait. Raises `Forbidden`, `ParticipantUnknown`."""
    participant = find_participant(session, actor, code, lock=True)
    audit.record(session, actor, "participant.asked_now", participant.id, participant.organization_id, code=code)
    return _ask_at_once(session, participant)


def renew_participant_secret(session: Session, actor: Actor, code: str) -> str:
    """Returns a new secret; the old one stays valid for a day. Raises `Forbidden`, `ParticipantUnknown`."""
    participant = find_participant(session, actor, code, lock=True)
    participant.renew()
    audit.record(session, actor, "participant.secret_renewed", participant.id, participant.organization_id, code=code)
    return participant.secret()


def show_participant_secret(session: Session, actor: Actor, code: str) -> str:
    """Returns the secret that requests are signed with. Raises `Forbidden`, `ParticipantUnknown`."""
    participant = find_participant(session, actor, code)
    audit.record(session, actor, "participant.secret_shown", participant.id, participant.organization_id, code=code)
    return participant.secret()


def _ask_at_once(session: Session, participant: Participant) -> int:
    waiting = (ParticipantRequest.participant_id == participant.id) & (ParticipantRequest.state == AskState.WAITING)
    send_outbox(session, WORK_OUTBOXES)
    return changed_rows(session, update(ParticipantRequest).where(waiting).values(next_try_at=func.now(), attempts=0))


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.now())).one()
    return now
