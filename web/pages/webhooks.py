"""Webhooks: the endpoints of the organization, what was delivered to each, and sending again by hand."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import audit
from models.refusals import Refused, WebhookAddressRefused, WebhookEventsMissing, WebhookUnknown
from models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent, WebhookMessage, open_endpoint
from tasks.secrets import renew_secret
from tasks.webhook_post import allowed_address
from tasks.webhooks import disable, enable, replay
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.numbers import Number
from web.pager import Pager
from web.problems import status_of
from web.templating import page

router = APIRouter(prefix="/webhooks")

EVENTS = {
    WebhookEvent.RESET_STARTED: "A reset has started",
    WebhookEvent.RESET_COMPLETED: "A reset has ended, and nobody failed",
    WebhookEvent.RESET_FAILED: "A reset has ended with failures, or was cancelled",
    WebhookEvent.LEARNER_RESET: "Learners were reset, up to 500 a message",
}
DONE = {
    "opened": "The webhook is there. Give its secret to whoever receives the messages.",
    "replayed": "It is being sent again, under the same id.",
    "renewed": "It has a new secret. Messages are signed with both for a day: give the receiver the new one meanwhile.",
    "enabled": "It is told of what happens from now on.",
    "disabled": "It is sent nothing more.",
}


@router.get("")
def endpoints(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """All of the organization's, and the form for another."""
    return _list(request, person, session)


@router.post("")
def add(
    request: Request,
    person: CoursesAdmin,
    session: Database,
    url: Annotated[str, Form(max_length=2000)] = "",
    events: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Open an endpoint."""
    wanted = [event for event in WebhookEvent if event.value in (events or [])]
    url = url.strip()
    try:
        if not wanted:
            raise WebhookEventsMissing
        _check(url)
    except Refused as refusal:
        return _list(request, person, session, url=url, chosen=wanted, error=refusal)
    endpoint = open_endpoint(session, person.actor.organization_id, url, wanted)
    audit.record(session, person.actor, "webhook.opened", endpoint.id, endpoint.organization_id, url=url)
    return RedirectResponse(f"/webhooks/{endpoint.id}?done=opened", 303)


@router.get("/{endpoint_id}")
def endpoint_page(
    request: Request,
    endpoint_id: Number,
    person: CoursesAdmin,
    session: Database,
    after: Annotated[str, Query(max_length=1000)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """One endpoint, and its deliveries, newest first."""
    endpoint = _mine(session, person, endpoint_id)
    pager = Pager(request, after, (UUID,))
    query = (
        select(WebhookDelivery, WebhookMessage)
        .join(WebhookMessage, WebhookMessage.id == WebhookDelivery.message_id)
        .where(WebhookDelivery.endpoint_id == endpoint.id)
        .order_by(WebhookDelivery.message_id.desc())  # their ids are made of the time
        .limit(pager.limit)
    )
    if pager.after:
        query = query.where(WebhookDelivery.message_id < pager.after[0])
    found = pager.cut(session.execute(query).all(), lambda row: (row.WebhookMessage.id,))
    return page(
        request,
        "webhook.html",
        endpoint=endpoint,
        deliveries=found,
        labels=EVENTS,
        pager=pager,
        done=DONE.get(done, ""),
        DeliveryState=DeliveryState,
    )


@router.post("/{endpoint_id}/messages/{message_id}")
def send_again(endpoint_id: Number, message_id: UUID, person: CoursesAdmin, session: Database) -> Response:
    """Send a message again."""
    endpoint = _mine(session, person, endpoint_id)
    if not replay(session, person.actor, endpoint, message_id):
        raise WebhookUnknown(f"message {message_id}")
    return RedirectResponse(f"/webhooks/{endpoint.id}?done=replayed", 303)


@router.post("/{endpoint_id}/secret")
def renew_endpoint_secret(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Give it a new secret, beside the old one for a day."""
    renew_secret(session, person.actor, _mine(session, person, endpoint_id))
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=renewed", 303)


@router.post("/{endpoint_id}/enable")
def enable_endpoint(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Have it told again."""
    enable(session, person.actor, _mine(session, person, endpoint_id))
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=enabled", 303)


@router.post("/{endpoint_id}/disable")
def disable_endpoint(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Have it told nothing more."""
    endpoint = _mine(session, person, endpoint_id)
    if endpoint.disabled_at is None:
        disable(session, person.actor, endpoint, f"{person.user.name} disabled it")
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=disabled", 303)


@router.post("/{endpoint_id}/delete")
def delete_endpoint(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Delete it, and the log of its deliveries."""
    endpoint = _mine(session, person, endpoint_id)
    audit.record(session, person.actor, "webhook.deleted", endpoint.id, endpoint.organization_id, url=endpoint.url)
    session.delete(endpoint)
    return RedirectResponse("/webhooks", 303)


def _check(url: str) -> None:
    """Raises `WebhookAddressRefused`. It is asked again at each delivery, since names move."""
    try:
        asyncio.run(allowed_address(url))
    except (OSError, UnicodeError):
        raise WebhookAddressRefused("This name leads to no address.") from None


def _mine(session: Session, person: SignedIn, endpoint_id: int) -> WebhookEndpoint:
    endpoint = session.scalar(
        select(WebhookEndpoint).where(
            WebhookEndpoint.id == endpoint_id, WebhookEndpoint.organization_id == person.actor.organization_id
        )
    )
    if endpoint is None:
        raise WebhookUnknown(endpoint_id)
    return endpoint


def _list(
    request: Request,
    person: SignedIn,
    session: Session,
    *,
    url: str = "",
    chosen: list[WebhookEvent] | None = None,
    error: Refused | None = None,
) -> Response:
    waiting = (
        select(func.count())
        .where(WebhookDelivery.endpoint_id == WebhookEndpoint.id, WebhookDelivery.state == DeliveryState.PENDING)
        .scalar_subquery()
    )
    lines = session.execute(
        select(WebhookEndpoint, waiting.label("waiting"))
        .where(WebhookEndpoint.organization_id == person.actor.organization_id)
        .order_by(WebhookEndpoint.id)
    ).all()
    return page(
        request,
        "webhooks.html",
        status=status_of(error) if error else 200,
        lines=lines,
        labels=EVENTS,
        url=url,
        chosen=list(WebhookEvent) if chosen is None else chosen,
        error=error,
    )
