"""Webhooks as in www.standardwebhooks.com: endpoints, messages, and the delivery of each message to each endpoint.

Messages carry ids only; receivers ask the API for more.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, one_of
from models.outbox import Outbox
from models.sealing import HasSecret

LEARNERS_A_MESSAGE = 500


class WebhookEvent(StrEnum):
    """What an endpoint can subscribe to."""

    RESET_STARTED = "reset.started"  # the ledger is written
    RESET_COMPLETED = "reset.completed"  # no learner failed
    RESET_FAILED = "reset.failed"  # the reset has ended, and some or all learners failed or were cancelled
    RESET_PAUSED = "reset.paused"  # while it ran: it, its organization, or everything
    RESET_RESUMED = "reset.resumed"  # while it was running, and nothing else pauses it
    LEARNER_RESET = "learner.reset"  # learners and their new registrations, at the end of the reset


class DeliveryState(StrEnum):
    """The state of a message at one endpoint."""

    PENDING = "pending"  # to be sent at `next_try_at`
    DELIVERED = "delivered"
    FAILED = "failed"  # given up, or the endpoint is disabled; an administrator can send it again


class WebhookEndpoint(HasSecret, Base):
    """An organization's address that receives events."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        Index(None, "organization_id"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_why IS NULL)", name="disabled_says_why"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    url: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None]


class WebhookMessage(Base):
    """An event, as endpoints receive it."""

    __tablename__ = "webhook_message"
    __table_args__ = (Index(None, "organization_id", "created_at"), Index(None, "reset_id"), Index(None, "created_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    event: Mapped[WebhookEvent] = mapped_column(one_of(WebhookEvent, "event"))
    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id"))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def number(self) -> str:
        """The id that receivers see: the same for every attempt, so that they recognize repeats."""
        return f"msg_{self.id}"

    @property
    def body(self) -> str:
        """The signed content: the same bytes for every attempt."""
        content = {"type": self.event.value, "timestamp": self.created_at.isoformat(), "data": self.data}
        return json.dumps(content, separators=(",", ":"), sort_keys=True)


class WebhookDelivery(Base):
    """The delivery of a message to an endpoint."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(None, "endpoint_id", "message_id"),
        Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "next_try_at",
            "message_id",
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_webhook_delivery_failed", "endpoint_id", postgresql_where=text("state = 'failed'")),
        Index("ix_webhook_delivery_failed_at", "tried_at", postgresql_where=text("state = 'failed'")),
        CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_has_its_moment"),
    )

    message_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_message.id", ondelete="CASCADE"), primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[DeliveryState] = mapped_column(
        one_of(DeliveryState, "state"), server_default=DeliveryState.PENDING.value
    )
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tried_at: Mapped[datetime | None]  # time of the last attempt
    outcome: Mapped[str | None]  # of the last attempt, in words
    delivered_at: Mapped[datetime | None]


DELIVERIES = Outbox(
    WebhookDelivery,
    turn=WebhookDelivery.endpoint_id,
    due_at=WebhookDelivery.next_try_at,
    attempts=WebhookDelivery.attempts,
    waiting=WebhookDelivery.state == literal_column("'pending'"),
    given_up=WebhookDelivery.state == literal_column("'failed'"),
    organization=select(WebhookEndpoint.organization_id)
    .where(WebhookEndpoint.id == WebhookDelivery.endpoint_id)
    .scalar_subquery(),
    then_by=(WebhookDelivery.message_id,),
    begun={"tried_at": func.now()},
    tried_at=WebhookDelivery.tried_at,
)


def open_endpoint(session: Session, organization_id: int, url: str, events: Sequence[WebhookEvent]) -> WebhookEndpoint:
    """Create an endpoint. The caller checks that the address is allowed."""
    endpoint = WebhookEndpoint(
        organization_id=organization_id,
        url=url,
        events=[event.value for event in events],
    )
    session.add(endpoint)
    session.flush()
    return endpoint
