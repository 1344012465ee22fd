"""The form of a retraining rule: the values as typed, and the terms they stand for."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from config.languages import gettext, translatable
from models.refusals.rules import RuleInvalid
from models.resets import Audience
from models.retraining import CatchUp, RuleKind
from tasks.rules.terms import Terms

EVERY = {
    "FREQ=YEARLY": translatable("Every year"),
    "FREQ=MONTHLY;INTERVAL=6": translatable("Every six months"),
    "FREQ=MONTHLY": translatable("Every month"),
    "FREQ=WEEKLY": translatable("Every week"),
}

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class Typed(BaseModel):
    """The values of the form, as typed."""

    model_config = ConfigDict(frozen=True)

    kind: Text = RuleKind.CALENDAR.value
    course: Text = ""
    name: Text = ""
    reason: Text = ""
    audience: Text = Audience.ASSIGNED.value  # or `group:<code>`
    every: Text = "FREQ=YEARLY"
    recurrence: Text = ""
    starts: Text = ""
    months: Text = "12"
    at_time: Text = "06:00"
    event_kind: Text = ""
    time_zone: Text = ""  # empty: the reader's own
    warn_days: Text = "0"
    due_in_days: Text = ""
    quiet: bool = False
    catch_up: Text = CatchUp.RUN_ONCE.value
    most_learners: Text = ""
    most_a_day: Text = ""


def terms_in(typed: Typed) -> Terms:
    """Return the form's terms, leaving out those of other kinds of rules. Raises `RuleInvalid`."""
    kind = RuleKind(typed.kind) if typed.kind in list(RuleKind) else RuleKind.CALENDAR
    audience, _, group = typed.audience.partition(":")
    of_kind: dict[RuleKind, dict[str, Any]] = {
        RuleKind.CALENDAR: {"starts": typed.starts, "recurrence": typed.recurrence or typed.every},
        RuleKind.ONCE: {"starts": typed.starts},
        RuleKind.ROLLING: {"months": typed.months, "at_time": typed.at_time},
        RuleKind.EVENT: {"event_kind": typed.event_kind},
    }
    values = of_kind[kind] | {
        "due_in_days": typed.due_in_days,
        "most_learners": typed.most_learners,
        "most_a_day": typed.most_a_day,
        "warn_days": typed.warn_days or "0",
        "group": group,
        "name": typed.name,
    }
    try:
        return Terms(
            course=typed.course,
            kind=kind,
            reason=typed.reason,
            audience=Audience(audience),
            time_zone=typed.time_zone,
            notify=not typed.quiet,
            catch_up=CatchUp(typed.catch_up),
            **{name: value for name, value in values.items() if value != ""},
        )
    except (ValidationError, ValueError) as error:
        wrong = error.errors() if isinstance(error, ValidationError) else []
        details = "; ".join(f"{_field(one['loc'][0])}: {one['msg'].lower()}" for one in wrong)
        raise RuleInvalid(
            "Check the form: {details}.", details=details or translatable("choose from the options offered")
        ) from None


def _field(name: object) -> str:
    return gettext(FIELDS.get(str(name), str(name)))


def typed_for(terms: Terms) -> dict[str, str]:
    """Return the values that fill in the form with these terms, leaving out defaults."""
    listed = terms.recurrence in EVERY
    values = {
        "kind": terms.kind.value,
        "course": terms.course,
        "name": terms.name,
        "reason": terms.reason,
        "audience": f"{terms.audience}:{terms.group}" if terms.group is not None else terms.audience.value,
        "every": (terms.recurrence if listed else None),
        "recurrence": None if listed else terms.recurrence,
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
    return {name: str(value) for name, value in values.items() if value is not None}


FIELDS = {
    "course": translatable("course"),
    "name": translatable("name"),
    "reason": translatable("reason"),
    "starts": translatable("date and time"),
    "months": translatable("months"),
    "at_time": translatable("time of day"),
    "warn_days": translatable("days of warning"),
    "due_in_days": translatable("new due date"),
    "most_learners": translatable("learners per reset"),
    "most_a_day": translatable("learners per day"),
}
