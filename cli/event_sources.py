"""The commands about event sources: systems that report events by signed webhook."""

from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from cli.acting_as import actor, one_organization
from cli.options import As, AsJson, Organization
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, print_json, print_table, whole
from config.settings import settings
from models.directory import user_by_address
from models.events import EventSource
from models.session import transaction
from tasks.rules.event_sources import close_source, open_source, show_secret, source_of, sources_of
from tasks.webhooks.secrets import renew_secret

sources = typer.Typer(help="Manage the systems that report events by signed webhook.", no_args_is_help=True)

SourceId = Annotated[
    UUID, typer.Argument(metavar="SOURCE", help="The source's id, from `recourse events sources list`.")
]


@sources.command("add")
def add_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the system, such as “incident register”.")],
    user: Annotated[
        str, typer.Option(metavar="EMAIL", help="The user in whose name, and with whose permissions, it reports.")
    ],
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Add an event source, and print the address and secret that the system needs."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        source = open_source(session, actor(session, owner, as_), user_by_address(session, owner.id, user), name)
        secret = source.secret()
        sentence = f"Address  {_address(source)}\nSecret   {secret}"
        answer(_facts(source) | {"secret": secret}, sentence, as_json=as_json)


@sources.command("list")
def list_command(organization: Organization = None, as_json: AsJson = False) -> None:
    """List the event sources with their addresses."""
    with servers_and_database(), transaction() as session:
        found = sources_of(session, one_organization(session, organization).id)
    if as_json:
        print_json([_facts(one) for one in found])
    elif found:
        table = Table("Source", "Name", "State", "Address")
        for source in found:
            table.add_row(str(source.id), source.name, "closed" if source.closed_at else "open", _address(source))
        print_table(whole(table, "Address"))
    else:
        console.print("There are no event sources yet. `recourse events sources add NAME --user EMAIL` adds one.")


@sources.command("secret")
def secret_command(
    source: SourceId,
    new: Annotated[bool, typer.Option("--new", help="Create a new secret. The old one stays valid for a day.")] = False,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Print the secret that an event source signs with."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        if new:
            renew_secret(session, who, source_of(session, who, source))
        secret = show_secret(session, who, source)
    answer({"secret": secret}, secret, as_json=as_json)


@sources.command("close")
def close_command(source: SourceId, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Close an event source. Its events are refused from now on."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        close_source(session, who, source)
        facts = _facts(source_of(session, who, source))
    answer(facts, "The source is closed.", as_json=as_json)


def _facts(source: EventSource) -> dict[str, Any]:
    return {"id": source.id, "name": source.name, "open": source.closed_at is None, "address": _address(source)}


def _address(source: EventSource) -> str:
    return f"{settings().public_url}/v1/hooks/{source.id}"
