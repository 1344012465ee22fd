"""API tokens: list, create and revoke them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from models.access import Actor, Permission
from models.directory import user_of
from models.tokens import Scope
from tasks.people.tokens import create_token, revoke_token, tokens_seen_by
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.paging import Page, page_of
from web.api.responses import PAGED, Responses, problems
from web.api.schemas.tokens import NewToken, TokenList, TokenRequest, token_of
from web.database import Database
from web.numbers import BIGGEST

router = APIRouter(tags=["tokens"], route_class=JsonRoute)

Manager = Annotated[Actor, Depends(program_with(Scope.TOKENS_WRITE, Permission.USERS))]
TokenId = Annotated[int, Path(ge=1, le=BIGGEST, description="The token's id", examples=[3])]
REVOKED: Responses = {204: {"description": "The token is refused from now on"}}


@router.get("/tokens", operation_id="listTokens", response_model=TokenList, responses=PAGED | problems("forbidden"))
def list_tokens(actor: Manager, session: Database, page: Annotated[Page, page_of(int)]) -> TokenList:
    """List the organization's tokens, oldest first."""
    found = tokens_seen_by(session, actor, after=page.after[0] if page.after else 0, limit=page.limit)
    tokens = page.cut(found, lambda row: (row[0].id,))
    return TokenList(items=[token_of(token, email) for token, email in tokens])


@router.post(
    "/tokens",
    operation_id="createToken",
    status_code=201,
    response_model=NewToken,
    responses=problems("forbidden", "user-unknown", "token-request-invalid", "body-too-large"),
)
def create(body: TokenRequest, actor: Manager, session: Database) -> NewToken:
    """Create a token with scopes of your own token. It acts as you, or as a user who has no more permissions."""
    assert actor.user_id is not None  # every token belongs to a user
    user = user_of(session, actor.organization_id, body.user_id or actor.user_id)
    until = datetime.now(UTC) + timedelta(days=body.days)
    text = create_token(session, actor, user, body.name, list(dict.fromkeys(body.scopes)), until)
    return NewToken(token=text, expires_at=until)


@router.delete(
    "/tokens/{token_id}",
    operation_id="revokeToken",
    status_code=204,
    responses=REVOKED | problems("forbidden", "token-unknown"),
)
def revoke(token_id: TokenId, actor: Manager, session: Database) -> Response:
    """Revoke a token. Repeating it changes nothing."""
    revoke_token(session, actor, token_id)
    return Response(status_code=204)
