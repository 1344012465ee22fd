"""Retraining rules, and their occurrences: what begins a reset without a click."""

from datetime import datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, one_of
from models.events import EventKind
from models.refusals.rules import RuleUnknown
from models.resets import Audience


class RuleKind(StrEnum):
    """What makes a rule due."""

    CALENDAR = "calendar"  # a recurrence, such as 1 March each year
    ROLLING = "rolling"  # so many months after each learner's own completion
    EVENT = "event"  # an event that is reported, such as an incident
    ONCE = "once"  # one moment


class CatchUp(StrEnum):
    """What becomes of due times that passed while nothing ran."""

    RUN_ONCE = "run_once"  # the latest of them is run, once; of learners and events, each
    SKIP = "skip"  # none of them is


class RuleState(StrEnum):
    """Where a rule stands."""

    ACTIVE = "active"  # it fires when it is due
    PAUSED = "paused"  # someone paused it: what comes due meanwhile is skipped
    WAITING = "waiting"  # a brake holds it until someone confirms it again; `waits_for` says why
    ENDED = "ended"  # it will never be due again
    REMOVED = "removed"  # taken away; its history stays


RULE_TRANSITIONS: dict[RuleState, dict[RuleState, str]] = {
    RuleState.ACTIVE: {
        RuleState.PAUSED: "someone paused it",
        RuleState.WAITING: "a brake held when it was due, or its owner may not reset the course any more",
        RuleState.ENDED: "its last due time is done with",
        RuleState.REMOVED: "someone removed it",
    },
    RuleState.PAUSED: {
        RuleState.ACTIVE: "someone resumed it",
        RuleState.REMOVED: "someone removed it",
    },
    RuleState.WAITING: {
        RuleState.ACTIVE: "someone has seen what it would do now, and confirmed it",
        RuleState.PAUSED: "someone paused it; resuming it leaves out what it waited with",
        RuleState.REMOVED: "someone removed it",
    },
    RuleState.ENDED: {RuleState.REMOVED: "someone removed it"},
    RuleState.REMOVED: {},
}


class OccurrenceState(StrEnum):
    """What became of one due time of a rule."""

    PLANNED = "planned"  # announced, or due and not begun yet; `reason` may say what it waits for
    WAITING = "waiting"  # due, and held by a brake together with its rule
    REQUESTED = "requested"  # its reset is written down and not over
    SETTLED = "settled"  # its reset is over, well or not
    SKIPPED = "skipped"  # no reset was made for it; `reason` says why


class Rule(Base):
    """A standing order to reset a course, and the confirmation that was given for it.

    Its id is that of the proposal that was confirmed, so a proposal makes one rule at most. Whoever confirmed it last
    owns it: its resets are made with their permissions, as they are then.
    """

    __tablename__ = "retraining_rule"
    __table_args__ = (
        ForeignKeyConstraint(["course_id", "organization_id"], ["course.id", "course.organization_id"]),
        ForeignKeyConstraint(["group_id", "organization_id"], ["user_group.id", "user_group.organization_id"]),
        ForeignKeyConstraint(["owner_id", "organization_id"], ["user.id", "user.organization_id"]),
        Index(None, "course_id", "organization_id"),
        Index(None, "group_id", "organization_id"),
        Index(None, "owner_id", "organization_id"),
        Index(None, "organization_id", "created_at"),
        Index("ix_retraining_rule_to_look_at", "look_at", postgresql_where=text("state = 'active'")),
        CheckConstraint("audience <> 'users'", name="audience_is_no_list"),
        CheckConstraint("(audience = 'group') = (group_id IS NOT NULL)", name="group_is_named"),
        CheckConstraint(
            "CASE kind WHEN 'calendar' THEN starts IS NOT NULL AND recurrence IS NOT NULL "
            "WHEN 'once' THEN starts IS NOT NULL AND recurrence IS NULL "
            "WHEN 'rolling' THEN months IS NOT NULL AND at_time IS NOT NULL ELSE true END",
            name="kind_has_its_terms",
        ),
        CheckConstraint("(state = 'waiting') = (waits_for IS NOT NULL)", name="waiting_says_why"),
        CheckConstraint("length(trim(reason)) > 0", name="reason_is_given"),
        CheckConstraint("months > 0 AND warn_days >= 0 AND due_in_days > 0", name="terms_are_positive"),
        CheckConstraint("most_learners > 0 AND most_a_day > 0", name="caps_are_positive"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[int]
    course_id: Mapped[int]
    kind: Mapped[RuleKind] = mapped_column(one_of(RuleKind, "kind"))
    audience: Mapped[Audience] = mapped_column(one_of(Audience, "audience"))
    group_id: Mapped[int | None]
    reason: Mapped[str]

    time_zone: Mapped[str]  # an IANA name; the terms below are on its clock
    starts: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    recurrence: Mapped[str | None]  # an RRULE of RFC 5545
    months: Mapped[int | None]  # from completion
    at_time: Mapped[time | None]  # the time of day at which a completion comes due
    event_kind: Mapped[EventKind | None] = mapped_column(one_of(EventKind, "event_kind"))  # none: of any kind

    warn_days: Mapped[int] = mapped_column(server_default="0")
    due_in_days: Mapped[int | None]
    notify: Mapped[bool]
    catch_up: Mapped[CatchUp] = mapped_column(one_of(CatchUp, "catch_up"))
    most_learners: Mapped[int | None]  # in one occurrence
    most_a_day: Mapped[int | None]  # learners in one day on the rule's clock

    state: Mapped[RuleState] = mapped_column(one_of(RuleState, "state"), server_default=RuleState.ACTIVE.value)
    waits_for: Mapped[str | None]
    owner_id: Mapped[int | None]  # none: an operator at the console
    owner: Mapped[str]
    confirmed_at: Mapped[datetime]
    confirmed_reach: Mapped[int]  # learners whom it could reach then
    confirmed_preview: Mapped[dict[str, Any]]  # what was shown then
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    seen_until: Mapped[datetime]  # due times until then have their occurrences, or never will
    look_at: Mapped[datetime | None]  # when there is something to do next; none: until something happens

    def move_to(self, state: RuleState) -> None:
        """Take an edge of the transition table. A `KeyError` is a defect: who may ask checks first."""
        self.state = {to: to for to in RULE_TRANSITIONS[self.state]}[state]


class Occurrence(Base):
    """One due time of a rule; of a rolling rule, of one learner; of an event rule, of one event.

    It is there once, held to that by the database, and settled only when its reset is.
    """

    __tablename__ = "occurrence"
    __table_args__ = (
        UniqueConstraint("rule_id", "due_at", "enrolment_id", "event_id", postgresql_nulls_not_distinct=True),
        Index("uq_occurrence_event", "rule_id", "event_id", unique=True, postgresql_where=text("event_id IS NOT NULL")),
        Index(None, "enrolment_id"),
        Index(None, "event_id"),
        Index(None, "reset_id"),
        Index("ix_occurrence_planned", "rule_id", "due_at", "id", postgresql_where=text("state = 'planned'")),
        Index("ix_occurrence_requested", "id", postgresql_where=text("state = 'requested'")),
        Index("ix_occurrence_over", "due_at", postgresql_where=text("state IN ('settled', 'skipped')")),
        Index("ix_occurrence_begun", "rule_id", "begun_at", postgresql_where=text("begun_at IS NOT NULL")),
        CheckConstraint("(state IN ('requested', 'settled')) = (reset_id IS NOT NULL)", name="begun_has_its_reset"),
        CheckConstraint("state NOT IN ('waiting', 'skipped') OR reason IS NOT NULL", name="held_says_why"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    rule_id: Mapped[UUID] = mapped_column(ForeignKey("retraining_rule.id"))
    due_at: Mapped[datetime]
    enrolment_id: Mapped[int | None] = mapped_column(ForeignKey("enrolment.id"))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("training_event.id"))
    state: Mapped[OccurrenceState] = mapped_column(
        one_of(OccurrenceState, "state"), server_default=OccurrenceState.PLANNED.value
    )
    reason: Mapped[str | None]
    reset_id: Mapped[UUID | None] = mapped_column(ForeignKey("reset.id"))
    learners: Mapped[int | None]  # whom its reset was made for
    warned_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]  # when a new confirmation let it go on
    begun_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def rule_by_id(session: Session, rule_id: UUID | str) -> Rule:
    """Returns the rule with this id, of whichever organization. Raises `RuleUnknown`."""
    try:
        rule = session.get(Rule, UUID(str(rule_id)))
    except ValueError:
        rule = None
    if rule is None:
        raise RuleUnknown(rule_id)
    return rule
