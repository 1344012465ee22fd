"""Signing in with the organization's provider, and sign-outs that it tells us of."""

from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse, Response

from config.languages import gettext, translatable
from config.log import logger
from models.refusals.base import Refused
from models.refusals.sign_on import SignOnDeclined, SignOnFailed, SignOnNobody, SignOnTaken, SignOnUnavailable
from tasks.sign_on.sign_in import LONGEST, attempt_of, begin_sign_on, finish_sign_on, prove, provider_for
from tasks.sign_on.sign_out import end_as_told
from tasks.sign_on.verify import logout_token as read_logout_token
from web.access import cookie_name, give_cookie
from web.cookies import delete_cookie, host_cookie, set_cookie
from web.local import local
from web.problems import retry_after, title_of
from web.templating import page
from web.waiting import waiting

log = logger(__name__)

router = APIRouter(prefix="/sign-on/{slug}")
told_router = APIRouter(prefix="/sign-on/{slug}")

ATTEMPT = "recourse-sign-on"  # the cookie


@router.get("")
async def begin(request: Request, slug: str, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:  # noqa: A002
    """Send the browser to the provider."""
    try:
        provider = await run_in_threadpool(provider_for, slug)
        url, kept = await waiting(provider, partial(begin_sign_on, provider, slug, local(next)))
    except Refused as refusal:
        return _refused(request, slug, refusal)
    answer = RedirectResponse(url, 303)
    set_cookie(answer, ATTEMPT, kept, timedelta(seconds=LONGEST))
    return answer


@router.get("/callback")
async def come_back(
    request: Request,
    slug: str,
    code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=500)] = "",
    error: Annotated[str, Query(max_length=100)] = "",
    iss: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """Finish the sign-in that this browser began, and go on to where it wanted to go."""
    try:
        attempt = attempt_of(request.cookies.get(host_cookie(ATTEMPT), ""), slug, state)
        provider = await run_in_threadpool(provider_for, slug)
        if iss is not None and iss != provider.issuer:  # RFC 9207
            raise SignOnFailed(provider.name, translatable("it is of another issuer"))
        if error or not code:
            raise SignOnDeclined(provider.name, error or translatable("no code"))
        proof = await waiting(provider, partial(prove, provider, attempt, code))
        browser, old = request.headers.get("user-agent", ""), request.cookies.get(cookie_name())
        token = await run_in_threadpool(finish_sign_on, provider, proof, browser=browser, instead_of=old)
    except Refused as refusal:
        answer = _refused(request, slug, refusal)
    else:
        answer = RedirectResponse(attempt.where, 303)
        give_cookie(answer, token)
    delete_cookie(answer, ATTEMPT)
    return answer


@told_router.post("/logout")
async def told(slug: str, logout_token: Annotated[str, Form(max_length=20_000)] = "") -> Response:
    """End the sessions that ended at the provider: OpenID Connect Back-Channel Logout 1.0."""
    provider = await run_in_threadpool(provider_for, slug)
    try:
        token = await waiting(provider, partial(read_logout_token, provider, logout_token))
    except (SignOnFailed, SignOnUnavailable) as refusal:
        status = 400 if isinstance(refusal, SignOnFailed) else refusal.status
        return JSONResponse({"error": "invalid_request", "error_description": str(refusal)}, status)
    await run_in_threadpool(end_as_told, provider, token)
    return Response(status_code=200)


def _refused(request: Request, slug: str, refusal: Refused) -> Response:
    says = {} if isinstance(refusal, SignOnNobody | SignOnTaken) else {"says": refusal.args[0]}  # they name the person
    log.info("sign_on_refused", organization=slug[:63], code=refusal.code, **says)
    return page(
        request,
        "sign_on_refused.html",
        status=refusal.status,
        headers=retry_after(refusal),
        title=gettext(title_of(refusal.code)),
        detail=str(refusal),
        slug=slug,
    )
