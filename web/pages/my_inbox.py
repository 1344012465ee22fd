"""The signed-in person's inbox."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from models.inbox import inbox_of
from tasks.people.inbox import mark_read
from web.access import Person
from web.database import Database
from web.numbers import BIGGEST
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/my/inbox")


@router.get("")
def inbox(
    request: Request, person: Person, session: Database, after: Annotated[str, Query(max_length=1000)] = ""
) -> Response:
    """List alerts, latest first."""
    pager = Pager(request, after, (int,))
    found = inbox_of(session, person.user.id, before=pager.after[0] if pager.after else None, limit=pager.limit)
    alerts = pager.cut(found, lambda alert: (alert.id,))
    return page(request, "my_inbox.html", alerts=alerts, pager=pager)


@router.post("/read")
def read(person: Person, session: Database, alert: Annotated[int | None, Form(ge=0, le=BIGGEST)] = None) -> Response:
    """Mark one alert as read, or all of them."""
    mark_read(session, person.actor, alert)
    return RedirectResponse("/my/inbox", 303)
