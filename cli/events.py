"""The commands about events that make retraining rules due, and the systems that report them."""

from typing import Annotated
from uuid import UUID, uuid4

import typer
from rich.table import Table
from sqlalchemy import func, select

from cli.surroundings import surroundings
from cli.terminal import console, notes
from cli.whose import As, OrganizationOption, actor, one_organization, organization_of_course
from models.events import EventKind
from models.people import User
from models.refusals import UserUnknown
from models.session import transaction
from tasks.event_sources import close_source, open_source, source_of, sources_of
from tasks.report_event import report_event, rules_of
from tasks.secrets import renew_secret

app = typer.Typer()
events = typer.Typer(
    help="Report what makes rules due: incidents, non-compliance, changed procedures.", no_args_is_help=True
)
sources = typer.Typer(help="Systems that report events by signed webhook.", no_args_is_help=True)
app.add_typer(events, name="events")
events.add_typer(sources, name="sources")

SomeOrganization = Annotated[
    str | None, typer.Option("--organization", metavar="SLUG", help="Needed only where there are several.")
]


@events.command("report")
def event_command(
    course: Annotated[str, typer.Argument(metavar="COURSE", help="The course that it is about.")],
    kind: Annotated[EventKind, typer.Option(help="What happened.")],
    reason: Annotated[str, typer.Option(help="What happened, in words: it is the reason of the resets.")],
    group: Annotated[str | None, typer.Option(metavar="GROUP", help="Only the members of this group.")] = None,
    key: Annotated[str | None, typer.Option(help="The same key again is the same event, not a second one.")] = None,
    organization: OrganizationOption = None,
    as_: As = None,
) -> None:
    """Report an event: the rules that wait for it become due.

    Example: `recourse events report SAFETY-101 --kind incident --reason "press 4, hand injury" --group bern-2`
    """
    with surroundings() as workers:
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            event = report_event(
                session, who, kind=kind, course=course, reason=reason, group=group, key=key or str(uuid4())
            )
            due = rules_of(session, event)
        console.print(f"Event {event.id} is written down; it made {due:,} {'rule' if due == 1 else 'rules'} due.")
        if due and workers.ensure():
            notes.print("No worker was running: `recourse up` or workers of your own begin what is due.", style="dim")


@sources.command("add")
def add_source_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is, such as “incident system”.")],
    user: Annotated[str, typer.Option(metavar="EMAIL", help="In whose name, and with whose permissions, it reports.")],
    organization: SomeOrganization = None,
    as_: As = None,
) -> None:
    """Open a source of events. Its address and secret are for the system that reports; `list` shows both again."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        found = session.scalar(
            select(User).where(User.organization_id == owner.id, func.lower(User.email) == user.lower(), User.active)
        )
        if found is None:
            raise UserUnknown(user)
        source = open_source(session, actor(session, owner, as_), found, name)
        console.print(f"Address  /v1/hooks/{source.id}\nSecret   {source.secret()}", highlight=False)


@sources.command("list")
def list_sources_command(organization: SomeOrganization = None) -> None:
    """List the sources of events."""
    with surroundings(), transaction() as session:
        found = sources_of(session, one_organization(session, organization).id)
        if not found:
            console.print("There are no sources yet. `recourse events sources add NAME --user EMAIL` opens one.")
            return
        table = Table("Source", "Name", "State")
        for source in found:
            table.add_row(str(source.id), source.name, "closed" if source.closed_at else "open")
        console.print(table)


@sources.command("renew")
def renew_source_command(
    source: Annotated[UUID, typer.Argument(metavar="SOURCE")], organization: SomeOrganization = None, as_: As = None
) -> None:
    """Give a source a new secret. The one before it is taken for another day."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        found = source_of(session, owner.id, source)
        renew_secret(session, actor(session, owner, as_), found)
        console.print(f"Secret   {found.secret()}\nThe one before it is taken for another day.", highlight=False)


@sources.command("close")
def close_source_command(
    source: Annotated[UUID, typer.Argument(metavar="SOURCE")], organization: SomeOrganization = None, as_: As = None
) -> None:
    """Take no more events from a source."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        close_source(session, actor(session, owner, as_), source)
    console.print("The source is closed.")
