"""The secrets of webhooks and of event sources: a new one for one of them, a new key for all."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.events import EventSource
from models.sealing import SecretUnreadableError, is_of_the_newest_key
from models.webhooks import WebhookEndpoint


def renew_secret(session: Session, actor: Actor, of: WebhookEndpoint | EventSource) -> None:
    """Make a new secret; the one before it is good for another day. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    of.renew()
    what = "webhook" if isinstance(of, WebhookEndpoint) else "event_source"
    audit.record(session, actor, f"{what}.secret_renewed", of.id, of.organization_id)


def seal_again(session: Session) -> tuple[int, int]:
    """Encrypt every secret with the newest key. Gives how many were changed, and how many no key can read."""
    changed = unreadable = 0
    for one in _all(session):
        try:
            changed += one.seal_again()
        except SecretUnreadableError:
            unreadable += 1
    return changed, unreadable


def under_former_keys(session: Session) -> int:
    """How many secrets still need a former key, or one that is gone."""
    return sum(not is_of_the_newest_key(one.sealed_secret) for one in _all(session))


def _all(session: Session) -> Iterator[WebhookEndpoint | EventSource]:
    yield from session.scalars(select(WebhookEndpoint))
    yield from session.scalars(select(EventSource))
