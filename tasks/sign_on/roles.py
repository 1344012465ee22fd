"""Permissions from claims."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import audit
from models.access import MANAGEMENT
from models.people import User
from models.session import changed_rows
from models.sign_on import IdentityProvider, ProviderSession
from models.web_sessions import WebSession

ACTOR = "task:sign-on"  # in the audit


def values_at(claims: Mapping[str, Any], path: str) -> list[str]:
    """Returns the values of a claim; an empty list if it is missing.

    `path` is the name of a claim, or the way to a nested one, such as `realm_access.roles`.
    """
    found: Any = claims
    for name in [path] if path in claims else path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return [value for value in values if isinstance(value, str)]


def permissions_of(provider: IdentityProvider, claims: Mapping[str, Any]) -> list[str] | None:
    """Returns the permissions of administrators that a user with these claims has, `None` if they are managed here."""
    if provider.roles_claim is None:
        return None
    named = {name for value in values_at(claims, provider.roles_claim) for name in provider.roles.get(value, ())}
    return [permission.value for permission in MANAGEMENT if permission.value in named]


def take_over(session: Session, provider: IdentityProvider, user: User, claims: Mapping[str, Any]) -> bool:
    """Give the user the permissions that the claims say; those that only the command line takes stay. Returns whether
    they changed.

    If the user gets one, their sessions that did not begin at the provider end: as in `set_permissions`.
    """
    decided = permissions_of(provider, claims)
    if decided is None or [*decided, *_kept(user)] == user.permissions:
        return False
    session.refresh(user, with_for_update={"key_share": True})
    before, permissions = user.permissions, [*decided, *_kept(user)]
    if permissions == before:
        return False
    user.permissions = permissions
    session.flush()
    audit.record(
        session, ACTOR, "user.permissions_changed", user.id, user.organization_id, before=before, after=permissions
    )
    if set(permissions) - set(before):
        elsewhere = WebSession.token_hash.not_in(select(ProviderSession.token_hash))
        if ended := changed_rows(session, delete(WebSession).where(WebSession.user_id == user.id, elsewhere)):
            audit.record(session, ACTOR, "user.sessions_ended", user.id, user.organization_id, sessions=ended)
    return True


def _kept(user: User) -> list[str]:
    return [permission for permission in user.permissions if permission not in MANAGEMENT]
