"""The user of a token."""

from typing import Annotated

from fastapi import APIRouter, Depends

from models.access import Actor
from models.people import Organization, User
from web.access import program
from web.api.responses import problems
from web.api.schemas.users import TokenUser
from web.database import Database

router = APIRouter(tags=["me"])


@router.get("/me", operation_id="whoAmI", response_model=TokenUser, responses=problems())
def who_am_i(actor: Annotated[Actor, Depends(program)], session: Database) -> TokenUser:
    """Get the user in whose name the token acts. Any scope will do."""
    user = session.get_one(User, actor.user_id)
    organization = session.get_one(Organization, actor.organization_id)
    return TokenUser(
        user_id=user.id,
        name=user.name,
        email=user.email,
        organization=organization.slug,
        permissions=sorted(actor.permissions),
    )
