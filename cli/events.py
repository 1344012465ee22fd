"""The commands about events, which make retraining rules due."""

from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.table import Table

from cli.acting_as import actor, organization_of_course
from cli.event_sources import sources
from cli.options import As, AsJson, CourseCode, OnlyGroup, Organization
from cli.servers_and_database import servers_and_database
from cli.terminal import console, notes, print_json, print_table
from models.events import EventKind
from models.session import transaction
from tasks.rules.event_preview import DueRule, EventPreview, preview_event
from tasks.rules.events import report_event, rules_of

app = typer.Typer()
events = typer.Typer(
    help="Report incidents, non-compliance and changed procedures, which make rules due.", no_args_is_help=True
)
app.add_typer(events, name="events")
events.add_typer(sources, name="sources")


@events.command("report")
def report_command(
    course: CourseCode,
    kind: Annotated[EventKind, typer.Option(help="What happened.")],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="What happened, in words. It becomes the reason of the resets.")
    ],
    group: OnlyGroup = None,
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="EMAIL", help="Only this person, or more if repeated; `external:` and an id will do too."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Repeating the command with the same key does not report a second event."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show which rules it would make due, and for whom.")
    ] = False,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Report an event. Rules for such events become due.

    Example: `recourse events report SAFETY-101 --kind incident --reason "press 4, hand injury" --group bern-2`
    """
    with servers_and_database() as workers:
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            told: dict[str, Any] = {"kind": kind, "course": course, "reason": reason, "group": group, "users": user}
            if dry_run:
                _show(preview_event(session, who, **told), as_json=as_json)
                return
            event = report_event(session, who, key=key or str(uuid4()), **told)
            due = rules_of(session, event)
        if as_json:
            facts = {"id": event.id, "kind": event.kind, "course": course, "reason": event.reason}
            print_json(facts | {"reported_at": event.reported_at, "rules_due": due})
        else:
            console.print(f"Event {event.id} is reported. It made {due:,} {'rule' if due == 1 else 'rules'} due.")
        if due and not workers.is_there():
            notes.print("No worker is running. The resets start when `recourse up` or a worker does.", style="dim")


def _show(seen: EventPreview, *, as_json: bool) -> None:
    if as_json:
        print_json({"rules": [_facts(one) for one in seen.rules], "learners": seen.learners})
        return
    if not seen.rules:
        console.print("It makes no rule due, so nobody is reset. `recourse rules list` lists the rules.")
        return
    table = Table("Rule", "Reason", "Due", "Learners", "Note")
    for one in seen.rules:
        due = f"{one.due_at:%Y-%m-%d %H:%M %Z}" if one.due_at else "skipped: it is paused"
        table.add_row(str(one.rule.id), one.rule.reason, due, f"{one.learners:,}", one.held)
    print_table(table)
    console.print(f"Learners: {seen.learners:,}. Nothing was reported.")


def _facts(due: DueRule) -> dict[str, Any]:
    return {
        "rule_id": due.rule.id,
        "reason": due.rule.reason,
        "whom": due.whom,
        "due_at": due.due_at,
        "learners": due.learners,
        "names": due.names,
        "held": due.held or None,
    }
