"""Participants: systems outside of this database that have records of learners, and are asked to clear them too.

A learner's item in the ledger has one row for each participant, and stays `waiting` until the last of them has an end.
Learners are asked about in requests; a request is an item of an outbox.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of
from models.outbox import Outbox
from models.resets import ItemState
from models.sealing import HasSecret

MOST_AT_ONCE = 1000  # learners in a request


class ParticipantKind(StrEnum):
    """How a participant is asked."""

    HTTP = "http"  # a signed POST
    CELERY = "celery"  # a task of the team's own, on the same broker
    PLUGIN = "plugin"  # a Python class


class AskState(StrEnum):
    """Where a request to a participant stands."""

    WAITING = "waiting"  # to be sent, or sent again, at `next_try_at`
    ANSWERED = "answered"  # each of its learners has an end
    GIVEN_UP = "given_up"  # sent too often without an answer, or refused
    WITHDRAWN = "withdrawn"  # the reset was cancelled


class ThereState(StrEnum):
    """What became of one learner at one participant."""

    WAITING = "waiting"  # not asked yet, or it could not be reached
    UNKNOWN = "unknown"  # asked without an answer: it may have cleared them; it is asked again with the same key
    LATER = "later"  # it has promised to report
    DONE = "done"
    FAILED = "failed"  # `reason` says how


OPEN_THERE = frozenset((ThereState.WAITING, ThereState.UNKNOWN, ThereState.LATER))


class Participant(HasSecret, Base):
    """A system that is asked about the learners of some courses, or of all courses, of an organization."""

    __tablename__ = "participant"
    __table_args__ = (
        Index(
            "uq_participant_code",
            "organization_id",
            "code",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
        UniqueConstraint("id", "organization_id"),
        Index(None, "organization_id"),
        CheckConstraint("(kind = 'celery') = (queue IS NOT NULL)", name="a_task_has_a_queue"),
        CheckConstraint(f"learners_at_once BETWEEN 1 AND {MOST_AT_ONCE}", name="learners_at_once"),
        CheckConstraint("per_second > 0", name="per_second_is_positive"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_why IS NULL)", name="disabled_says_why"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    code: Mapped[str]  # what people call it: “scorm”
    kind: Mapped[ParticipantKind] = mapped_column(one_of(ParticipantKind, "kind"))
    target: Mapped[str]  # a URL, the name of a task, or that of a plug-in
    queue: Mapped[str | None]  # of the task
    sealed_options: Mapped[str | None]  # of the plug-in: JSON, encrypted
    course_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))  # none: all courses
    learners_at_once: Mapped[int] = mapped_column(server_default="100")
    per_second: Mapped[Decimal | None] = mapped_column(Numeric(8, 3))  # requests, at most
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str | None]
    removed_at: Mapped[datetime | None]  # it keeps its row, since ledgers name it

    @property
    def asked_at(self) -> str:
        """Where it is asked, for people."""
        return f"{self.target} in {self.queue}" if self.queue else self.target


class ParticipantRequest(Base):
    """Some learners of a reset, as a participant is asked about them at once. Its id is the idempotency key."""

    __tablename__ = "participant_request"
    __table_args__ = (
        ForeignKeyConstraint(["participant_id", "organization_id"], ["participant.id", "participant.organization_id"]),
        Index(None, "participant_id", "organization_id"),
        Index(None, "reset_id", "state", "participant_id"),
        Index(
            "ix_participant_request_due",
            "participant_id",
            "next_try_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_participant_request_given_up", "participant_id", postgresql_where=text("state = 'given_up'")),
        Index("ix_participant_request_given_up_at", "tried_at", postgresql_where=text("state = 'given_up'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))
    participant_id: Mapped[int]
    organization_id: Mapped[int]
    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id", ondelete="CASCADE"))
    learners: Mapped[int]
    state: Mapped[AskState] = mapped_column(one_of(AskState, "state"), server_default=AskState.WAITING.value)
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    tried_at: Mapped[datetime | None]
    outcome: Mapped[str | None]  # of the last attempt, in words


class ParticipantItem(Base):
    """One learner of a reset at one participant. Without foreign keys, like the ledger."""

    __tablename__ = "participant_item"
    __table_args__ = (
        Index(None, "request_id"),
        Index(None, "reset_id", "slice_number", "enrolment_id"),
        CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="failed_says_why"),
    )

    reset_id: Mapped[UUID] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(primary_key=True)
    enrolment_id: Mapped[int] = mapped_column(primary_key=True)
    slice_number: Mapped[int]
    request_id: Mapped[UUID | None]  # none until its slice is settled; of a small reset, until all are
    here: Mapped[ItemState] = mapped_column(one_of(ItemState, "here"))  # what it was in our own tables
    old_registration: Mapped[UUID]
    new_registration: Mapped[UUID]
    state: Mapped[ThereState] = mapped_column(one_of(ThereState, "state"), server_default=ThereState.WAITING.value)
    reason: Mapped[str | None]
    removed: Mapped[dict[str, int]] = mapped_column(server_default="{}")  # by the participant's own kinds


REQUESTS = Outbox(
    ParticipantRequest,
    turn=ParticipantRequest.participant_id,
    due_at=ParticipantRequest.next_try_at,
    attempts=ParticipantRequest.attempts,
    waiting=ParticipantRequest.state == literal_column("'waiting'"),
    given_up=ParticipantRequest.state == literal_column("'given_up'"),
    organization=ParticipantRequest.organization_id.expression,
    then_by=(ParticipantRequest.id,),
    begun={"tried_at": func.now()},
    tried_at=ParticipantRequest.tried_at,
)
