"""Who may manage whom."""

from collections.abc import Collection

from models.access import MANAGEMENT, Actor, Permission
from models.people import User
from models.refusals.access import OnlyAtConsole
from models.refusals.people import UserUnknown


def must_manage(actor: Actor, user: User) -> None:
    """Check that the actor manages users of this organization, and has every permission that the user has.

    A password or token of a user is worth the user's permissions. Raises `Forbidden`, `UserUnknown`.
    """
    actor.must_have(Permission.USERS)
    if user.organization_id != actor.organization_id:
        raise UserUnknown(str(user.id))
    for permission in Permission:
        if permission in user.permissions:
            actor.must_have(permission)


def must_be_allowed_to_give(actor: Actor, after: Collection[str], before: Collection[str] = ()) -> None:
    """Check that administrators may give and take the permissions that differ. Raises `OnlyAtConsole`."""
    changed = set(before) ^ set(after)
    for permission in Permission:
        if permission in changed and permission not in MANAGEMENT and not actor.at_console:
            raise OnlyAtConsole(permission)
