"""The form in the reset dialog: the values as typed, and what they mean."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Form

from models.refusals.resets import DueInDaysInvalid, StartAtInvalid
from tasks.reset.plan import Plan, opened_for, with_options


@dataclass(frozen=True)
class Typed:
    """The values of the form, as typed."""

    plan: str = ""
    reason: str = ""
    confirm: str = ""
    due_in_days: str = ""
    start_at: str = ""
    notify: bool = True


def _typed(
    plan: Annotated[str, Form(max_length=50_000)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
    confirm: Annotated[str, Form(max_length=200)] = "",
    due_in_days: Annotated[str, Form(max_length=10)] = "",
    start_at: Annotated[str, Form(max_length=40)] = "",
    quiet: Annotated[bool, Form()] = False,
) -> Typed:
    return Typed(plan, reason, confirm.strip(), due_in_days.strip(), start_at.strip(), not quiet)


ResetForm = Annotated[Typed, Depends(_typed)]


def plan_in(typed: Typed, code: str, user_id: int | None) -> Plan:
    """Return the form's plan, which must be for this course and user. Raises `PlanInvalid`."""
    return opened_for(typed.plan, code, user_id, named_users=False)


def plan_with_options(typed: Typed, code: str, user_id: int | None, zone: ZoneInfo) -> Plan:
    """Return the form's plan with the options typed; times are in `zone`.

    Raises `PlanInvalid`, `DueInDaysInvalid`, `StartAtInvalid`.
    """
    return with_options(
        plan_in(typed, code, user_id),
        due_in_days=_days(typed.due_in_days),
        notify=typed.notify,
        start_at=moment_in(typed.start_at, zone),
    )


def _days(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise DueInDaysInvalid
    return int(text)


def moment_in(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the local date and time typed, `None` if there is none. Raises `StartAtInvalid`."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise StartAtInvalid from None
