"""Commands for an organization's evidence. Each checks the permission, writes, and adds a line to the audit log.

Whoever sets the store decides whether there is evidence of what was deleted. So the actor needs both permissions.
"""

import io
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from urllib.parse import urlsplit

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from config.languages import gettext, translatable
from config.languages.stored import told
from models import audit
from models.access import Actor, Permission
from models.evidence import LONGEST_LOCK, EvidencePart, EvidenceStore, PartState
from models.people import Organization
from models.refusals.evidence import EvidenceFolderOperatorOnly, EvidenceOff, EvidenceStoreInvalid
from models.refusals.webhooks import WebhookAddressRefused
from models.sealing import SecretUnreadableError, seal
from models.session import changed_rows, transaction
from tasks.messages import WORK_OUTBOXES, send_outbox

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
REGION = re.compile(r"[a-z0-9-]{1,40}")
LONGEST = 2000  # characters
NO_BUCKET = translatable("Write the bucket as a URL, such as s3://acme-evidence/recourse.")
NO_SECRET = translatable("A bucket needs an access key and its secret.")
NO_LOCK = translatable("Choose 1 to 36,500 days for the lock.")  # up to LONGEST_LOCK


@dataclass(frozen=True)
class Terms:
    """Where evidence is written."""

    url: str  # s3://bucket/prefix, or file:///folder
    endpoint: str | None = None  # of an S3 server other than Amazon's
    region: str = "us-east-1"
    access_key_id: str | None = None
    secret: str | None = None
    lock_days: int | None = None


def try_store(actor: Actor, terms: Terms) -> None:
    """Leave an object in the store, so that it is known to take them. Call it outside of a transaction.

    Without a secret, the one that is stored for the same access key and endpoint is used.

    Raises `Forbidden`, `EvidenceFolderOperatorOnly`, `EvidenceStoreInvalid`.
    """
    from tasks.evidence.s3 import PutError  # loads httpx, which commands that only read do without
    from tasks.evidence.store import put

    _must_decide(actor, terms)
    with transaction() as session:
        slug = session.get_one(Organization, actor.organization_id).slug
        with_secret = _with_kept_secret(session, actor, terms)
    _check_words(with_secret)
    note = {"organization": slug, "checked_at": datetime.now(UTC).isoformat(timespec="seconds")}
    content = json.dumps(note | {"said": "Recourse may write evidence of resets here."}).encode() + b"\n"
    try:
        put(_store(with_secret), f"{slug}/check-{token_hex(8)}.json", io.BytesIO(content))
    except PutError as error:
        why = gettext("The store does not take an object: {error}.", error=told(str(error)))
        raise EvidenceStoreInvalid(why) from None


def set_store(session: Session, actor: Actor, terms: Terms) -> EvidenceStore:
    """Write evidence there before anything is deleted, from the next reset on. The caller has tried it.

    What waits for the store is tried at once. Raises `Forbidden`, `EvidenceFolderOperatorOnly`, `EvidenceStoreInvalid`.
    """
    _must_decide(actor, terms)
    store = session.get(EvidenceStore, actor.organization_id, with_for_update=True)
    new = _store(_with_kept_secret(session, actor, terms))
    if new.access_key_id and not new.sealed_secret:  # somebody else has changed the key since it was tried
        raise EvidenceStoreInvalid(NO_SECRET)
    if store is None:
        store = EvidenceStore(organization_id=actor.organization_id)
        session.add(store)
    for name in ("url", "endpoint", "region", "access_key_id", "sealed_secret", "lock_days"):
        setattr(store, name, getattr(new, name))
    store.changed_at = session.scalars(select(func.now())).one()
    session.flush()
    _try_waiting(session, actor.organization_id)
    about = {"url": terms.url, "endpoint": terms.endpoint, "lock_days": terms.lock_days}
    audit.record(session, actor, "evidence.store_set", actor.organization_id, actor.organization_id, **about)
    return store


def turn_off(session: Session, actor: Actor) -> None:
    """Keep no evidence from the next reset on. Learners of running resets who wait for the store fail.

    Raises `Forbidden`, `EvidenceOff`.
    """
    _must_decide(actor)
    store = session.get(EvidenceStore, actor.organization_id, with_for_update=True)
    if store is None:
        raise EvidenceOff
    session.delete(store)
    session.flush()
    _try_waiting(session, actor.organization_id)
    audit.record(session, actor, "evidence.turned_off", actor.organization_id, actor.organization_id, url=store.url)


def write_now(session: Session, actor: Actor) -> int:
    """Try a store that is back at once, in place of at the next time that is due. Returns how many parts wait.

    Raises `Forbidden`, `EvidenceOff`.
    """
    actor.must_have(Permission.COURSES)
    if session.get(EvidenceStore, actor.organization_id) is None:
        raise EvidenceOff
    waiting = _try_waiting(session, actor.organization_id)
    audit.record(session, actor, "evidence.written_now", actor.organization_id, actor.organization_id, parts=waiting)
    return waiting


def _try_waiting(session: Session, organization_id: int) -> int:
    waiting = (EvidencePart.organization_id == organization_id) & (EvidencePart.state == PartState.WAITING)
    send_outbox(session, WORK_OUTBOXES)
    return changed_rows(session, update(EvidencePart).where(waiting).values(next_try_at=func.now(), attempts=0))


def _must_decide(actor: Actor, terms: Terms | None = None) -> None:
    actor.must_have_all()
    if terms is not None and terms.url.startswith("file:") and actor.user_id is not None:
        raise EvidenceFolderOperatorOnly


def _with_kept_secret(session: Session, actor: Actor, terms: Terms) -> Terms:
    """So that a lock or a folder is changed without the secret, which few people know."""
    store = session.get(EvidenceStore, actor.organization_id)
    if terms.secret or store is None or store.access_key_id != terms.access_key_id or store.endpoint != terms.endpoint:
        return terms
    try:
        return replace(terms, secret=store.secret())
    except SecretUnreadableError:
        raise EvidenceStoreInvalid(translatable("The stored secret cannot be read any more. Type it again.")) from None


def _store(terms: Terms) -> EvidenceStore:
    return EvidenceStore(
        url=terms.url,
        endpoint=terms.endpoint,
        region=terms.region,
        access_key_id=terms.access_key_id,
        sealed_secret=seal(terms.secret) if terms.secret else None,
        lock_days=terms.lock_days,
    )


def _check_words(terms: Terms) -> None:
    words = (terms.url, terms.endpoint, terms.region, terms.access_key_id, terms.secret)
    if any(word is not None and (not word.isprintable() or len(word) > LONGEST) for word in words):
        raise EvidenceStoreInvalid(translatable("A value is too long, or contains invisible characters."))
    if terms.lock_days is not None and not 1 <= terms.lock_days <= LONGEST_LOCK:
        raise EvidenceStoreInvalid(NO_LOCK)
    try:
        given = urlsplit(terms.url)
    except ValueError:  # brackets
        raise EvidenceStoreInvalid(NO_BUCKET) from None
    if given.scheme == "file":
        if given.netloc or not given.path.startswith("/"):
            raise EvidenceStoreInvalid(
                translatable("Write the folder as a URL with three slashes, such as file:///srv/evidence.")
            )
        if terms.endpoint or terms.access_key_id or terms.secret or terms.lock_days:
            raise EvidenceStoreInvalid(translatable("A folder has no endpoint, no credentials and no lock."))
        return
    if given.scheme != "s3" or not BUCKET.fullmatch(given.netloc) or not PREFIX.fullmatch(given.path):
        raise EvidenceStoreInvalid(NO_BUCKET)
    if not REGION.fullmatch(terms.region):
        raise EvidenceStoreInvalid(translatable("Write the region as the server does, such as eu-central-1."))
    if not (terms.access_key_id and terms.secret):
        raise EvidenceStoreInvalid(NO_SECRET)
    from tasks.evidence.s3 import object_url
    from tasks.webhooks.post import address_of, look_up

    try:
        look_up(address_of(object_url(_store(terms), "check")))
    except WebhookAddressRefused as refusal:
        why = gettext("The address of the store is not allowed. {why}", why=translatable(refusal.why))
        raise EvidenceStoreInvalid(why) from None
