"""The commands that plan and request a reset: preview and reset."""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.prompt import Prompt

from cli.acting_as import actor, organization_of_course
from cli.options import As, AsJson, CourseCode, NoNotify, OnlyCompleted, OnlyGroup, Organization, Watch, moment
from cli.preview_table import preview_table
from cli.reset_tables import print_reset
from cli.servers_and_database import servers_and_database
from cli.terminal import console, notes, print_json, print_table
from cli.watch import follow
from models.access import Actor
from models.audience_lists import AudienceList, lines_left_out
from models.refusals.resets import PlanOutdated
from models.resets import Audience
from models.session import Session, transaction
from tasks.imports import Form
from tasks.reset.elsewhere import impact_elsewhere
from tasks.reset.impact import preview
from tasks.reset.lists import list_from_file, why_left_out
from tasks.reset.plan import LONGEST_SKIP_COMPLETED_DAYS, Options, Plan, make_plan, signed
from tasks.reset.request import request_reset
from tasks.rules.ahead import Ahead, ahead_of

app = typer.Typer()

Users = Annotated[
    list[str] | None, typer.Option("--user", metavar="EMAIL", help="Only this user. Repeat it for several users.")
]

UsersFrom = Annotated[
    Path | None,
    typer.Option(
        "--users-from",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        readable=True,
        help="Only the users in this .csv or .ndjson file, up to 100,000: email or external_id, and due_at.",
    ),
]
SkipCompleted = Annotated[
    int | None,
    typer.Option(
        "--skip-completed-within",
        metavar="DAYS",
        min=1,
        max=LONGEST_SKIP_COMPLETED_DAYS,
        help="Leave out learners who completed the course within so many days.",
    ),
]
LINES_SHOWN = 10


@app.command("preview")
def preview_command(
    course: CourseCode,
    user: Users = None,
    users_from: UsersFrom = None,
    completed: OnlyCompleted = False,
    group: OnlyGroup = None,
    skip_completed_within: SkipCompleted = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Show what a reset would remove. Changes nothing."""
    options = _audience(user, group, completed=completed, listed=users_from is not None)
    options |= Options(skip_completed_days=skip_completed_within)
    with servers_and_database():
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            made = _list_from(session, who, course, users_from)
            options |= Options(list_id=made.id if made else None)
            seen = preview(session, who, course, **options)
            ahead = ahead_of(session, who, seen.plan.course_id, course)
        elsewhere = impact_elsewhere(seen.plan)
    if as_json:
        ours = {"course": course, "learners": seen.learners, "removed": seen.removed, "alerts": seen.alerts}
        ours |= {"excluded": seen.excluded, "audience_list": _figures(made) if made else None}
        ours |= {"ahead": [asdict(one) for one in ahead]}
        print_json(ours | {"elsewhere": {one.participant: one.records for one in elsewhere.each}})
    else:
        print_table(preview_table(seen, elsewhere))
        _print_ahead(ahead, console)


@app.command("reset")
def reset_command(
    course: CourseCode,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why. It is kept in the audit.")] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="COURSE", help="The course code again, to confirm: a reset cannot be undone.")
    ] = None,
    user: Users = None,
    users_from: UsersFrom = None,
    completed: OnlyCompleted = False,
    group: OnlyGroup = None,
    skip_completed_within: SkipCompleted = None,
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
    options = _audience(user, group, completed=completed, listed=users_from is not None) | Options(
        due_in_days=due_in_days, notify=not no_notify, start_at=at, skip_completed_days=skip_completed_within
    )
    with servers_and_database() as workers:
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            made = _list_from(session, who, course, users_from)
            options |= Options(list_id=made.id if made else None)
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


def _audience(users: list[str] | None, group: str | None, *, completed: bool, listed: bool) -> Options:
    if sum(bool(way) for way in (users, group, completed, listed)) > 1:
        raise typer.BadParameter("Use only one of --user, --users-from, --completed and --group.")
    if listed:
        return Options(audience=Audience.LIST)
    if users:
        return Options(audience=Audience.USERS, users=users)
    if group:
        return Options(audience=Audience.GROUP, group=group)
    return Options(audience=Audience.COMPLETED if completed else Audience.ASSIGNED)


def _list_from(session: Session, who: Actor, course: str, path: Path | None) -> AudienceList | None:
    """Returns the list in the file, and says which of its lines name no learner."""
    if path is None:
        return None
    form = Form.NDJSON if path.suffix.lower() in (".ndjson", ".jsonl") else Form.CSV
    with path.open("rb") as file:
        made = list_from_file(session, who, course, file, form)
    if made.left_out:
        counts = f"{made.unknown:,} unknown, {made.unassigned:,} not assigned, {made.doubled:,} duplicate"
        notes.print(f"{made.left_out:,} of {made.lines:,} lines are left out: {counts}.", highlight=False)
        for line in lines_left_out(session, made.id, limit=LINES_SHOWN):
            notes.print(f"  line {line.line:,}: {line.name}: {why_left_out(line)}", markup=False, highlight=False)
        if made.left_out > LINES_SHOWN:
            notes.print(f"  and {made.left_out - LINES_SHOWN:,} more")
    return made


def _figures(made: AudienceList) -> dict[str, object]:
    return {name: getattr(made, name) for name in ("id", "lines", "learners", "unknown", "unassigned", "doubled")}


def _ask_and_request(
    who: Actor, course: str, options: Options, reason: str | None, confirm: str | None, key: str | None
) -> tuple[Plan, UUID]:
    """Show a preview, ask for what is missing, and request that very plan; start over if the plan is outdated."""
    while True:
        with transaction() as session:
            seen = preview(session, who, course, **options)
            ahead = ahead_of(session, who, seen.plan.course_id, course)
        print_table(preview_table(seen, impact_elsewhere(seen.plan, about=True)), notes)
        _print_ahead(ahead, notes)
        reason = reason or Prompt.ask("Reason", console=notes)
        confirm = confirm or Prompt.ask(f"This cannot be undone. Type {course} to confirm", console=notes)
        try:
            return seen.plan, _request(who, seen.plan, reason, confirm, key)
        except PlanOutdated as outdated:
            notes.print(str(outdated), style="bold")
            confirm = None


def _print_ahead(ahead: list[Ahead], where: Console) -> None:
    """Print what is running, queued or planned for the course already."""
    if ahead:
        where.print("Already running or planned for this course:")
    for one in ahead:
        where.print(f"  {ahead_in_words(one)}", markup=False, highlight=False)


def ahead_in_words(one: Ahead) -> str:
    """Returns it in one line; times in UTC."""
    at = f" {one.at:%Y-%m-%d %H:%M %Z}" if one.at else ""
    if one.kind == "rule":
        return f"Rule: {one.words}; {'next due' + at if at else one.state}"
    learners = f", {one.learners:,} learners" if one.learners else ""
    return f"Reset {one.state}{' for' + at if at and one.state == 'planned' else ''}{learners}: {one.words}"


def _request(who: Actor, plan: Plan, reason: str | None, confirm: str | None, key: str | None) -> UUID:
    with transaction() as session:
        return request_reset(
            session, who, plan=signed(plan), confirm=confirm or "", reason=reason or "", idempotency_key=key
        ).id
