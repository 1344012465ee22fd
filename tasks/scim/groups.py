"""Groups over SCIM. The display name is the group's name; a new group gets a code made from it."""

from collections.abc import Mapping, Sequence
from typing import Any

from scim2_models import InvalidValueException, ResponseParameters, SearchRequest, TooManyException
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models.access import Actor, Permission
from models.groups import Group as OurGroup
from models.groups import GroupMember
from models.refusals.people import GroupUnknown
from tasks.people.groups import add_group, change_group, change_members, delete_group, lock_group
from tasks.scim.filters import GROUPS, id_of
from tasks.scim.listing import MOST_MEMBERS, Listing, check_version, dumped, part_of, wants
from tasks.scim.members import GroupChange, read_group, read_operations
from tasks.scim.resources import Group, group_resource, member, version_of

_EVERYTHING: ResponseParameters[Any] = ResponseParameters[Group]()


def list_groups(session: Session, actor: Actor, request: SearchRequest[Any]) -> Listing:
    """Returns groups in order of id. Raises `Forbidden`, `SCIMException`."""
    total, start, groups = part_of(session, OurGroup, _ours(actor), GROUPS, request)
    return Listing(total, start, _as_json(session, groups, request))


def show_group(session: Session, actor: Actor, key: str, request: ResponseParameters[Any]) -> dict[str, Any]:
    """Returns a group as JSON. Raises `Forbidden`, `GroupUnknown`."""
    return _as_json(session, [_found(session, actor, key)], request)[0]


def create_group(session: Session, actor: Actor, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Add a group. Returns it as JSON. Raises as `add_group` and `change_members`, and `SCIMException`."""
    change = read_group(payload)
    if "name" not in change.fields:
        raise InvalidValueException(detail="displayName is missing. Send the group's name.")
    group = add_group(session, actor, change.fields["name"], change.fields.get("external_id"))
    if change.join:
        change_members(session, actor, group, join=change.join)
    return _as_json(session, [group], _EVERYTHING)[0]


def replace_group(
    session: Session, actor: Actor, key: str, payload: Mapping[str, Any], if_match: str | None
) -> dict[str, Any]:
    """Change a group to what is given; what is left out stays. Returns it as JSON. Raises as `create_group`."""
    return _changed(session, actor, key, read_group(payload), if_match)


def patch_group(
    session: Session, actor: Actor, key: str, payload: Mapping[str, Any], if_match: str | None
) -> dict[str, Any]:
    """Change a group by operations. Returns it as JSON. Raises as `create_group`."""
    return _changed(session, actor, key, read_operations(payload), if_match)


def remove_group(session: Session, actor: Actor, key: str, if_match: str | None) -> None:
    """Delete a group. Raises as `delete_group`, and `SCIMException`."""
    delete_group(session, actor, _to_change(session, actor, key, if_match))


def _changed(session: Session, actor: Actor, key: str, change: GroupChange, if_match: str | None) -> dict[str, Any]:
    group = _to_change(session, actor, key, if_match)
    change_group(session, actor, group, change.fields)
    if change.join or change.leave or change.only:
        change_members(session, actor, group, join=change.join, leave=change.leave, only=change.only)
    # Those who change a large group know who joined.
    size = _sizes(session, [group.id]).get(group.id, (0, None))[0]
    seen = _EVERYTHING if size <= MOST_MEMBERS else ResponseParameters[Group](excluded_attributes=["members"])
    return _as_json(session, [group], seen)[0]


def _ours(actor: Actor) -> ColumnElement[bool]:
    actor.must_have(Permission.USERS)
    return OurGroup.organization_id == actor.organization_id


def _found(session: Session, actor: Actor, key: str) -> OurGroup:
    group = session.scalar(select(OurGroup).where(_ours(actor), OurGroup.id == id_of(key)))
    if group is None:
        raise GroupUnknown(key)
    return group


def _to_change(session: Session, actor: Actor, key: str, if_match: str | None) -> OurGroup:
    """Returns the group, which no one else can change until the commit."""
    group = lock_group(session, actor, _found(session, actor, key).id)
    if if_match:
        check_version(if_match, _version(group, _sizes(session, [group.id])))
    return group


def _version(group: OurGroup, sizes: Mapping[int, tuple[int, Any]]) -> str:
    return version_of(group.name, group.external_id, *sizes.get(group.id, (0, None)))


def _sizes(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, Any]]:
    """Returns the number of members of each group, and when the last one joined: they change with the members."""
    counted = (
        select(GroupMember.group_id, func.count(), func.max(GroupMember.joined_at))
        .where(GroupMember.group_id.in_(ids))
        .group_by(GroupMember.group_id)
    )
    return {group_id: (count, last) for group_id, count, last in session.execute(counted)}


def _as_json(session: Session, groups: Sequence[OurGroup], request: ResponseParameters[Any]) -> list[dict[str, Any]]:
    ids = [group.id for group in groups]
    sizes = _sizes(session, ids)
    shown = [dumped(group_resource(group, _version(group, sizes)), request) for group in groups]
    if not wants(request, "members", usually=True):
        return shown
    if sum(count for count, _ in sizes.values()) > MOST_MEMBERS:
        raise TooManyException(
            detail=f"These groups have more than {MOST_MEMBERS:,} members. Ask with excludedAttributes=members."
        )
    members: dict[int, list[dict[str, str]]] = {}
    theirs = select(GroupMember.group_id, GroupMember.user_id).where(GroupMember.group_id.in_(ids))
    for group_id, user_id in session.execute(theirs.order_by(GroupMember.group_id, GroupMember.user_id)):
        members.setdefault(group_id, []).append(member(user_id))
    for group, one in zip(groups, shown, strict=True):
        if group.id in members:
            one["members"] = members[group.id]
    return shown
