"""Fill a group from a pasted list, in two steps: what the list changes, and the confirmation."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from models.groups import group_by_code, size_of
from models.refusals.base import Refused
from models.session import Session, savepoint
from tasks.people.group_lists import Filling, FillMode, fill_group, filling_of
from tasks.people.pasted import MOST_IN_A_LIST, Pasted, read_list
from web.access import SignedIn, UsersAdmin
from web.database import Database
from web.numbers import number_in
from web.pages.groups import address_of
from web.templating import page

router = APIRouter(prefix="/groups/{code}")

List = Annotated[str, Form(max_length=900_000)]
Word = Annotated[str, Form(max_length=20)]


@router.get("/members")
def members_form(request: Request, code: str, person: UsersAdmin, session: Database) -> Response:
    """Show the form for a list."""
    return _show(request, person, session, code, FillMode.ADD, "")


@router.post("/members")
def fill(
    request: Request,
    code: str,
    person: UsersAdmin,
    session: Database,
    text: List = "",
    mode: Word = FillMode.ADD.value,
    ids: List = "",
) -> Response:
    """Show what the list changes; with the ids that were shown, change it."""
    group = group_by_code(session, person.actor.organization_id, code)
    chosen = FillMode(mode) if mode in list(FillMode) else FillMode.ADD
    try:
        with savepoint(session):
            if ids:
                joined, left = fill_group(session, person.actor, group, chosen, _numbers(ids))
                return RedirectResponse(f"{address_of(code)}?joined={joined}&left={left}", 303)
            pasted = read_list(session, person.actor, text)
    except Refused as refusal:
        return _show(request, person, session, code, chosen, text, error=refusal)
    filling = filling_of(session, group, chosen, [user.id for user in pasted.users])
    return _show(request, person, session, code, chosen, text, pasted, filling)


def _numbers(ids: str) -> set[int]:
    """Returns the ids of a list; what is none of ours is refused as unknown."""
    return {number for one in ids.split(",") if (number := number_in(one)) is not None}


def _show(
    request: Request,
    person: SignedIn,
    session: Session,
    code: str,
    mode: FillMode,
    text: str,
    pasted: Pasted | None = None,
    filling: Filling | None = None,
    error: Refused | None = None,
) -> Response:
    group = group_by_code(session, person.actor.organization_id, code)
    return page(
        request,
        "group_members.html",
        status=error.status if error else 200,
        group=group,
        size=size_of(session, group),
        mode=mode,
        text=text,
        most=MOST_IN_A_LIST,
        pasted=pasted,
        filling=filling,
        error=error,
    )
