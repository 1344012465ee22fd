"""Test an endpoint: send it a ping now, and say what it answers. Nothing is held while it is awaited."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from models import audit
from models.access import Actor
from models.session import transaction
from tasks.webhooks.lookup import find_endpoint

PING = "webhook.ping"


@dataclass(frozen=True)
class Pinged:
    """The result of a test."""

    taken: bool  # it answered 2xx
    words: str
    milliseconds: int
    number: str  # the message's id, as the receiver saw it


def ping_endpoint(actor: Actor, endpoint_id: int) -> Pinged:
    """Send the endpoint a signed ping, also if it is disabled. Changes nothing but the audit.

    It may take 15 seconds, so call it outside of any transaction. Raises `Forbidden`, `WebhookUnknown`.
    """
    from tasks.webhooks.post import post  # loads httpx, which commands that only read do without

    with transaction() as session:
        endpoint = find_endpoint(session, actor, endpoint_id)
        to = endpoint.url, endpoint.secrets()
    number, now = f"msg_{uuid4()}", datetime.now(UTC)
    body = json.dumps({"type": PING, "timestamp": now.isoformat(), "data": {}}, separators=(",", ":"), sort_keys=True)
    began = time.monotonic()
    reply = post(*to, number, body)
    pinged = Pinged(reply.taken, reply.words, round((time.monotonic() - began) * 1000), number)
    with transaction() as session:
        audit.record(
            session, actor, "webhook.tested", endpoint_id, actor.organization_id, taken=reply.taken, said=reply.words
        )
    return pinged
