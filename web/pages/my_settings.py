"""The settings of whoever is signed in: notifications, time zone, password, and where they are signed in."""

from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import audit
from models.people import Organization, User
from models.refusals import PasswordTooShort, Refused, SignInFailed, SignInThrottled, TimeZoneUnknown
from models.session import transaction
from models.sign_in import WebSession, begin_attempt, begin_session, check_password, forgive, set_password
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
    if time_zone not in ZONES:
        return _show(request, person, session, error=TimeZoneUnknown(time_zone))
    user = session.get_one(User, person.user.id)
    user.notifications_on, user.time_zone = notifications, time_zone
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
    email = person.user.email
    with transaction() as session:
        slug = session.get_one(Organization, person.user.organization_id).slug
    try:
        with transaction() as session:
            attempt = begin_attempt(session, slug, email, address)
        with transaction() as session:
            user = check_password(session, slug, email, current)
            forgive(session, attempt)
            set_password(session, user, new)
            audit.record(session, person.actor, "user.password_set", user.id, user.organization_id)
            token = begin_session(session, user, request.headers.get("user-agent", ""))
    except (SignInFailed, SignInThrottled, PasswordTooShort) as refusal:
        with transaction() as session:
            return _show(request, person, session, error=refusal)
    answer = RedirectResponse("/my/settings?done=password", 303)
    give_cookie(answer, token)
    return answer


def _show(
    request: Request, person: SignedIn, session: Session, *, done: str = "", error: Refused | None = None
) -> Response:
    sessions = session.scalars(
        select(WebSession).where(WebSession.user_id == person.user.id).order_by(WebSession.seen_at.desc())
    ).all()
    return page(
        request,
        "my_settings.html",
        status=status_of(error) if error else 200,
        sessions=sessions,
        zones=ZONES,
        done=done,
        error=error,
    )
