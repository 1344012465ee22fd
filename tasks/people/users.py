"""Add users."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.directory import user_by_address
from models.people import User
from models.refusals.people import UserExists, UserUnknown
from tasks.people.passwords import set_password


def add_user(
    session: Session,
    actor: Actor,
    email: str,
    name: str,
    permissions: Sequence[Permission] = (),
    password: str | None = None,
) -> User:
    """Returns a new user of the actor's organization. The actor needs every permission that the user gets.

    Raises `Forbidden`, `UserExists`, `PasswordTooShort`, `PasswordsOff`.
    """
    actor.must_have(Permission.USERS)
    for permission in permissions:
        actor.must_have(permission)
    try:
        user_by_address(session, actor.organization_id, email)
    except UserUnknown:
        pass
    else:
        raise UserExists(email)
    allowed = [permission.value for permission in permissions]
    user = User(organization_id=actor.organization_id, email=email, name=name, permissions=allowed)
    session.add(user)
    session.flush()
    session.refresh(user)
    audit.record(session, actor, "user.added", user.id, user.organization_id, permissions=allowed)
    if password:
        set_password(session, actor, user, password)
    return user
