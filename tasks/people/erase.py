"""Erase a person: what is kept does not say who they were, what they wrote, or what they did.

The user's row stays without personal data, because resets, rules and the audit refer to its id. Enrolments stay too,
emptied and unassigned: a running reset that includes one skips it.
"""

from dataclasses import dataclass

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.orm import Session

from config.log import logger
from models import audit
from models.access import Actor, Permission
from models.course_days import count_days_before_reset
from models.exemptions import Exemption
from models.files.files import StoredFile
from models.groups import GroupMember
from models.idempotency import StoredAnswer
from models.journal import note_erased
from models.mail import Mail, MailState
from models.people import Organization, User
from models.personal import forget_in_results, forget_in_words, pseudonym_of
from models.preferences import AlertPreference
from models.refusals.people import EraseMismatch, NotOneself
from models.session import changed_rows
from models.sign_in import Credential
from models.sign_in_failures import SignInFailure, account_of
from models.sign_on import UserIdentity
from models.tokens import ApiToken
from models.training import Enrolment
from models.web_sessions import WebSession
from models.webhook_messages import forget_external_id
from tasks.outbox.due import send_due_outboxes
from tasks.people.authority import must_manage
from tasks.people.enrolments import end_enrolments
from tasks.people.in_their_name import stop_what_is_in_their_name
from tasks.reset.end_registrations import end_registrations

NAME = "Erased user"
ERASED = "the user was erased"

log = logger(__name__)


@dataclass(frozen=True)
class Erased:
    """What was deleted for a person."""

    enrolments: int
    records: int  # of all kinds
    files: int  # of these records; their files are deleted from the storage soon after


def erase(session: Session, actor: Actor, user: User, *, confirm: str) -> Erased:
    """Erase the user for good. `confirm` is their e-mail address as typed. Does nothing if the user is erased.

    Needs every permission that the user has. Raises `Forbidden`, `UserUnknown`, `NotOneself`, `EraseMismatch`.
    """
    actor.must_have(Permission.USERS)
    session.refresh(user, with_for_update=True)
    if user.erased_at is not None:
        return Erased(0, 0, 0)
    must_manage(actor, user)
    if user.id == actor.user_id:
        raise NotOneself
    if confirm.strip().lower() != user.email.lower():
        raise EraseMismatch
    return erase_now(session, actor, user)


def erase_now(session: Session, actor: Actor | str, user: User) -> Erased:
    """Erase the user without confirmation: the caller has asked for it, or is replaying an earlier erasure."""
    forget_in_words(session, user)
    forget_in_results(session, user)
    forget_external_id(session, user)
    stop_what_is_in_their_name(session, user, "erased")
    erased = _empty_enrolments(session, user)
    _forget_the_rest(session, user)
    note_erased(session, user)
    user.erased_at = session.scalars(select(func.now())).one()
    user.name, user.email = NAME, f"{pseudonym_of(user.id)}@erased.invalid"
    user.external_id, user.user_name, user.permissions, user.active = None, None, [], False
    user.notifications_on = user.mail_on = False
    user.locale, user.time_zone = "en", "UTC"
    session.flush()
    counts = {"enrolments": erased.enrolments, "records": erased.records, "files": erased.files}
    audit.record(session, actor, "user.erased", user.id, user.organization_id, **counts)
    log.info("user_erased", user=user.id, **counts)
    send_due_outboxes(session)
    return erased


def _empty_enrolments(session: Session, user: User) -> Erased:
    """Clear the user's enrolments as a reset does, with the same lock order, and unassign them."""
    mine = (Enrolment.user_id == user.id) & (Enrolment.organization_id == user.organization_id)
    count_days_before_reset(session, session.scalars(select(Enrolment.course_id).where(mine)).all())
    enrolments = session.scalars(select(Enrolment.id).where(mine).order_by(Enrolment.id).with_for_update()).all()
    removed = end_registrations(session, enrolments)
    changed_rows(session, update(Enrolment).where(Enrolment.id.in_(enrolments)).values(due_at=None))
    end_enrolments(session, Enrolment.id.in_(enrolments))
    return Erased(len(enrolments), sum(removed.values()), removed.get(StoredFile.kind(), 0))


def _forget_the_rest(session: Session, user: User) -> None:
    slug = session.get_one(Organization, user.organization_id).slug
    for kind in (WebSession, UserIdentity, ApiToken, Credential, StoredAnswer, GroupMember, AlertPreference, Exemption):
        changed_rows(session, delete(kind).where(kind.user_id == user.id))
    changed_rows(session, delete(SignInFailure).where(SignInFailure.account == account_of(slug, user.email)))
    # Replies of the mail server may name the user. Nothing more is sent.
    unsent = Mail.state != MailState.SENT
    to_be_sent = Mail.state == MailState.PENDING
    changed_rows(
        session,
        update(Mail)
        .where(Mail.user_id == user.id)
        .values(
            state=case((to_be_sent, MailState.SUPPRESSED.value), else_=Mail.state),
            reason=case((unsent, ERASED)),
            error=None,
        ),
    )
