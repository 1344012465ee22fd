"""API tokens."""

from datetime import datetime
from typing import Any

from pydantic import Field

from models.tokens import ApiToken, Scope, state_of
from web.api.schemas.base import NO_NUL, Answer, Body, Id, example

TOKEN: dict[str, Any] = {
    "id": 3,
    "user_id": 42,
    "email": "kim@acme.example",
    "name": "incident system",
    "scopes": ["resets:read", "resets:write"],
    "permissions": ["Training: Manage courses"],
    "state": "valid",
    "created_at": "2027-01-02T08:00:00Z",
    "expires_at": "2028-01-02T08:00:00Z",
    "used_at": None,
}


class TokenRequest(Body):
    """A token to create."""

    model_config = example({"name": "incident system", "scopes": ["resets:read"], "days": 90})

    name: str = Field(min_length=1, max_length=200, pattern=NO_NUL, description="What it is for")
    scopes: list[Scope] = Field(min_length=1, max_length=50, description="Scopes of your own token, or some of them")
    user_id: Id | None = Field(None, description="The user whom it acts as; yourself by default", examples=[42])
    days: int = Field(365, strict=True, ge=1, le=3650, description="Days until it expires")


class TokenDetails(Answer):
    """A token, without its text."""

    model_config = example(TOKEN)

    id: int
    user_id: int
    email: str = Field(description="The address of the user whom it acts as")
    name: str
    scopes: list[str]
    permissions: list[str] | None = Field(
        description="Its user's when it was made. It has those of them that its user still has; null: all of these"
    )
    state: str = Field(description="valid, revoked or expired")
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = Field(description="When it was last used, to the minute")


class TokenList(Answer):
    """Tokens, oldest first."""

    model_config = example({"items": [TOKEN]})

    items: list[TokenDetails]


class NewToken(Answer):
    """A new token. Its text is not shown again."""

    model_config = example({"token": "rcs_…", "expires_at": "2028-01-02T08:00:00Z"})

    token: str = Field(description="Store it safely: only its hash is kept")
    expires_at: datetime


def token_of(token: ApiToken, email: str) -> TokenDetails:
    """Returns a token as an answer."""
    return TokenDetails(
        id=token.id,
        user_id=token.user_id,
        email=email,
        name=token.name,
        scopes=token.scopes,
        permissions=token.permissions,
        state=state_of(token),
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
    )
