"""Webhooks: who is told of what, the messages, and what became of each delivery. See www.standardwebhooks.com.

Messages are thin: they say what happened by ids, and whoever wants more asks the API. They are written in the
transaction of what they tell of, so they are there if and only if it is so.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Identity,
    Index,
    Text,
    any_,
    column,
    delete,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by, insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import BigInteger, String, Uuid

from models.base import Base, one_of
from models.outbox import Outbox
from models.resets import ItemState, Reset
from models.sealing import HasSecret
from models.training import Enrolment

LEARNERS_A_MESSAGE = 500


class WebhookEvent(StrEnum):
    """What can be told."""

    RESET_STARTED = "reset.started"  # the ledger is written
    RESET_COMPLETED = "reset.completed"  # no learner failed
    RESET_FAILED = "reset.failed"  # it has ended, and some or all of its learners were not reset: failed or cancelled
    LEARNER_RESET = "learner.reset"  # learners with a new registration, up to 500 a message, at the end of the reset


class DeliveryState(StrEnum):
    """What became of a message at one endpoint."""

    PENDING = "pending"  # to be sent at `next_try_at`
    DELIVERED = "delivered"
    FAILED = "failed"  # given up, or the endpoint is closed; it can be sent again by hand


class WebhookEndpoint(HasSecret, Base):
    """An address of an organization's that is told of what happens."""

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
    """Something that happened, as it is told."""

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
        """Its id as receivers see it: the same at every try, so that they can tell a repeat."""
        return f"msg_{self.id}"

    @property
    def body(self) -> str:
        """What is sent: always the same bytes, since they are signed."""
        told = {"type": self.event.value, "timestamp": self.created_at.isoformat(), "data": self.data}
        return json.dumps(told, separators=(",", ":"), sort_keys=True)


class WebhookDelivery(Base):
    """One message for one endpoint."""

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
        CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_has_its_moment"),
    )

    message_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_message.id", ondelete="CASCADE"), primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoint.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[DeliveryState] = mapped_column(
        one_of(DeliveryState, "state"), server_default=DeliveryState.PENDING.value
    )
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tried_at: Mapped[datetime | None]  # the last try
    outcome: Mapped[str | None]  # of the last try, in words
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
)


class LearnerEvent(Base):
    """A learner who was given a new registration, until they are told of in a message."""

    __tablename__ = "learner_event"

    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
    outcome: Mapped[str]  # cleared or unchanged, as in the ledger
    old_registration: Mapped[UUID]
    new_registration: Mapped[UUID]


def open_endpoint(session: Session, organization_id: int, url: str, events: Sequence[WebhookEvent]) -> WebhookEndpoint:
    """A new endpoint. That the address may be written to is for the caller to have checked."""
    endpoint = WebhookEndpoint(
        organization_id=organization_id,
        url=url,
        events=[event.value for event in events],
    )
    session.add(endpoint)
    session.flush()
    return endpoint


def tell(session: Session, organization_id: int, event: WebhookEvent, reset_id: UUID, data: dict[str, Any]) -> int:
    """Write a message for every endpoint that wants this event, if any does. Gives how many do."""
    message = (
        insert(WebhookMessage)
        .from_select(
            [WebhookMessage.organization_id, WebhookMessage.event, WebhookMessage.reset_id, WebhookMessage.data],
            select(
                literal(organization_id, BigInteger),
                literal(event.value, String),
                literal(reset_id, Uuid),
                literal(data, JSONB),
            ).where(_wanted(organization_id, event)),
        )
        .returning(WebhookMessage.id)
        .cte("message")
    )
    return _address(session, organization_id, event, message)


def note_learners(
    session: Session, reset: Reset, state: ItemState, enrolments: Sequence[int], old_registrations: Sequence[UUID]
) -> None:
    """Note learners of the slice who came to this end and have their new registration by now, if any endpoint wants to
    know: `tell_learners` tells of them all at once."""
    before = (
        func.unnest(literal(list(enrolments), ARRAY(BigInteger)), literal(list(old_registrations), ARRAY(Uuid)))
        .table_valued(column("enrolment_id", BigInteger), column("registration", Uuid), name="before")
        .render_derived()
    )
    each = (
        select(
            literal(reset.id, Uuid),
            Enrolment.user_id,
            literal(state.value, String),
            before.c.registration,
            Enrolment.registration,
        )
        .join(Enrolment, Enrolment.id == before.c.enrolment_id)
        .where(_wanted(reset.organization_id, WebhookEvent.LEARNER_RESET))
    )
    columns = [
        LearnerEvent.reset_id,
        LearnerEvent.user_id,
        LearnerEvent.outcome,
        LearnerEvent.old_registration,
        LearnerEvent.new_registration,
    ]
    session.execute(insert(LearnerEvent).from_select(columns, each).on_conflict_do_nothing())


def tell_learners(session: Session, reset: Reset, course_code: str) -> int:
    """Write the messages about the learners that were noted, so many a message. Gives the number of deliveries."""
    noted = (
        delete(LearnerEvent)
        .where(LearnerEvent.reset_id == reset.id)
        .returning(
            LearnerEvent.user_id,
            LearnerEvent.outcome,
            LearnerEvent.old_registration,
            LearnerEvent.new_registration,
        )
        .cte("noted")
    )
    learner = _object(
        user=noted.c.user_id,
        outcome=noted.c.outcome,
        old_registration=noted.c.old_registration,
        new_registration=noted.c.new_registration,
    )
    place = func.row_number().over(order_by=noted.c.user_id) - 1
    placed = select(
        noted.c.user_id, learner.label("learner"), (place // LEARNERS_A_MESSAGE).label("message")
    ).subquery()
    data = _object(
        reset=literal(str(reset.id), String),
        course=literal(course_code, String),
        reason=literal(reset.reason, String),
        idempotency_key=literal(reset.idempotency_key, String),
        learners=func.jsonb_agg(aggregate_order_by(placed.c.learner, placed.c.user_id)),
    )
    messages = (
        insert(WebhookMessage)
        .from_select(
            [WebhookMessage.organization_id, WebhookMessage.event, WebhookMessage.reset_id, WebhookMessage.data],
            select(
                literal(reset.organization_id, BigInteger),
                literal(WebhookEvent.LEARNER_RESET.value, String),
                literal(reset.id, Uuid),
                data,
            ).group_by(placed.c.message),
        )
        .returning(WebhookMessage.id)
        .cte("message")
    )
    return _address(session, reset.organization_id, WebhookEvent.LEARNER_RESET, messages)


def _object(**values: ColumnElement[Any]) -> ColumnElement[Any]:
    """A JSON object of these."""
    pairs = [part for name, value in values.items() for part in (literal(name, String), value)]
    return func.jsonb_build_object(*pairs)


def _wanted(organization_id: int, event: WebhookEvent) -> Any:
    return (
        select(WebhookEndpoint)
        .where(
            WebhookEndpoint.organization_id == organization_id,
            WebhookEndpoint.disabled_at.is_(None),
            literal(event.value, Text) == any_(WebhookEndpoint.events),
        )
        .exists()
    )


def _address(session: Session, organization_id: int, event: WebhookEvent, messages: CTE) -> int:
    """Write a delivery of each message for each endpoint that wants it."""
    deliveries = (
        insert(WebhookDelivery)
        .from_select(
            [WebhookDelivery.message_id, WebhookDelivery.endpoint_id],
            select(messages.c.id, WebhookEndpoint.id)
            .select_from(messages)
            .join(
                WebhookEndpoint,
                (WebhookEndpoint.organization_id == organization_id)
                & WebhookEndpoint.disabled_at.is_(None)
                & (literal(event.value, Text) == any_(WebhookEndpoint.events)),
            ),
        )
        .returning(WebhookDelivery.endpoint_id)
        .cte("deliveries")
    )
    return session.scalars(select(func.count()).select_from(deliveries)).one()
