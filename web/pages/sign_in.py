"""Signing in and out."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.people import Organization
from models.refusals import Refused, SignInBusy, SignInFailed, SignInThrottled
from models.session import transaction
from models.sign_in import (
    Claim,
    Source,
    begin_attempt,
    begin_session,
    claim_of,
    end_session,
    end_sessions,
    forgive,
    prove,
    proved_user,
)
from web.access import Person, cookie_name, give_cookie, take_cookie
from web.database import Database
from web.hashing import in_turn
from web.problems import again_after, status_of
from web.source import remember, source_of
from web.templating import page

router = APIRouter()


@router.get("/sign-in")
def sign_in_page(request: Request, session: Database, next: str = "/", organization: str = "") -> Response:  # noqa: A002
    """The form. `organization` fills in its field, so that each can have a link of its own."""
    only = _only_organization(session)
    return page(request, "sign_in.html", next=next, organization=organization, only=only, email="", error="")


@router.post("/sign-in")
async def sign_in(
    request: Request,
    organization: Annotated[str, Form(max_length=200)],
    email: Annotated[str, Form(max_length=320)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Begin a session, and go where the person wanted to. No connection is held while the password is hashed."""
    source = source_of(request, organization, email)
    try:
        attempt, claim = await run_in_threadpool(_begun, organization, email, source)
        try:
            better_hash = await in_turn(partial(prove, claim, password))
        except SignInBusy:
            await run_in_threadpool(_take_back, attempt)
            raise
        token = await run_in_threadpool(_session, request, attempt, claim, better_hash)
    except (SignInFailed, SignInThrottled, SignInBusy) as refusal:
        return await run_in_threadpool(_again, request, refusal, next, organization, email)
    answer = RedirectResponse(_local(next), 303)
    give_cookie(answer, token)
    remember(answer, source, organization, email)
    return answer


def _begun(slug: str, email: str, source: Source) -> tuple[int, Claim]:
    with transaction() as session:
        return begin_attempt(session, slug, email, source), claim_of(session, slug, email)


def _take_back(attempt: int) -> None:
    with transaction() as session:
        forgive(session, attempt)


def _session(request: Request, attempt: int, claim: Claim, better_hash: str | None) -> str:
    with transaction() as session:
        user = proved_user(session, claim, better_hash)
        forgive(session, attempt)
        if old := request.cookies.get(cookie_name()):
            end_session(session, old)
        return begin_session(session, user, request.headers.get("user-agent", ""))


def _again(request: Request, refusal: Refused, where: str, organization: str, email: str) -> Response:
    with transaction() as session:
        only = _only_organization(session)
    return page(
        request,
        "sign_in.html",
        status=status_of(refusal),
        headers=again_after(refusal),
        next=where,
        organization=organization,
        only=only,
        email=email,
        error=str(refusal),
    )


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
