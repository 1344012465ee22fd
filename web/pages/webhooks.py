"""Webhooks: the organization's endpoints, their deliveries, and sending again by hand."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.refusals.base import Refused
from models.session import Session, transaction
from models.webhooks import DeliveryState, WebhookEvent
from tasks import webhooks
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.numbers import Number
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/webhooks")

EVENTS = {
    WebhookEvent.RESET_STARTED: "A reset started",
    WebhookEvent.RESET_COMPLETED: "A reset finished without failures",
    WebhookEvent.RESET_PAUSED: "A running reset was paused",
    WebhookEvent.RESET_RESUMED: "A paused reset was resumed",
    WebhookEvent.RESET_FAILED: "A reset finished with failures, or was cancelled",
    WebhookEvent.LEARNER_RESET: "Learners were reset or had nothing to reset (up to 500 per message)",
}
DONE = {
    "opened": "Webhook added. Share its signing secret with the receiver.",
    "replayed": "Sending the message again, with the same ID.",
    "renewed": "New secret created. Give it to the receiver; for a day, messages are signed with both secrets.",
    "enabled": "Webhook enabled. It gets events from now on.",
    "disabled": "Webhook disabled. It gets no more messages.",
}


@router.get("")
def endpoints(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """List the endpoints, with a form to add one."""
    return _list(request, person, session)


@router.post("")
def add(
    request: Request,
    person: CoursesAdmin,
    url: Annotated[str, Form(max_length=2000)] = "",
    events: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Add an endpoint."""
    wanted = [event for event in WebhookEvent if event.value in (events or [])]
    try:
        address = webhooks.checked_address(url)  # may take seconds, so outside of any transaction
        with transaction() as session:
            endpoint = webhooks.open_endpoint(session, person.actor, address, wanted)
    except Refused as refusal:
        with transaction() as session:
            return _list(request, person, session, url=url.strip(), chosen=wanted, error=refusal)
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
    """Show an endpoint and its deliveries, newest first."""
    endpoint = webhooks.find_endpoint(session, person.actor, endpoint_id)
    pager = Pager(request, after, (UUID,))
    lines = webhooks.deliveries(session, endpoint, pager.after[0] if pager.after else None, pager.limit)
    found = pager.cut(lines, lambda row: (row.WebhookMessage.id,))
    return page(
        request,
        "webhook.html",
        endpoint=endpoint,
        deliveries=found,
        pager=pager,
        done=DONE.get(done, ""),
        DeliveryState=DeliveryState,
    )


@router.post("/{endpoint_id}/messages/{message_id}")
def send_again(endpoint_id: Number, message_id: UUID, person: CoursesAdmin, session: Database) -> Response:
    """Send a message again."""
    webhooks.send_again(session, person.actor, endpoint_id, message_id)
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=replayed", 303)


@router.post("/{endpoint_id}/secret")
def renew_endpoint_secret(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Create a new secret; the old one stays valid for a day."""
    webhooks.renew_endpoint_secret(session, person.actor, endpoint_id)
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=renewed", 303)


@router.post("/{endpoint_id}/enable")
def enable_endpoint(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Enable an endpoint."""
    webhooks.enable(session, person.actor, endpoint_id)
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=enabled", 303)


@router.post("/{endpoint_id}/disable")
def disable_endpoint(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Disable an endpoint."""
    webhooks.disable(session, person.actor, endpoint_id)
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=disabled", 303)


@router.post("/{endpoint_id}/delete")
def delete_endpoint(endpoint_id: Number, person: CoursesAdmin, session: Database) -> Response:
    """Delete an endpoint and its deliveries."""
    webhooks.delete_endpoint(session, person.actor, endpoint_id)
    return RedirectResponse("/webhooks", 303)


def _list(
    request: Request,
    person: SignedIn,
    session: Session,
    *,
    url: str = "",
    chosen: list[WebhookEvent] | None = None,
    error: Refused | None = None,
) -> Response:
    lines = webhooks.endpoints(session, person.actor)
    return page(
        request,
        "webhooks.html",
        status=error.status if error else 200,
        lines=lines,
        labels=EVENTS,
        url=url,
        chosen=list(WebhookEvent) if chosen is None else chosen,
        error=error,
    )
