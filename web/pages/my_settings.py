"""The settings of whoever is signed in: notifications, time zone, password, and where they are signed in."""

from functools import partial
from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import audit
from models.passwords import hash_of
from models.people import Organization, User
from models.refusals import PasswordTooShort, Refused, SignInBusy, SignInFailed, SignInThrottled, TimeZoneUnknown
from models.session import transaction
from models.sign_in import (
    Claim,
    Source,
    WebSession,
    begin_attempt,
    begin_session,
    claim_of,
    forgive,
    keep_password,
    prove,
    proved_user,
)
from web.access import Person, SignedIn, give_cookie
from web.database import Database
from web.hashing import in_turn
from web.problems import again_after, status_of
from web.source import remember, source_of
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
async def change_password(
    request: Request,
    person: Person,
    current: Annotated[str, Form(max_length=1000)] = "",
    new: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Change the password; every session but a new one for this browser ends."""
    try:
        slug, source, attempt, claim = await run_in_threadpool(_begun, request, person)
        try:
            hashed = await in_turn(partial(_hashed, claim, current, new))
        except (SignInBusy, PasswordTooShort):
            await run_in_threadpool(_take_back, attempt)
            raise
        token = await run_in_threadpool(_changed, request, person, attempt, claim, hashed)
    except (SignInFailed, SignInThrottled, SignInBusy, PasswordTooShort) as refusal:
        return await run_in_threadpool(_refused, request, person, refusal)
    answer = RedirectResponse("/my/settings?done=password", 303)
    give_cookie(answer, token)
    remember(answer, source, slug, person.user.email)
    return answer


def _begun(request: Request, person: SignedIn) -> tuple[str, Source, int, Claim]:
    with transaction() as session:
        slug, email = session.get_one(Organization, person.user.organization_id).slug, person.user.email
        source = source_of(request, slug, email)
        return slug, source, begin_attempt(session, slug, email, source), claim_of(session, slug, email)


def _hashed(claim: Claim, current: str, new: str) -> str:
    prove(claim, current)
    return hash_of(new)


def _take_back(attempt: int) -> None:
    with transaction() as session:
        forgive(session, attempt)


def _changed(request: Request, person: SignedIn, attempt: int, claim: Claim, hashed: str) -> str:
    with transaction() as session:
        user = proved_user(session, claim, None)
        forgive(session, attempt)
        keep_password(session, user.id, hashed)
        audit.record(session, person.actor, "user.password_set", user.id, user.organization_id)
        return begin_session(session, user, request.headers.get("user-agent", ""))


def _refused(request: Request, person: SignedIn, refusal: Refused) -> Response:
    with transaction() as session:
        return _show(request, person, session, error=refusal)


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
        headers=again_after(error) if error else None,
        sessions=sessions,
        zones=ZONES,
        done=done,
        error=error,
    )
