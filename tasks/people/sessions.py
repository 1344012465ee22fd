"""Sessions: list and end one's own, and those of a user whom one manages."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import audit
from models.access import Actor
from models.people import User
from models.refusals.access import SessionUnknown
from models.session import changed_rows
from models.token_hash import hash_of
from models.web_sessions import WebSession, is_over
from tasks.people.authority import must_manage
from tasks.people.devices import device_in


@dataclass(frozen=True)
class OpenSession:
    """A signed-in browser, as its user sees it."""

    key: str  # names it in a form; says nothing about its token
    device: str
    began_at: datetime
    seen_at: datetime
    is_this: bool


def own_sessions(session: Session, actor: Actor, token: str) -> list[OpenSession]:
    """Returns the actor's sessions: the one with this token first, then by their last use."""
    return sorted(_open(session, actor.user_id, token), key=lambda one: not one.is_this)


def open_sessions_of(session: Session, actor: Actor, user: User) -> list[OpenSession]:
    """Returns the user's sessions by their last use. Raises `Forbidden`, `UserUnknown`."""
    must_manage(actor, user)
    return _open(session, user.id)


def end_own_session(session: Session, actor: Actor, key: str) -> None:
    """End one of the actor's sessions. Raises `SessionUnknown`, also if it has ended."""
    _end(session, actor, actor.user_id, key)


def end_session_of(session: Session, actor: Actor, user: User, key: str) -> None:
    """End one of the user's sessions. Raises `Forbidden`, `UserUnknown`; `SessionUnknown`, also if it has ended."""
    must_manage(actor, user)
    _end(session, actor, user.id, key)


def end_other_sessions(session: Session, actor: Actor, token: str) -> int:
    """End the actor's sessions but for the one with this token. Returns how many ended."""
    others = (WebSession.user_id == actor.user_id) & (WebSession.token_hash != hash_of(token))
    ended = changed_rows(session, delete(WebSession).where(others))
    if ended:
        audit.record(session, actor, "user.other_sessions_ended", actor.user_id, actor.organization_id, sessions=ended)
    return ended


def end_sessions_of(session: Session, actor: Actor, user: User) -> int:
    """End all sessions of the user. Returns how many ended. Raises `Forbidden`, `UserUnknown`."""
    must_manage(actor, user)
    ended = changed_rows(session, delete(WebSession).where(WebSession.user_id == user.id))
    if ended:
        audit.record(session, actor, "user.sessions_ended", user.id, user.organization_id, sessions=ended)
    return ended


def _open(session: Session, user_id: int | None, token: str = "") -> list[OpenSession]:
    found = select(WebSession).where(WebSession.user_id == user_id, ~is_over()).order_by(WebSession.seen_at.desc())
    return [
        OpenSession(_key(one), device_in(one.browser), one.began_at, one.seen_at, one.token_hash == hash_of(token))
        for one in session.scalars(found)
    ]


def _end(session: Session, actor: Actor, user_id: int | None, key: str) -> None:
    theirs = session.scalars(select(WebSession).where(WebSession.user_id == user_id))
    one = next((one for one in theirs if _key(one) == key), None)
    if one is None:
        raise SessionUnknown
    session.delete(one)
    session.flush()
    audit.record(session, actor, "user.session_ended", user_id, actor.organization_id)


def _key(one: WebSession) -> str:
    return hashlib.sha256(one.token_hash).hexdigest()[:20]
