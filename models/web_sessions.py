"""The sessions of signed-in browsers."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.people import User
from models.session import touch
from models.token_hash import hash_of

SESSION_IDLE = timedelta(hours=8)
SESSION_LONGEST = timedelta(days=7)


class WebSession(Base):
    """A signed-in browser. The cookie holds a random token, the database only its hash."""

    __tablename__ = "web_session"
    __table_args__ = (Index(None, "user_id"), Index(None, "seen_at"))

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    browser: Mapped[str]  # its User-Agent, by which users recognize their sessions


def begin_session(session: Session, user: User, browser: str) -> str:
    """Begin a session for the user. Returns the token for the cookie, which is not stored."""
    token = secrets.token_urlsafe(32)
    session.add(WebSession(token_hash=hash_of(token), user_id=user.id, browser=browser[:200]))
    return token


def touch_session(session: Session, token: str) -> None:
    """Note that the session is in use."""
    touch(session, WebSession.seen_at, WebSession.token_hash == hash_of(token))


def sessions_of(session: Session, user_id: int) -> list[WebSession]:
    """Returns the user's sessions, most recently used first."""
    mine = select(WebSession).where(WebSession.user_id == user_id).order_by(WebSession.seen_at.desc())
    return list(session.scalars(mine))


def end_session(session: Session, token: str) -> None:
    """Sign out one browser."""
    session.execute(delete(WebSession).where(WebSession.token_hash == hash_of(token)))


def end_sessions(session: Session, user_id: int) -> None:
    """Sign the user out everywhere."""
    session.execute(delete(WebSession).where(WebSession.user_id == user_id))


def is_over() -> ColumnElement[bool]:
    """Returns the condition that a session was idle for too long, or began too long ago."""
    return or_(
        WebSession.seen_at < func.now() - SESSION_IDLE,
        WebSession.began_at < func.now() - SESSION_LONGEST,
    )
