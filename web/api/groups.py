"""Groups of users, as audiences of resets and rules."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import ConfigDict, Field

from models.access import Actor, Permission
from models.groups import group_by_code, groups_with_size
from models.tokens import Scope
from tasks.people.groups import add_members, create_group, remove_members
from web.access import program_with
from web.api.body import JsonRoute
from web.api.document import problems
from web.api.fields import NO_NUL, Answer, Body
from web.database import Database

router = APIRouter(tags=["groups"], route_class=JsonRoute)

Writer = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE))]
Code = Annotated[str, Path(min_length=1, max_length=100, pattern=NO_NUL, description="The group's code")]
Email = Annotated[str, Field(min_length=1, max_length=320, pattern=NO_NUL)]


class GroupBody(Body):
    """A group."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Bern, shift 2"}]})

    name: str = Field(min_length=1, max_length=200, pattern=NO_NUL)


class Members(Body):
    """Users who join and leave, by their addresses."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"join": ["kim@acme.example"], "leave": []}]})

    join: list[Email] = Field([], max_length=1000)
    leave: list[Email] = Field([], max_length=1000)


class GroupAnswer(Answer):
    """A group, and how many are in it."""

    code: str
    name: str
    members: int


class Changed(Answer):
    """How many joined and left who were not in it before, or were."""

    joined: int
    left: int


class Groups(Answer):
    """All groups."""

    items: list[GroupAnswer]


@router.get("/groups", operation_id="listGroups", response_model=Groups, responses=problems("forbidden"))
def list_groups(actor: Writer, session: Database) -> Groups:
    """All groups."""
    actor.must_have_one_of(Permission.COURSES, Permission.USERS)
    found = groups_with_size(session, actor.organization_id)
    return Groups(items=[GroupAnswer(code=group.code, name=group.name, members=size) for group, size in found])


@router.put(
    "/groups/{code}",
    operation_id="putGroup",
    response_model=GroupAnswer,
    responses=problems("forbidden", "group-invalid", "body-too-large"),
)
def put_group(code: Code, body: GroupBody, actor: Writer, session: Database) -> GroupAnswer:
    """Make a group. One that is there keeps its name."""
    group = create_group(session, actor, code, body.name)
    size = {one.id: size for one, size in groups_with_size(session, actor.organization_id)}[group.id]
    return GroupAnswer(code=group.code, name=group.name, members=size)


@router.post(
    "/groups/{code}/members",
    operation_id="changeMembers",
    response_model=Changed,
    responses=problems("group-unknown", "user-unknown", "forbidden", "body-too-large"),
)
def change_members(code: Code, body: Members, actor: Writer, session: Database) -> Changed:
    """Have users join and leave a group: all of them or none."""
    actor.must_have(Permission.USERS)
    group = group_by_code(session, actor.organization_id, code)
    return Changed(
        joined=add_members(session, actor, group, body.join) if body.join else 0,
        left=remove_members(session, actor, group, body.leave) if body.leave else 0,
    )
