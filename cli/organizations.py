"""The commands about organizations."""

import secrets
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from cli.options import AsJson, PasswordStdin
from cli.passwords import asked_password
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, print_json, print_table, whole
from config.settings import settings
from models.access import console_account
from models.session import transaction
from tasks.people.organizations import (
    FirstAdmin,
    add_organization,
    organizations,
    rename_organization,
    weigh_organization,
)

app = typer.Typer()
commands = typer.Typer(help="Add, rename, weigh and list organizations.", no_args_is_help=True)
app.add_typer(commands, name="organization")

Slug = Annotated[
    str,
    typer.Argument(
        metavar="SLUG", help="Its short name, which people sign in with: lower-case letters, digits and hyphens."
    ),
]


@commands.command("add")
def add_command(
    slug: Slug,
    name: Annotated[str, typer.Option(help="Its name for people to read.")],
    admin: Annotated[str, typer.Option(metavar="EMAIL", help="Its first admin, who gets every permission.")],
    admin_name: Annotated[str, typer.Option(help="The admin's name.")] = "Administrator",
    time_zone: Annotated[
        str, typer.Option(metavar="ZONE", help="The admin's time zone, for example Europe/Zurich.")
    ] = "UTC",
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
) -> None:
    """Add an organization with its first admin.

    The command asks for the admin's password. Without a terminal it generates one and prints it.

    Example: `recourse organization add acme --name "Acme Ltd" --admin kim@acme.example`
    """
    question = f"Password for {admin} (empty to generate one)"
    typed = asked_password(question, from_stdin=password_stdin)
    password = typed or secrets.token_urlsafe(18)
    with servers_and_database(), transaction() as session:
        first = FirstAdmin(admin, admin_name, password, time_zone)
        user = add_organization(session, console_account(), slug, name, first)
        [line] = organizations(session, [slug.strip()])
    address = f"{settings().public_url}/sign-in?organization={slug}"
    sentences = [f"Organization {slug} is added. Its admin is {user.email}.", f"Sign in: {address}"]
    if not typed:
        sentences.append(f"Password, shown only now: {password}")
    facts = asdict(line) | {"sign_in": address, "password": None if typed else password}
    answer(facts, "\n".join(sentences), as_json=as_json)


@commands.command("rename")
def rename_command(
    slug: Slug, name: Annotated[str, typer.Option(help="Its new name.")], as_json: AsJson = False
) -> None:
    """Rename an organization. Its short name stays."""
    with servers_and_database(), transaction() as session:
        rename_organization(session, console_account(), slug, name)
        [line] = organizations(session, [slug])
    answer(asdict(line), f"Organization {slug} is now called {line.name}.", as_json=as_json)


@commands.command("weight")
def weight_command(
    slug: Slug,
    weight: Annotated[int, typer.Argument(metavar="WEIGHT", help="1 to 10; others have 1.")],
    as_json: AsJson = False,
) -> None:
    """Change an organization's share of workers, mail, webhooks and imports: with 3, three times that of others."""
    with servers_and_database(), transaction() as session:
        weigh_organization(session, console_account(), slug, weight)
        [line] = organizations(session, [slug])
    answer(asdict(line), f"Organization {slug} has weight {weight}.", as_json=as_json)


@commands.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the organizations, their weights and their admins."""
    with servers_and_database(), transaction() as session:
        found = organizations(session)
    if as_json:
        print_json([asdict(one) for one in found])
    elif found:
        table = whole(Table("Short name", "Name", "Users", "Weight", "Paused", "Admins"), "Short name")
        for one in found:
            admins = (admin.email + ("" if admin.can_sign_in else " (no password)") for admin in one.admins)
            table.add_row(one.slug, one.name, f"{one.users:,}", str(one.weight), one.paused or "", ", ".join(admins))
        print_table(table)
    else:
        console.print("There are no organizations yet. `recourse organization add` adds one.")
