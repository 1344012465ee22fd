"""The tokens that allow creating the first organization of an empty installation."""

from datetime import datetime, timedelta

from sqlalchemy import LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

LIFETIME = timedelta(hours=24)


class FirstStartToken(Base):
    """A token that a web process has written to its log; only its hash is stored.

    Each process has its own. All of them end with the first organization.
    """

    __tablename__ = "first_start_token"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
