"""Groups of users, as audiences of resets and rules."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from models.access import Actor, Permission
from models.external_ids import LONGEST_NAME
from models.groups import Group, group_by_code, groups_with_size, size_of
from models.tokens import Scope
from tasks.people.groups import add_members, change_group, create_group, delete_group, remove_members
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.parameters import ExternalId
from web.api.responses import Responses, problems
from web.api.schemas.base import NO_NUL
from web.api.schemas.groups import (
    GroupDetails,
    GroupList,
    GroupRequest,
    GroupUpdate,
    MembershipChange,
    MembershipRequest,
)
from web.database import Database

router = APIRouter(tags=["groups"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE, Permission.COURSES, Permission.USERS))]
Writer = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE, Permission.USERS))]
Code = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=NO_NUL,
        description="The group's code, or `external:` and the external id",
    ),
]


GROUP_PROBLEMS = ("forbidden", "group-unknown", "group-invalid", "external-id-taken")
DELETED: Responses = {204: {"description": "The group is deleted; its members stay users"}}


@router.get("/groups", operation_id="listGroups", response_model=GroupList, responses=problems("forbidden"))
def list_groups(
    actor: Reader,
    session: Database,
    external_id: ExternalId = "",
) -> GroupList:
    """List all groups."""
    found = groups_with_size(session, actor.organization_id, external_id=external_id)
    return GroupList(items=[_details(group, size) for group, size in found])


@router.put(
    "/groups/{code}",
    operation_id="putGroup",
    response_model=GroupDetails,
    responses=problems("forbidden", "group-invalid", "external-id-taken", "body-too-large"),
)
def put_group(code: Code, body: GroupRequest, actor: Writer, session: Database) -> GroupDetails:
    """Create a group. An existing group keeps its name."""
    group = create_group(session, actor, code, body.name, body.external_id)
    return _details(group, size_of(session, group))


@router.patch(
    "/groups/{code}",
    operation_id="changeGroup",
    response_model=GroupDetails,
    responses=problems(*GROUP_PROBLEMS, "body-too-large"),
)
def change(code: Code, body: GroupUpdate, actor: Writer, session: Database) -> GroupDetails:
    """Rename a group, or change its external id. Its code stays."""
    found = group_by_code(session, actor.organization_id, code)
    group = change_group(session, actor, found, body.model_dump(exclude_unset=True))
    return _details(group, size_of(session, group))


@router.delete(
    "/groups/{code}",
    operation_id="deleteGroup",
    status_code=204,
    responses=DELETED | problems("forbidden", "group-unknown", "group-in-use"),
)
def delete(code: Code, actor: Writer, session: Database) -> Response:
    """Delete a group, unless a rule, a reset or an event is about it."""
    delete_group(session, actor, group_by_code(session, actor.organization_id, code))
    return Response(status_code=204)


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


def _details(group: Group, size: int) -> GroupDetails:
    return GroupDetails(code=group.code, name=group.name, external_id=group.external_id, members=size)
