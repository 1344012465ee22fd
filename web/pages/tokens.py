"""API tokens: list, create and revoke them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.access import Permission
from models.directory import user_by_address
from models.refusals.base import Refused
from models.session import Session
from models.tokens import Scope, state_of
from tasks.people.tokens import create_token, revoke_token, tokens_seen_by
from web.access import SignedIn, UsersAdmin
from web.database import Database
from web.numbers import Number, number_in
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/tokens")

SCOPES = {
    Scope.RESETS_READ: translatable("Read resets and their outcomes"),
    Scope.RESETS_WRITE: translatable("Request, cancel and retry resets"),
    Scope.LEARNING_WRITE: translatable("Record learners' progress"),
    Scope.PEOPLE_WRITE: translatable("Manage users and groups, and import"),
    Scope.ACCESS_WRITE: translatable("Change permissions, create password links, and end sessions"),
    Scope.ANALYTICS_READ: translatable("Read completion figures"),
    Scope.RULES_READ: translatable("Read retraining rules"),
    Scope.RULES_WRITE: translatable("Create, pause and remove retraining rules"),
    Scope.EVENTS_WRITE: translatable("Report incidents"),
    Scope.PARTICIPANTS_WRITE: translatable("Manage participants"),
    Scope.EVIDENCE_WRITE: translatable("Manage and read evidence of resets"),
    Scope.WEBHOOKS_WRITE: translatable("Manage webhooks"),
    Scope.TOKENS_WRITE: translatable("Create and revoke tokens"),
    Scope.SCIM_WRITE: translatable("Write users and groups by SCIM"),
    Scope.OPERATE: translatable("Pause and resume everything"),
}
DAYS = {
    30: translatable("30 days"),
    90: translatable("90 days"),
    365: translatable("1 year"),
    1095: translatable("3 years"),
}


@router.get("")
def tokens(
    request: Request,
    person: UsersAdmin,
    session: Database,
    after: Annotated[str, Query(max_length=1000)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """List the organization's tokens, oldest first, with a form to create one."""
    return _list(request, person, session, after, done=translatable("Token revoked.") if done == "revoked" else "")


@router.post("")
def create(
    request: Request,
    person: UsersAdmin,
    session: Database,
    email: Annotated[str, Form(max_length=320)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    days: Annotated[str, Form(max_length=5)] = "365",
) -> Response:
    """Create a token, and show it this once."""
    wanted = [scope for scope in Scope if scope.value in (scopes or [])]
    typed = {"email": email, "name": name, "days": days, "scopes": wanted}
    until = datetime.now(UTC) + timedelta(days=chosen if (chosen := number_in(days)) in DAYS else 365)
    try:
        user = user_by_address(session, person.actor.organization_id, email.strip())
        token = create_token(session, person.actor, user, name.strip(), wanted, until)
    except Refused as refusal:
        return _list(request, person, session, "", error=refusal, typed=typed)
    return page(request, "token_new.html", token=token, name=name.strip(), user=user, until=until)


@router.post("/{token_id}/revoke")
def revoke(token_id: Number, person: UsersAdmin, session: Database) -> Response:
    """Revoke a token."""
    revoke_token(session, person.actor, token_id)
    return RedirectResponse("/tokens?done=revoked", 303)


def _list(
    request: Request,
    person: SignedIn,
    session: Session,
    after: str,
    *,
    error: Refused | None = None,
    typed: Mapping[str, object] | None = None,
    done: str = "",
) -> Response:
    pager = Pager(request, after, (int,))
    found = tokens_seen_by(session, person.actor, after=pager.after[0] if pager.after else 0, limit=pager.limit)
    lines = pager.cut([(token, email, state_of(token)) for token, email in found], lambda line: (line[0].id,))
    return page(
        request,
        "tokens.html",
        status=error.status if error else 200,
        lines=lines,
        pager=pager,
        labels={
            scope: SCOPES[scope] for scope in SCOPES if scope != Scope.OPERATE or person.may(Permission.OPERATIONS)
        },
        periods=DAYS,
        typed={"email": person.user.email, "name": "", "days": "365", "scopes": []} | dict(typed or {}),
        error=error,
        done=done,
    )
