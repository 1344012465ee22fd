"""Deliver the webhook messages that are due: the endpoints side by side, the messages of each one after the other."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.session import changed_rows, transaction
from models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookMessage, forget_old_messages
from tasks.app import app
from tasks.due import webhooks_are_due
from tasks.messages import DELIVER_WEBHOOKS, send_outbox
from tasks.waits import OVER_THREE_DAYS, next_try
from tasks.webhook_post import Reply, post

RUN_SECONDS = 30.0
ENDPOINTS_AT_ONCE = 10
DISABLED = "the endpoint is disabled"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Parcel:
    """A message on its way to an endpoint, at its so-manieth try."""

    message_id: UUID
    endpoint_id: int
    attempt: int
    url: str
    secrets: list[str]
    number: str
    body: str


@app.task(name=DELIVER_WEBHOOKS)
def deliver_webhooks() -> None:
    """Deliver what is due, for half a minute."""
    began = time.monotonic()
    with transaction() as session:
        forget_old_messages(session)
    with ThreadPoolExecutor(1) as own:  # in whose thread no other event loop can be running
        own.submit(asyncio.run, deliver_due(began + RUN_SECONDS)).result()
    if time.monotonic() - began >= RUN_SECONDS:
        with transaction() as session:
            if webhooks_are_due(session):
                send_outbox(session, DELIVER_WEBHOOKS)


async def deliver_due(end: float) -> None:
    """Work for the endpoints of which something is due, until `end` on the monotonic clock."""
    places = asyncio.Semaphore(ENDPOINTS_AT_ONCE)

    async def work_for(endpoint_id: int) -> None:
        async with places:
            while time.monotonic() < end:
                parcel = await asyncio.to_thread(take_next, endpoint_id)
                if parcel is None:
                    return
                reply = await post(parcel.url, parcel.secrets, parcel.number, parcel.body)
                await asyncio.to_thread(settle, parcel, reply)
                if not reply.taken:  # it is not well: the rest waits for the next tick, and keeps nobody here
                    return

    async with asyncio.TaskGroup() as group:
        for endpoint_id in await asyncio.to_thread(_endpoints_due):
            group.create_task(work_for(endpoint_id))


def _endpoints_due() -> list[int]:
    with transaction() as session:
        due = (WebhookDelivery.state == DeliveryState.PENDING) & (WebhookDelivery.next_try_at <= func.now())
        return list(session.scalars(select(WebhookDelivery.endpoint_id).where(due).distinct()))


def take_next(endpoint_id: int) -> Parcel | None:
    """The endpoint's next message that is due, its try counted and committed before it is made; none if none is."""
    with transaction() as session:
        row = session.execute(
            select(WebhookDelivery, WebhookMessage, WebhookEndpoint)
            .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
            .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
            .where(
                WebhookDelivery.endpoint_id == endpoint_id,
                WebhookDelivery.state == DeliveryState.PENDING,
                WebhookDelivery.next_try_at <= func.now(),
                WebhookEndpoint.disabled_at.is_(None),
            )
            .order_by(WebhookDelivery.next_try_at, WebhookDelivery.message_id)
            .limit(1)
            .with_for_update(of=WebhookDelivery, skip_locked=True)
        ).one_or_none()
        if row is None:
            return None
        delivery, message, endpoint = row
        attempt = delivery.attempts + 1
        begun = {"attempts": attempt, "tried_at": func.now(), "next_try_at": next_try(OVER_THREE_DAYS, attempt)}
        mine = (WebhookDelivery.message_id == message.id) & (WebhookDelivery.endpoint_id == endpoint.id)
        session.execute(
            update(WebhookDelivery).where(mine).values(**begun).execution_options(synchronize_session=False)
        )
        return Parcel(message.id, endpoint.id, attempt, endpoint.url, endpoint.secrets(), message.number, message.body)


def settle(parcel: Parcel, reply: Reply) -> None:
    """Write down what came of a try."""
    outcome: dict[str, Any] = {"outcome": reply.words}
    if reply.taken:
        outcome |= {"state": DeliveryState.DELIVERED, "delivered_at": func.now()}
    elif parcel.attempt > len(OVER_THREE_DAYS):
        outcome |= {"state": DeliveryState.FAILED}
    if not reply.taken:
        log.info("webhook_not_taken", message=str(parcel.message_id), endpoint=parcel.endpoint_id, said=reply.words)
    with transaction() as session:
        mine = (
            (WebhookDelivery.message_id == parcel.message_id)
            & (WebhookDelivery.endpoint_id == parcel.endpoint_id)
            & (WebhookDelivery.state == DeliveryState.PENDING)
            & (WebhookDelivery.attempts == parcel.attempt)
        )
        changed_rows(session, update(WebhookDelivery).where(mine).values(**outcome))
        if reply.gone:
            endpoint = session.get(WebhookEndpoint, parcel.endpoint_id, with_for_update=True)
            if endpoint is not None and endpoint.disabled_at is None:
                disable(session, "task:webhooks", endpoint, "it answered 410: it wants no more messages")


def disable(session: Session, actor: Actor | str, endpoint: WebhookEndpoint, why: str) -> None:
    """Send the endpoint nothing more; what waits for it fails, and can be sent again by hand."""
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


def replay(session: Session, actor: Actor, endpoint: WebhookEndpoint, message_id: UUID) -> bool:
    """Send a message to the endpoint again, under its old id. Gives whether there is such a one, and the endpoint is
    not disabled. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    if endpoint.disabled_at is not None:
        return False
    mine = (WebhookDelivery.endpoint_id == endpoint.id) & (WebhookDelivery.message_id == message_id)
    anew = {
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "next_try_at": func.now(),
        "delivered_at": None,
        "outcome": None,
    }
    if not changed_rows(session, update(WebhookDelivery).where(mine).values(**anew)):
        return False
    audit.record(session, actor, "webhook.replayed", message_id, endpoint.organization_id, endpoint=endpoint.id)
    send_outbox(session, DELIVER_WEBHOOKS)
    return True


def enable(session: Session, actor: Actor, endpoint: WebhookEndpoint) -> None:
    """Tell the endpoint again of what happens from now on. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    if endpoint.disabled_at is not None:
        endpoint.disabled_at = endpoint.disabled_why = None
        audit.record(session, actor, "webhook.enabled", endpoint.id, endpoint.organization_id)
