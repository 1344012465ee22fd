"""Permissions, and the actors who have them."""

import getpass
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.people import Organization, User
from models.refusals.access import Forbidden
from models.refusals.people import UserUnknown
from models.refusals.sign_on import PermissionUnchecked


class Permission(StrEnum):
    """What a user can be allowed to do. The values are the names that administrators know."""

    USERS = "Platform management: Users"
    COURSES = "Training: Manage courses"
    OPERATIONS = "Platform operations"


MANAGEMENT = (Permission.USERS, Permission.COURSES)
"""What administrators of an organization have, and give each other. The other one concerns every organization: see
`docs/decisions/0135-operators-with-an-account.md`."""


@dataclass(frozen=True)
class Actor:
    """Who runs a command: a user with their permissions, or an operator at the console, who has all of them."""

    organization_id: int
    name: str
    user_id: int | None
    permissions: frozenset[str]
    scopes: frozenset[str] | None = None  # of the token that a program uses; None: not limited by a token
    unchecked: frozenset[str] = frozenset()  # which the user had, but which their provider cannot confirm now
    at_console: bool = False  # not so for the command line in a user's name

    def must_have(self, permission: Permission) -> None:
        """Raise `Forbidden` unless the actor has the permission; `PermissionUnchecked` if that cannot be said now."""
        if permission not in self.permissions:
            raise PermissionUnchecked(permission) if permission in self.unchecked else Forbidden(permission)

    def has_all(self) -> bool:
        """Returns whether the actor has every permission of administrators."""
        return self.permissions.issuperset(MANAGEMENT)

    def must_have_all(self) -> None:
        """Raise as in `must_have` unless the actor has every permission of administrators: it takes them to manage an
        organization."""
        for permission in MANAGEMENT:
            self.must_have(permission)

    def must_have_one_of(self, *permissions: Permission) -> None:
        """Raise `Forbidden` unless the actor has at least one of the permissions, or as in `must_have`."""
        if not self.permissions.intersection(permissions):
            for permission in self.unchecked.intersection(permissions):
                raise PermissionUnchecked(permission)
            raise Forbidden(*permissions)


def acting_user(session: Session, organization: Organization, email: str) -> Actor:
    """Returns the organization's active user with this address as an actor. Raises `UserUnknown`."""
    user = session.scalar(select(User).where(User.organization_id == organization.id, User.has_address(email)))
    if user is None or not user.active:
        raise UserUnknown(email)
    return actor_for(user)


def acting_user_by_id(session: Session, organization: Organization, user_id: int) -> Actor:
    """Returns the organization's active user with this id as an actor. Raises `UserUnknown`."""
    user = session.get(User, user_id)
    if user is None or user.organization_id != organization.id or not user.active:
        raise UserUnknown(str(user_id))
    return actor_for(user)


def still_acting(session: Session, organization_id: int, user_id: int, *needed: Permission) -> Actor:
    """Returns the user as an actor with their current permissions, to check an earlier request again.

    Raises `UserUnknown` if the user was deactivated, `Forbidden` if they lost a permission.
    """
    actor = acting_user_by_id(session, session.get_one(Organization, organization_id), user_id)
    for permission in needed:
        actor.must_have(permission)
    return actor


def console_operator(organization: Organization) -> Actor:
    """Returns the actor of a console command. The audit names the operator's system account."""
    return Actor(organization.id, console_account(), None, frozenset(Permission), at_console=True)


def console_account() -> str:
    """Returns the name of the current operator in the audit."""
    return f"console:{getpass.getuser()}"


def actor_for(
    user: User,
    scopes: frozenset[str] | None = None,
    *,
    at_most: Collection[str] | None = None,
    unchecked: bool = False,
) -> Actor:
    """Returns the user as an actor, with their own permissions, and the scopes of the token that is used, if any.

    A token has `at_most` these of its user's permissions. If their permissions are `unchecked`, none of them counts.
    """
    theirs, none = frozenset(user.permissions), frozenset[str]()
    if at_most is not None:
        theirs &= frozenset(at_most)
    permissions, withheld = (none, theirs) if unchecked else (theirs, none)
    return Actor(user.organization_id, f"user:{user.id}", user.id, permissions, scopes, withheld)
