"""Over whom somebody has a say."""

from models.access import Actor, Permission
from models.people import User
from models.refusals.people import UserUnknown


def must_manage(actor: Actor, user: User) -> None:
    """The user is of the actor's organization, whose users the actor manages, and has no permission that the actor has
    not: a password or a token of theirs is as good as their permissions. Raises `Forbidden`, `UserUnknown`."""
    actor.must_have(Permission.USERS)
    if user.organization_id != actor.organization_id:
        raise UserUnknown(str(user.id))
    for permission in Permission:
        if permission in user.permissions:
            actor.must_have(permission)
