"""Event sources: systems that report events by signed webhook, each on behalf of a user."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from standardwebhooks import Webhook, WebhookVerificationError

from models import audit
from models.access import Actor, Permission, acting_user_by_id
from models.events import Event, EventKind, EventSource
from models.people import Organization, User
from models.refusals.events import EventInvalid, EventSourceUnknown, SignatureInvalid
from models.refusals.people import UserUnknown
from tasks.faults import faults_in
from tasks.rules.events import report_event
from tasks.signed_messages import Words

LONGEST_ID = 255  # characters of a message id, which becomes the event's key


class EventBody(BaseModel):
    """The JSON body of a webhook."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: EventKind
    course: Words  # its code
    reason: Words
    group: Annotated[Words | None, Field()] = None  # its code
    users: list[Words] | None = None  # their addresses, or `external:` and external ids


def open_source(session: Session, actor: Actor, user: User, name: str) -> EventSource:
    """Returns a new source, which reports on behalf of the user and with their permissions.

    Raises `Forbidden`, `UserUnknown`.
    """
    actor.must_have(Permission.COURSES)
    if user.organization_id != actor.organization_id or not user.active:
        raise UserUnknown(user.email)
    source = EventSource(organization_id=actor.organization_id, user_id=user.id, name=name.strip())
    session.add(source)
    session.flush()
    audit.record(session, actor, "event_source.opened", source.id, source.organization_id, name=source.name)
    return source


def sources_of(session: Session, organization_id: int) -> list[EventSource]:
    """Returns the organization's sources, oldest first."""
    mine = EventSource.organization_id == organization_id
    return list(session.scalars(select(EventSource).where(mine).order_by(EventSource.created_at)))


def source_of(session: Session, actor: Actor, source_id: UUID) -> EventSource:
    """Returns the organization's source with this id, locked for a change. Raises `Forbidden`, `EventSourceUnknown`."""
    actor.must_have(Permission.COURSES)
    source = session.get(EventSource, source_id, with_for_update=True)
    if source is None or source.organization_id != actor.organization_id:
        raise EventSourceUnknown
    return source


def show_secret(session: Session, actor: Actor, source_id: UUID) -> str:
    """Returns the secret that the source signs with. Raises `Forbidden`, `EventSourceUnknown`."""
    source = source_of(session, actor, source_id)
    audit.record(session, actor, "event_source.secret_shown", source.id, source.organization_id)
    return source.secret()


def close_source(session: Session, actor: Actor, source_id: UUID) -> None:
    """Stop accepting events from the source. Raises `Forbidden`, `EventSourceUnknown`."""
    source = source_of(session, actor, source_id)
    if source.closed_at is None:
        source.closed_at = session.scalars(select(func.now())).one()
        audit.record(session, actor, "event_source.closed", source.id, source.organization_id)


def report_by_webhook(session: Session, source_id: UUID, headers: Mapping[str, str], body: bytes) -> Event:
    """Report the event in a message that the source signed, as Standard Webhooks specifies.

    The message id is the event's key, so a repeated message reports no second event. Raises `SignatureInvalid`, also
    if the source is closed or unknown, `EventInvalid`, and the refusals of `report_event`.
    """
    source = session.get(EventSource, source_id)
    number = headers.get("webhook-id", "")
    # The same answer for an unknown source: a sender without the secret does not learn which sources exist.
    if source is None or source.closed_at is not None or len(number) > LONGEST_ID:
        raise SignatureInvalid
    try:
        event = EventBody.model_validate(_verified(source, headers, body))
    except json.JSONDecodeError:  # `verify` parses the body after it has checked the signature
        raise EventInvalid("") from None
    except ValidationError as error:
        raise EventInvalid("; ".join(faults_in(error))) from None
    except (WebhookVerificationError, ValueError):  # ValueError: a malformed header
        raise SignatureInvalid from None
    owner = session.get_one(Organization, source.organization_id)
    return report_event(
        session,
        acting_user_by_id(session, owner, source.user_id),
        kind=event.kind,
        course=event.course,
        reason=event.reason,
        group=event.group,
        users=event.users,
        key=number,
        reporter=f"source:{source.id}",
    )


def _verified(source: EventSource, headers: Mapping[str, str], body: bytes) -> object:
    """Returns the parsed body, signed with the current or the previous secret. Raises as `Webhook.verify` does."""
    for secret in source.secrets():
        with suppress(WebhookVerificationError):
            return Webhook(secret).verify(body, dict(headers))
    raise WebhookVerificationError
