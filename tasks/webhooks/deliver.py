"""Deliver webhook messages: endpoints in parallel, the messages of one endpoint in order."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from config.languages.stored import stored
from config.settings import settings
from models.outbox import Item, is_this_try
from models.session import transaction
from models.webhooks import DELIVERIES, DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookMessage
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.handler import Handler
from tasks.outbox.waits import OVER_THREE_DAYS
from tasks.webhooks import post as webhook_post
from tasks.webhooks.commands import DISABLED, close
from tasks.webhooks.post import post


@dataclass(frozen=True)
class Delivered(Taken):
    """The endpoint accepted the message."""

    words: str


@dataclass(frozen=True)
class Gone(Never):
    """The endpoint answered 410 Gone: it wants no more messages."""


class Deliveries(Handler):
    """The outbox of webhook messages."""

    name = "webhook"
    outbox = DELIVERIES
    waits = OVER_THREE_DAYS
    rest_seconds = 10.0  # a failing endpoint gets one attempt in this time, however many messages wait

    @classmethod
    def at_once(cls) -> int:
        return settings().webhooks_at_once

    @classmethod
    def at_once_each(cls) -> int:
        return settings().webhooks_at_once_each

    @classmethod
    def seconds(cls) -> float:
        return webhook_post.SECONDS + 2

    def attempt(self, item: Item) -> Answer:
        message_id, endpoint_id = item.key
        with transaction() as session:
            endpoint = session.get(WebhookEndpoint, endpoint_id)
            message = session.get(WebhookMessage, message_id)
            if endpoint is None or message is None:
                return Unwanted("the endpoint or the message was deleted")
            if endpoint.disabled_at is not None:
                return Never(DISABLED)
            to = endpoint.url, endpoint.secrets(), message.number, message.body
        reply = post(*to)
        if reply.gone:
            return Gone(reply.words)
        return Delivered(reply.words) if reply.taken else NotNow(reply.words)

    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        endpoint = None
        if isinstance(answer, Gone):  # lock it before its deliveries, in the same order as every command
            endpoint = session.get(WebhookEndpoint, item.key[1], with_for_update=True)
        outcome: dict[str, Any]
        match answer:
            case Delivered(words):
                outcome = {"state": DeliveryState.DELIVERED, "delivered_at": func.now(), "outcome": words}
            case Never(why):
                outcome = {"state": DeliveryState.FAILED, "outcome": why}
            case NotNow(why):
                outcome = {"outcome": why}
            case _:
                return
        session.execute(
            update(WebhookDelivery)
            .where(is_this_try(DELIVERIES, item))
            .values(**outcome)
            .execution_options(synchronize_session=False)
        )
        if endpoint is not None and endpoint.disabled_at is None:
            close(session, "task:webhooks", endpoint, stored("it answered 410 Gone"))
