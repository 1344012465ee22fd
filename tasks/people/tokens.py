"""Create and revoke tokens for the HTTP API."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor, Permission
from models.people import User
from models.refusals.access import ScopeMissing, TokenRequestInvalid, TokenUnknown
from models.refusals.people import UserUnknown
from models.token_hash import hash_of
from models.tokens import PREFIX, ApiToken, Scope, message_secrets, tokens_of
from tasks.people.authority import must_manage


def create_token(
    session: Session, actor: Actor, user: User, name: str, scopes: Sequence[Scope], expires_at: datetime | None
) -> str:
    """Create a token that acts as the user, never with more permissions than they have now. Returns its text, of which
    only a hash is stored.

    Raises `Forbidden`, `UserUnknown`, also if the user is deactivated; `TokenRequestInvalid` without a name or a scope;
    `ScopeMissing` if the actor's own token does not have the scope.
    """
    must_manage(actor, user)
    if not name.strip() or not scopes:
        raise TokenRequestInvalid
    if not user.active:
        raise UserUnknown(user.email)
    for scope in scopes:
        if actor.scopes is not None and scope not in actor.scopes:
            raise ScopeMissing(scope)
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        user_id=user.id,
        token_hash=hash_of(token),
        name=name,
        scopes=[str(scope) for scope in scopes],
        permissions=sorted(user.permissions),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "token.created", row.id, user.organization_id, name=name, scopes=row.scopes)
    return token


def revoke_token(session: Session, actor: Actor, token_id: int) -> None:
    """Revoke a token for good. Does nothing if it is revoked. Raises `Forbidden`, `TokenUnknown`."""
    actor.must_have(Permission.USERS)
    token = session.scalar(
        select(ApiToken)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.id == token_id, User.organization_id == actor.organization_id)
        .with_for_update(of=ApiToken)
    )
    if token is None:
        raise TokenUnknown(token_id)
    if token.revoked_at is None:
        token.revoked_at = session.scalars(select(func.now())).one()
        audit.record(session, actor, "token.revoked", token.id, actor.organization_id)


def tokens_seen_by(
    session: Session, actor: Actor, *, after: int = 0, limit: int | None = None
) -> list[tuple[ApiToken, str]]:
    """Returns the tokens of the actor's organization, as `tokens_of` does. Raises `Forbidden`."""
    actor.must_have(Permission.USERS)
    return tokens_of(session, [actor.organization_id], after=after, limit=limit)


def show_message_secret(session: Session, actor: Actor | str, organization_id: int, token_id: int) -> str:
    """Returns the newest secret that signs messages on behalf of the token.

    Raises `TokenUnknown`, also if the token is revoked.
    """
    token = session.scalar(
        select(ApiToken)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.id == token_id, User.organization_id == organization_id, ApiToken.revoked_at.is_(None))
    )
    if token is None:
        raise TokenUnknown(token_id)
    audit.record(session, actor, "token.secret_shown", token.id, organization_id)
    return message_secrets(token)[0]
