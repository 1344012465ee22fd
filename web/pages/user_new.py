"""Add a user."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from models.access import MANAGEMENT, Permission
from models.refusals.base import Refused
from tasks.people.users import add_user
from web.access import SignedIn, UsersAdmin
from web.database import Database
from web.templating import page

router = APIRouter(prefix="/users")

Text = Annotated[str, Form(max_length=500)]


@router.get("/new")
def new_user(request: Request, person: UsersAdmin) -> Response:
    """Show the form."""
    return _form(request, person)


@router.post("/new")
def add(
    request: Request,
    person: UsersAdmin,
    session: Database,
    name: Text = "",
    email: Text = "",
    external_id: Text = "",
    permissions: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Add the user."""
    wanted = [one for one in Permission if one.name in (permissions or [])]
    more: dict[str, Any] = {"external_id": external_id} if external_id.strip() else {}
    try:
        with session.begin_nested():
            user = add_user(session, person.actor, email, name, wanted, **more)
    except Refused as refusal:
        typed = {"name": name, "email": email, "external_id": external_id}
        return _form(request, person, refusal, wanted, **typed)
    return RedirectResponse(f"/users/{user.id}?done=added", 303)


def _form(
    request: Request,
    person: SignedIn,
    error: Refused | None = None,
    chosen: list[Permission] | None = None,
    **typed: str,
) -> Response:
    return page(
        request,
        "user_new.html",
        status=error.status if error else 200,
        error=error,
        permissions=[one for one in MANAGEMENT if person.may(one)],
        chosen=chosen or [],
        typed={"name": "", "email": "", "external_id": ""} | typed,
    )
