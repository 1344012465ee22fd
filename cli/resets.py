"""The commands about resets: preview, reset, resets, show, cancel, retry-failed."""

import sys
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.prompt import Prompt

from cli.acting_as import actor, organization_of_course, organizations, reset_and_actor
from cli.options import (
    As,
    AsJson,
    CourseCode,
    NoNotify,
    OnlyCompleted,
    OnlyGroup,
    OnlyOrganization,
    Organization,
    moment,
)
from cli.reset_tables import causes_table, preview_table, report_table, resets_table
from cli.servers_and_database import servers_and_database
from cli.terminal import console, notes, print_json
from cli.watch import watch
from cli.workers import Workers
from models.access import Actor
from models.refusals.resets import PlanOutdated
from models.resets import SETTLED, Audience, Reset, ResetState
from models.session import transaction
from tasks.report import report
from tasks.reset.cancel import cancel
from tasks.reset.impact import preview
from tasks.reset.lookup import latest_resets, line_of
from tasks.reset.plan import Options, Plan, make_plan, signed
from tasks.reset.request import request_reset
from tasks.reset.retry_failed import retry_failed

app = typer.Typer()

ResetId = Annotated[str, typer.Argument(metavar="RESET", help="The reset's id, from `recourse resets`.")]
Users = Annotated[
    list[str] | None, typer.Option("--user", metavar="EMAIL", help="Only this user. Repeat it for several users.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Show a progress bar until the reset is done.")]


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
    with servers_and_database(), transaction() as session:
        who = actor(session, organization_of_course(session, course, organization), as_)
        seen = preview(session, who, course, **options)
    if as_json:
        print_json({"course": course, "learners": seen.learners, "removed": seen.removed, "alerts": seen.alerts})
    else:
        console.print(preview_table(seen))


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
            _print_reset(reset_id, as_json=as_json)
        else:
            _follow(reset_id, workers, watch_it=watch_it, as_json=as_json)


@app.command("resets")
def resets_command(
    organization: OnlyOrganization = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most this many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the resets, latest first."""
    with servers_and_database(), transaction() as session:
        ids = [one.id for one in organizations(session, organization)]
        found = latest_resets(session, ids, limit)
        if as_json:
            print_json([report(session, line.reset) for line in found])
        elif found:
            console.print(resets_table(session, found))
        else:
            console.print("There are no resets yet. `recourse reset COURSE` starts one.")


@app.command("show")
def show_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False) -> None:
    """Show a reset: its state, what it removed, and why learners were skipped or failed."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, _ = reset_and_actor(session, reset, None)
        if watch_it and found.state not in SETTLED:
            workers.ensure()
            watch(found.id, workers)
        _print_reset(found.id, as_json=as_json, judge=watch_it)


@app.command("cancel")
def cancel_command(reset: ResetId, as_: As = None, as_json: AsJson = False) -> None:
    """Stop a reset. Learners who are already reset stay reset; no others are."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            cancel(session, who, found)
        workers.ensure()
        watch(found.id, workers)
        _print_reset(found.id, as_json=as_json, judge=False)


@app.command("retry-failed")
def retry_failed_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False, as_: As = None) -> None:
    """Retry the failed learners of a reset."""
    with servers_and_database() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            retry_failed(session, who, found)
        _follow(found.id, workers, watch_it=watch_it, as_json=as_json)


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
        notes.print(preview_table(seen))
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


def _follow(reset_id: UUID, workers: Workers, *, watch_it: bool, as_json: bool) -> None:
    """Watch the reset if asked to, or if only this command's own worker can do it."""
    if workers.ensure() or watch_it:
        watch(reset_id, workers)
    else:
        notes.print(f"A worker has the job. `recourse show {reset_id} --watch` follows it.", style="dim")
    _print_reset(reset_id, as_json=as_json)


def _print_reset(reset_id: UUID, *, as_json: bool, judge: bool = True) -> None:
    """Print the reset. With `judge`, exit with status 1 if it failed in part or whole, or was cancelled."""
    with transaction() as session:
        reset = session.get_one(Reset, reset_id)
        if as_json:
            print_json(report(session, reset))
        else:
            console.print(report_table(session, line_of(session, reset)))
            if causes := causes_table(session, reset):
                console.print(causes)
    if judge and reset.state in SETTLED - {ResetState.SUCCEEDED}:
        raise typer.Exit(1)
