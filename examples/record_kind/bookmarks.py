"""Bookmarks, which a course player keeps."""

from uuid import UUID

from sqlalchemy import Identity, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.learning import current
from models.records import LearnerRecord


class Bookmark(LearnerRecord):
    """A page that a learner wants to find again."""

    __tablename__ = "bookmark"
    __table_args__ = (Index(None, "registration"),)  # how a reset finds them
    labels = ("bookmark", "bookmarks")

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    page: Mapped[int]


def set_bookmark(session: Session, registration: UUID, page: int) -> None:
    """Keep a page under the learner's registration. Raises `StaleRegistration` once a reset has ended that."""
    current(session, registration)
    session.add(Bookmark(registration=registration, page=page))
