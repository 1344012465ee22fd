"""Signing in and out."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from models.people import only_organization
from models.refusals.base import Refused
from models.refusals.sign_in import SignInBusy, SignInFailed, SignInThrottled
from models.session import transaction
from models.sign_in import prove
from tasks.people.organizations import there_is_none
from tasks.people.sign_in import begin_sign_in, finish_sign_in, sign_out, sign_out_everywhere
from web.access import Person, cookie_name, give_cookie, take_cookie
from web.database import Database
from web.first_start import log_first_start
from web.hashing import in_turn
from web.problems import retry_after
from web.source import remember, source_of
from web.templating import page

router = APIRouter()


@router.get("/sign-in")
def sign_in_page(request: Request, session: Database, next: str = "/", organization: str = "") -> Response:  # noqa: A002
    """Show the form; `organization` fills in that field, so that each organization can have its own link."""
    only = only_organization(session)
    if only is None and there_is_none(session):
        log_first_start(request.app, session)
        return page(request, "first_start_pending.html")
    return page(request, "sign_in.html", next=next, organization=organization, only=only, email="", error="")


@router.post("/sign-in")
async def begin(
    request: Request,
    organization: Annotated[str, Form(max_length=200)],
    email: Annotated[str, Form(max_length=320)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """Sign in and go on to `next`. No database connection is held while the password is hashed."""
    source = source_of(request, organization, email)
    try:
        attempt = await run_in_threadpool(begin_sign_in, organization, email, source)
        better_hash = await in_turn(attempt, partial(prove, attempt.claim, password))
        browser, old = request.headers.get("user-agent", ""), request.cookies.get(cookie_name())
        token = await run_in_threadpool(finish_sign_in, attempt, better_hash, browser=browser, instead_of=old)
    except (SignInFailed, SignInThrottled, SignInBusy) as refusal:
        return await run_in_threadpool(_again, request, refusal, next, organization, email)
    answer = RedirectResponse(_local(next), 303)
    give_cookie(answer, token)
    remember(answer, source, organization, email)
    return answer


def _again(request: Request, refusal: Refused, where: str, organization: str, email: str) -> Response:
    with transaction() as session:
        only = only_organization(session)
    return page(
        request,
        "sign_in.html",
        status=refusal.status,
        headers=retry_after(refusal),
        next=where,
        organization=organization,
        only=only,
        email=email,
        error=str(refusal),
    )


@router.post("/sign-out")
def end(person: Person, session: Database, everywhere: Annotated[bool, Form()] = False) -> Response:
    """End this browser's session, or all of the user's sessions."""
    if everywhere:
        sign_out_everywhere(session, person.actor)
    else:
        sign_out(session, person.token)
    answer = RedirectResponse("/sign-in", 303)
    take_cookie(answer)
    return answer


def _local(where: str) -> str:
    """Return `where` if it is on this site, else `/`: a link to the sign-in page must not redirect to another site."""
    return where if where.startswith("/") and not where.startswith(("//", "/\\")) else "/"
