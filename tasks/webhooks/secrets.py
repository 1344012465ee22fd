"""Secrets of webhooks, event sources, participants, sign-in providers and evidence: renew one, or encrypt all anew."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.events import EventSource
from models.evidence import EvidenceKey, EvidenceStore
from models.participants import Participant
from models.sealing import SecretUnreadableError, is_of_the_newest_key
from models.sign_on import IdentityProvider
from models.webhooks import WebhookEndpoint


def renew_secret(session: Session, actor: Actor, of: WebhookEndpoint | EventSource) -> None:
    """Make a new secret; the old one stays valid for a day. Raises `Forbidden`."""
    actor.must_have(Permission.COURSES)
    of.renew()
    what = "webhook" if isinstance(of, WebhookEndpoint) else "event_source"
    audit.record(session, actor, f"{what}.secret_renewed", of.id, of.organization_id)


def seal_again(session: Session) -> tuple[int, int]:
    """Encrypt every secret with the newest key. Returns how many were changed, and how many no key can decrypt."""
    changed = unreadable = 0
    for one in _all(session):
        try:
            changed += one.seal_again()
        except SecretUnreadableError:
            unreadable += 1
    return changed, unreadable


def under_former_keys(session: Session) -> int:
    """Returns how many secrets still need a former key, or a key that is missing."""
    sealed = (one.sealed_secret for one in _all(session))
    return sum(secret is not None and not is_of_the_newest_key(secret) for secret in sealed)


def _all(
    session: Session,
) -> Iterator[WebhookEndpoint | EventSource | Participant | IdentityProvider | EvidenceStore | EvidenceKey]:
    yield from session.scalars(select(WebhookEndpoint))
    yield from session.scalars(select(EventSource))
    yield from session.scalars(select(Participant))
    yield from session.scalars(select(IdentityProvider))
    yield from session.scalars(select(EvidenceStore))
    yield from session.scalars(select(EvidenceKey))
