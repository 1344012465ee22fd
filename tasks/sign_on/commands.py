"""Commands for an organization's sign-in provider. Each checks the permissions, writes, and adds a line to the audit.

Whoever sets the provider decides who signs in as whom. So the actor needs “Platform management: Users” and every
permission that any user of the organization has, or gets by the mapping of roles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models import audit
from models.access import MANAGEMENT, Actor, Permission
from models.people import User
from models.refusals.access import OnlyAtConsole
from models.refusals.sign_on import PasswordsNeeded, SignOnInvalid, SignOnUnavailable, SignOnUnknown
from models.refusals.webhooks import WebhookAddressRefused
from models.sealing import seal
from models.session import changed_rows
from models.sign_on import ClaimsFrom, IdentityProvider, ProviderSession, UserIdentity
from models.web_sessions import WebSession

if TYPE_CHECKING:
    from tasks.sign_on.endpoints import Endpoints

LONGEST = 2000  # characters of a setting
LONGEST_NAME = 60
NO_NEWS = "The provider has no userinfo endpoint, so claims cannot come from there. Take them from the ID token."


@dataclass(frozen=True)
class Terms:
    """How an organization signs in at its provider."""

    issuer: str
    client_id: str
    name: str
    scopes: Sequence[str] = ("openid", "email", "profile")
    claims_from: ClaimsFrom = ClaimsFrom.USERINFO
    by_address: bool = True
    trusts_addresses: bool = False
    external_id_claim: str | None = None
    roles_claim: str | None = None
    roles: Mapping[str, Sequence[Permission]] = field(default_factory=dict)
    adds_users: bool = False
    check_seconds: int | None = None  # none: 0 with userinfo; 60 with ID tokens, of which each check needs a new one
    away_seconds: int = 300

    def values(self) -> dict[str, Any]:
        """Returns the columns."""
        default = 0 if self.claims_from == ClaimsFrom.USERINFO else 60
        named = {value: [permission.value for permission in of] for value, of in self.roles.items()}
        seconds = default if self.check_seconds is None else self.check_seconds
        return asdict(self) | {"scopes": " ".join(self.scopes), "roles": named, "check_seconds": seconds}


def checked(terms: Terms) -> "Endpoints":
    """Returns the provider's endpoints, if the terms are right. Asks the provider, so call it outside of a transaction.

    Raises `SignOnInvalid`.
    """
    # loads httpx, which commands that only read do without
    from tasks.sign_on.endpoints import endpoints_of, forget, keys_of
    from tasks.webhooks.post import address_of, look_up

    _check_words(terms)
    try:
        look_up(address_of(terms.issuer))
    except WebhookAddressRefused as refusal:
        raise SignOnInvalid(f"The issuer is not allowed. {refusal.why}") from None
    provider = IdentityProvider(name=terms.name, issuer=terms.issuer, client_id=terms.client_id)
    forget(terms.issuer)
    try:
        endpoints = endpoints_of(provider)
        keys_of(provider)
    except SignOnUnavailable as refusal:
        raise SignOnInvalid(str(refusal).removesuffix(" Nothing was changed. Try again in a moment.")) from None
    if endpoints.userinfo is None and terms.claims_from == ClaimsFrom.USERINFO:
        raise SignOnInvalid(NO_NEWS)
    return endpoints


def _check_words(terms: Terms) -> None:
    words = {
        "issuer": terms.issuer,
        "client id": terms.client_id,
        "name": terms.name,
        "external id claim": terms.external_id_claim,
        "roles claim": terms.roles_claim,
    }
    for what, word in words.items():
        longest = LONGEST_NAME if what == "name" else LONGEST
        if word is not None and (not word.strip() or len(word) > longest or not word.isprintable()):
            raise SignOnInvalid(f"The {what} is empty, too long, or contains invisible characters.")
    if "openid" not in terms.scopes or not all(scope.isascii() and scope.isprintable() for scope in terms.scopes):
        raise SignOnInvalid("The scopes must include “openid”, and each must be one word of ASCII letters.")
    if bool(terms.roles_claim) != bool(terms.roles):
        raise SignOnInvalid("A claim for roles and the roles of its values belong together.")
    if not terms.by_address and terms.external_id_claim is None:
        raise SignOnInvalid("Users must be found by their address, by a claim with their external id, or by both.")
    if not 0 <= (terms.check_seconds or 0) <= 3600 or not 0 <= terms.away_seconds <= 86400:
        raise SignOnInvalid("Choose 0 to 3600 seconds between two checks, and 0 to 86400 for a provider that is down.")


def set_provider(
    session: Session, actor: Actor, terms: Terms, secret: str | None, *, keeps_secret: bool = False
) -> IdentityProvider:
    """Set the organization's provider, whose terms the caller has `checked`. With `keeps_secret`, the secret stays.

    With another issuer or client, all sessions that began at the old one end; with another issuer, users are bound
    again at their next sign-in. Raises `Forbidden`; `OnlyAtConsole` if a role would give what roles never give.
    """
    for permission in (permission for of in terms.roles.values() for permission in of):
        if permission not in MANAGEMENT:
            raise OnlyAtConsole(permission)
    _must_decide(session, actor, [permission for of in terms.roles.values() for permission in of])
    provider = session.get(IdentityProvider, actor.organization_id, with_for_update=True)
    values = terms.values()
    if provider is None:
        provider = IdentityProvider(organization_id=actor.organization_id, **values)
        session.add(provider)
        changed = sorted(values)
    else:
        before = {name: getattr(provider, name) for name in values}
        changed = sorted(name for name, value in values.items() if before[name] != value)
        if {"issuer", "client_id"} & set(changed):
            _end_sessions(session, actor.organization_id)
        if "issuer" in changed:
            _unbind_everyone(session, actor.organization_id)
        for name, value in values.items():
            setattr(provider, name, value)
    if not keeps_secret:
        provider.sealed_secret = seal(secret) if secret else None
        changed.append("secret")
    provider.changed_at = session.scalars(select(func.now())).one()
    session.flush()
    audit.record(
        session,
        actor,
        "sign_on.set",
        actor.organization_id,
        actor.organization_id,
        issuer=terms.issuer,
        changed=changed,
    )
    return provider


def provider_seen_by(session: Session, actor: Actor) -> IdentityProvider | None:
    """Returns the provider of the actor's organization, `None` if there is none. Raises `Forbidden`."""
    actor.must_have(Permission.USERS)
    return session.get(IdentityProvider, actor.organization_id)


def remove_provider(session: Session, actor: Actor) -> int:
    """Remove the organization's provider, and end all sessions that began there. Returns how many.

    Users sign in with passwords again. Raises `Forbidden`, `SignOnUnknown`.
    """
    provider = _locked(session, actor)
    ended = _end_sessions(session, actor.organization_id)
    _unbind_everyone(session, actor.organization_id)
    session.delete(provider)
    session.flush()
    audit.record(
        session, actor, "sign_on.removed", actor.organization_id, actor.organization_id, issuer=provider.issuer
    )
    return ended


def turn_passwords_off(session: Session, actor: Actor) -> int:
    """Allow sign-ins at the provider alone, and end all sessions that began with a password. Returns how many.

    Raises `Forbidden`, `SignOnUnknown`, and `PasswordsNeeded` until a user with “Platform management: Users” has
    signed in at the provider.
    """
    provider = _locked(session, actor)
    if provider.passwords_off:
        return 0
    admins = (
        select(User.id)
        .join(UserIdentity, UserIdentity.user_id == User.id)
        .where(
            User.organization_id == actor.organization_id,
            User.active,
            User.permissions.contains([Permission.USERS.value]),
        )
    )
    if session.scalar(admins.limit(1)) is None:
        raise PasswordsNeeded(provider.name)
    provider.passwords_off = True
    theirs = select(User.id).where(User.organization_id == actor.organization_id)
    there = select(ProviderSession.token_hash).where(ProviderSession.organization_id == actor.organization_id)
    ended = changed_rows(
        session, delete(WebSession).where(WebSession.user_id.in_(theirs), WebSession.token_hash.not_in(there))
    )
    audit.record(session, actor, "passwords.turned_off", actor.organization_id, actor.organization_id, sessions=ended)
    return ended


def turn_passwords_on(session: Session, actor: Actor) -> None:
    """Allow passwords again. Raises `Forbidden`, `SignOnUnknown`."""
    provider = _locked(session, actor)
    if provider.passwords_off:
        provider.passwords_off = False
        audit.record(session, actor, "passwords.turned_on", actor.organization_id, actor.organization_id)


def release(session: Session, actor: Actor, user: User) -> bool:
    """Unbind the user from their account at the provider, and end the sessions that began there. Returns whether they
    were bound. Their next sign-in binds them again. Raises `Forbidden`, `SignOnUnknown`."""
    provider = _locked(session, actor)
    gone = changed_rows(
        session,
        delete(UserIdentity).where(
            UserIdentity.user_id == user.id, UserIdentity.organization_id == provider.organization_id
        ),
    )
    there = select(ProviderSession.token_hash).where(ProviderSession.organization_id == provider.organization_id)
    changed_rows(session, delete(WebSession).where(WebSession.user_id == user.id, WebSession.token_hash.in_(there)))
    if gone:
        audit.record(session, actor, "user.identity_released", user.id, user.organization_id)
    return bool(gone)


def _locked(session: Session, actor: Actor) -> IdentityProvider:
    """Returns the provider, locked; sign-ins there wait. Raises `Forbidden`, `SignOnUnknown`."""
    _must_decide(session, actor)
    provider = session.get(IdentityProvider, actor.organization_id, with_for_update=True)
    if provider is None:
        raise SignOnUnknown
    return provider


def _must_decide(session: Session, actor: Actor, also: Sequence[Permission] = ()) -> None:
    actor.must_have(Permission.USERS)
    held = select(func.unnest(User.permissions)).where(User.organization_id == actor.organization_id)
    needed = {*session.scalars(held.distinct()), *also}
    for permission in Permission:
        if permission in needed:
            actor.must_have(permission)


def _end_sessions(session: Session, organization_id: int) -> int:
    there = select(ProviderSession.token_hash).where(ProviderSession.organization_id == organization_id)
    return changed_rows(session, delete(WebSession).where(WebSession.token_hash.in_(there)))


def _unbind_everyone(session: Session, organization_id: int) -> None:
    changed_rows(session, delete(UserIdentity).where(UserIdentity.organization_id == organization_id))
