"""What a user may do, and who decides it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, literal, or_, select
from sqlalchemy.orm import Session

from models import audit
from models.access import MANAGEMENT, Actor, Permission
from models.people import User
from models.refusals.people import PERMISSIONS, NotOneself, PermissionsElsewhere, UserUnknown
from models.sign_in import Credential
from models.sign_on import IdentityProvider, UserIdentity
from models.tokens import ApiToken, Scope
from tasks.people.authority import must_be_allowed_to_give, must_manage
from tasks.people.sessions import end_sessions_of
from tasks.people.users import lock_user


@dataclass(frozen=True)
class Managed:
    """What other systems say about a user."""

    signs_in_with: str | None  # the provider's name, if they have signed in with it
    permissions_from: str | None  # the provider's name, if it decides their permissions
    passwords_off: bool
    by_scim: bool  # an identity provider writes users by SCIM, and may overwrite what is changed here


def managed(session: Session, user: User) -> Managed:
    """Returns what other systems say about the user."""
    provider = session.get(IdentityProvider, user.organization_id)
    bound = provider is not None and session.get(UserIdentity, user.id) is not None
    scim = (
        select(ApiToken.id)
        .join(User, User.id == ApiToken.user_id)
        .where(
            User.organization_id == user.organization_id,
            literal(Scope.SCIM_WRITE.value) == func.any(ApiToken.scopes),
            ApiToken.revoked_at.is_(None),
            or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now()),
        )
    )
    name = provider.name if provider is not None and bound else None
    return Managed(
        signs_in_with=name,
        permissions_from=name if provider is not None and provider.roles_claim is not None else None,
        passwords_off=provider is not None and provider.passwords_off,
        by_scim=session.scalars(select(scim.exists())).one(),
    )


def set_permissions(session: Session, actor: Actor, user: User, permissions: Sequence[Permission]) -> None:
    """Let the user do this and nothing else. The actor needs every permission that the user had or gets.

    A user who gets a permission is signed out everywhere: someone who may do less may have signed in as them, with a
    password link. See `docs/decisions/0118-tokens-never-grow.md`. Who becomes an operator also loses the password and
    the account at the provider, which others of the organization may have chosen; see `docs/decisions/
    0135-operators-with-an-account.md`.

    Raises `Forbidden`; `OnlyAtConsole`; `UserUnknown`, also if they were removed; `NotOneself`; `PermissionsElsewhere`
    if their provider decides the ones that change.
    """
    actor.must_have(Permission.USERS)
    lock_user(session, actor, user)
    before, after = user.permissions, [one.value for one in Permission if one in permissions]
    if set(before) == set(after):
        return
    if user.removed_at is not None:
        raise UserUnknown(str(user.id))
    must_be_allowed_to_give(actor, after, before)
    must_manage(actor, user)
    for permission in permissions:
        actor.must_have(permission)
    if user.id == actor.user_id:
        raise NotOneself(PERMISSIONS)
    theirs = (set(before) ^ set(after)).intersection(MANAGEMENT)
    if theirs and (provider := managed(session, user).permissions_from):
        raise PermissionsElsewhere(provider)
    user.permissions = after
    session.flush()
    audit.record(session, actor, "user.permissions_changed", user.id, user.organization_id, before=before, after=after)
    gained = set(after) - set(before)
    if gained:
        end_sessions_of(session, actor, user)
    if Permission.OPERATIONS in gained:
        session.execute(delete(Credential).where(Credential.user_id == user.id))
        session.execute(delete(UserIdentity).where(UserIdentity.user_id == user.id))


def with_kept(user: User, permissions: Sequence[Permission]) -> list[Permission]:
    """Returns these permissions, and those of the user that only the command line gives and takes."""
    kept = [one for one in Permission if one in user.permissions and one not in MANAGEMENT]
    return [*permissions, *(one for one in kept if one not in permissions)]
