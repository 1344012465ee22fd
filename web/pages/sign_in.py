"""Signing in with a password, and signing out."""

from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from models.people import only_organization
from models.refusals.base import Refused
from models.refusals.sign_in import SignInBusy, SignInFailed, SignInThrottled
from models.refusals.sign_on import PasswordsOff, SignOnUnavailable
from models.session import Session, transaction
from models.sign_in import prove
from models.sign_on import is_any_provider, provider_of
from tasks.people.organizations import there_is_none
from tasks.people.sign_in import begin_sign_in, finish_sign_in, sign_out, sign_out_everywhere
from tasks.sign_on.sign_out import There, session_there, sign_out_page
from web.access import Person, SignedIn, cookie_name, give_cookie, take_cookie
from web.database import Database
from web.first_start import log_first_start
from web.hashing import in_turn
from web.local import local
from web.problems import retry_after
from web.source import remember, source_of
from web.templating import page
from web.waiting import waiting

router = APIRouter()


@router.get("/sign-in")
def sign_in_page(request: Request, session: Database, next: str = "/", organization: str = "") -> Response:  # noqa: A002
    """Show the form; `organization` fills in that field, so that each organization can have its own link.

    An organization with a provider of its own has a link to it, in place of the form if its passwords are off.
    """
    only = only_organization(session)
    if only is None and there_is_none(session):
        log_first_start(request.app, session)
        return page(request, "first_start_pending.html")
    return _form(request, session, next, organization)


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
    except (SignInFailed, SignInThrottled, SignInBusy, PasswordsOff) as refusal:
        return await run_in_threadpool(_again, request, refusal, next, organization, email)
    answer = RedirectResponse(local(next), 303)
    give_cookie(answer, token)
    remember(answer, source, organization, email)
    return answer


def _again(request: Request, refusal: Refused, where: str, organization: str, email: str) -> Response:
    with transaction() as session:
        return _form(request, session, where, organization, email=email, refusal=refusal)


def _form(
    request: Request,
    session: Session,
    where: str,
    organization: str,
    *,
    email: str = "",
    refusal: Refused | None = None,
) -> Response:
    only = only_organization(session)
    slug = only.slug if only else organization
    return page(
        request,
        "sign_in.html",
        status=refusal.status if refusal else 200,
        headers=retry_after(refusal) if refusal else None,
        next=where,
        organization=organization,
        only=only,
        slug=slug,
        provider=provider_of(session, slug) if slug else None,
        elsewhere=only is None and is_any_provider(session),
        email=email,
        error=str(refusal or ""),
    )


@router.post("/sign-out")
async def end(request: Request, person: Person, everywhere: Annotated[bool, Form()] = False) -> Response:
    """End this browser's session, or all of the user's sessions; then also the session at the provider, if it began
    there and the provider has a page for it."""
    there = await run_in_threadpool(_ended, person, everywhere=everywhere)
    url = None
    if there is not None:
        with suppress(SignOnUnavailable):
            url = await waiting(there.provider, partial(sign_out_page, there))
    request.state.signed_in = None
    # Not a redirect: the content security policy lets no form lead to another site, not even in two steps.
    answer: Response = RedirectResponse("/sign-in", 303)
    if url is not None and there is not None:
        answer = page(request, "signing_out.html", url=url, provider=there.provider)
    take_cookie(answer)
    return answer


def _ended(person: SignedIn, *, everywhere: bool) -> There | None:
    with transaction() as session:
        there = session_there(session, person.token)
        if everywhere:
            sign_out_everywhere(session, person.actor)
        else:
            sign_out(session, person.token)
    return there
