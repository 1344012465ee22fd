"""The Ed25519 keys that sign evidence. The private key is sealed in the database, as all secrets are."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.settings import settings
from models.evidence import EvidenceKey
from models.sealing import seal
from models.session import transaction


@dataclass(frozen=True)
class Signer:
    """The key that signs now."""

    key_id: str
    private_key: Ed25519PrivateKey

    def sign(self, content: bytes) -> bytes:
        """Returns the signature of the content, 64 bytes."""
        return self.private_key.sign(content)

    @property
    def address(self) -> str:
        """The address of its public key."""
        return f"{settings().public_url}/.well-known/recourse-evidence/{self.key_id}.pem"


def signer() -> Signer:
    """Returns the key that signs now; the first use makes it. Raises `SecretUnreadableError`."""
    with transaction() as session:
        key = _signing(session)
        if key is None:
            _add(session)
            key = _signing(session)
        assert key is not None
        secret = key.secret()
    assert secret is not None
    return Signer(key.id, Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret)))


def public_keys(session: Session) -> list[EvidenceKey]:
    """Returns all keys there ever were, newest first."""
    return list(session.scalars(select(EvidenceKey).order_by(EvidenceKey.created_at.desc(), EvidenceKey.id)))


def public_key(session: Session, key_id: str) -> str | None:
    """Returns the public key with this id as PEM, `None` if there is none."""
    return session.scalar(select(EvidenceKey.public_key).where(EvidenceKey.id == key_id))


def renew_key(session: Session) -> str:
    """Sign with a new key from now on, and forget the private part of the one before. Returns the new key's id.

    For an operator at the console: the key is the whole installation's.
    """
    before = session.scalar(select(EvidenceKey).where(EvidenceKey.retired_at.is_(None)).with_for_update())
    if before is not None:
        before.sealed_secret, before.retired_at = None, session.scalars(select(func.now())).one()
        session.flush()
    return _add(session)


def key_id_of(key: Ed25519PublicKey) -> str:
    """Returns the id of a key: the first 16 digits of the SHA-256 of its 32 bytes."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def _signing(session: Session) -> EvidenceKey | None:
    return session.scalar(select(EvidenceKey).where(EvidenceKey.retired_at.is_(None)))


def _add(session: Session) -> str:
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    row = insert(EvidenceKey).values(
        id=key_id_of(public),
        public_key=pem,
        sealed_secret=seal(base64.b64encode(private.private_bytes_raw()).decode()),
    )
    session.execute(row.on_conflict_do_nothing())  # another process has made the first one at this moment
    return key_id_of(public)
