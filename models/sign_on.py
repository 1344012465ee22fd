"""Single sign-on: the OpenID Connect provider of an organization, who its users are there, and the sessions that began
there."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, one_of
from models.people import Organization, User
from models.sealing import MayHaveSecret, SecretUnreadableError, opened, seal
from models.token_hash import hash_of
from models.web_sessions import WebSession, is_over

OTHERS_SECONDS = 300  # at least this long between two checks of people who have no permission to lose
REST = timedelta(seconds=10)  # after a failed check, before the next one


class ClaimsFrom(StrEnum):
    """Where a user's claims are read, at the sign-in and at each check."""

    USERINFO = "userinfo"  # the provider's userinfo endpoint
    ID_TOKEN = "id_token"  # noqa: S105 - the ID token, a new one for each check


class IdentityProvider(MayHaveSecret, Base):
    """How an organization signs in elsewhere. A public client has no secret."""

    __tablename__ = "identity_provider"
    __table_args__ = (
        CheckConstraint("by_address OR external_id_claim IS NOT NULL", name="names_users"),
        CheckConstraint("(roles_claim IS NULL) = (roles = '{}')", name="roles_have_a_claim"),
        CheckConstraint("check_seconds BETWEEN 0 AND 3600", name="check_seconds"),
        CheckConstraint("away_seconds BETWEEN 0 AND 86400", name="away_seconds"),
    )

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True, autoincrement=False)
    name: Mapped[str]  # for people: “Sign in with …”
    issuer: Mapped[str]
    client_id: Mapped[str]
    scopes: Mapped[str]  # with a space between them
    claims_from: Mapped[ClaimsFrom] = mapped_column(one_of(ClaimsFrom, "claims_from"))
    by_address: Mapped[bool]  # users are found by their e-mail address
    trusts_addresses: Mapped[bool]  # also by one that the provider does not call verified
    external_id_claim: Mapped[str | None]  # a claim that equals `user.external_id`
    roles_claim: Mapped[str | None]  # such as groups or realm_access.roles; none: permissions are managed here
    roles: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # permissions by value of that claim
    adds_users: Mapped[bool]  # of whom it says that they are unknown here
    passwords_off: Mapped[bool] = mapped_column(server_default=text("false"))
    check_seconds: Mapped[int]  # between two checks of someone with permissions; 0: at each request
    away_seconds: Mapped[int]  # how long permissions hold while the provider is down
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UserIdentity(Base):
    """Who a user is at the provider: bound at their first sign-in there, so that a new address changes nothing."""

    __tablename__ = "user_identity"
    __table_args__ = (UniqueConstraint("organization_id", "subject"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True, autoincrement=False)
    organization_id: Mapped[int] = mapped_column(ForeignKey("identity_provider.organization_id"))
    subject: Mapped[str]
    bound_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ProviderSession(Base):
    """What is kept of a browser's session that began at the provider."""

    __tablename__ = "provider_session"
    __table_args__ = (Index(None, "organization_id", "subject"), Index(None, "organization_id", "sid"))

    token_hash: Mapped[bytes] = mapped_column(
        LargeBinary, ForeignKey("web_session.token_hash", ondelete="CASCADE"), primary_key=True
    )
    organization_id: Mapped[int] = mapped_column(ForeignKey("identity_provider.organization_id"))
    subject: Mapped[str]
    sid: Mapped[str | None]  # the session's id at the provider
    sealed_tokens: Mapped[str]  # JSON, encrypted
    checked_at: Mapped[datetime] = mapped_column(server_default=func.now())  # when the last check that succeeded began
    failed_at: Mapped[datetime | None]  # when one last failed, none if one has succeeded since
    busy_until: Mapped[datetime | None]  # a process is checking it


@dataclass(frozen=True)
class Tokens:
    """What the provider issued for a session."""

    id_token: str
    access: str
    refresh: str | None
    expires_at: float | None  # of the access token, as a POSIX time

    def sealed(self) -> str:
        """Returns them encrypted."""
        return seal(json.dumps([self.id_token, self.access, self.refresh, self.expires_at]))

    @classmethod
    def unsealed(cls, sealed: str) -> "Tokens | None":
        """Returns the tokens, `None` if no key can decrypt them."""
        try:
            return cls(*json.loads(opened(sealed)))
        except SecretUnreadableError:
            return None


@dataclass(frozen=True)
class Standing:
    """How a session stands with its provider."""

    provider: IdentityProvider
    session: ProviderSession
    has_permissions: bool

    @property
    def is_strict(self) -> bool:
        """Whether the session's user has permissions that the provider decides."""
        return self.has_permissions and self.provider.roles_claim is not None

    @property
    def interval(self) -> timedelta:
        """The longest time between a check and a request that relies on it."""
        seconds = self.provider.check_seconds
        return timedelta(seconds=seconds if self.is_strict else max(seconds, OTHERS_SECONDS))

    def is_due(self, at: datetime) -> bool:
        """Returns whether a request that arrived at this time needs a check first. A failed one is not repeated at
        once: while a provider is down, its users' pages must not all wait for it."""
        failed = self.session.failed_at
        return self.session.checked_at < at - self.interval and (failed is None or failed < at - REST)

    def is_withheld(self, at: datetime) -> bool:
        """Returns whether the last check is too long ago to rely on the user's permissions."""
        longest = self.interval + timedelta(seconds=self.provider.away_seconds)
        return self.is_strict and self.session.checked_at < at - longest


@dataclass(frozen=True)
class SessionUser:
    """The user of a session."""

    user: User
    at: datetime  # when this was looked up
    standing: Standing | None  # if the session began at a provider


def user_and_standing(session: Session, token: str) -> SessionUser | None:
    """Returns who is signed in with this token. `None` if the session ended, was idle for too long, or its user is
    deactivated."""
    found = session.execute(
        select(User, ProviderSession, IdentityProvider, func.clock_timestamp())
        .join(WebSession, WebSession.user_id == User.id)
        .outerjoin(ProviderSession, ProviderSession.token_hash == WebSession.token_hash)
        .outerjoin(IdentityProvider, IdentityProvider.organization_id == ProviderSession.organization_id)
        .where(WebSession.token_hash == hash_of(token), User.active, ~is_over())
    ).one_or_none()
    if found is None:
        return None
    user, there, provider, at = found
    standing = None if there is None else Standing(provider, there, bool(user.permissions))
    return SessionUser(user, at, standing)


def facts_of(provider: IdentityProvider) -> dict[str, Any]:
    """Returns the provider's settings, without the secret."""
    hidden = {"organization_id", "sealed_secret", "changed_at"}
    columns = [column.key for column in IdentityProvider.__table__.columns if column.key not in hidden]
    return {name: getattr(provider, name) for name in columns} | {"has_secret": provider.sealed_secret is not None}


def provider_of(session: Session, slug: str) -> IdentityProvider | None:
    """Returns the provider of the organization with this short name, `None` if there is none."""
    query = select(IdentityProvider).join(Organization, Organization.id == IdentityProvider.organization_id)
    return session.scalar(query.where(Organization.slug == slug))


def is_any_provider(session: Session) -> bool:
    """Returns whether any organization has a provider."""
    return session.scalar(select(IdentityProvider.organization_id).limit(1)) is not None


def passwords_off_by(session: Session, organization_id: int) -> IdentityProvider | None:
    """Returns the provider for which the organization turned passwords off, `None` if they are on.

    Until the end of the transaction, they cannot be turned off.
    """
    provider = session.get(IdentityProvider, organization_id, with_for_update={"read": True})
    return provider if provider is not None and provider.passwords_off else None
