"""Who may manage whom."""

from models.access import Actor, Permission
from models.people import User
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
