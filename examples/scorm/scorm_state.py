"""What a SCORM package stores of a learner: its CMI data, as JSON."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.learning import complete, current
from models.records import LearnerRecord

DONE = ("completed", "passed")


class ScormState(LearnerRecord):
    """The CMI data of one registration."""

    __tablename__ = "scorm_state"
    labels = ("SCORM state", "SCORM states")

    registration: Mapped[UUID] = mapped_column(primary_key=True)
    cmi: Mapped[dict[str, Any]]


def state_of(session: Session, registration: UUID) -> dict[str, Any]:
    """Returns what the package stored under the registration; an empty object at the start of a run."""
    return session.scalar(select(ScormState.cmi).where(ScormState.registration == registration)) or {}


def save(session: Session, registration: UUID, cmi: dict[str, Any]) -> None:
    """Store the package's data, and complete the course when it says so.

    Raises `StaleRegistration` once a reset has ended the registration.
    """
    current(session, registration)
    row = insert(ScormState).values(registration=registration, cmi=cmi)
    session.execute(row.on_conflict_do_update(index_elements=[ScormState.registration], set_={"cmi": row.excluded.cmi}))
    if cmi.get("core", {}).get("lesson_status") in DONE:
        complete(session, registration)
