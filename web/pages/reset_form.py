"""The form in the reset dialog: the values as typed, and what they mean."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Form

from models.refusals.base import Refused
from models.refusals.resets import DueInDaysInvalid, PlanInvalid, StartAtInvalid
from tasks.reset.plan import Plan, opened_for, with_options
from web.numbers import number_in


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


def plan_in(typed: Typed, code: str, user_id: int | None, list_id: UUID | None = None) -> Plan:
    """Return the form's plan, which must be for this course, user and list. Raises `PlanInvalid`."""
    plan = opened_for(typed.plan, code, user_id, named_users=False)
    if plan.list_id != list_id:
        raise PlanInvalid
    return plan


def plan_with_options(
    typed: Typed, code: str, user_id: int | None, zone: ZoneInfo, list_id: UUID | None = None
) -> Plan:
    """Return the form's plan with the options typed; times are in `zone`.

    Raises `PlanInvalid`, `DueInDaysInvalid`, `StartAtInvalid`.
    """
    return with_options(
        plan_in(typed, code, user_id, list_id),
        due_in_days=days_in(typed.due_in_days, DueInDaysInvalid),
        notify=typed.notify,
        start_at=moment_in(typed.start_at, zone),
    )


def days_in(text: str, invalid: Callable[[], Refused]) -> int | None:
    """Return the number of days typed, `None` if there is none. Raises what `invalid` makes if it is not a number."""
    text = text.strip()
    if not text:
        return None
    if (number := number_in(text)) is None:
        raise invalid()
    return number


def moment_in(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the local date and time typed, `None` if there is none. Raises `StartAtInvalid`."""
    return moment_of(text, zone, StartAtInvalid) if text else None


def moment_of(text: str, zone: ZoneInfo, invalid: Callable[[], Refused]) -> datetime:
    """Return the local date and time typed. Raises what `invalid` makes if it is neither."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise invalid() from None
