"""Queries for the webhooks of an organization."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.refusals.webhooks import WebhookUnknown
from models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookMessage


def find_endpoint(session: Session, actor: Actor, endpoint_id: int, *, lock: bool = False) -> WebhookEndpoint:
    """Returns the endpoint of the actor's organization. Raises `Forbidden`, `WebhookUnknown`."""
    actor.must_have(Permission.COURSES)
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id, WebhookEndpoint.organization_id == actor.organization_id
    )
    endpoint = session.scalar(query.with_for_update() if lock else query)
    if endpoint is None:
        raise WebhookUnknown(endpoint_id)
    return endpoint


def endpoints(session: Session, actor: Actor) -> Sequence[Row[Any]]:
    """Returns the organization's endpoints, each with its number of pending messages. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    return session.execute(
        select(WebhookEndpoint, _waiting(WebhookEndpoint.id).scalar_subquery().label("waiting"))
        .where(WebhookEndpoint.organization_id == actor.organization_id)
        .order_by(WebhookEndpoint.id)
    ).all()


def waiting_for(session: Session, endpoint: WebhookEndpoint) -> int:
    """Returns the number of messages that wait for the endpoint."""
    return session.scalars(_waiting(endpoint.id)).one()


def facts_of(endpoint: WebhookEndpoint, waiting: int) -> dict[str, Any]:
    """Returns everything about an endpoint but its secret, for programs."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": endpoint.events,
        "created_at": endpoint.created_at,
        "enabled": endpoint.disabled_at is None,
        "disabled_why": endpoint.disabled_why,
        "waiting": waiting,
    }


def deliveries(
    session: Session, endpoint: WebhookEndpoint, before: UUID | None, limit: int
) -> Sequence[Row[WebhookDelivery, WebhookMessage]]:
    """Returns the endpoint's deliveries, newest first, starting after the message `before`."""
    query = (
        select(WebhookDelivery, WebhookMessage)
        .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
        .where(WebhookDelivery.endpoint_id == endpoint.id)
        .order_by(WebhookDelivery.message_id.desc())  # the ids are UUIDv7, so this is by time
        .limit(limit)
    )
    if before is not None:
        query = query.where(WebhookDelivery.message_id < before)
    return session.execute(query).all()


def _waiting(endpoint_id: Any) -> Select[int]:
    """Returns the query for the number of messages that wait for this endpoint."""
    return select(func.count()).where(
        WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == DeliveryState.PENDING
    )


def has_failed(endpoint: WebhookEndpoint, since: datetime) -> ColumnElement[bool]:
    """Returns the condition that a delivery to the endpoint failed, of a message that was created since then."""
    created = select(WebhookMessage.id).where(
        WebhookMessage.organization_id == endpoint.organization_id, WebhookMessage.created_at >= since
    )
    return (
        (WebhookDelivery.endpoint_id == endpoint.id)
        & (WebhookDelivery.state == DeliveryState.FAILED)
        & WebhookDelivery.message_id.in_(created)
    )


def failed_since(session: Session, endpoint: WebhookEndpoint) -> tuple[int, datetime | None]:
    """Returns how many deliveries to the endpoint have failed, and when the first of their messages was created."""
    query = (
        select(func.count(), func.min(WebhookMessage.created_at))
        .select_from(WebhookDelivery)
        .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
        .where(WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.state == DeliveryState.FAILED)
    )
    count, first = session.execute(query).one()
    return count, first
