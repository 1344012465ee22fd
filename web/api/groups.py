"""Groups of users, as audiences of resets and rules."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from models.access import Actor, Permission
from models.groups import group_by_code, groups_with_size
from models.tokens import Scope
from tasks.people.groups import add_members, create_group, remove_members
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.responses import problems
from web.api.schemas.base import NO_NUL
from web.api.schemas.groups import GroupDetails, GroupList, GroupRequest, MembershipChange, MembershipRequest
from web.database import Database

router = APIRouter(tags=["groups"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE, Permission.COURSES, Permission.USERS))]
Writer = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE, Permission.USERS))]
Code = Annotated[str, Path(min_length=1, max_length=100, pattern=NO_NUL, description="The group's code")]


@router.get("/groups", operation_id="listGroups", response_model=GroupList, responses=problems("forbidden"))
def list_groups(actor: Reader, session: Database) -> GroupList:
    """List all groups."""
    found = groups_with_size(session, actor.organization_id)
    return GroupList(items=[GroupDetails(code=group.code, name=group.name, members=size) for group, size in found])


@router.put(
    "/groups/{code}",
    operation_id="putGroup",
    response_model=GroupDetails,
    responses=problems("forbidden", "group-invalid", "body-too-large"),
)
def put_group(code: Code, body: GroupRequest, actor: Writer, session: Database) -> GroupDetails:
    """Create a group. An existing group keeps its name."""
    group = create_group(session, actor, code, body.name)
    size = {one.id: size for one, size in groups_with_size(session, actor.organization_id)}[group.id]
    return GroupDetails(code=group.code, name=group.name, members=size)


@router.post(
    "/groups/{code}/members",
    operation_id="changeGroupMembers",
    response_model=MembershipChange,
    responses=problems("group-unknown", "user-unknown", "forbidden", "body-too-large"),
)
def change_members(code: Code, body: MembershipRequest, actor: Writer, session: Database) -> MembershipChange:
    """Add users to a group and remove others: all of them or none."""
    group = group_by_code(session, actor.organization_id, code)
    return MembershipChange(
        joined=add_members(session, actor, group, body.join) if body.join else 0,
        left=remove_members(session, actor, group, body.leave) if body.leave else 0,
    )
