"""Bearer tokens, with which programs use the HTTP API in a user's name."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Identity, Index, LargeBinary, Text, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from models import audit
from models.access import Actor
from models.base import Base
from models.people import User
from models.refusals import TokenUnknown
from models.sign_in import hash_of

PREFIX = "rcs_"  # so that a token that leaked into a log or a repository is recognised


class Scope(StrEnum):
    """What a token may be used for; beyond that, it can do what its user can."""

    RESETS_READ = "resets:read"
    RESETS_WRITE = "resets:write"
    LEARNING_WRITE = "learning:write"
    PEOPLE_WRITE = "people:write"
    ANALYTICS_READ = "analytics:read"
    RULES_READ = "rules:read"
    RULES_WRITE = "rules:write"
    EVENTS_WRITE = "events:write"


class ApiToken(Base):
    """A token of a user's; only its hash is kept."""

    __tablename__ = "api_token"
    __table_args__ = (
        Index(None, "user_id"),
        Index("ix_api_token_ended", text("LEAST(revoked_at, expires_at)")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    name: Mapped[str]  # what it is for
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


ENDED_AT = func.least(ApiToken.revoked_at, ApiToken.expires_at)
"""When a token ended, or is to; none if it goes on until it is revoked."""


@dataclass(frozen=True)
class Bearer:
    """Whom a token speaks for, and what for."""

    user: User
    scopes: frozenset[str]


def create_token(
    session: Session, actor: Actor | str, user: User, name: str, scopes: list[Scope], expires_at: datetime | None
) -> str:
    """A new token for the user. Gives its text, which is stored nowhere and cannot be shown again."""
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        user_id=user.id,
        token_hash=hash_of(token),
        name=name,
        scopes=[str(scope) for scope in scopes],
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "token.created", row.id, user.organization_id, name=name, scopes=row.scopes)
    return token


def revoke_token(session: Session, actor: Actor | str, organization_id: int, token_id: int) -> None:
    """End a token for good; ending it twice is the same as once. Raises `TokenUnknown`."""
    token = session.scalar(
        select(ApiToken)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.id == token_id, User.organization_id == organization_id)
        .with_for_update(of=ApiToken)
    )
    if token is None:
        raise TokenUnknown(token_id)
    if token.revoked_at is None:
        token.revoked_at = session.scalars(select(func.now())).one()
        audit.record(session, actor, "token.revoked", token.id, organization_id)


def bearer_of(session: Session, text: str) -> Bearer | None:
    """Whom this token speaks for; none if it is unknown, revoked, expired, or its user is deactivated."""
    found = session.execute(
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(
            ApiToken.token_hash == hash_of(text),
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now()),
            User.active,
        )
    ).one_or_none()
    if found is None:
        return None
    # So that a token that nobody uses any more can be told; once a minute is enough, and no request waits for another
    # one of the same token.
    idle = (
        select(ApiToken.id)
        .where(
            ApiToken.id == found.ApiToken.id,
            or_(ApiToken.used_at.is_(None), ApiToken.used_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 1)),
        )
        .with_for_update(skip_locked=True)
    )
    session.execute(
        update(ApiToken)
        .where(ApiToken.id.in_(idle))
        .values(used_at=func.now())
        .execution_options(synchronize_session=False)
    )
    return Bearer(found.User, frozenset(found.ApiToken.scopes))
