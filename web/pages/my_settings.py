"""The settings of whoever is signed in: notifications, time zone, password, and where they are signed in."""

from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from models.refusals import PasswordTooShort, Refused, SignInFailed, SignInThrottled, TimeZoneUnknown
from models.session import transaction
from models.sign_in import sessions_of
from tasks.people.passwords import change_own_password
from tasks.people.preferences import choose_settings
from web.access import Person, SignedIn, give_cookie
from web.database import Database
from web.problems import status_of
from web.templating import page

router = APIRouter(prefix="/my/settings")

ZONES = sorted(available_timezones())
DONE = {
    "saved": "Saved.",
    "password": "Your password is changed, and all your other sessions are ended.",
}


@router.get("")
def settings_page(request: Request, person: Person, session: Database, done: str = "") -> Response:
    """All of them."""
    return _show(request, person, session, done=DONE.get(done, ""))


@router.post("")
def save(
    request: Request,
    person: Person,
    session: Database,
    time_zone: Annotated[str, Form(max_length=100)],
    notifications: Annotated[bool, Form()] = False,
) -> Response:
    """Change notifications and time zone."""
    try:
        choose_settings(session, person.actor, time_zone=time_zone, notifications=notifications)
    except TimeZoneUnknown as refusal:
        return _show(request, person, session, error=refusal)
    return RedirectResponse("/my/settings?done=saved", 303)


@router.post("/password")
def change_password(
    request: Request,
    person: Person,
    current: Annotated[str, Form(max_length=1000)] = "",
    new: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Change the password; every session but a new one for this browser ends."""
    address = request.client.host if request.client else "unknown"
    browser = request.headers.get("user-agent", "")
    try:
        token = change_own_password(person.actor, current=current, new=new, address=address, browser=browser)
    except (SignInFailed, SignInThrottled, PasswordTooShort) as refusal:
        with transaction() as session:
            return _show(request, person, session, error=refusal)
    answer = RedirectResponse("/my/settings?done=password", 303)
    give_cookie(answer, token)
    return answer


def _show(
    request: Request, person: SignedIn, session: Session, *, done: str = "", error: Refused | None = None
) -> Response:
    return page(
        request,
        "my_settings.html",
        status=status_of(error) if error else 200,
        sessions=sessions_of(session, person.user.id),
        zones=ZONES,
        done=done,
        error=error,
    )
