"""Select users on the users' page, on one page or all that match, and reset a course for them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from models.directory import USER_ORDERS
from models.refusals.base import Refused
from models.session import transaction
from tasks.reset.lists import list_of_users
from web.access import UsersAdmin
from web.numbers import number_in
from web.pages.reset_dialog import LIST
from web.pages.users import FILTERS, list_page, matching, shown_in
from web.shown import Shown
from web.templating import page

router = APIRouter(prefix="/users")

MOST_TYPED = 900_000  # characters: the ids of 100,000 users


@router.post("/selection", form_limits={"max_fields": 200, "max_part_size": MOST_TYPED})
def reset_selection(
    request: Request,
    person: UsersAdmin,
    user: Annotated[list[str] | None, Form()] = None,
    elsewhere: Annotated[str, Form(max_length=MOST_TYPED)] = "",
    everyone: Annotated[bool, Form()] = False,
    course: Annotated[str, Form(max_length=200)] = "",
    q: Annotated[str, Form(max_length=200)] = "",
    group: Annotated[str, Form(max_length=200)] = "",
    state: Annotated[str, Form(max_length=20)] = "",
    sort: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Make a list of the users selected here and on other pages, or of all that match, and go to its dialog."""
    typed = {"q": q, "group": group, "state": state, "sort": sort}
    chosen = _ids([*(user or []), *elsewhere.split(",")])
    try:
        with transaction() as session:
            shown = Shown(request, USER_ORDERS, FILTERS, typed=typed)
            which = matching(session, person, shown) if everyone else None
            made = list_of_users(session, person.actor, course, users=chosen, matching=which)
    except Refused as refusal:
        with transaction() as session:
            values = list_page(session, person, shown_in(request, session, person, typed))
            return page(
                request,
                "users.html",
                status=refusal.status,
                **values | {"error": refusal, "chosen": chosen, "course": course},
            )
    return RedirectResponse(LIST.format(list_id=made.id), 303)


def _ids(texts: list[str]) -> list[int]:
    """Return the ids among the texts."""
    return sorted({number for text in texts if (number := number_in(text)) is not None})
