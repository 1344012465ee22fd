"""The signed-in person's settings: notifications, language, time zone, password, sessions."""

from functools import partial
from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from config.languages import language_of, languages, translatable
from models.people import Organization
from models.refusals.base import Refused
from models.refusals.organizations import TimeZoneUnknown
from models.refusals.sign_in import PasswordTooShort, SignInBusy, SignInFailed, SignInThrottled
from models.refusals.sign_on import PasswordsOff
from models.session import Session, transaction
from models.sign_in_failures import Source
from models.sign_on import provider_of
from models.web_sessions import sessions_of
from tasks.people.passwords import change_own_password, prove_and_hash
from tasks.people.preferences import choose_settings
from tasks.people.sign_in import Attempt, begin_sign_in
from web.access import Person, SignedIn, give_cookie
from web.database import Database
from web.hashing import in_turn
from web.problems import retry_after
from web.source import remember, source_of
from web.templating import page

router = APIRouter(prefix="/my/settings")

ZONES = sorted(available_timezones())
DONE = {
    "saved": translatable("Settings saved."),
    "password": translatable("Password changed. All your other sessions have ended."),
}


@router.get("")
def settings_page(request: Request, person: Person, session: Database, done: str = "") -> Response:
    """Show the settings."""
    return _show(request, person, session, done=DONE.get(done, ""))


@router.post("")
def save(
    request: Request,
    person: Person,
    session: Database,
    time_zone: Annotated[str, Form(max_length=100)],
    language: Annotated[str, Form(max_length=20)] = "",
    notifications: Annotated[bool, Form()] = False,
) -> Response:
    """Change notifications, language and time zone."""
    try:
        choose_settings(session, person.actor, time_zone=time_zone, notifications=notifications, language=language)
    except TimeZoneUnknown as refusal:
        return _show(request, person, session, error=refusal)
    return RedirectResponse("/my/settings?done=saved", 303)


@router.post("/password")
async def change_password(
    request: Request,
    person: Person,
    current: Annotated[str, Form(max_length=1000)] = "",
    new: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Change the password. All sessions end; this browser gets a new one."""
    try:
        slug, source, attempt = await run_in_threadpool(_begun, request, person)
        hashed = await in_turn(attempt, partial(prove_and_hash, attempt, current, new))
        browser = request.headers.get("user-agent", "")
        token = await run_in_threadpool(change_own_password, person.actor, attempt, hashed, browser=browser)
    except (SignInFailed, SignInThrottled, SignInBusy, PasswordTooShort, PasswordsOff) as refusal:
        return await run_in_threadpool(_refused, request, person, refusal)
    answer = RedirectResponse("/my/settings?done=password", 303)
    give_cookie(answer, token)
    remember(answer, source, slug, person.user.email)
    return answer


def _begun(request: Request, person: SignedIn) -> tuple[str, Source, Attempt]:
    with transaction() as session:
        slug, email = session.get_one(Organization, person.user.organization_id).slug, person.user.email
    source = source_of(request, slug, email)
    return slug, source, begin_sign_in(slug, email, source)


def _refused(request: Request, person: SignedIn, refusal: Refused) -> Response:
    with transaction() as session:
        return _show(request, person, session, error=refusal)


def _show(
    request: Request, person: SignedIn, session: Session, *, done: str = "", error: Refused | None = None
) -> Response:
    return page(
        request,
        "my_settings.html",
        status=error.status if error else 200,
        headers=retry_after(error) if error else None,
        sessions=sessions_of(session, person.user.id),
        zones=ZONES,
        languages=languages(),
        language_chosen=language_of(person.user.locale),
        provider=provider_of(session, session.get_one(Organization, person.user.organization_id).slug),
        done=done,
        error=error,
    )
