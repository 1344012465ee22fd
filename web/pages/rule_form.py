"""The form of a retraining rule: what was typed in it, and the terms that it means."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from models.refusals.rules import RuleInvalid
from models.resets import Audience
from models.retraining import CatchUp, RuleKind
from tasks.rules.terms import Terms

EVERY = {"FREQ=YEARLY": "year", "FREQ=MONTHLY;INTERVAL=6": "six months", "FREQ=MONTHLY": "month", "FREQ=WEEKLY": "week"}

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class Asked(BaseModel):
    """What the form holds, as it was typed."""

    model_config = ConfigDict(frozen=True)

    kind: Text = RuleKind.CALENDAR.value
    course: Text = ""
    reason: Text = ""
    whom: Text = Audience.ASSIGNED.value  # or `group:` and its code
    every: Text = "FREQ=YEARLY"
    recurrence: Text = ""
    starts: Text = ""
    months: Text = "12"
    at_time: Text = "06:00"
    event_kind: Text = ""
    time_zone: Text = ""  # empty: that of whoever reads the form
    warn_days: Text = "0"
    due_in_days: Text = ""
    quiet: bool = False
    catch_up: Text = CatchUp.RUN_ONCE.value
    most_learners: Text = ""
    most_a_day: Text = ""


def terms_in(asked: Asked) -> Terms:
    """The terms in the form: those of its kind. Raises `RuleInvalid`."""
    kind = RuleKind(asked.kind) if asked.kind in list(RuleKind) else RuleKind.CALENDAR
    audience, _, group = asked.whom.partition(":")
    of_kind: dict[RuleKind, dict[str, Any]] = {
        RuleKind.CALENDAR: {"starts": asked.starts, "recurrence": asked.recurrence or asked.every},
        RuleKind.ONCE: {"starts": asked.starts},
        RuleKind.ROLLING: {"months": asked.months, "at_time": asked.at_time},
        RuleKind.EVENT: {"event_kind": asked.event_kind},
    }
    values = of_kind[kind] | {
        "due_in_days": asked.due_in_days,
        "most_learners": asked.most_learners,
        "most_a_day": asked.most_a_day,
        "warn_days": asked.warn_days or "0",
        "group": group,
    }
    try:
        return Terms(
            course=asked.course,
            kind=kind,
            reason=asked.reason,
            audience=Audience(audience),
            time_zone=asked.time_zone,
            notify=not asked.quiet,
            catch_up=CatchUp(asked.catch_up),
            **{name: value for name, value in values.items() if value != ""},
        )
    except (ValidationError, ValueError) as error:
        wrong = error.errors() if isinstance(error, ValidationError) else []
        told = "; ".join(f"{FIELDS.get(str(one['loc'][0]), one['loc'][0])}: {one['msg'].lower()}" for one in wrong)
        raise RuleInvalid(f"Check what was typed: {told or 'one of the choices is none that is offered'}.") from None


def typed_for(terms: Terms) -> dict[str, str]:
    """What is typed in the form for these terms, as far as it is not what the form begins with."""
    of_list = terms.recurrence in EVERY
    typed = {
        "kind": terms.kind.value,
        "course": terms.course,
        "reason": terms.reason,
        "whom": f"{terms.audience}:{terms.group}" if terms.group is not None else terms.audience.value,
        "every": (terms.recurrence if of_list else None),
        "recurrence": None if of_list else terms.recurrence,
        "starts": terms.starts and terms.starts.isoformat(timespec="minutes"),
        "months": terms.months,
        "at_time": terms.at_time and terms.at_time.isoformat(timespec="minutes"),
        "event_kind": terms.event_kind,
        "time_zone": terms.time_zone,
        "warn_days": terms.warn_days,
        "due_in_days": terms.due_in_days,
        "quiet": None if terms.notify else "true",
        "catch_up": terms.catch_up.value,
        "most_learners": terms.most_learners,
        "most_a_day": terms.most_a_day,
    }
    return {name: str(value) for name, value in typed.items() if value is not None}


FIELDS = {
    "course": "the course",
    "reason": "the reason",
    "starts": "the time",
    "months": "the months",
    "at_time": "the time of day",
    "warn_days": "the days of warning",
    "due_in_days": "the new due date",
    "most_learners": "the cap at one time",
    "most_a_day": "the cap a day",
}
