"""The terms of a retraining rule: what is asked for, whether it can be, and how it is said in plain words."""

from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime
from sqlalchemy.orm import Session

from models.events import EventKind
from models.groups import Group
from models.refusals.resets import DueInDaysInvalid, ReasonMissing
from models.refusals.rules import RuleInvalid
from models.resets import Audience
from models.retraining import CatchUp, Rule, RuleKind
from models.training import Course
from tasks.reset.plan import LONGEST_DUE_IN_DAYS
from tasks.rules.recurrence import check_first, checked, in_words, moment, zone

MOST_MONTHS = 120
MOST_WARN_DAYS = 60
MORNING = time(6)

Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Cap = Annotated[int | None, Field(ge=1, le=10_000_000)]


class Terms(BaseModel):
    """What a rule does. Which of the terms of time belong to it depends on its kind; see `checked_terms`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    course: Words  # its code
    kind: RuleKind
    reason: Words  # of the resets it makes
    audience: Audience = Audience.ASSIGNED
    group: Words | None = None  # its code
    time_zone: Words = "UTC"  # the clock that the terms of time are on
    starts: NaiveDatetime | None = None
    recurrence: Words | None = None
    months: Annotated[int | None, Field(ge=1, le=MOST_MONTHS)] = None
    at_time: time | None = None
    event_kind: EventKind | None = None  # none: of any kind
    warn_days: Annotated[int, Field(ge=0, le=MOST_WARN_DAYS)] = 0
    due_in_days: int | None = None
    notify: bool = True
    catch_up: CatchUp = CatchUp.RUN_ONCE
    most_learners: Cap = None
    most_a_day: Cap = None


class Figures(BaseModel):
    """What was shown to whoever confirmed a rule."""

    reach: int  # learners whom it could reach: everyone whom the course is assigned to, or those in the group
    learners: int  # of these, the ones in its audience then
    completions: int
    removed: dict[str, int]
    alerts: int
    shown_at: AwareDatetime


def checked_terms(terms: Terms) -> Terms:
    """The terms in one form. Raises `RuleInvalid`, `RecurrenceInvalid`, `TimeZoneUnknown`, `DueInDaysInvalid`."""
    zone(terms.time_zone)
    if not terms.reason.strip():
        raise ReasonMissing
    if terms.due_in_days is not None and not 1 <= terms.due_in_days <= LONGEST_DUE_IN_DAYS:
        raise DueInDaysInvalid
    if terms.audience == Audience.USERS:
        raise RuleInvalid(
            "A rule is for everyone assigned, those who completed, or a group. Make a group of the users."
        )
    if terms.at_time and terms.at_time.tzinfo:
        raise RuleInvalid("Give the time of day without an offset: it is on the clock of the rule's time zone.")
    _only_terms_of_its_kind(terms)
    return terms.model_copy(update={"reason": terms.reason.strip()} | _CHECKS[terms.kind](terms))


def _check_calendar(terms: Terms) -> dict[str, object]:
    if terms.starts is None or terms.recurrence is None:
        raise RuleInvalid("A calendar rule needs a first date with its time of day, and a recurrence.")
    return {"recurrence": checked(terms.recurrence, terms.starts)}


def _check_once(terms: Terms) -> dict[str, object]:
    if terms.starts is None:
        raise RuleInvalid("A rule for one moment needs that moment: a date with a time of day.")
    check_first(terms.starts)
    if moment(terms.starts, terms.time_zone) <= datetime.now(UTC):
        raise RuleInvalid("That moment has passed, and a past date never fires. Give one that lies ahead.")
    return {}


def _check_rolling(terms: Terms) -> dict[str, object]:
    if terms.months is None:
        raise RuleInvalid("A rolling rule needs the number of months after a learner's completion.")
    if terms.warn_days >= 28 * terms.months:
        raise RuleInvalid("The warning would come before the completion. Warn fewer days before.")
    at_time = (terms.at_time or MORNING).replace(second=0, microsecond=0)
    # Nobody is due who has not completed.
    audience = Audience.COMPLETED if terms.audience == Audience.ASSIGNED else terms.audience
    return {"at_time": at_time, "audience": audience}


def _check_event(terms: Terms) -> dict[str, object]:
    if terms.audience == Audience.COMPLETED:
        raise RuleInvalid("An event rule is for everyone assigned, or for a group; an event may name a group too.")
    return {}


_CHECKS = {
    RuleKind.CALENDAR: _check_calendar,
    RuleKind.ONCE: _check_once,
    RuleKind.ROLLING: _check_rolling,
    RuleKind.EVENT: _check_event,
}


def _only_terms_of_its_kind(terms: Terms) -> None:
    """A term that would not be looked at is a misunderstanding, and here it would cost somebody's progress."""
    its = {
        RuleKind.CALENDAR: {"starts", "recurrence"},
        RuleKind.ONCE: {"starts"},
        RuleKind.ROLLING: {"months", "at_time"},
        RuleKind.EVENT: {"event_kind"},
    }
    for term in {"starts", "recurrence", "months", "at_time", "event_kind"} - its[terms.kind]:
        if getattr(terms, term) is not None:
            raise RuleInvalid(f"A rule of the kind `{terms.kind}` has no term `{term}`. Leave it out.")


def terms_of(session: Session, rule: Rule) -> Terms:
    """The terms of a rule that there is."""
    own = {term: getattr(rule, term) for term in Terms.model_fields if term not in ("course", "group")}
    course = session.get_one(Course, rule.course_id).code
    group = session.get_one(Group, rule.group_id).code if rule.group_id is not None else None
    return Terms(course=course, group=group, **own)


AUDIENCES = {
    Audience.ASSIGNED: "everyone it is assigned to",
    Audience.COMPLETED: "everyone who has completed it",
}
EVENTS = {
    None: "an event of any kind",
    EventKind.INCIDENT: "an incident",
    EventKind.NON_COMPLIANCE: "a non-compliance event",
    EventKind.PROCEDURE_CHANGED: "a changed procedure",
}


def when_in_words(terms: Terms) -> str:
    """When the rule is due, in a few words."""
    clock = f"({terms.time_zone})"
    match terms.kind:
        case RuleKind.CALENDAR:
            assert terms.starts
            assert terms.recurrence
            return f"{in_words(terms.recurrence, terms.starts)} at {terms.starts:%H:%M} {clock}"
        case RuleKind.ONCE:
            assert terms.starts
            return f"once, on {_day(terms.starts)} at {terms.starts:%H:%M} {clock}"
        case RuleKind.ROLLING:
            months = "1 month" if terms.months == 1 else f"{terms.months} months"
            return f"{months} after each user's completion, at {terms.at_time or MORNING:%H:%M} {clock}"
        case RuleKind.EVENT:
            return f"when {EVENTS[terms.event_kind]} is reported"


def whom_in_words(terms: Terms) -> str:
    """For whom the rule is."""
    if terms.audience == Audience.GROUP:
        return f"the members of {terms.group}"
    return "each user by themself" if terms.kind == RuleKind.ROLLING else AUDIENCES[terms.audience]


def in_sentences(terms: Terms) -> list[str]:
    """The whole rule in plain sentences, for the person who is to confirm it."""
    said = [
        f"{terms.course} is reset for {whom_in_words(terms)}: {when_in_words(terms)}. What is reset cannot be undone."
    ]
    if terms.kind == RuleKind.EVENT:
        said.append("An event that names a group is for the members of that group only.")
    if terms.warn_days:
        days = "1 day" if terms.warn_days == 1 else f"{terms.warn_days} days"
        said.append(
            f"Learners are warned {days} before"
            + (", counted from the report." if terms.kind == RuleKind.EVENT else ".")
        )
    said.append(
        f"The new due date is {terms.due_in_days:,} days later." if terms.due_in_days else "There is no new due date."
    )
    said.append(f"Learners are {'alerted' if terms.notify else 'not alerted'} that the course is assigned again.")
    if terms.most_learners:
        said.append(f"With more than {terms.most_learners:,} learners at one time it waits for a new confirmation.")
    if terms.most_a_day:
        said.append(f"It resets at most {terms.most_a_day:,} learners a day; the rest wait for the next day.")
    said.append("When its audience has grown by more than half, it waits for a new confirmation.")
    said.append(_CATCH_UP[terms.catch_up])
    return said


_CATCH_UP = {
    CatchUp.RUN_ONCE: "What comes due while nothing runs is made up for afterwards, once.",
    CatchUp.SKIP: "What comes due while nothing runs is skipped.",
}


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"
