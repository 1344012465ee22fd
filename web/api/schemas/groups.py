"""Groups."""

from pydantic import Field

from web.api.schemas.base import NO_NUL, Answer, Body, ExternalId, UserName, example

GROUP = {"code": "bern-2", "name": "Bern, shift 2", "external_id": "site-17", "members": 14}


class GroupRequest(Body):
    """A group to create."""

    model_config = example({"name": "Bern, shift 2", "external_id": "site-17"})

    name: str = Field(min_length=1, max_length=200, pattern=NO_NUL)
    external_id: ExternalId | None = None


class GroupUpdate(Body):
    """What to change of a group. Fields that are left out stay as they are."""

    model_config = example({"name": "Bern, shift 3"})

    name: str = Field("", min_length=1, max_length=200, pattern=NO_NUL)
    external_id: ExternalId | None = Field(None, description="null clears it")


class GroupDetails(Answer):
    """A group and its size."""

    model_config = example(GROUP)

    code: str
    name: str
    external_id: str | None = Field(description="The platform's own id")
    members: int = Field(description="The number of members")


class GroupList(Answer):
    """Groups."""

    model_config = example({"items": [GROUP]})

    items: list[GroupDetails]


class MembershipRequest(Body):
    """Users to add to a group and to remove from it, by e-mail address, or by `external:` and external id."""

    model_config = example({"join": ["kim@acme.example"], "leave": []})

    join: list[UserName] = Field([], max_length=1000)
    leave: list[UserName] = Field([], max_length=1000)


class MembershipChange(Answer):
    """How many users were added and removed; others already were as requested."""

    model_config = example({"joined": 1, "left": 0})

    joined: int
    left: int
