"""Commands for webhook endpoints. Each checks the permission, writes, and adds a line to the audit log.

An endpoint is named by its id and found only in the actor's organization.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from config.languages.stored import stored
from models import audit
from models import webhooks as tables
from models.access import Actor, Permission
from models.refusals.webhooks import WebhookDisabled, WebhookEventsMissing, WebhookUnknown
from models.session import changed_rows
from models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tasks.messages import WORK_OUTBOXES, send_outbox
from tasks.webhooks.lookup import find_endpoint, has_failed
from tasks.webhooks.secrets import renew_secret

if TYPE_CHECKING:
    from tasks.webhooks.post import Address

DISABLED = stored("the endpoint is disabled")
PENDING: dict[str, Any] = {
    "state": DeliveryState.PENDING,
    "attempts": 0,
    "next_try_at": func.now(),
    "delivered_at": None,
    "outcome": None,
}


def checked_address(text: str) -> "Address":
    """Returns the parsed address if it is public. Each delivery checks it again, since DNS entries change.

    Call it outside of a transaction: it asks the DNS. Raises `WebhookAddressRefused`.
    """
    from tasks.webhooks.post import address_of, look_up  # loads httpx, which commands that only read do without

    address = address_of(text.strip())
    look_up(address)
    return address


def open_endpoint(
    session: Session, actor: Actor, address: "Address", events: Sequence[WebhookEvent]
) -> WebhookEndpoint:
    """Send these events to the address from now on. Raises `Forbidden`, `WebhookEventsMissing`."""
    actor.must_have(Permission.COURSES)
    if not events:
        raise WebhookEventsMissing
    url = str(address.url)
    endpoint = tables.open_endpoint(session, actor.organization_id, url, events)
    audit.record(session, actor, "webhook.opened", endpoint.id, endpoint.organization_id, url=url)
    return endpoint


def change_endpoint(
    session: Session,
    actor: Actor,
    endpoint_id: int,
    *,
    address: "Address | None" = None,
    events: Sequence[WebhookEvent] | None = None,
) -> WebhookEndpoint:
    """Returns the endpoint with this address and these events, where given. Messages that wait go to the new address.

    Raises `Forbidden`, `WebhookUnknown`, `WebhookEventsMissing`.
    """
    endpoint = find_endpoint(session, actor, endpoint_id, lock=True)
    given: dict[str, Any] = {} if address is None else {"url": str(address.url)}
    if events is not None:
        if not events:
            raise WebhookEventsMissing
        given["events"] = [event.value for event in events]
    changed = {name: value for name, value in given.items() if getattr(endpoint, name) != value}
    for name, value in changed.items():
        setattr(endpoint, name, value)
    if changed:
        session.flush()
        audit.record(session, actor, "webhook.changed", endpoint.id, endpoint.organization_id, **changed)
    return endpoint


def delete_endpoint(session: Session, actor: Actor, endpoint_id: int) -> None:
    """Delete the endpoint and the log of its deliveries. Raises `Forbidden`, `WebhookUnknown`."""
    endpoint = find_endpoint(session, actor, endpoint_id, lock=True)
    audit.record(session, actor, "webhook.deleted", endpoint.id, endpoint.organization_id, url=endpoint.url)
    session.delete(endpoint)
    session.flush()


def disable(session: Session, actor: Actor, endpoint_id: int) -> None:
    """Stop sending to the endpoint until it is enabled again. Raises `Forbidden`, `WebhookUnknown`."""
    endpoint = find_endpoint(session, actor, endpoint_id, lock=True)
    if endpoint.disabled_at is None:
        close(session, actor, endpoint, stored("an admin disabled it"))


def enable(session: Session, actor: Actor, endpoint_id: int) -> None:
    """Send events to the endpoint again, from now on. Raises `Forbidden`, `WebhookUnknown`."""
    endpoint = find_endpoint(session, actor, endpoint_id, lock=True)
    if endpoint.disabled_at is not None:
        endpoint.disabled_at = endpoint.disabled_why = None
        audit.record(session, actor, "webhook.enabled", endpoint.id, endpoint.organization_id)


def renew_endpoint_secret(session: Session, actor: Actor, endpoint_id: int) -> str:
    """Returns a new secret for the endpoint; the old one stays valid for a day. Raises `Forbidden`,
    `WebhookUnknown`."""
    endpoint = find_endpoint(session, actor, endpoint_id, lock=True)
    renew_secret(session, actor, endpoint)
    return endpoint.secret()


def show_endpoint_secret(session: Session, actor: Actor, endpoint_id: int) -> str:
    """Returns the secret that messages to the endpoint are signed with. Raises `Forbidden`, `WebhookUnknown`."""
    endpoint = find_endpoint(session, actor, endpoint_id)
    audit.record(session, actor, "webhook.secret_shown", endpoint.id, endpoint.organization_id)
    return endpoint.secret()


def send_again(session: Session, actor: Actor, endpoint_id: int, message_id: UUID) -> None:
    """Send a message to the endpoint again, with its original id.

    Raises `Forbidden`; `WebhookUnknown` also if there is no such message or the endpoint is disabled.
    """
    endpoint = find_endpoint(session, actor, endpoint_id, lock=True)
    delivery = (WebhookDelivery.endpoint_id == endpoint.id) & (WebhookDelivery.message_id == message_id)
    if endpoint.disabled_at is not None or not changed_rows(
        session, update(WebhookDelivery).where(delivery).values(**PENDING)
    ):
        raise WebhookUnknown(f"message {message_id}")
    audit.record(session, actor, "webhook.replayed", message_id, endpoint.organization_id, endpoint=endpoint.id)
    send_outbox(session, WORK_OUTBOXES)


def send_failed_again(session: Session, actor: Actor, endpoint_id: int, since: datetime) -> int:
    """Send every message again that failed at the endpoint and was created since then, each with its original id.

    Returns how many. Raises `Forbidden`, `WebhookUnknown`, `WebhookDisabled`.
    """
    endpoint = find_endpoint(session, actor, endpoint_id, lock=True)
    if endpoint.disabled_at is not None:
        raise WebhookDisabled
    sent = changed_rows(
        session,
        update(WebhookDelivery)
        .where(has_failed(endpoint, since))
        .values(**PENDING)
        .execution_options(synchronize_session=False),
    )
    if sent:
        since_then = since.isoformat()
        audit.record(
            session,
            actor,
            "webhook.failed_replayed",
            endpoint.id,
            endpoint.organization_id,
            since=since_then,
            sent=sent,
        )
        send_outbox(session, WORK_OUTBOXES)
    return sent


def close(session: Session, actor: Actor | str, endpoint: WebhookEndpoint, why: str) -> None:
    """Disable the endpoint, which the caller has locked. Pending deliveries fail and can be sent again by hand."""
    endpoint.disabled_at = session.scalars(select(func.now())).one()
    endpoint.disabled_why = why
    waiting = (WebhookDelivery.endpoint_id == endpoint.id) & (WebhookDelivery.state == DeliveryState.PENDING)
    session.execute(
        update(WebhookDelivery)
        .where(waiting)
        .values(state=DeliveryState.FAILED, outcome=func.coalesce(WebhookDelivery.outcome, DISABLED))
        .execution_options(synchronize_session=False)
    )
    audit.record(session, actor, "webhook.disabled", endpoint.id, endpoint.organization_id, why=why)
