"""Idempotency keys: a repeated request gets the first answer, and its work is done once.

As in the IETF draft *The Idempotency-Key HTTP Header Field*. The key is stored in the transaction of the work
that the request does, so that one never exists without the other.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base
from models.refusals.requests import IdempotencyInProgress, IdempotencyMismatch


class StoredAnswer(Base):
    """The answer to a request with a key."""

    __tablename__ = "stored_answer"
    __table_args__ = (Index(None, "created_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]  # of the request: method, path and body
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def earlier_answer(session: Session, user_id: int, key: str, fingerprint: str) -> StoredAnswer | None:
    """Returns the earlier answer to this request, `None` if the key is new.

    A new key is locked until the transaction ends. Raises `IdempotencyInProgress`, `IdempotencyMismatch`.
    """
    mine = func.pg_try_advisory_xact_lock(func.hashtextextended(f"idempotency {user_id} {key}", 0))
    if not session.scalars(select(mine)).one():
        raise IdempotencyInProgress
    stored = session.get(StoredAnswer, (user_id, key))
    if stored is not None and stored.fingerprint != fingerprint:
        raise IdempotencyMismatch
    return stored


def keep_answer(
    session: Session,
    user_id: int,
    key: str,
    fingerprint: str,
    *,
    status: int,
    headers: Mapping[str, str],
    body: dict[str, Any],
) -> None:
    """Store the answer for repeats of this request, for `keep_answers_days`."""
    session.add(
        StoredAnswer(user_id=user_id, key=key, fingerprint=fingerprint, status=status, headers=dict(headers), body=body)
    )
