"""The audit: who did what and when. Rows are added, never changed: a trigger of the first migration sees to it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.access import Actor
from models.base import Base


class AuditEntry(Base):
    """One thing that was done."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "organization_id", "at"), Index(None, "subject"), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    actor: Mapped[str]  # user:<id>, console:<account>, or the task that did it
    action: Mapped[str]  # such as reset.requested
    subject: Mapped[str]  # the id of what it was done to
    details: Mapped[dict[str, Any]]


def record(
    session: Session, actor: Actor | str, action: str, subject: object, organization_id: int, **details: Any
) -> None:
    """Add an entry to the session's transaction: it stands if and only if the deed does."""
    name = actor if isinstance(actor, str) else actor.name
    session.add(
        AuditEntry(organization_id=organization_id, actor=name, action=action, subject=str(subject), details=details)
    )
