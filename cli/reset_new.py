"""The commands that plan and request a reset: preview and reset."""

import sys
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.prompt import Prompt

from cli.acting_as import actor, organization_of_course
from cli.options import As, AsJson, CourseCode, NoNotify, OnlyCompleted, OnlyGroup, Organization, Watch, moment
from cli.preview_table import preview_table
from cli.reset_tables import print_reset
from cli.servers_and_database import servers_and_database
from cli.terminal import notes, print_json, print_table
from cli.watch import follow
from models.access import Actor
from models.refusals.resets import PlanOutdated
from models.resets import Audience
from models.session import transaction
from tasks.reset.elsewhere import impact_elsewhere
from tasks.reset.impact import preview
from tasks.reset.plan import Options, Plan, make_plan, signed
from tasks.reset.request import request_reset

app = typer.Typer()

Users = Annotated[
    list[str] | None, typer.Option("--user", metavar="EMAIL", help="Only this user. Repeat it for several users.")
]


@app.command("preview")
def preview_command(
    course: CourseCode,
    user: Users = None,
    completed: OnlyCompleted = False,
    group: OnlyGroup = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Show what a reset would remove. Changes nothing."""
    options = _audience(user, group, completed=completed)
    with servers_and_database():
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            seen = preview(session, who, course, **options)
        elsewhere = impact_elsewhere(seen.plan)
    if as_json:
        ours = {"course": course, "learners": seen.learners, "removed": seen.removed, "alerts": seen.alerts}
        print_json(ours | {"elsewhere": {one.participant: one.records for one in elsewhere.each}})
    else:
        print_table(preview_table(seen, elsewhere))


@app.command("reset")
def reset_command(
    course: CourseCode,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why. It is kept in the audit.")] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="COURSE", help="The course code again, to confirm: a reset cannot be undone.")
    ] = None,
    user: Users = None,
    completed: OnlyCompleted = False,
    group: OnlyGroup = None,
    due_in_days: Annotated[
        int | None, typer.Option(metavar="DAYS", help="Set a new due date, this many days from now.")
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            metavar="WHEN",
            parser=moment,
            help="Start then instead of now, for example 2027-03-01T06:00+01:00. Without an offset, UTC.",
        ),
    ] = None,
    no_notify: NoNotify = False,
    watch_it: Watch = False,
    as_json: AsJson = False,
    organization: Organization = None,
    as_: As = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Repeating the command with the same key does not start a second reset."),
    ] = None,
) -> None:
    """Reset the progress of everyone in a course, or of some users. **It cannot be undone.**

    Progress goes to 0 %. Assessments, posts, submissions, completions and certificates are deleted. Learners are
    alerted that the course is assigned to them.

    Without `--reason` and `--confirm`, the command shows a preview and asks for them.

    Example: `recourse reset SAFETY-101 --reason "yearly recertification" --confirm SAFETY-101 --watch`
    """
    options = _audience(user, group, completed=completed) | Options(
        due_in_days=due_in_days, notify=not no_notify, start_at=at
    )
    with servers_and_database() as workers:
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
        if sys.stdin.isatty() and (reason is None or confirm is None):
            plan, reset_id = _ask_and_request(who, course, options, reason, confirm, idempotency_key)
        else:
            with transaction() as session:
                plan = make_plan(session, who, course, **options)
            reset_id = _request(who, plan, reason, confirm, idempotency_key)
        notes.print(f"Requested reset {reset_id}.", style="dim", highlight=False)
        if plan.start_at:
            notes.print(f"It starts at {plan.start_at:%Y-%m-%d %H:%M %Z} if a worker is running then.", style="dim")
            print_reset(reset_id, as_json=as_json)
        else:
            follow(reset_id, workers, watch_it=watch_it, as_json=as_json)


def _audience(users: list[str] | None, group: str | None, *, completed: bool) -> Options:
    if sum(bool(way) for way in (users, group, completed)) > 1:
        raise typer.BadParameter("Use only one of --user, --completed and --group.")
    if users:
        return Options(audience=Audience.USERS, users=users)
    if group:
        return Options(audience=Audience.GROUP, group=group)
    return Options(audience=Audience.COMPLETED if completed else Audience.ASSIGNED)


def _ask_and_request(
    who: Actor, course: str, options: Options, reason: str | None, confirm: str | None, key: str | None
) -> tuple[Plan, UUID]:
    """Show a preview, ask for what is missing, and request that very plan; start over if the plan is outdated."""
    while True:
        with transaction() as session:
            seen = preview(session, who, course, **options)
        print_table(preview_table(seen, impact_elsewhere(seen.plan, about=True)), notes)
        reason = reason or Prompt.ask("Reason", console=notes)
        confirm = confirm or Prompt.ask(f"This cannot be undone. Type {course} to confirm", console=notes)
        try:
            return seen.plan, _request(who, seen.plan, reason, confirm, key)
        except PlanOutdated as outdated:
            notes.print(str(outdated), style="bold")
            confirm = None


def _request(who: Actor, plan: Plan, reason: str | None, confirm: str | None, key: str | None) -> UUID:
    with transaction() as session:
        return request_reset(
            session, who, plan=signed(plan), confirm=confirm or "", reason=reason or "", idempotency_key=key
        ).id
