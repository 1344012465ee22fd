"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.people import Organization
from models.refusals import SignInFailed, SignInThrottled
from models.session import transaction
from models.sign_in import begin_attempt, begin_session, check_password, end_session, end_sessions, forgive
from tasks.people.organizations import there_is_none
from web.access import Person, cookie_name, give_cookie, take_cookie
from web.database import Database
from web.first_start import tell_the_way_in
from web.problems import status_of
from web.templating import page

router = APIRouter()


@router.get("/sign-in")
def sign_in_page(request: Request, session: Database, next: str = "/", organization: str = "") -> Response:  # noqa: A002
    """The form. `organization` fills in its field, so that each can have a link of its own."""
    only = _only_organization(session)
    if only is None and there_is_none(session):
        tell_the_way_in(request.app, session)
        return page(request, "first_start_ahead.html")
    return page(request, "sign_in.html", next=next, organization=organization, only=only, email="", error="")


@router.post("/sign-in")
def sign_in(
    request: Request,
    organization: Annotated[str, Form(max_length=200)],
    email: Annotated[str, Form(max_length=320)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Begin a session, and go where the person wanted to."""
    address = request.client.host if request.client else "unknown"
    try:
        with transaction() as session:
            attempt = begin_attempt(session, organization, email, address)
        with transaction() as session:
            user = check_password(session, organization, email, password)
            forgive(session, attempt)
            token = begin_session(session, user, request.headers.get("user-agent", ""))
            if old := request.cookies.get(cookie_name()):
                end_session(session, old)
    except (SignInFailed, SignInThrottled) as refusal:
        with transaction() as session:
            only = _only_organization(session)
        return page(
            request,
            "sign_in.html",
            status=status_of(refusal),
            next=next,
            organization=organization,
            only=only,
            email=email,
            error=str(refusal),
        )
    answer = RedirectResponse(_local(next), 303)
    give_cookie(answer, token)
    return answer


@router.post("/sign-out")
def sign_out(person: Person, session: Database, everywhere: Annotated[bool, Form()] = False) -> Response:
    """End this browser's session, or all of the person's."""
    if everywhere:
        end_sessions(session, person.user.id)
    else:
        end_session(session, person.token)
    answer = RedirectResponse("/sign-in", 303)
    take_cookie(answer)
    return answer


def _only_organization(session: Session) -> Organization | None:
    """Where there is but one, nobody need name it."""
    found = session.scalars(select(Organization).limit(2)).all()
    return found[0] if len(found) == 1 else None


def _local(where: str) -> str:
    """A place of ours to go to: a link to our sign-in must not lead on to somebody else's site."""
    return where if where.startswith("/") and not where.startswith(("//", "/\\")) else "/"
