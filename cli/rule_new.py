"""The command that adds a rule, and the confirmation that every rule needs."""

import sys
from datetime import datetime, time
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.prompt import Prompt

from cli.acting_as import actor, organization_of_course
from cli.options import (
    As,
    AsJson,
    CourseCode,
    NoNotify,
    OnlyCompleted,
    OnlyGroup,
    Organization,
    local_moment,
    time_of_day,
)
from cli.rule_tables import ahead_table, print_rule
from cli.servers_and_database import servers_and_database
from cli.terminal import notes, print_table
from models.access import Actor
from models.events import EventKind
from models.resets import Audience
from models.retraining import CatchUp, RuleKind
from models.session import Session, transaction
from tasks.rules.dry_run import dry_run
from tasks.rules.lifecycle import make_rule
from tasks.rules.proposals import Proposal, propose_rule
from tasks.rules.terms import Terms

Confirm = Annotated[
    str | None,
    typer.Option(metavar="COURSE", help="The course code again, to confirm: the rule resets without asking."),
]
MostLearners = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="NUMBER",
        help="With more learners due at once, the rule goes on hold until it is confirmed again.",
    ),
]
MostADay = Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="Reset at most this many learners a day.")]

WHEN = "When"

# Terms whose option has another name.
OPTIONS = {"recurrence": "--every", "at_time": "--at", "event_kind": "--event", "course": "COURSE"}


def add_command(
    course: CourseCode,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why. It is kept in the audit with every reset.")],
    name: Annotated[str | None, typer.Option(help="A name for people to read.")] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="RRULE",
            help="By the calendar: an RFC 5545 recurrence, such as FREQ=YEARLY. Needs --starts.",
            rich_help_panel=WHEN,
        ),
    ] = None,
    starts: Annotated[
        datetime | None,
        typer.Option(
            metavar="WHEN",
            parser=local_moment,
            help="With --every: the first time, for example 2027-03-01T06:00.",
            rich_help_panel=WHEN,
        ),
    ] = None,
    once: Annotated[
        datetime | None,
        typer.Option(
            metavar="WHEN", parser=local_moment, help="Once, for example 2027-03-01T06:00.", rich_help_panel=WHEN
        ),
    ] = None,
    months: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="MONTHS",
            help="This many months after each learner's own completion.",
            rich_help_panel=WHEN,
        ),
    ] = None,
    at: Annotated[
        time | None,
        typer.Option(metavar="HH:MM", parser=time_of_day, help="With --months: the time of day.", rich_help_panel=WHEN),
    ] = None,
    on_event: Annotated[
        bool, typer.Option("--on-event", help="Whenever an event is reported.", rich_help_panel=WHEN)
    ] = False,
    event: Annotated[
        EventKind | None,
        typer.Option(help="With --on-event: only for this kind of event.", rich_help_panel=WHEN),
    ] = None,
    time_zone: Annotated[
        str,
        typer.Option(
            metavar="ZONE", help="The time zone of these times, for example Europe/Zurich.", rich_help_panel=WHEN
        ),
    ] = "UTC",
    catch_up: Annotated[
        CatchUp,
        typer.Option(
            help="Whether runs that were missed while no worker was running happen once, or are skipped.",
            rich_help_panel=WHEN,
        ),
    ] = CatchUp.RUN_ONCE,
    completed: OnlyCompleted = False,
    group: OnlyGroup = None,
    warn_days: Annotated[int, typer.Option(min=0, metavar="DAYS", help="Warn learners this many days before.")] = 0,
    due_in_days: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="Set a new due date, this many days after the reset.")
    ] = None,
    no_notify: NoNotify = False,
    most_learners: MostLearners = None,
    most_a_day: MostADay = None,
    confirm: Confirm = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Add a rule. **Its resets cannot be undone.**

    Choose when it resets with one of --every and --starts, --once, --months, or --on-event. The command shows what the
    rule will do, and asks for the course code to confirm it.

    Examples:

    - `recourse rules add SAFETY-101 --reason "each year" --every FREQ=YEARLY --starts 2027-03-01T06:00`

    - `recourse rules add FIRE-201 --reason "every 12 months" --months 12 --warn-days 14`

    - `recourse rules add FIRE-201 --reason incident --on-event --event incident`
    """
    if sum(bool(way) for way in (every, once, months, on_event)) != 1:
        raise typer.BadParameter("Say when, in one way: --every with --starts, --once, --months, or --on-event.")
    if completed and group:
        raise typer.BadParameter("Use only one of --completed and --group.")
    kind = RuleKind.CALENDAR if every else RuleKind.ONCE if once else RuleKind.ROLLING if months else RuleKind.EVENT
    terms = _terms(
        course=course,
        kind=kind,
        name=name,
        reason=reason,
        audience=Audience.GROUP if group else Audience.COMPLETED if completed else Audience.ASSIGNED,
        group=group,
        time_zone=time_zone,
        starts=once or starts,
        recurrence=every,
        months=months,
        at_time=at,
        event_kind=event,
        warn_days=warn_days,
        due_in_days=due_in_days,
        notify=not no_notify,
        catch_up=catch_up,
        most_learners=most_learners,
        most_a_day=most_a_day,
    )
    with servers_and_database():
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            proposal = propose_rule(session, who, terms)
            show_proposal(session, who, proposal)
        code = confirmation_of(proposal, confirm)
        with transaction() as session:
            print_rule(session, make_rule(session, who, proposal=proposal.token, confirm=code), as_json=as_json)


def show_proposal(session: Session, who: Actor, proposal: Proposal) -> None:
    """Print what the rule would do, on stderr."""
    for sentence in proposal.sentences:
        notes.print(sentence, highlight=False)
    figures = proposal.figures
    notes.print(f"As of now, learners: {figures.learners:,}, records: {sum(figures.removed.values()):,}.")
    if ahead := dry_run(session, who.organization_id, proposal.terms):
        print_table(ahead_table(ahead, proposal.terms.time_zone), notes)


def confirmation_of(proposal: Proposal, confirm: str | None) -> str:
    """Returns the course code that confirms the proposal. Asks for it in a terminal if it was not given."""
    if confirm is None and sys.stdin.isatty():
        course = proposal.terms.course
        return Prompt.ask(f"Its resets cannot be undone. Type {course} to confirm", console=notes)
    return confirm or ""


def _terms(**terms: Any) -> Terms:
    try:
        return Terms(**terms)
    except ValidationError as error:
        wrong = error.errors()[0]
        term = str(wrong["loc"][0])
        option = OPTIONS.get(term, f"--{term.replace('_', '-')}")
        raise typer.BadParameter(f"{wrong['msg']}.", param_hint=option) from None
