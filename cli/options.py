"""Options and arguments that several commands share."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Annotated, TypeVar

import typer

from cli.completion import course_codes, reset_ids
from tasks.days import end_of_day

T = TypeVar("T")


def moment(text: str) -> datetime:
    """Returns the moment that an option gives, in UTC unless it has an offset. Raises `typer.BadParameter`."""
    found = _parsed(text, datetime.fromisoformat, "2027-03-01T06:00+01:00")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def end(text: str) -> datetime:
    """Returns the moment that an option gives, for a date alone the end of that day; in UTC unless it has an offset.

    Raises `typer.BadParameter`.
    """
    try:
        return end_of_day(text, UTC)
    except ValueError:
        return moment(text)


def local_moment(text: str) -> datetime:
    """Returns the local date and time that an option gives. Raises `typer.BadParameter`, also for an offset."""
    found = _parsed(text, datetime.fromisoformat, "2027-03-01T06:00")
    if found.tzinfo:
        raise typer.BadParameter("Leave out the offset: the time is in the zone of --time-zone.")
    return found


def time_of_day(text: str) -> time:
    """Returns the time of day that an option gives. Raises `typer.BadParameter`."""
    return _parsed(text, time.fromisoformat, "06:00")


def _parsed(text: str, parse: Callable[[str], T], example: str) -> T:
    try:
        return parse(text)
    except ValueError:
        raise typer.BadParameter(f"Write it like {example}.") from None


As = Annotated[
    str | None,
    typer.Option(
        "--as",
        envvar="RECOURSE_AS",
        metavar="EMAIL",
        help="Act as this user, with their permissions. Without it you act as the operator, with every permission.",
    ),
]
Organization = Annotated[
    str | None,
    typer.Option(
        "--organization",
        metavar="SLUG",
        help="The organization's short name. Needed only if more than one organization matches.",
    ),
]
OnlyOrganization = Annotated[
    str | None, typer.Option("--organization", metavar="SLUG", help="Only this organization, by its short name.")
]
CourseCode = Annotated[
    str,
    typer.Argument(metavar="COURSE", help="The course code, such as SAFETY-101.", autocompletion=course_codes),
]
ResetId = Annotated[
    str,
    typer.Argument(
        metavar="RESET",
        help="The reset's id, or the beginning or the end of it, as `recourse resets` shows it.",
        autocompletion=reset_ids,
    ),
]
OnlyCompleted = Annotated[bool, typer.Option("--completed", help="Only learners who have completed the course.")]
OnlyGroup = Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only the members of this group.")]
NoNotify = Annotated[bool, typer.Option("--no-notify", help="Do not send “course assigned” alerts.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show a progress bar until the reset is done.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
