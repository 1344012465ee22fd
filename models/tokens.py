"""API tokens: programs use the HTTP API and send messages in the name of a user."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Identity, Index, LargeBinary, Text, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.settings import signing_keys
from models.base import Base
from models.people import User
from models.session import touch
from models.token_hash import hash_of

PREFIX = "rcs_"  # makes leaked tokens recognizable in logs and repositories


class Scope(StrEnum):
    """What a token may be used for, within the permissions of its user."""

    RESETS_READ = "resets:read"
    RESETS_WRITE = "resets:write"
    LEARNING_WRITE = "learning:write"
    PEOPLE_WRITE = "people:write"
    ACCESS_WRITE = "access:write"
    ANALYTICS_READ = "analytics:read"
    RULES_READ = "rules:read"
    RULES_WRITE = "rules:write"
    EVENTS_WRITE = "events:write"
    PARTICIPANTS_WRITE = "participants:write"
    EVIDENCE_WRITE = "evidence:write"
    WEBHOOKS_WRITE = "webhooks:write"
    TOKENS_WRITE = "tokens:write"
    SCIM_WRITE = "scim:write"
    OPERATE = "operate"


class ApiToken(Base):
    """A token of a user; only its hash is stored."""

    __tablename__ = "api_token"
    __table_args__ = (
        Index(None, "user_id"),
        Index("ix_api_token_ended", text("LEAST(revoked_at, expires_at)")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    name: Mapped[str]  # its purpose
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # What its user might do when it was made. It never has more than that; none: made by an earlier release.
    # See `docs/decisions/0118-tokens-never-grow.md`.
    permissions: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]  # to the minute; shows which tokens are in use


def state_of(token: ApiToken) -> str:
    """Returns `valid`, `revoked` or `expired`."""
    if token.revoked_at:
        return "revoked"
    return "expired" if token.expires_at and token.expires_at < datetime.now(UTC) else "valid"


ENDED_AT = func.least(ApiToken.revoked_at, ApiToken.expires_at)
"""When a token ended or will end, NULL if it is valid until it is revoked."""


@dataclass(frozen=True)
class Bearer:
    """The user of a token, its scopes, and the permissions it has at most."""

    user: User
    scopes: frozenset[str]
    at_most: list[str] | None


@dataclass(frozen=True)
class Application:
    """A valid token, and the user in whose name its application sends messages."""

    token: ApiToken
    user: User


def message_secrets(token: ApiToken) -> list[str]:
    """Returns the secrets that may sign messages for the token, newest first: one for each secret key.

    They are derived and not stored, so that no one can sign with a copy of the database.
    """
    about = b"recourse.message\0" + token.token_hash
    return ["rcm_" + hmac.digest(key.encode(), about, hashlib.sha256).hex() for key in reversed(signing_keys())]


def bearer_of(session: Session, text: str) -> Bearer | None:
    """Returns the user of a token, `None` if it is unknown, revoked or expired, or its user is deactivated."""
    found = _usable(session, ApiToken.token_hash == hash_of(text))
    return None if found is None else Bearer(found.user, frozenset(found.token.scopes), found.token.permissions)


def usable_token(session: Session, token_id: int) -> Application | None:
    """Returns the token with this id, `None` if it is not valid, as in `bearer_of`."""
    return _usable(session, ApiToken.id == token_id)


def token_with(session: Session, text: str) -> ApiToken:
    """Returns the token with this text, which exists, whether or not it is valid."""
    return session.scalars(select(ApiToken).where(ApiToken.token_hash == hash_of(text))).one()


def _usable(session: Session, which: ColumnElement[bool]) -> Application | None:
    found = session.execute(
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(
            which,
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now()),
            User.active,
        )
    ).one_or_none()
    if found is None:
        return None
    touch(session, ApiToken.used_at, ApiToken.id == found.ApiToken.id)
    return Application(found.ApiToken, found.User)


def tokens_of(
    session: Session, organization_ids: Sequence[int], *, after: int = 0, limit: int | None = None
) -> list[tuple[ApiToken, str]]:
    """Returns the tokens of these organizations, oldest first, each with its user's address: up to `limit`, after the
    one with the id `after`."""
    query = (
        select(ApiToken, User.email)
        .join(User, User.id == ApiToken.user_id)
        .where(User.organization_id.in_(organization_ids), ApiToken.id > after)
        .order_by(ApiToken.id)
        .limit(limit)
    )
    return [(token, email) for token, email in session.execute(query)]
