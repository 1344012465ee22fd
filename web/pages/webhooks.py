"""Webhooks: the organization's endpoints, their deliveries, and sending again by hand."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from config.languages import ngettext, translatable
from models.people import zone_of
from models.refusals.base import Refused
from models.refusals.webhooks import SinceInvalid, WebhookAddressRefused, WebhookDisabled, WebhookEventsMissing
from models.session import Session, transaction
from models.webhooks import DeliveryState, WebhookEvent
from tasks import webhooks
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.numbers import Number, number_in
from web.pager import Pager
from web.pages.reset_form import moment_of
from web.templating import page
from web.waiting import waiting_outside

router = APIRouter(prefix="/webhooks")

EVENTS = {
    WebhookEvent.RESET_STARTED: translatable("A reset started"),
    WebhookEvent.RESET_COMPLETED: translatable("A reset finished without failures"),
    WebhookEvent.RESET_PAUSED: translatable("A running reset was paused"),
    WebhookEvent.RESET_RESUMED: translatable("A paused reset was resumed"),
    WebhookEvent.RESET_FAILED: translatable("A reset finished with failures, or was cancelled"),
    WebhookEvent.LEARNER_RESET: translatable("Learners were reset or had nothing to reset (up to 500 per message)"),
}
DONE = {
    "opened": translatable("Webhook added. Share its signing secret with the receiver."),
    "replayed": translatable("Sending the message again, with the same ID."),
    "renewed": translatable(
        "New secret created. Give it to the receiver; for a day, messages are signed with both secrets."
    ),
    "enabled": translatable("Webhook continued. It gets events from now on."),
    "disabled": translatable("Webhook paused. It gets no more messages."),
    "changed": translatable("Webhook saved."),
}


def _sending(number: int) -> str:
    return ngettext(
        "Sending {count:,} failed message again, with the same IDs.",
        "Sending {count:,} failed messages again, with the same IDs.",
        number,
    )


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
    sent: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show an endpoint and its deliveries, newest first; `sent` is how many are being sent again."""
    number = number_in(sent)
    words = "" if number is None else _sending(number)
    return _show(request, person, session, endpoint_id, after, done=DONE.get(done, words))


@router.post("/{endpoint_id}/edit")
def edit(
    request: Request,
    endpoint_id: Number,
    person: CoursesAdmin,
    url: Annotated[str, Form(max_length=2000)] = "",
    events: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Change an endpoint's address and events."""
    wanted = [event for event in WebhookEvent if event.value in (events or [])]
    try:
        address = webhooks.checked_address(url)  # may take seconds, so outside of any transaction
        with transaction() as session:
            webhooks.change_endpoint(session, person.actor, endpoint_id, address=address, events=wanted)
    except (WebhookAddressRefused, WebhookEventsMissing) as refusal:
        with transaction() as session:
            return _show(request, person, session, endpoint_id, error=refusal, url=url.strip(), chosen=wanted)
    return RedirectResponse(f"/webhooks/{endpoint_id}?done=changed", 303)


@router.post("/{endpoint_id}/test")
async def test(request: Request, endpoint_id: Number, person: CoursesAdmin) -> Response:
    """Send a ping, and show what the endpoint answers. No connection and no thread of other pages is held meanwhile."""
    actor = person.actor
    pinged = await waiting_outside(actor.organization_id, partial(webhooks.ping_endpoint, actor, endpoint_id))
    return await run_in_threadpool(_pinged, request, person, endpoint_id, pinged)


@router.post("/{endpoint_id}/failed")
def send_failed_again(
    request: Request,
    endpoint_id: Number,
    person: CoursesAdmin,
    session: Database,
    since: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Send all messages again that failed since a time in the person's own zone."""
    try:
        moment = moment_of(since, zone_of(person.user), SinceInvalid)
        sent = webhooks.send_failed_again(session, person.actor, endpoint_id, moment)
    except (SinceInvalid, WebhookDisabled) as refusal:
        return _show(request, person, session, endpoint_id, error=refusal, about="failed", since=since)
    return RedirectResponse(f"/webhooks/{endpoint_id}?sent={sent}", 303)


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


def _pinged(request: Request, person: SignedIn, endpoint_id: int, pinged: webhooks.Pinged) -> Response:
    with transaction() as session:
        return _show(request, person, session, endpoint_id, pinged=pinged)


def _show(
    request: Request,
    person: SignedIn,
    session: Session,
    endpoint_id: int,
    after: str = "",
    *,
    done: str = "",
    pinged: webhooks.Pinged | None = None,
    error: Refused | None = None,
    about: str = "edit",
    url: str | None = None,
    chosen: list[WebhookEvent] | None = None,
    since: str | None = None,
) -> Response:
    endpoint = webhooks.find_endpoint(session, person.actor, endpoint_id)
    pager = Pager(request, after, (UUID,), path=f"/webhooks/{endpoint_id}", without=("sent", "done"))
    lines = webhooks.deliveries(session, endpoint, pager.after[0] if pager.after else None, pager.limit)
    failed, first = webhooks.failed_since(session, endpoint)
    if since is None:
        since = first.astimezone(zone_of(person.user)).strftime("%Y-%m-%dT%H:%M") if first else ""
    return page(
        request,
        "webhook.html",
        status=error.status if error else 200,
        endpoint=endpoint,
        deliveries=pager.cut(lines, lambda row: (row.WebhookMessage.id,)),
        pager=pager,
        failed=failed,
        since=since,
        done=done,
        pinged=pinged,
        error=error,
        about=about,
        labels=EVENTS,
        url=endpoint.url if url is None else url,
        chosen=endpoint.events if chosen is None else chosen,
        DeliveryState=DeliveryState,
    )


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
