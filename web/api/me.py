"""For whom a token speaks: what a program asks first."""

from typing import Annotated

from fastapi import APIRouter, Depends

from models.access import Actor
from models.people import Organization, User
from web.access import program
from web.api.document import problems
from web.api.fields import Answer
from web.database import Database

router = APIRouter(tags=["me"])


class Me(Answer):
    """The user whose token it is."""

    user_id: int
    name: str
    email: str
    organization: str
    permissions: list[str]


@router.get("/me", operation_id="whoAmI", response_model=Me, responses=problems())
def who_am_i(actor: Annotated[Actor, Depends(program)], session: Database) -> Me:
    """The user whose token it is, with any scope."""
    user = session.get_one(User, actor.user_id)
    organization = session.get_one(Organization, actor.organization_id)
    return Me(
        user_id=user.id,
        name=user.name,
        email=user.email,
        organization=organization.slug,
        permissions=sorted(actor.permissions),
    )
