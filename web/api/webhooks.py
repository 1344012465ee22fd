"""Webhook endpoints, their deliveries, and sending again."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from models.access import Actor, Permission
from models.session import Session, transaction
from models.tokens import Scope
from tasks import webhooks
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.paging import Page, page_of
from web.api.responses import PAGED, Responses, problems
from web.api.schemas.webhooks import (
    DeliveryList,
    FailedSince,
    NewWebhook,
    SentAgain,
    WebhookDetails,
    WebhookList,
    WebhookRequest,
    WebhookSecret,
    WebhookTest,
    WebhookUpdate,
    delivery_of,
    new_webhook_of,
    webhook_of,
)
from web.database import Database
from web.numbers import BIGGEST
from web.waiting import waiting_outside

router = APIRouter(tags=["webhooks"], route_class=JsonRoute)

Manager = Annotated[Actor, Depends(program_with(Scope.WEBHOOKS_WRITE, Permission.COURSES))]
EndpointId = Annotated[int, Path(ge=1, le=BIGGEST, description="The endpoint's id", examples=[7])]
MessageId = Annotated[UUID, Path(description="The message's id, from the list of deliveries")]

FOUND = problems("webhook-unknown", "forbidden")
REMOVED: Responses = {204: {"description": "The endpoint and the log of its deliveries are deleted"}}
SENT: Responses = {204: {"description": "The message is sent again, with its id"}}


@router.get(
    "/webhook-endpoints",
    operation_id="listWebhookEndpoints",
    response_model=WebhookList,
    responses=problems("forbidden"),
)
def list_endpoints(actor: Manager, session: Database) -> WebhookList:
    """List the webhook endpoints, with the messages that wait for each."""
    found = webhooks.endpoints(session, actor)
    return WebhookList(items=[webhook_of(row.WebhookEndpoint, row.waiting) for row in found])


@router.post(
    "/webhook-endpoints",
    operation_id="addWebhookEndpoint",
    status_code=201,
    response_model=NewWebhook,
    responses=problems("forbidden", "webhook-address-refused", "webhook-events-missing", "body-too-large"),
)
def add(body: WebhookRequest, actor: Manager) -> NewWebhook:
    """Notify an address of these events from now on."""
    address = webhooks.checked_address(body.url)  # may take seconds, so outside of any transaction
    with transaction() as session:
        return new_webhook_of(webhooks.open_endpoint(session, actor, address, list(dict.fromkeys(body.events))))


@router.patch(
    "/webhook-endpoints/{endpoint_id}",
    operation_id="changeWebhookEndpoint",
    response_model=WebhookDetails,
    responses=FOUND | problems("webhook-address-refused", "webhook-events-missing", "body-too-large"),
)
def change(endpoint_id: EndpointId, body: WebhookUpdate, actor: Manager) -> WebhookDetails:
    """Change an endpoint's address or events. Messages that wait go to the new address."""
    address = None if body.url is None else webhooks.checked_address(body.url)  # as in `add`
    events = None if body.events is None else list(dict.fromkeys(body.events))
    with transaction() as session:
        webhooks.change_endpoint(session, actor, endpoint_id, address=address, events=events)
        return _details(session, actor, endpoint_id)


@router.post(
    "/webhook-endpoints/{endpoint_id}:test",
    operation_id="testWebhookEndpoint",
    response_model=WebhookTest,
    responses=FOUND | problems("too-many-waiting"),
)
async def test(endpoint_id: EndpointId, actor: Manager) -> WebhookTest:
    """Send a signed ping now, of the type `webhook.ping`, and say what the endpoint answers within 15 seconds."""
    pinged = await waiting_outside(actor.organization_id, partial(webhooks.ping_endpoint, actor, endpoint_id))
    return WebhookTest.model_validate(pinged)


@router.post(
    "/webhook-endpoints/{endpoint_id}:send-failed-again",
    operation_id="sendFailedAgain",
    response_model=SentAgain,
    responses=FOUND | problems("webhook-disabled", "body-too-large"),
)
def send_failed_again(endpoint_id: EndpointId, body: FailedSince, actor: Manager, session: Database) -> SentAgain:
    """Send every failed message again that was created since a time, each with its original id."""
    return SentAgain(messages=webhooks.send_failed_again(session, actor, endpoint_id, body.since))


@router.delete(
    "/webhook-endpoints/{endpoint_id}",
    operation_id="removeWebhookEndpoint",
    status_code=204,
    responses=REMOVED | FOUND,
)
def remove(endpoint_id: EndpointId, actor: Manager, session: Database) -> Response:
    """Remove an endpoint and the log of its deliveries."""
    webhooks.delete_endpoint(session, actor, endpoint_id)
    return Response(status_code=204)


@router.post(
    "/webhook-endpoints/{endpoint_id}:disable",
    operation_id="disableWebhookEndpoint",
    response_model=WebhookDetails,
    responses=FOUND,
)
def disable(endpoint_id: EndpointId, actor: Manager, session: Database) -> WebhookDetails:
    """Stop sending to an endpoint. Repeating it changes nothing."""
    webhooks.disable(session, actor, endpoint_id)
    return _details(session, actor, endpoint_id)


@router.post(
    "/webhook-endpoints/{endpoint_id}:enable",
    operation_id="enableWebhookEndpoint",
    response_model=WebhookDetails,
    responses=FOUND,
)
def enable(endpoint_id: EndpointId, actor: Manager, session: Database) -> WebhookDetails:
    """Send events to an endpoint again, from now on. Repeating it changes nothing."""
    webhooks.enable(session, actor, endpoint_id)
    return _details(session, actor, endpoint_id)


@router.post(
    "/webhook-endpoints/{endpoint_id}:renew-secret",
    operation_id="renewWebhookSecret",
    response_model=WebhookSecret,
    responses=FOUND,
)
def renew(endpoint_id: EndpointId, actor: Manager, session: Database) -> WebhookSecret:
    """Create a new secret; the old one stays valid for a day."""
    return WebhookSecret(secret=webhooks.renew_endpoint_secret(session, actor, endpoint_id))


@router.get(
    "/webhook-endpoints/{endpoint_id}/deliveries",
    operation_id="listDeliveries",
    response_model=DeliveryList,
    responses=PAGED | FOUND,
)
def list_deliveries(
    endpoint_id: EndpointId, actor: Manager, session: Database, page: Annotated[Page, page_of(UUID)]
) -> DeliveryList:
    """List what was sent to an endpoint, newest first."""
    endpoint = webhooks.find_endpoint(session, actor, endpoint_id)
    rows = webhooks.deliveries(session, endpoint, page.after[0] if page.after else None, page.limit)
    found = page.cut(rows, lambda row: (row.WebhookMessage.id,))
    return DeliveryList(items=[delivery_of(row.WebhookDelivery, row.WebhookMessage) for row in found])


@router.post(
    "/webhook-endpoints/{endpoint_id}/deliveries/{message_id}:send-again",
    operation_id="sendAgain",
    status_code=204,
    responses=SENT | FOUND,
)
def send_again(endpoint_id: EndpointId, message_id: MessageId, actor: Manager, session: Database) -> Response:
    """Send a message again, with its original id."""
    webhooks.send_again(session, actor, endpoint_id, message_id)
    return Response(status_code=204)


def _details(session: Session, actor: Actor, endpoint_id: int) -> WebhookDetails:
    endpoint = webhooks.find_endpoint(session, actor, endpoint_id)
    return webhook_of(endpoint, webhooks.waiting_for(session, endpoint))
