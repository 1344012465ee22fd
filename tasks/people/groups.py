"""Create groups, and add and remove their members."""

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.directory import users_by_address
from models.groups import Group, GroupMember, group_by_code
from models.refusals.people import GroupInvalid, GroupUnknown
from models.session import changed_rows


def create_group(session: Session, actor: Actor, code: str, name: str) -> Group:
    """Returns a new group, or the existing one with this code, which keeps its name.

    Raises `Forbidden`, `GroupInvalid`.
    """
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
    """Add these users to the group. Returns how many were not members before.

    Raises `Forbidden`, `GroupUnknown`, `UserUnknown`.
    """
    user_ids = _user_ids(session, actor, group, emails)
    rows = [{"group_id": group.id, "user_id": user, "organization_id": group.organization_id} for user in user_ids]
    added = changed_rows(session, insert(GroupMember).values(rows).on_conflict_do_nothing()) if rows else 0
    audit.record(session, actor, "group.members_added", group.code, group.organization_id, users=user_ids)
    return added


def remove_members(session: Session, actor: Actor, group: Group, emails: list[str]) -> int:
    """Remove these users from the group. Returns how many were members.

    Raises `Forbidden`, `GroupUnknown`, `UserUnknown`.
    """
    user_ids = _user_ids(session, actor, group, emails)
    removed = changed_rows(
        session, delete(GroupMember).where(GroupMember.group_id == group.id, GroupMember.user_id.in_(user_ids))
    )
    audit.record(session, actor, "group.members_removed", group.code, group.organization_id, users=user_ids)
    return removed


def _user_ids(session: Session, actor: Actor, group: Group, emails: list[str]) -> list[int]:
    actor.must_have(Permission.USERS)
    if group.organization_id != actor.organization_id:
        raise GroupUnknown(group.code)
    return sorted(user.id for user in users_by_address(session, group.organization_id, emails))
