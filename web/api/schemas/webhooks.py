"""Webhook endpoints, and what was delivered to them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookMessage
from tasks.webhooks import facts_of
from web.api.schemas.base import NO_NUL, Answer, Body, Moment, example

ENDPOINT: dict[str, Any] = {
    "id": 7,
    "url": "https://example.org/hook",
    "events": ["reset.completed", "learner.reset"],
    "created_at": "2027-01-02T08:00:00Z",
    "enabled": True,
    "disabled_why": None,
    "waiting": 0,
}
DELIVERY: dict[str, Any] = {
    "message_id": "01a2100e-a57d-7dcc-9332-0345a2f57364",
    "event": "learner.reset",
    "reset_id": "01a2100e-a57d-7dcc-9332-0345a2f57365",
    "created_at": "2027-01-31T12:00:00Z",
    "state": "delivered",
    "attempts": 1,
    "outcome": "answered 204",
    "tried_at": "2027-01-31T12:00:01Z",
    "delivered_at": "2027-01-31T12:00:01Z",
}


class WebhookRequest(Body):
    """An address to notify."""

    model_config = example({"url": "https://example.org/hook", "events": ["reset.completed", "learner.reset"]})

    url: str = Field(min_length=1, max_length=2000, pattern=NO_NUL, description="A public https address")
    events: list[WebhookEvent] = Field(min_length=1, max_length=20, description="What it is notified of")


class WebhookUpdate(Body):
    """What to change of an endpoint. Fields that are left out stay as they are."""

    model_config = example({"events": ["reset.failed"]})

    url: str | None = Field(None, min_length=1, max_length=2000, pattern=NO_NUL, description="A public https address")
    events: list[WebhookEvent] | None = Field(None, min_length=1, max_length=20, description="What it is notified of")


class WebhookTest(Answer):
    """The result of a test."""

    model_config = example(
        {
            "taken": True,
            "words": "answered 204",
            "milliseconds": 35,
            "number": "msg_01a2100e-a57d-7dcc-9332-0345a2f57364",
        }
    )

    taken: bool = Field(description="Whether it answered 2xx")
    words: str = Field(description="What it answered, or why not")
    milliseconds: int
    number: str = Field(description="The message's id, as the receiver saw it")


class FailedSince(Body):
    """Which failed messages to send again."""

    model_config = example({"since": "2027-01-31T12:00:00Z"})

    since: Moment = Field(description="Messages created since then")


class SentAgain(Answer):
    """How many messages are sent again."""

    model_config = example({"messages": 37})

    messages: int


class WebhookDetails(Answer):
    """A webhook endpoint."""

    model_config = example(ENDPOINT)

    id: int
    url: str
    events: list[str]
    created_at: datetime
    enabled: bool
    disabled_why: str | None
    waiting: int = Field(description="Messages that are still to be sent")


class NewWebhook(WebhookDetails):
    """A new webhook endpoint, with its secret."""

    model_config = example(ENDPOINT | {"secret": "whsec_…"})

    secret: str = Field(description="Messages are signed with this")


class WebhookList(Answer):
    """Webhook endpoints, oldest first."""

    model_config = example({"items": [ENDPOINT]})

    items: list[WebhookDetails]


class WebhookSecret(Answer):
    """A webhook endpoint's new secret."""

    model_config = example({"secret": "whsec_…"})

    secret: str = Field(description="Messages are signed with both secrets for a day")


class Delivery(Answer):
    """The delivery of a message."""

    model_config = example(DELIVERY)

    message_id: UUID = Field(description="The receiver sees it in `webhook-id`, after `msg_`")
    event: WebhookEvent
    reset_id: UUID
    created_at: datetime
    state: DeliveryState
    attempts: int
    outcome: str | None = Field(description="Of the last attempt")
    tried_at: datetime | None
    delivered_at: datetime | None


class DeliveryList(Answer):
    """Deliveries, newest first."""

    model_config = example({"items": [DELIVERY]})

    items: list[Delivery]


def webhook_of(endpoint: WebhookEndpoint, waiting: int) -> WebhookDetails:
    """Returns an endpoint as an answer."""
    return WebhookDetails.model_validate(facts_of(endpoint, waiting))


def new_webhook_of(endpoint: WebhookEndpoint) -> NewWebhook:
    """Returns a new endpoint as an answer, with its secret."""
    return NewWebhook.model_validate(facts_of(endpoint, 0) | {"secret": endpoint.secret()})


def delivery_of(delivery: WebhookDelivery, message: WebhookMessage) -> Delivery:
    """Returns a delivery as an answer."""
    return Delivery(
        message_id=message.id,
        event=message.event,
        reset_id=message.reset_id,
        created_at=message.created_at,
        state=delivery.state,
        attempts=delivery.attempts,
        outcome=delivery.outcome,
        tried_at=delivery.tried_at,
        delivered_at=delivery.delivered_at,
    )
