"""The terms of a retraining rule: their fields, their validation, and their description in plain words."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime
from sqlalchemy import select
from sqlalchemy.orm import Session

from config.languages import gettext, locale_spoken, ngettext, translatable
from models.events import EventKind
from models.groups import Group
from models.refusals.resets import DueInDaysInvalid, ReasonMissing
from models.refusals.rules import RuleInvalid
from models.resets import Audience
from models.retraining import CatchUp, Rule, RuleKind
from models.training import Course
from tasks.reset.plan import LONGEST_DUE_IN_DAYS
from tasks.rules.event_kinds import WORDS
from tasks.rules.recurrence import check_first, checked, in_words, moment, zone

MOST_MONTHS = 120
MOST_WARN_DAYS = 60
MORNING = time(6)

Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Cap = Annotated[int | None, Field(ge=1, le=10_000_000)]


class Terms(BaseModel):
    """What a rule does. Its kind decides which terms of time apply; see `checked_terms`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    course: Words  # its code
    kind: RuleKind
    name: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] = None  # for people
    reason: Words  # recorded with every reset of the rule
    audience: Audience = Audience.ASSIGNED
    group: Words | None = None  # its code
    time_zone: Words = "UTC"  # of the terms below
    starts: NaiveDatetime | None = None
    recurrence: Words | None = None
    months: Annotated[int | None, Field(ge=1, le=MOST_MONTHS)] = None
    at_time: time | None = None
    event_kind: EventKind | None = None  # None: any kind
    warn_days: Annotated[int, Field(ge=0, le=MOST_WARN_DAYS)] = 0
    due_in_days: int | None = None
    notify: bool = True
    catch_up: CatchUp = CatchUp.RUN_ONCE
    most_learners: Cap = None
    most_a_day: Cap = None


class Figures(BaseModel):
    """What a rule would do now, as shown to the person who confirms it."""

    reach: int  # everyone assigned the course, or those of them in the group
    learners: int  # those in its audience
    completions: int
    removed: dict[str, int]
    alerts: int
    shown_at: AwareDatetime


def checked_terms(terms: Terms) -> Terms:
    """Returns the terms in normal form.

    Raises `RuleInvalid`, `RecurrenceInvalid`, `TimeZoneUnknown`, `ReasonMissing`, `DueInDaysInvalid`.
    """
    zone(terms.time_zone)
    if not terms.reason.strip():
        raise ReasonMissing
    if terms.due_in_days is not None and not 1 <= terms.due_in_days <= LONGEST_DUE_IN_DAYS:
        raise DueInDaysInvalid
    if terms.audience in (Audience.USERS, Audience.LIST):
        raise RuleInvalid("A rule cannot name users. Add them to a group, and choose that group as the audience.")
    if terms.at_time and terms.at_time.tzinfo:
        raise RuleInvalid("The time of day has an offset. Enter it without one: it is in the rule's time zone.")
    _only_terms_of_its_kind(terms)
    return terms.model_copy(update={"reason": terms.reason.strip()} | _CHECKS[terms.kind](terms))


def _check_calendar(terms: Terms) -> dict[str, object]:
    if terms.starts is None or terms.recurrence is None:
        raise RuleInvalid("A calendar rule needs a first date with a time of day, and a recurrence. Enter both.")
    return {"recurrence": checked(terms.recurrence, terms.starts)}


def _check_once(terms: Terms) -> dict[str, object]:
    if terms.starts is None:
        raise RuleInvalid("A one-time rule needs a date with a time of day. Enter it.")
    check_first(terms.starts)
    if moment(terms.starts, terms.time_zone) <= datetime.now(UTC):
        raise RuleInvalid("This time has passed. Choose a time in the future.")
    return {}


def _check_rolling(terms: Terms) -> dict[str, object]:
    if terms.months is None:
        raise RuleInvalid("A rolling rule needs a number of months after completion. Enter it.")
    if terms.warn_days >= 28 * terms.months:
        raise RuleInvalid("The warning would come before the completion. Choose fewer days.")
    at_time = (terms.at_time or MORNING).replace(second=0, microsecond=0)
    # Without a completion nothing comes due.
    audience = Audience.COMPLETED if terms.audience == Audience.ASSIGNED else terms.audience
    return {"at_time": at_time, "audience": audience}


def _check_event(terms: Terms) -> dict[str, object]:
    if terms.audience == Audience.COMPLETED:
        raise RuleInvalid("An event rule is for everyone assigned or for a group. Choose one of these audiences.")
    return {}


_CHECKS = {
    RuleKind.CALENDAR: _check_calendar,
    RuleKind.ONCE: _check_once,
    RuleKind.ROLLING: _check_rolling,
    RuleKind.EVENT: _check_event,
}


def _only_terms_of_its_kind(terms: Terms) -> None:
    """Raises `RuleInvalid` for a term that the kind ignores: a misunderstanding here costs learners their progress."""
    own = {
        RuleKind.CALENDAR: {"starts", "recurrence"},
        RuleKind.ONCE: {"starts"},
        RuleKind.ROLLING: {"months", "at_time"},
        RuleKind.EVENT: {"event_kind"},
    }
    for term in {"starts", "recurrence", "months", "at_time", "event_kind"} - own[terms.kind]:
        if getattr(terms, term) is not None:
            raise RuleInvalid(
                "A rule of the kind `{kind}` does not use `{term}`. Leave it out.", kind=terms.kind, term=term
            )


def terms_of(session: Session, rule: Rule) -> Terms:
    """Returns the terms of an existing rule."""
    return terms_of_each(session, [rule])[0]


def terms_of_each(session: Session, rules: Sequence[Rule]) -> list[Terms]:
    """Returns the terms of existing rules, in the same order."""
    courses = _codes(session, Course, {rule.course_id for rule in rules})
    groups = _codes(session, Group, {rule.group_id for rule in rules if rule.group_id is not None})
    return [
        Terms(
            course=courses[rule.course_id],
            group=groups[rule.group_id] if rule.group_id is not None else None,
            **{term: getattr(rule, term) for term in Terms.model_fields if term not in ("course", "group")},
        )
        for rule in rules
    ]


def _codes(session: Session, table: type[Course | Group], ids: set[int]) -> dict[int, str]:
    if not ids:
        return {}
    return {row.id: row.code for row in session.execute(select(table.id, table.code).where(table.id.in_(ids)))}


AUDIENCES = {
    Audience.ASSIGNED: translatable("everyone assigned"),
    Audience.COMPLETED: translatable("everyone who has completed it"),
}
EVENTS = {None: translatable("an event of any kind")} | {kind: words.one for kind, words in WORDS.items()}


def when_in_words(terms: Terms) -> str:
    """Returns when the rule is due, in a few words."""
    zone_name = terms.time_zone
    match terms.kind:
        case RuleKind.CALENDAR:
            assert terms.starts
            assert terms.recurrence
            often = in_words(terms.recurrence, terms.starts)
            return gettext("{often} at {time} ({zone})", often=often, time=f"{terms.starts:%H:%M}", zone=zone_name)
        case RuleKind.ONCE:
            assert terms.starts
            from tasks.formats import long_day  # loads Babel

            day = long_day(terms.starts, locale_spoken())
            return gettext("once, on {day} at {time} ({zone})", day=day, time=f"{terms.starts:%H:%M}", zone=zone_name)
        case RuleKind.ROLLING:
            return ngettext(
                "{count} month after completion, at {time} ({zone})",
                "{count} months after completion, at {time} ({zone})",
                terms.months or 0,
                time=f"{terms.at_time or MORNING:%H:%M}",
                zone=zone_name,
            )
        case RuleKind.EVENT:
            return gettext("when {event} is reported", event=EVENTS[terms.event_kind])


def whom_in_words(terms: Terms) -> str:
    """Returns the rule's audience in a few words."""
    if terms.audience == Audience.GROUP:
        return gettext("the members of {group}", group=terms.group)
    return gettext("each learner") if terms.kind == RuleKind.ROLLING else gettext(AUDIENCES[terms.audience])


def in_sentences(terms: Terms) -> list[str]:
    """Returns the whole rule in plain sentences, for the person who confirms it."""
    sentences = [
        gettext(
            "{course} is reset for {whom}: {when}. Resets cannot be undone.",
            course=terms.course,
            whom=whom_in_words(terms),
            when=when_in_words(terms),
        )
    ]
    if terms.kind == RuleKind.EVENT:
        sentences.append(gettext("An event that names a group resets only the members of that group."))
    if terms.warn_days:
        sentences.append(
            ngettext(
                "Learners are warned when the event is reported, and reset {count} day later.",
                "Learners are warned when the event is reported, and reset {count} days later.",
                terms.warn_days,
            )
            if terms.kind == RuleKind.EVENT
            else ngettext(
                "Learners are warned {count} day before.", "Learners are warned {count} days before.", terms.warn_days
            )
        )
    sentences.append(
        gettext("The new due date is {days:,} days after the reset.", days=terms.due_in_days)
        if terms.due_in_days
        else gettext("There is no new due date.")
    )
    sentences.append(
        gettext("Learners are alerted that the course is assigned again.")
        if terms.notify
        else gettext("Learners are not alerted that the course is assigned again.")
    )
    if terms.most_learners:
        most = terms.most_learners
        sentences.append(gettext("For more than {most:,} learners at once, it waits to be confirmed again.", most=most))
    if terms.most_a_day:
        a_day = translatable("It resets at most {most:,} learners a day; the rest wait for the next day.")
        sentences.append(gettext(a_day, most=terms.most_a_day))
    sentences.append(gettext("If its audience grows by more than half, it waits to be confirmed again."))
    sentences.append(gettext(_CATCH_UP[terms.catch_up]))
    return sentences


_CATCH_UP = {
    CatchUp.RUN_ONCE: translatable("Missed runs happen once, on restart."),
    CatchUp.SKIP: translatable("Missed runs are skipped."),
}
