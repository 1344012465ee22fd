"""The first start of an empty installation: whoever reads the web app's log makes the first organization."""

import secrets

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models.first_start import LIFETIME, FirstStartToken
from models.people import User
from models.refusals.organizations import FirstStartOver
from models.token_hash import hash_of
from tasks.people.organizations import FirstAdmin, add_organization, one_at_a_time, there_is_none


def offer_first_start(session: Session) -> str | None:
    """A new token; none where there is an organization already. Its text is stored nowhere."""
    if not there_is_none(session):
        return None
    token = secrets.token_urlsafe(32)
    session.add(FirstStartToken(token_hash=hash_of(token)))
    return token


def check_first_start(session: Session, token: str) -> None:
    """Raises `FirstStartOver` unless the token is good, and the installation is still empty."""
    good = session.scalar(
        select(func.count()).where(
            FirstStartToken.token_hash == hash_of(token), FirstStartToken.created_at > func.now() - LIFETIME
        )
    )
    if not good or not there_is_none(session):
        raise FirstStartOver


def begin(session: Session, token: str, slug: str, name: str, admin: FirstAdmin) -> User:
    """Make the first organization and its admin, whom it gives; all tokens end.

    Raises `FirstStartOver`, and what `add_organization` raises.
    """
    one_at_a_time(session)  # so that of two who come at once, the second finds the first one's organization
    check_first_start(session, token)
    user = add_organization(session, "first start", slug, name, admin)
    session.execute(delete(FirstStartToken))
    return user
