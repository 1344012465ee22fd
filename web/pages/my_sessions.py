"""The signed-in person's sessions: one line for each browser."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.refusals.access import SessionUnknown
from tasks.people.sessions import end_other_sessions, end_own_session, own_sessions
from web.access import Person
from web.database import Database
from web.templating import page

router = APIRouter(prefix="/my/sessions")

DONE = {"ended": translatable("Signed out there."), "others": translatable("Signed out everywhere else.")}


@router.get("")
def sessions(
    request: Request, person: Person, session: Database, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """List the sessions."""
    found = own_sessions(session, person.actor, person.token)
    return page(request, "my_sessions.html", sessions=found, done=DONE.get(done, ""))


@router.post("/others")
def end_others(person: Person, session: Database) -> Response:
    """End all sessions but this one."""
    end_other_sessions(session, person.actor, person.token)
    return RedirectResponse("/my/sessions?done=others", 303)


@router.post("/{key}/end")
def end(key: str, person: Person, session: Database) -> Response:
    """End one session; one that has ended already is no error."""
    try:
        end_own_session(session, person.actor, key)
    except SessionUnknown:
        return RedirectResponse("/my/sessions", 303)
    return RedirectResponse("/my/sessions?done=ended", 303)
