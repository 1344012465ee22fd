"""The commands about organizations."""

import secrets
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.prompt import Prompt
from rich.table import Table

from cli.servers_and_database import surroundings
from cli.terminal import console, notes, print_json
from config.settings import settings
from models.access import console_account
from models.session import transaction
from tasks.people.organizations import FirstAdmin, add_organization, organizations, rename_organization

app = typer.Typer()
commands = typer.Typer(help="Add, rename and list organizations.", no_args_is_help=True)
app.add_typer(commands, name="organization")

Slug = Annotated[
    str,
    typer.Argument(metavar="SLUG", help="Its short name, for signing in: lower-case letters, digits and hyphens."),
]


@commands.command("add")
def add_command(
    slug: Slug,
    name: Annotated[str, typer.Option(help="The name that people know it by.")],
    admin: Annotated[str, typer.Option(metavar="EMAIL", help="Its first admin, who may do everything.")],
    admin_name: Annotated[str, typer.Option(help="The admin's name.")] = "Administrator",
    time_zone: Annotated[str, typer.Option(help="The admin's time zone, such as Europe/Zurich.")] = "UTC",
    password_stdin: Annotated[bool, typer.Option(help="Read the admin's password from standard input.")] = False,
) -> None:
    """Add an organization with its first admin.

    Asks for the admin's password; where it cannot ask, it makes one up and prints it.

    Example: `recourse organization add acme --name "Acme Ltd" --admin kim@acme.example`
    """
    password = _password(admin, from_stdin=password_stdin)
    given = password or secrets.token_urlsafe(18)
    with surroundings(), transaction() as session:
        first = FirstAdmin(admin, admin_name, given, time_zone)
        user = add_organization(session, console_account(), slug, name, first)
    console.print(f"Organization {slug} is added, with {user.email} as its admin.", highlight=False, soft_wrap=True)
    console.print(f"Sign in: {settings().public_url}/sign-in?organization={slug}", highlight=False, soft_wrap=True)
    if not password:
        console.print(f"Password, shown only now: {given}", highlight=False, soft_wrap=True)


@commands.command("rename")
def rename_command(slug: Slug, name: Annotated[str, typer.Option(help="Its new name.")]) -> None:
    """Give an organization another name. Its short name stays."""
    with surroundings(), transaction() as session:
        rename_organization(session, console_account(), slug, name)
    console.print(f"Organization {slug} is now called {name.strip()}.", highlight=False, soft_wrap=True)


@commands.command("list")
def list_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the organizations, and their admins."""
    with surroundings(), transaction() as session:
        found = organizations(session)
    if as_json:
        print_json([asdict(one) for one in found])
    elif found:
        table = Table("Short name", "Name", "Users", "Admins")
        for one in found:
            admins = (admin.email + ("" if admin.can_sign_in else " (no password)") for admin in one.admins)
            table.add_row(one.slug, one.name, f"{one.users:,}", ", ".join(admins))
        console.print(table)
    else:
        console.print("There are no organizations yet. `recourse organization add --help` says how to make one.")


def _password(email: str, *, from_stdin: bool) -> str | None:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        return None
    return Prompt.ask(f"Password for {email} (leave empty to have one made up)", password=True, console=notes) or None
