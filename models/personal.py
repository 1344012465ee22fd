"""The columns that may contain a person's name or address, for their erasure.

`tasks/people/erase.py` deletes the person's own rows. Every column of text or JSON is in one of the lists below; a test
fails for one that is not.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, column, delete, func, or_, select, table, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.audience_lists import AudienceList, AudienceListLine
from models.events import Event, EventSource
from models.exemptions import Exemption
from models.groups import Group
from models.idempotency import StoredAnswer
from models.participants import ParticipantItem, ParticipantRequest
from models.pauses import Pause
from models.people import User
from models.resets import Reset, ResetItem
from models.retraining import Rule
from models.session import changed_rows
from models.tokens import ApiToken
from models.training import Enrolment
from models.webhooks import WebhookDelivery, WebhookMessage

Column = InstrumentedAttribute[Any]


def pseudonym_of(user_id: int) -> str:
    """Returns the name that replaces an erased person's name and address."""
    return f"erased-{user_id}"


def _of(kind: Any, user: User) -> ColumnElement[bool]:
    """Returns the condition that a row belongs to the user's organization; other rows are never searched.

    Of ledgers, only the user's own rows are.
    """
    organization_id = user.organization_id
    if kind in (ResetItem, ParticipantItem):
        enrolled = select(Enrolment.id, Enrolment.course_id).where(Enrolment.user_id == user.id).subquery()
        resets = select(Reset.id).where(Reset.course_id.in_(select(enrolled.c.course_id)))
        own: ColumnElement[bool] = kind.enrolment_id.in_(select(enrolled.c.id)) & kind.reset_id.in_(resets)
        return own
    if kind is AudienceListLine:
        lists = select(AudienceList.id).where(AudienceList.organization_id == organization_id)
        return AudienceListLine.list_id.in_(lists)
    if kind is WebhookDelivery:
        mine = select(WebhookMessage.id).where(WebhookMessage.organization_id == organization_id)
        return WebhookDelivery.message_id.in_(mine)
    if kind in (StoredAnswer, ApiToken):
        theirs: ColumnElement[bool] = kind.user_id.in_(select(User.id).where(User.organization_id == organization_id))
        return theirs
    found: ColumnElement[bool] = kind.organization_id == organization_id
    return found


SEARCHED: tuple[Column, ...] = (
    Reset.reason,
    Reset.idempotency_key,
    Pause.reason,
    Rule.name,
    Rule.reason,
    Rule.waits_for,
    Event.reason,
    Event.key,
    EventSource.name,
    Group.name,
    ApiToken.name,
    StoredAnswer.headers,
    StoredAnswer.body,
    WebhookMessage.data,
    WebhookDelivery.outcome,
    ParticipantRequest.outcome,
    ParticipantItem.reason,
    ResetItem.reason,
    AudienceListLine.name,
    Exemption.reason,
)
"""Columns with text that others typed, in which an erasure replaces the name and address."""

THEIR_OWN = {
    "user": ("external_id", "user_name", "email", "name", "locale", "time_zone"),  # and `former`, a list of text
    "credential": ("password_hash",),
    "web_session": ("browser",),
    "user_identity": ("subject",),
    "provider_session": ("subject", "sid", "sealed_tokens"),
    "sign_in_failure": ("address",),
    "mail": ("error", "reason"),
    "discussion_post": ("body",),
    "assignment_submission": ("body",),
    "stored_file": ("key", "filename", "content_type", "sha256"),
    "certificate": ("serial", "pdf_key", "pdf_error"),
    "stored_answer": ("key",),
    "audit": ("details",),  # by a function of the database
}
"""Columns of the person's own rows, which an erasure deletes or overwrites."""

OF_NOBODY = {
    "organization": ("slug", "name"),
    "identity_provider": (
        "name",
        "issuer",
        "client_id",
        "sealed_secret",
        "scopes",
        "external_id_claim",
        "roles_claim",
        "roles",
    ),
    "course": ("external_id", "code", "title"),
    "activity": ("reference", "title"),
    "user_group": ("external_id", "code"),
    "audit": ("actor", "action", "subject"),  # ids
    "reset": ("requester", "error", "figures", "shown", "traceparent"),  # an id; our text; totals
    "pause": ("pauser",),  # an id
    "reset_slice": ("removed", "worker"),
    "exemption": ("maker", "ended_by"),  # ids
    "participant_item": ("removed",),
    "retraining_rule": ("owner", "time_zone", "recurrence", "confirmed_preview"),
    "occurrence": ("reason",),
    "training_event": ("reporter",),
    "notification": ("reason",),
    "mail": ("bundle",),
    "webhook_endpoint": ("url", "disabled_why", "sealed_secret", "former_secret"),
    "event_source": ("sealed_secret", "former_secret"),
    "participant": ("code", "target", "queue", "sealed_options", "disabled_why", "sealed_secret", "former_secret"),
    "evidence_key": ("id", "public_key", "sealed_secret"),
    "evidence_store": ("url", "endpoint", "region", "access_key_id", "sealed_secret"),
    "evidence_part": ("outcome", "object", "sha256"),
    "learner_event": ("outcome",),
    "announcement": ("channel", "error"),
    "file_deletion": ("key", "folder", "error"),
    "lease": ("name",),
    "stored_answer": ("fingerprint",),
    "journal_entry": ("said",),  # ids
    "heartbeat": ("part",),
    "queue_probe": ("queue",),
    "tally": ("name",),
}
"""Columns that the product writes itself, and names that an organization gives to its own objects."""


def forget_in_words(session: Session, user: User) -> int:
    """Replace the person's names and addresses, former ones too, in text typed in their organization, and in the
    audit's details.

    Call it while the user's row still has them. Returns how many rows changed.
    """
    changed = session.scalars(select(func.forget_person_in_audit(user.id, pseudonym_of(user.id)))).one()
    for statement in _statements(user):
        changed += changed_rows(session, statement)
    return int(changed)


def forget_in_results(session: Session, user: User) -> None:
    """Delete results of Celery tasks that contain one of the person's addresses."""
    if session.scalar(select(func.to_regclass("celery_taskmeta"))) is None:
        return
    names = ("result", "args", "kwargs")
    results = table("celery_taskmeta", column("id"), column("traceback"), *map(column, names))
    holds: list[ColumnElement[bool]] = []
    for word in _words_for(user):
        if "@" in word:
            address = func.convert_to(word, "UTF8")
            holds += [func.position(address.op("IN")(results.c[name])) > 0 for name in names]
            holds.append(func.strpos(results.c.traceback, word) > 0)
    session.execute(delete(results).where(or_(*holds)))


def _words_for(user: User) -> list[str]:
    """Returns what the person is and was called: addresses, names, and what an identity provider calls them."""
    return [user.email, user.name, *([user.user_name] if user.user_name else []), *user.former]


def _statements(user: User) -> Iterator[Any]:
    for place in SEARCHED:
        in_json = isinstance(place.type, JSONB)
        before: ColumnElement[Any] = cast(place, Text)
        after = before
        for word in _words_for(user):
            address, name = (word, "") if "@" in word else ("", word)
            after = func.without_person(after, address, name, pseudonym_of(user.id), in_json)
        yield (
            update(place.class_)
            .where(_of(place.class_, user), before != after)
            .values({place.key: cast(after, JSONB) if in_json else after})
        )
