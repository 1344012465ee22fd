"""A reset, its slices, and its ledger: what is to be done, and what became of each learner."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import BigInteger

from models.base import Base, PgSnapshot, one_of
from models.refusals.resets import ResetAmbiguous, ResetUnknown
from models.short_ids import ids_like, in_words

QUICK_UP_TO = 5000  # learners whose slices are written and settled in well under a second
UNKNOWN = 2**31  # learners: as many as a large reset has


class Audience(StrEnum):
    """Whom a reset is for."""

    ASSIGNED = "assigned"  # everyone the course is assigned to
    COMPLETED = "completed"  # of these, the ones who have completed it
    USERS = "users"  # the named ones
    GROUP = "group"  # the members of a group
    LIST = "list"  # those on a list, from a file or a selection


class ResetState(StrEnum):
    """Where a reset stands."""

    REQUESTED = "requested"  # confirmed and written down; its slices are not
    RUNNING = "running"  # its slices are written, learners are being cleared
    SUCCEEDED = "succeeded"  # no learner failed
    PARTLY_FAILED = "partly_failed"  # some learners failed, some did not
    FAILED = "failed"  # every learner failed, or it could not be begun
    CANCELLED = "cancelled"  # someone stopped it; who was cleared by then stays cleared


SETTLED = frozenset(ResetState) - {ResetState.REQUESTED, ResetState.RUNNING}

TRANSITIONS: dict[ResetState, dict[ResetState, str]] = {
    ResetState.REQUESTED: {
        ResetState.RUNNING: "the coordinator wrote the slices",
        ResetState.FAILED: "whoever asked may not any more, or the slices could not be written, however often tried",
        ResetState.CANCELLED: "cancelled before the slices were written",
    },
    ResetState.RUNNING: {
        ResetState.SUCCEEDED: "nothing is open and nobody failed",
        ResetState.PARTLY_FAILED: "nothing is open; some failed",
        ResetState.FAILED: "nothing is open; all failed who were not skipped",
        ResetState.CANCELLED: "nothing is open, since it was cancelled before all were cleared",
    },
    ResetState.PARTLY_FAILED: {ResetState.RUNNING: "the failed ones are tried again"},
    ResetState.FAILED: {ResetState.RUNNING: "the failed ones are tried again"},
    ResetState.SUCCEEDED: {},
    # Cancelled is an end too: to go on, preview again and see what is left.
    ResetState.CANCELLED: {},
}


class TransitionError(RuntimeError):
    """A change of state that the transition table does not allow: a defect, never a user's mistake."""


class ItemState(StrEnum):
    """What became of one learner in one reset."""

    PENDING = "pending"  # open: a member of an open slice, without an item yet
    WAITING = "waiting"  # cleared here; a participant has still to do so
    CLEARED = "cleared"
    UNCHANGED = "unchanged"  # there was nothing to clear
    SKIPPED = "skipped"  # not touched; `reason` says why
    FAILED = "failed"  # it went wrong, here or at a participant; `reason` says where and how


class Reset(Base):
    """One request to reset one course. Its id is that of the confirmed plan, so a plan is used once at most."""

    __tablename__ = "reset"
    __table_args__ = (
        ForeignKeyConstraint(["course_id", "organization_id"], ["course.id", "course.organization_id"]),
        ForeignKeyConstraint(["requested_by", "organization_id"], ["user.id", "user.organization_id"]),
        UniqueConstraint("organization_id", "idempotency_key"),
        ForeignKeyConstraint(["group_id", "organization_id"], ["user_group.id", "user_group.organization_id"]),
        Index(None, "course_id", "organization_id"),
        Index(None, "group_id", "organization_id"),
        Index(None, "requested_by", "organization_id"),
        Index(None, "organization_id", "requested_at", "id"),  # the order of the list of resets
        Index(
            "ix_reset_not_well",
            "organization_id",
            "requested_at",
            "id",
            postgresql_where=text("state IN ('partly_failed', 'failed', 'cancelled')"),
        ),
        Index("ix_reset_open", "state", postgresql_where=text("state IN ('requested', 'running')")),
        Index(
            "ix_reset_unreported",
            "task_id",
            postgresql_where=text("finished_at IS NOT NULL AND reported_at IS NULL"),
        ),
        # What `models/retention/resets.py` and `models/tallies.py` have still to do; each small once they have done it.
        Index(
            "ix_reset_in_full",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL AND figures IS NULL"),
        ),
        Index(
            "ix_reset_with_ledger",
            "finished_at",
            postgresql_where=text("finished_at IS NOT NULL AND details_deleted_at IS NULL"),
        ),
        Index("ix_reset_without_ledger", "finished_at", postgresql_where=text("details_deleted_at IS NOT NULL")),
        Index("ix_reset_uncounted", "id", postgresql_where=text("NOT counted")),
        Index("uq_reset_list_id", "list_id", unique=True, postgresql_where=text("list_id IS NOT NULL")),
        CheckConstraint("(audience = 'users') = (user_ids IS NOT NULL)", name="named_users_are_named"),
        CheckConstraint("(audience = 'group') = (group_id IS NOT NULL)", name="group_is_named"),
        CheckConstraint("(audience = 'list') = (list_id IS NOT NULL)", name="list_is_named"),
        CheckConstraint("skip_completed_days > 0", name="skip_completed_days_is_positive"),
        CheckConstraint("length(trim(reason)) > 0", name="reason_is_given"),
        CheckConstraint("due_in_days > 0", name="due_in_days_is_positive"),
        CheckConstraint("(state IN ('requested', 'running')) = (finished_at IS NULL)", name="settled_has_its_moment"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[int]
    course_id: Mapped[int]
    audience: Mapped[Audience] = mapped_column(one_of(Audience, "audience"))
    user_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    group_id: Mapped[int | None]
    list_id: Mapped[UUID | None] = mapped_column(ForeignKey("audience_list.id"))
    skip_completed_days: Mapped[int | None]  # who completed it within so many days before the plan is left out
    planned_at: Mapped[datetime]  # who was assigned by then, and seen by
    snapshot: Mapped[str | None] = mapped_column(PgSnapshot)  # this, is in the audience
    # What the request could see. A registration that is not in it was given by another reset, or by an erasure, since.
    as_of: Mapped[str | None] = mapped_column(PgSnapshot)
    participants: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # asked too, since it began
    evidence: Mapped[bool] = mapped_column(server_default=text("false"))  # nobody is cleared before theirs is stored
    shown: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # the figures of its preview
    due_in_days: Mapped[int | None]
    notify: Mapped[bool]
    reason: Mapped[str]
    requested_by: Mapped[int | None]  # none: an operator at the console
    requester: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    start_at: Mapped[datetime] = mapped_column(server_default=func.now())  # not begun before; later if so wished
    idempotency_key: Mapped[str | None]

    state: Mapped[ResetState] = mapped_column(one_of(ResetState, "state"), server_default=ResetState.REQUESTED.value)
    task_id: Mapped[UUID]  # of the Celery task that carries the current run: the reset's id, and a new one a retry
    learners: Mapped[int | None]  # in its slices, once they are written
    recovered_at: Mapped[datetime | None]  # when `recover` last sent something for it
    recoveries: Mapped[int] = mapped_column(server_default="0")  # how often it had to, since something was lost
    sent_in_vain: Mapped[int] = mapped_column(server_default="0")  # by `recover`, since the coordinator last ran
    traceparent: Mapped[str | None]  # of the request that it came from, while tracing is on
    attempts: Mapped[int] = mapped_column(server_default="0")  # to write the slices
    cancel_requested_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]  # when the Celery task got its result
    error: Mapped[str | None]

    # Its alerts and e-mails in figures, taken before the first row about any one learner is deleted by age. From then
    # on its failed learners cannot be tried again.
    figures: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    details_deleted_at: Mapped[datetime | None]  # when its ledger was gone; one slice keeps the counts
    counted: Mapped[bool] = mapped_column(server_default=text("false"))  # whether the tallies have it

    @hybrid_property
    def likely_learners(self) -> int:
        """How many learners it has, as its slices say, or its preview before they are written; else `UNKNOWN`."""
        known = (self.learners, self.shown["learners"] if self.shown else None)
        return next((learners for learners in known if learners is not None), UNKNOWN)

    @likely_learners.inplace.expression
    @classmethod
    def _likely_learners(cls) -> ColumnElement[int]:
        return func.coalesce(cls.learners, cls.shown["learners"].as_integer(), UNKNOWN)

    @hybrid_property
    def is_quick(self) -> bool:
        """Whether it is not large, or a person waits for it: its coordinator does not wait for slices of others."""
        return (self.audience == Audience.USERS) | (self.likely_learners <= QUICK_UP_TO)

    def move_to(self, state: ResetState) -> None:
        """Take an edge of the transition table. Raises `TransitionError` where there is none."""
        if state not in TRANSITIONS[self.state]:
            raise TransitionError(f"reset {self.id} cannot go from {self.state} to {state}")
        self.state = state


class ResetSlice(Base):
    """Learners of a reset who are cleared by one task: its `members`, of whom those without an item are still open.

    The counts are of what this slice settled; a reset's progress is their sum, so no two slices ever wait for each
    other. A slice whose `position` is 0 is never sent: it counts learners whose outcome was known beforehand.
    """

    __tablename__ = "reset_slice"
    __table_args__ = (
        Index(
            "ix_reset_slice_open",
            "reset_id",
            "number",
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index(
            "ix_reset_slice_in_flight",
            "reset_id",
            postgresql_where=text("settled_at IS NULL AND published_at IS NOT NULL"),
        ),
        Index("ix_reset_slice_alerts_due", "reset_id", "number", postgresql_where=text("alerts_due")),
        Index("ix_reset_slice_waiting", "reset_id", postgresql_where=text("waiting > 0")),
        CheckConstraint("NOT held OR published_at IS NULL", name="held_is_not_sent"),
    )

    reset_id: Mapped[UUID] = mapped_column(ForeignKey("reset.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[int]  # of its members
    last: Mapped[int]
    members: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # enrolments, in order
    learners: Mapped[int]
    position: Mapped[int]  # of its first learner in the run, from 1: what Flower shows

    held: Mapped[bool] = mapped_column(server_default=text("false"))  # not sent: its evidence is not in the store yet
    evidence_part_id: Mapped[UUID | None]  # of a reset with evidence: the part with its learners
    published_at: Mapped[datetime | None]
    publications: Mapped[int] = mapped_column(server_default="0")
    attempts: Mapped[int] = mapped_column(server_default="0")
    begun_at: Mapped[datetime | None]  # when a worker last began it, or settled some of its learners
    worker: Mapped[str | None]  # the name of the worker that last began it
    in_vain: Mapped[int] = mapped_column(server_default="0")  # times begun since one of its learners was last settled
    settled_at: Mapped[datetime | None]

    waiting: Mapped[int] = mapped_column(server_default="0")  # for participants
    cleared: Mapped[int] = mapped_column(server_default="0")
    unchanged: Mapped[int] = mapped_column(server_default="0")
    skipped: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    removed: Mapped[dict[str, int]] = mapped_column(server_default="{}")  # by record kind, or participant and its kind

    @hybrid_property
    def counted(self) -> int:
        """How many of its learners have an item in the ledger."""
        return self.waiting + self.cleared + self.unchanged + self.skipped + self.failed

    alerts_due: Mapped[bool] = mapped_column(server_default=text("false"))  # its cleared learners are not alerted yet


class ResetItem(Base):
    """The ledger: what became of one learner in one reset, written once. Open learners have no item, only a slice.

    Without foreign keys, which would be checked for each learner: resets and enrolments are not deleted before it.
    """

    __tablename__ = "reset_item"
    __table_args__ = (
        # Who was not reset, and why: a few of many, looked up while the reset runs.
        Index(
            "ix_reset_item_not_reset",
            "reset_id",
            "state",
            "enrolment_id",
            postgresql_where=text("state IN ('skipped', 'failed')"),
        ),
        CheckConstraint("(state IN ('skipped', 'failed')) = (reason IS NOT NULL)", name="not_cleared_says_why"),
    )

    reset_id: Mapped[UUID] = mapped_column(primary_key=True)
    enrolment_id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[ItemState] = mapped_column(one_of(ItemState, "state"))
    reason: Mapped[str | None]


def reset_by_id(session: Session, reset_id: UUID | str) -> Reset:
    """Returns the reset with this id, of whichever organization. Raises `ResetUnknown`."""
    try:
        reset = session.get(Reset, reset_id if isinstance(reset_id, UUID) else UUID(reset_id))
    except ValueError:
        reset = None
    if reset is None:
        raise ResetUnknown(str(reset_id))
    return reset


def reset_named(session: Session, name: str) -> Reset:
    """Returns the reset with this id, or the only one whose id begins or ends like this.

    Raises `ResetUnknown`, `ResetAmbiguous`.
    """
    found = ids_like(session, Reset.id, name)
    if len(found) > 1:
        raise ResetAmbiguous(name, in_words(found))
    return reset_by_id(session, found[0] if found else name)
