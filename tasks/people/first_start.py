"""The first start of an empty installation: a link in the web app's log creates the first organization."""

import secrets

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models.first_start import LIFETIME, FirstStartToken
from models.people import User
from models.refusals.organizations import FirstStartOver
from models.token_hash import hash_of
from tasks.people.organizations import FirstAdmin, add_organization, one_at_a_time, there_is_none


def offer_first_start(session: Session) -> str | None:
    """Returns a new token, `None` if there is an organization. Only its hash is stored."""
    if not there_is_none(session):
        return None
    token = secrets.token_urlsafe(32)
    session.add(FirstStartToken(token_hash=hash_of(token)))
    return token


def check_first_start(session: Session, token: str) -> None:
    """Raises `FirstStartOver` unless the token is valid and the installation is empty."""
    good = session.scalar(
        select(func.count()).where(
            FirstStartToken.token_hash == hash_of(token), FirstStartToken.created_at > func.now() - LIFETIME
        )
    )
    if not good or not there_is_none(session):
        raise FirstStartOver


def begin(session: Session, token: str, slug: str, name: str, admin: FirstAdmin) -> User:
    """Add the first organization. Returns its admin, and deletes all tokens.

    Raises `FirstStartOver`, and the refusals of `add_organization`.
    """
    one_at_a_time(session)  # the second of two concurrent requests finds the organization of the first
    check_first_start(session, token)
    user = add_organization(session, "first start", slug, name, admin)
    session.execute(delete(FirstStartToken))
    return user
