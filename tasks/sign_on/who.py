"""The user that a provider's claims name."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.languages import translatable
from models import audit
from models.access import Actor, Permission
from models.people import User
from models.refusals.people import ExternalIdTaken, UserExists
from models.refusals.sign_on import SignOnFailed, SignOnNobody, SignOnTaken
from models.sign_on import IdentityProvider, UserIdentity
from tasks.imports.values import WrongError
from tasks.imports.values import email as checked_email
from tasks.people.users import FIELDS, add_user
from tasks.sign_on.roles import ACTOR, values_at

LONGEST = 200  # characters of a name
LONGEST_SUBJECT = 255  # by OpenID Connect Core 1.0, 2


def user_named_by(session: Session, provider: IdentityProvider, subject: str, claims: Mapping[str, Any]) -> User:
    """Returns the user: the one who was bound to the subject, or one whom the claims name, who is bound to it now.

    Raises `SignOnNobody`, `SignOnTaken`, `SignOnFailed`.
    """
    if len(subject) > LONGEST_SUBJECT or "\x00" in subject:
        raise SignOnFailed(provider.name, translatable("its claim “sub” is missing or wrong"))
    _one_at_a_time(session, provider, subject)
    user = session.scalar(
        select(User)
        .join(UserIdentity, UserIdentity.user_id == User.id)
        .where(UserIdentity.organization_id == provider.organization_id, UserIdentity.subject == subject)
    )
    if user is None:
        user = _found(session, provider, claims) or _added(session, provider, claims)
        _bind(session, provider, user, subject)
    if not user.active:
        raise SignOnNobody(provider.name, _name_of(claims))
    return user


def _found(session: Session, provider: IdentityProvider, claims: Mapping[str, Any]) -> User | None:
    """Returns the user by the platform's own id, or else by address."""
    ours = User.organization_id == provider.organization_id
    if external_id := _external_id(provider, claims):
        user = session.scalar(select(User).where(ours, User.external_id == external_id))
        if user is not None:
            return user
    address = _address(provider, claims) if provider.by_address else None
    return session.scalar(select(User).where(ours, User.has_address(address))) if address else None


def _added(session: Session, provider: IdentityProvider, claims: Mapping[str, Any]) -> User:
    address = _address(provider, claims)
    if not provider.adds_users or address is None:
        raise SignOnNobody(provider.name, _name_of(claims))
    actor = Actor(provider.organization_id, ACTOR, None, frozenset({Permission.USERS}))
    external_id = _external_id(provider, claims)
    try:  # nobody who was removed brings themselves back
        return add_user(session, actor, address, _name_of(claims), comes_back=False, external_id=external_id)
    except (UserExists, ExternalIdTaken):  # users are not found by address here, so it is someone else's
        raise SignOnTaken(provider.name, address) from None


def _bind(session: Session, provider: IdentityProvider, user: User, subject: str) -> None:
    if session.get(UserIdentity, user.id) is not None:  # whoever has the address now is not who had it then
        raise SignOnTaken(provider.name, user.email)
    session.add(UserIdentity(user_id=user.id, organization_id=provider.organization_id, subject=subject))
    session.flush()
    audit.record(session, ACTOR, "user.identity_bound", user.id, user.organization_id, issuer=provider.issuer)


def _external_id(provider: IdentityProvider, claims: Mapping[str, Any]) -> str | None:
    if provider.external_id_claim is None:
        return None
    values = values_at(claims, provider.external_id_claim)
    try:
        found: str | None = FIELDS["external_id"].checked(values[0]) if len(values) == 1 else None
    except WrongError:
        return None
    return found


def _address(provider: IdentityProvider, claims: Mapping[str, Any]) -> str | None:
    """Returns the address, `None` if there is none that is verified."""
    verified = claims.get("email_verified")  # some providers send it as text
    if verified is not True and verified != "true" and not provider.trusts_addresses:
        return None
    try:
        return str(checked_email(str(claims.get("email", "")).strip()))
    except WrongError:
        return None


def _name_of(claims: Mapping[str, Any]) -> str:
    """Returns what the user is called there, for people."""
    for claim in ("name", "preferred_username", "email", "sub"):
        name = claims.get(claim)
        if isinstance(name, str) and name.strip() and name.isprintable():
            return name.strip()[:LONGEST]
    return "someone without a name"


def _one_at_a_time(session: Session, provider: IdentityProvider, subject: str) -> None:
    """Have another first sign-in of the same person wait until this transaction ends."""
    what = f"recourse.sign-on {provider.organization_id} {subject}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))
