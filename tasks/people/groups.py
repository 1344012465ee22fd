"""Make groups, and have users join and leave them."""

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.groups import Group, GroupMember, group_by_code
from models.people import User
from models.refusals.people import GroupInvalid, GroupUnknown, UserUnknown
from models.session import changed_rows


def create_group(session: Session, actor: Actor, code: str, name: str) -> Group:
    """A new group, or the one there is of this code, which keeps its name. Raises `Forbidden`, `GroupInvalid`."""
    actor.must_have(Permission.USERS)
    code, name = code.strip(), name.strip()
    if not code or not name or len(code) > 100 or len(name) > 200 or "/" in code or "\x00" in code + name:
        raise GroupInvalid
    session.execute(
        insert(Group)
        .values(organization_id=actor.organization_id, code=code, name=name)
        .on_conflict_do_nothing(index_elements=[Group.organization_id, Group.code])
    )
    group = group_by_code(session, actor.organization_id, code)
    audit.record(session, actor, "group.created", code, actor.organization_id, name=group.name)
    return group


def add_members(session: Session, actor: Actor, group: Group, emails: list[str]) -> int:
    """Have these users belong to the group. Gives how many are new in it.

    Raises `Forbidden`, `GroupUnknown`, `UserUnknown`.
    """
    users = _users(session, actor, group, emails)
    rows = [{"group_id": group.id, "user_id": user, "organization_id": group.organization_id} for user in users]
    added = changed_rows(session, insert(GroupMember).values(rows).on_conflict_do_nothing()) if rows else 0
    audit.record(session, actor, "group.members_added", group.code, group.organization_id, users=users)
    return added


def remove_members(session: Session, actor: Actor, group: Group, emails: list[str]) -> int:
    """Have these users belong to it no longer. Gives how many did.

    Raises `Forbidden`, `GroupUnknown`, `UserUnknown`.
    """
    users = _users(session, actor, group, emails)
    removed = changed_rows(
        session, delete(GroupMember).where(GroupMember.group_id == group.id, GroupMember.user_id.in_(users))
    )
    audit.record(session, actor, "group.members_removed", group.code, group.organization_id, users=users)
    return removed


def _users(session: Session, actor: Actor, group: Group, emails: list[str]) -> list[int]:
    actor.must_have(Permission.USERS)
    if group.organization_id != actor.organization_id:
        raise GroupUnknown(group.code)
    wanted = list(dict.fromkeys(email.lower() for email in emails))
    address = func.lower(User.email)
    query = select(address, User.id).where(User.organization_id == group.organization_id, address.in_(wanted))
    found = {email: user for email, user in session.execute(query)}  # noqa: C416 - a row is no tuple to mypy
    for email in wanted:
        if email not in found:
            raise UserUnknown(email)
    return sorted(found.values())
