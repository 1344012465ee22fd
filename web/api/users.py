"""Users: what is done about a person."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field

from models.access import Actor, Permission
from models.directory import user_of
from models.tokens import Scope
from tasks.people.erase import erase
from web.access import program_with
from web.api.body import JsonRoute
from web.api.document import problems
from web.api.fields import NO_NUL, Answer, Body, UserId
from web.database import Database

router = APIRouter(tags=["users"], route_class=JsonRoute)

Writer = Annotated[Actor, Depends(program_with(Scope.PEOPLE_WRITE))]


class Erasure(Body):
    """The confirmation of an erasure."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"confirm": "kim@acme.example"}]})

    confirm: str = Field(max_length=400, pattern=NO_NUL, description="The user's e-mail address, as it is here")


class ErasedAnswer(Answer):
    """That a user was erased, and what with them."""

    user_id: int
    erased_at: datetime
    enrolments: int
    records: int = Field(description="Of all kinds")
    files: int = Field(description="Of these; they go from the storage in a moment")


@router.post(
    "/users/{user_id}/erase",
    operation_id="eraseUser",
    response_model=ErasedAnswer,
    responses=problems("user-unknown", "forbidden", "not-oneself", "erase-mismatch", "body-too-large"),
)
def erase_user(user_id: UserId, body: Erasure, actor: Writer, session: Database) -> ErasedAnswer:
    """Erase a user for good: their name and address, and all that they left. **It cannot be undone.**

    Their id stays, and says nothing of anybody. Once more is the same as once, and deletes nothing. It needs the
    permission *Platform management: Users*.
    """
    actor.must_have(Permission.USERS)
    user = user_of(session, actor.organization_id, user_id)
    erased = erase(session, actor, user, confirm=body.confirm)
    assert user.erased_at is not None
    return ErasedAnswer(
        user_id=user.id,
        erased_at=user.erased_at,
        enrolments=erased.enrolments,
        records=erased.records,
        files=erased.files,
    )
