"""The commands about resets: preview, reset, resets, show, cancel, retry-failed."""

import sys
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.prompt import Prompt

from cli.acting_as import As, OrganizationOption, actor, organization_of_course, organizations, reset_and_actor
from cli.servers_and_database import surroundings
from cli.tables import causes_table, preview_table, report_table, resets_table
from cli.terminal import console, notes, print_json
from cli.watch import watch
from cli.workers import Workers
from models.refusals.resets import AudienceInvalid, PlanOutdated, ReasonMissing
from models.resets import SETTLED, Audience, Reset, ResetState
from models.session import transaction
from tasks.report import report
from tasks.reset.cancel import cancel
from tasks.reset.impact import preview
from tasks.reset.lookup import latest_resets
from tasks.reset.plan import Options, make_plan, signed
from tasks.reset.request import request_reset
from tasks.reset.retry_failed import retry_failed

app = typer.Typer()

Course = Annotated[str, typer.Argument(metavar="COURSE", help="The course code, such as SAFETY-101.")]
ResetId = Annotated[str, typer.Argument(metavar="RESET", help="The reset's id, as `recourse resets` lists it.")]
Users = Annotated[
    list[str] | None, typer.Option("--user", metavar="EMAIL", help="Only this user; can be given again for more.")
]
Completed = Annotated[bool, typer.Option("--completed", help="Only those who have completed the course.")]
Group = Annotated[str | None, typer.Option(metavar="GROUP", help="Only the members of this group.")]
DueInDays = Annotated[int | None, typer.Option(metavar="DAYS", help="New due date: so many days from now.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="WHEN", help="Begin then, and not now: such as 2027-03-01T06:00+01:00; without a zone, in UTC."
    ),
]
NoNotify = Annotated[bool, typer.Option("--no-notify", help="Send no “course assigned” alerts.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show a live bar until the reset is done.")]


@app.command("preview")
def preview_command(
    course: Course,
    user: Users = None,
    completed: Completed = False,
    group: Group = None,
    organization: OrganizationOption = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Say what a reset would remove. Changes nothing."""
    with surroundings():
        options = _options(user, group, completed=completed)
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            seen = preview(session, who, course, **options)
    if as_json:
        print_json({"course": course, "learners": seen.learners, "removed": seen.removed, "alerts": seen.alerts})
    else:
        console.print(preview_table(seen))


@app.command("reset")
def reset_command(
    course: Course,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept in the audit.")] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="COURSE", help="The course code once more, since a reset cannot be undone.")
    ] = None,
    user: Users = None,
    completed: Completed = False,
    group: Group = None,
    due_in_days: DueInDays = None,
    at: At = None,
    no_notify: NoNotify = False,
    watch_it: Watch = False,
    as_json: AsJson = False,
    organization: OrganizationOption = None,
    as_: As = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key again gives the same reset, not a second one.")
    ] = None,
) -> None:
    """Reset everyone's progress in a course, or some users'. **It cannot be undone.**

    Progress goes to 0 %; assessments, posts, submissions, completions and certificates are deleted; learners are
    alerted that the course is assigned. Without `--reason` and `--confirm` it shows a preview and asks.

    Example: `recourse reset SAFETY-101 --reason "yearly recertification" --confirm SAFETY-101 --watch`
    """
    with surroundings() as workers:
        options = _options(user, group, completed=completed) | Options(
            due_in_days=due_in_days, notify=not no_notify, start_at=_moment(at)
        )
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
        ask = sys.stdin.isatty() and (reason is None or confirm is None)
        while True:
            with transaction() as session:
                if ask:
                    seen = preview(session, who, course, **options)
                    notes.print(preview_table(seen))
                    plan = seen.plan  # what is confirmed is what was shown
                else:
                    plan = make_plan(session, who, course, **options)
            if ask:
                reason = reason or Prompt.ask("Why", console=notes)
                confirm = confirm or Prompt.ask(f"This cannot be undone. Type {course} to confirm", console=notes)
            if reason is None:
                raise ReasonMissing
            try:
                with transaction() as session:
                    reset = request_reset(
                        session,
                        who,
                        plan=signed(plan),
                        confirm=confirm or "",
                        reason=reason,
                        idempotency_key=idempotency_key,
                    )
                break
            except PlanOutdated as outdated:
                notes.print(str(outdated), style="bold")
                confirm = None  # it is confirmed anew, with the new preview before one's eyes
        notes.print(f"Reset {reset.id} is written down.", style="dim", highlight=False)
        if plan.start_at:  # nobody waits at a terminal for that
            notes.print(f"It begins at {plan.start_at:%Y-%m-%d %H:%M %Z}, with the worker that runs then.", style="dim")
            return _print_reset(reset.id, as_json=as_json)
        return _follow(reset.id, workers, watch_it=watch_it, as_json=as_json)


@app.command("resets")
def resets_command(
    organization: OrganizationOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, latest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the resets, latest first."""
    with surroundings(), transaction() as session:
        ids = [one.id for one in organizations(session, organization)]
        found = latest_resets(session, ids, limit)
        if as_json:
            print_json([report(session, reset) for reset in found])
        elif found:
            console.print(resets_table(session, found))
        else:
            console.print("There are no resets yet. `recourse reset COURSE` makes one.")


@app.command("show")
def show_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False) -> None:
    """Show one reset: its state, what it removed, and why learners were skipped or failed."""
    with surroundings() as workers:
        with transaction() as session:
            found, _ = reset_and_actor(session, reset, None)
        if watch_it and found.state not in SETTLED:
            workers.ensure()
            watch(found.id, workers)
        _print_reset(found.id, as_json=as_json, judge=watch_it)


@app.command("cancel")
def cancel_command(reset: ResetId, as_: As = None, as_json: AsJson = False) -> None:
    """Stop a reset. Whoever has been reset by then stays reset; nobody further is touched."""
    with surroundings() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            cancel(session, who, found)
        workers.ensure()
        watch(found.id, workers)
        _print_reset(found.id, as_json=as_json, judge=False)


@app.command("retry-failed")
def retry_failed_command(reset: ResetId, watch_it: Watch = False, as_json: AsJson = False, as_: As = None) -> None:
    """Try those learners of a reset again who failed, and nobody else."""
    with surroundings() as workers:
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            retry_failed(session, who, found)
        _follow(found.id, workers, watch_it=watch_it, as_json=as_json)


def _options(users: list[str] | None, group: str | None, *, completed: bool) -> Options:
    if users and completed:
        raise AudienceInvalid("Give either --user or --completed, not both: named users are reset in any case.")
    if group and (users or completed):
        raise AudienceInvalid("Give --group alone: everyone in it is reset.")
    if users:
        return Options(audience=Audience.USERS, users=users)
    if group:
        return Options(audience=Audience.GROUP, group=group)
    return Options(audience=Audience.COMPLETED if completed else Audience.ASSIGNED)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("Write it like 2027-03-01T06:00+01:00.", param_hint="--at") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _follow(reset_id: UUID, workers: Workers, *, watch_it: bool, as_json: bool) -> None:
    """See the job to its end if asked to, or if it hangs on this command's own worker; else leave it to run."""
    if workers.ensure() or watch_it:
        watch(reset_id, workers)
    else:
        notes.print(f"The job is sent. `recourse show {reset_id} --watch` follows it.", style="dim")
    _print_reset(reset_id, as_json=as_json)


def _print_reset(reset_id: UUID, *, as_json: bool, judge: bool = True) -> None:
    """Print it, and exit with 1 if it is settled otherwise than well and the command is to judge that."""
    with transaction() as session:
        reset = session.get_one(Reset, reset_id)
        if as_json:
            print_json(report(session, reset))
        else:
            console.print(report_table(session, reset))
            if causes := causes_table(session, reset):
                console.print(causes)
    if judge and reset.state in SETTLED - {ResetState.SUCCEEDED}:
        raise typer.Exit(1)
