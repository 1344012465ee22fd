"""The audit: who did what and when. A database trigger allows adding rows only."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.access import Actor
from models.base import Base


class AuditEntry(Base):
    """One action."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "organization_id", "at"), Index(None, "subject"), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    actor: Mapped[str]  # user:<id>, console:<account>, or a task's name
    action: Mapped[str]  # such as reset.requested
    subject: Mapped[str]  # the id of the object
    details: Mapped[dict[str, Any]]


def record(
    session: Session, actor: Actor | str, action: str, subject: object, organization_id: int, **details: Any
) -> None:
    """Add an entry in the transaction of the action, so that both are committed or neither is."""
    name = actor if isinstance(actor, str) else actor.name
    session.add(
        AuditEntry(organization_id=organization_id, actor=name, action=action, subject=str(subject), details=details)
    )
