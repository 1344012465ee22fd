"""Who may do what."""

import getpass
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.people import Organization, User
from models.refusals.access import Forbidden
from models.refusals.people import UserUnknown


class Permission(StrEnum):
    """What a user can be allowed, by the name that admins know it by."""

    USERS = "Platform management: Users"
    COURSES = "Training: Manage courses"


@dataclass(frozen=True)
class Actor:
    """Who asks: a user with their permissions, or an operator at the console, who holds the database anyway."""

    organization_id: int
    name: str
    user_id: int | None
    permissions: frozenset[str]

    def must_have(self, permission: Permission) -> None:
        """Raises `Forbidden` unless the actor has the permission."""
        if permission not in self.permissions:
            raise Forbidden(permission)

    def must_have_one_of(self, *permissions: Permission) -> None:
        """Raises `Forbidden` unless the actor has at least one of these."""
        if not self.permissions.intersection(permissions):
            raise Forbidden("” or “".join(permissions))


def acting_user(session: Session, organization: Organization, email: str) -> Actor:
    """The user with this address in the organization, as an actor. Raises `UserUnknown`."""
    user = session.scalar(select(User).where(User.organization_id == organization.id, User.has_address(email)))
    if user is None or not user.active:
        raise UserUnknown(email)
    return actor_for(user)


def acting_user_by_id(session: Session, organization: Organization, user_id: int) -> Actor:
    """The same by id, for callers that must not carry an address. Raises `UserUnknown`."""
    user = session.get(User, user_id)
    if user is None or user.organization_id != organization.id or not user.active:
        raise UserUnknown(str(user_id))
    return actor_for(user)


def still_acting(session: Session, organization_id: int, user_id: int, *needed: Permission) -> Actor:
    """The user as they are now, for what they asked for earlier. Raises `UserUnknown` for one who is deactivated, and
    `Forbidden` for one who lost a permission."""
    actor = acting_user_by_id(session, session.get_one(Organization, organization_id), user_id)
    for permission in needed:
        actor.must_have(permission)
    return actor


def console_operator(organization: Organization) -> Actor:
    """Whoever runs a command where the database's password is; the audit names their system account."""
    return Actor(organization.id, console_account(), None, frozenset(Permission))


def console_account() -> str:
    """How the audit names whoever runs a command."""
    return f"console:{getpass.getuser()}"


def actor_for(user: User) -> Actor:
    """The user as an actor, with their own permissions."""
    return Actor(user.organization_id, f"user:{user.id}", user.id, frozenset(user.permissions))
