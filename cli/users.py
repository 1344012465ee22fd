"""The commands about users: add, password, erase."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.prompt import Prompt

from cli.acting_as import actor, one_organization, organization_of_user
from cli.options import As, Organization, PasswordStdin
from cli.passwords import asked_password
from cli.servers_and_database import servers_and_database
from cli.terminal import console, notes
from models.access import Permission, console_operator
from models.directory import user_by_address
from models.session import transaction
from tasks.people.erase import erase
from tasks.people.passwords import set_password
from tasks.people.users import add_user

app = typer.Typer()
users = typer.Typer(help="Add and erase users, and set their passwords.", no_args_is_help=True)
app.add_typer(users, name="user")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]


class PermissionName(StrEnum):
    """A permission as the command line calls it."""

    USERS = "users"
    COURSES = "courses"


@users.command("add")
def add_command(
    email: Email,
    name: Annotated[str, typer.Option(help="The user's name.")],
    permission: Annotated[
        list[PermissionName] | None,
        typer.Option(help=f"“{Permission.USERS}” or “{Permission.COURSES}”. Repeat it for both."),
    ] = None,
    organization: Organization = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Add a user. With a password they can sign in to the web app.

    Example: `recourse user add kim@acme.example --name "Kim Khan" --permission courses`
    """
    password = asked_password("Password (empty for none)", from_stdin=password_stdin)
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        permissions = [Permission[one.name] for one in permission or []]
        user = add_user(session, console_operator(owner), email, name, permissions, password)
    console.print(f"User {user.id} is added to {owner.slug}.")


@users.command("password")
def password_command(email: Email, organization: Organization = None, password_stdin: PasswordStdin = False) -> None:
    """Set a user's password, and end their sessions."""
    password = asked_password("New password", from_stdin=password_stdin)
    if not password:
        raise typer.BadParameter("Type a password at the prompt, or pass one with --password-stdin.")
    with servers_and_database(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        user = user_by_address(session, owner.id, email)
        set_password(session, console_operator(owner), user, password)
    console.print("The password is set, and the user's sessions are ended.")


@users.command("erase")
def erase_command(
    email: Email,
    confirm: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="The address again, to confirm: it cannot be undone.")
    ] = None,
    organization: Organization = None,
    as_: As = None,
) -> None:
    """Erase a person: their name and address, and all their records. **It cannot be undone.**

    The audit keeps what was done, without the person's name. Logs, backups and sent e-mails are not changed.

    Without `--confirm`, the command asks for the address.
    """
    if confirm is None:
        confirm = Prompt.ask("This cannot be undone. Type the address again to confirm", console=notes)
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        user = user_by_address(session, owner.id, email)
        erased = erase(session, actor(session, owner, as_), user, confirm=confirm)
        console.print(
            f"User {user.id} is erased, with {erased.enrolments:,} enrolments, {erased.records:,} records and "
            f"{erased.files:,} files."
        )
