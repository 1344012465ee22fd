"""The commands about events that make retraining rules due, and the systems that report them."""

from typing import Annotated
from uuid import UUID, uuid4

import typer
from rich.table import Table

from cli.acting_as import As, OrganizationOption, actor, one_organization, organization_of_course
from cli.servers_and_database import surroundings
from cli.terminal import console, notes
from config.settings import settings
from models.directory import user_by_address
from models.events import EventKind, EventSource
from models.session import transaction
from tasks.rules.event_sources import close_source, open_source, show_secret, source_of, sources_of
from tasks.rules.events import report_event, rules_of
from tasks.webhooks.secrets import renew_secret

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
    """Open a source of events. Its address and secret are for the system that reports.

    `recourse events sources list` shows the address again, and `recourse events sources secret` the secret.
    """
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        source = open_source(session, actor(session, owner, as_), user_by_address(session, owner.id, user), name)
        console.print(f"Address  {_address(source)}\nSecret   {source.secret()}", highlight=False, soft_wrap=True)


@sources.command("list")
def list_sources_command(organization: SomeOrganization = None) -> None:
    """List the sources of events."""
    with surroundings(), transaction() as session:
        found = sources_of(session, one_organization(session, organization).id)
        if not found:
            console.print("There are no sources yet. `recourse events sources add NAME --user EMAIL` opens one.")
            return
        table = Table("Source", "Name", "State", "Address")
        for source in found:
            table.add_row(str(source.id), source.name, "closed" if source.closed_at else "open", _address(source))
        console.print(table, soft_wrap=True)


@sources.command("secret")
def secret_command(
    source: Annotated[UUID, typer.Argument(metavar="SOURCE", help="The source, as `list` says it.")],
    new: Annotated[bool, typer.Option("--new", help="Make a new one; the old one holds for a day.")] = False,
    organization: SomeOrganization = None,
    as_: As = None,
) -> None:
    """Print the secret that a source of events signs with, or give it a new one."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        who = actor(session, owner, as_)
        if new:
            renew_secret(session, who, source_of(session, who, source))
        secret = show_secret(session, who, source)
    print(secret)  # noqa: T201 - the answer, for a program to read


@sources.command("close")
def close_source_command(
    source: Annotated[UUID, typer.Argument(metavar="SOURCE")], organization: SomeOrganization = None, as_: As = None
) -> None:
    """Take no more events from a source."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        close_source(session, actor(session, owner, as_), source)
    console.print("The source is closed.")


def _address(source: EventSource) -> str:
    return f"{settings().public_url}/v1/hooks/{source.id}"
