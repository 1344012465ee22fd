"""Retraining rules and their occurrences: they start resets without a click."""

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
from models.refusals.rules import RuleAmbiguous, RuleUnknown
from models.resets import Audience, TransitionError
from models.short_ids import ids_like, in_words


class RuleKind(StrEnum):
    """What makes a rule due."""

    CALENDAR = "calendar"  # a recurrence, such as 1 March each year
    ROLLING = "rolling"  # a number of months after each learner's completion
    EVENT = "event"  # a reported event, such as an incident
    ONCE = "once"  # one date and time


class CatchUp(StrEnum):
    """What happens to due times that passed while nothing was running."""

    RUN_ONCE = "run_once"  # only the latest one runs; for learners and events, every one
    SKIP = "skip"


class RuleState(StrEnum):
    """The state of a rule."""

    ACTIVE = "active"  # it fires when it is due
    PAUSED = "paused"  # what comes due meanwhile is skipped
    WAITING = "waiting"  # a brake holds it until someone confirms it again; `waits_for` says why
    ENDED = "ended"  # it will never be due again
    REMOVED = "removed"  # its history stays


RULE_TRANSITIONS: dict[RuleState, dict[RuleState, str]] = {
    RuleState.ACTIVE: {
        RuleState.PAUSED: "someone paused it",
        RuleState.WAITING: "a brake holds it, or its owner may no longer reset the course",
        RuleState.ENDED: "it has no further due time",
        RuleState.REMOVED: "someone removed it",
    },
    RuleState.PAUSED: {
        RuleState.ACTIVE: "someone resumed it",
        RuleState.REMOVED: "someone removed it",
    },
    RuleState.WAITING: {
        RuleState.ACTIVE: "someone confirmed it again",
        RuleState.PAUSED: "someone paused it; resuming it skips what was waiting",
        RuleState.REMOVED: "someone removed it",
    },
    RuleState.ENDED: {RuleState.REMOVED: "someone removed it"},
    RuleState.REMOVED: {},
}


class OccurrenceState(StrEnum):
    """The state of one due time of a rule."""

    PLANNED = "planned"  # not begun yet; `reason` may say why it was postponed
    WAITING = "waiting"  # due, and held by a brake with its rule
    REQUESTED = "requested"  # its reset is requested or running
    SETTLED = "settled"  # its reset is settled, successfully or not
    SKIPPED = "skipped"  # without a reset; `reason` says why


class Rule(Base):
    """A standing order to reset a course, with the confirmation given for it.

    Its id is that of the confirmed proposal, so a proposal makes at most one rule. Its owner is the user who last
    confirmed it; its resets run with the owner's permissions at that time.
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
    name: Mapped[str | None]  # for people; without one, pages say what the rule does
    reason: Mapped[str]

    time_zone: Mapped[str]  # an IANA name; the clock of the terms below
    starts: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))
    recurrence: Mapped[str | None]  # an RRULE of RFC 5545
    months: Mapped[int | None]  # after completion
    at_time: Mapped[time | None]  # when a completion comes due on its day
    event_kind: Mapped[EventKind | None] = mapped_column(one_of(EventKind, "event_kind"))  # None: any kind

    warn_days: Mapped[int] = mapped_column(server_default="0")
    due_in_days: Mapped[int | None]
    notify: Mapped[bool]
    catch_up: Mapped[CatchUp] = mapped_column(one_of(CatchUp, "catch_up"))
    most_learners: Mapped[int | None]  # in one occurrence
    most_a_day: Mapped[int | None]  # learners a day, on the rule's clock

    state: Mapped[RuleState] = mapped_column(one_of(RuleState, "state"), server_default=RuleState.ACTIVE.value)
    waits_for: Mapped[str | None]
    owner_id: Mapped[int | None]  # None: an operator at the console
    owner: Mapped[str]
    confirmed_at: Mapped[datetime]
    confirmed_reach: Mapped[int]  # learners whom it could reach at that time
    confirmed_preview: Mapped[dict[str, Any]]  # what was shown for the confirmation
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    seen_until: Mapped[datetime]  # occurrences up to then are written; none is added later
    look_at: Mapped[datetime | None]  # when it needs attention next; None: when an event is reported

    def move_to(self, state: RuleState) -> None:
        """Take an edge of the transition table. Raises `TransitionError` if there is none."""
        if state not in RULE_TRANSITIONS[self.state]:
            raise TransitionError(f"rule {self.id} cannot go from {self.state} to {state}")
        self.state = state


class Occurrence(Base):
    """One due time of a rule; for a rolling rule, of one learner; for an event rule, of one event.

    The database keeps it unique. It is settled when its reset is.
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
    learners: Mapped[int | None]  # in its reset
    warned_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]  # not begun before; set by a new confirmation or a postponement
    begun_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def rule_of(session: Session, organization_id: int, rule_id: str | UUID) -> Rule:
    """Returns the organization's rule with this id. Raises `RuleUnknown`."""
    rule = rule_by_id(session, rule_id)
    if rule.organization_id != organization_id:
        raise RuleUnknown(rule_id)
    return rule


def rule_by_id(session: Session, rule_id: UUID | str) -> Rule:
    """Returns the rule with this id, of whichever organization. Raises `RuleUnknown`."""
    try:
        rule = session.get(Rule, UUID(str(rule_id)))
    except ValueError:
        rule = None
    if rule is None:
        raise RuleUnknown(rule_id)
    return rule


def rule_named(session: Session, name: str) -> Rule:
    """Returns the rule with this id, or the only one whose id begins or ends like this.

    Raises `RuleUnknown`, `RuleAmbiguous`.
    """
    found = ids_like(session, Rule.id, name)
    if len(found) > 1:
        raise RuleAmbiguous(name, in_words(found))
    return rule_by_id(session, found[0] if found else name)
