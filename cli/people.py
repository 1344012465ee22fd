"""The commands about people: users, their passwords and their tokens."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.prompt import Prompt
from rich.table import Table

from cli.acting_as import As, actor, one_organization, organization_of_user, organizations
from cli.servers_and_database import surroundings
from cli.terminal import console, notes, print_json
from models.access import Permission, console_operator
from models.directory import user_by_address
from models.session import transaction
from models.tokens import ApiToken, Scope, tokens_of
from tasks.people.erase import erase
from tasks.people.passwords import set_password
from tasks.people.tokens import create_token, revoke_token, show_message_secret
from tasks.people.users import add_user

app = typer.Typer()
users = typer.Typer(help="Add users, and set the passwords they sign in with.", no_args_is_help=True)
tokens = typer.Typer(
    help="Create, list and revoke the tokens that programs use the HTTP API and the broker with.", no_args_is_help=True
)
app.add_typer(users, name="user")
app.add_typer(tokens, name="token")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]
OrganizationOption = Annotated[
    str | None, typer.Option("--organization", metavar="SLUG", help="Needed only where there are several.")
]
PERMISSIONS = {"users": Permission.USERS, "courses": Permission.COURSES}


@users.command("add")
def add_command(
    email: Email,
    name: Annotated[str, typer.Option(help="The name that people know them by.")],
    permission: Annotated[
        list[str] | None,
        typer.Option(help="`users` (Platform management: Users) or `courses` (Training: Manage courses); repeatable."),
    ] = None,
    organization: OrganizationOption = None,
    password_stdin: Annotated[bool, typer.Option(help="Read a password from standard input.")] = False,
) -> None:
    """Add a user. With a password they can sign in to the web app.

    Example: `recourse user add kim@acme.example --name "Kim Khan" --permission courses`
    """
    if unknown := sorted(set(permission or []) - PERMISSIONS.keys()):
        raise typer.BadParameter(
            f"{', '.join(unknown)} is none of {', '.join(PERMISSIONS)}.", param_hint="--permission"
        )
    password = _password(from_stdin=password_stdin)
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        allowed = [PERMISSIONS[short] for short in permission or []]
        user = add_user(session, console_operator(owner), email, name, allowed, password)
        console.print(f"User {user.id} is added to {owner.slug}.")


@users.command("password")
def password_command(
    email: Email,
    organization: OrganizationOption = None,
    password_stdin: Annotated[bool, typer.Option(help="Read it from standard input.")] = False,
) -> None:
    """Set a user's password, and sign them out everywhere."""
    password = _password(from_stdin=password_stdin)
    if not password:
        raise typer.BadParameter("Type a password at the prompt, or give it with --password-stdin.")
    with surroundings(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        user = user_by_address(session, owner.id, email)
        set_password(session, console_operator(owner), user, password)
    console.print("The password is set, and all earlier sessions are ended.")


@users.command("erase")
def erase_command(
    email: Email,
    confirm: Annotated[str | None, typer.Option(help="The address again; without it you are asked.")] = None,
    organization: OrganizationOption = None,
    as_user: As = None,
) -> None:
    """Erase a person for good: their name and address, and everything that they left. It cannot be undone.

    The audit keeps what was done, without them. Logs, backups and e-mails that were sent are out of reach.
    """
    if confirm is None:
        confirm = Prompt.ask("This cannot be undone. Type the address again to confirm", console=notes)
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        user = user_by_address(session, owner.id, email)
        erased = erase(session, actor(session, owner, as_user), user, confirm=confirm)
        console.print(
            f"User {user.id} is erased, with {erased.enrolments:,} enrolments, {erased.records:,} records and "
            f"{erased.files:,} files."
        )


@tokens.command("create")
def create_command(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="In whose name, and with whose permissions, it acts.")],
    name: Annotated[str, typer.Option(help="What it is for, such as “incident system”.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may be used for; repeatable.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 365,
    organization: OrganizationOption = None,
) -> None:
    """Create a token. It is printed once, and only its hash is kept.

    Example: `recourse token create kim@acme.example --name "incident system" --scope resets:read --scope resets:write`
    """
    with surroundings(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        until = datetime.now(UTC) + timedelta(days=days)
        user = user_by_address(session, owner.id, email)
        text = create_token(session, console_operator(owner), user, name, scope, until)
    notes.print(f"Keep it safe: it is shown only now. It expires on {until:%Y-%m-%d}.", style="dim")
    print(text)  # noqa: T201 - the answer, for a program to read


@tokens.command("list")
def list_command(
    organization: OrganizationOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the tokens, whose they are, and when they were last used."""
    with surroundings(), transaction() as session:
        found = tokens_of(session, [owner.id for owner in organizations(session, organization)])
    if as_json:
        print_json(
            [
                {
                    "id": token.id,
                    "user": email,
                    "name": token.name,
                    "scopes": token.scopes,
                    "state": _state(token),
                    "expires_at": token.expires_at,
                    "used_at": token.used_at,
                }
                for token, email in found
            ]
        )
    elif found:
        table = Table("Id", "User", "For", "Scopes", "State", "Expires", "Last used")
        for token, email in found:
            when = (f"{moment:%Y-%m-%d}" if moment else "never" for moment in (token.expires_at, token.used_at))
            table.add_row(str(token.id), email, token.name, " ".join(token.scopes), _state(token), *when)
        console.print(table)
    else:
        console.print("There are no tokens yet. `recourse token create EMAIL` makes one.")


@tokens.command("message-secret")
def message_secret_command(
    token: Annotated[int, typer.Argument(metavar="ID", help="The token's id, as `recourse token list` says it.")],
    organization: OrganizationOption = None,
) -> None:
    """Print the secret with which an application signs the messages that it sends through the broker.

    The token's id says who signs. It is good for as long as the token is, and for what the token may be used for.
    """
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        secret = show_message_secret(session, console_operator(owner), owner.id, token)
    notes.print("Keep it safe. The application's id, which it sends with each message, is the token's.", style="dim")
    print(secret)  # noqa: T201 - the answer, for a program to read


@tokens.command("revoke")
def revoke_command(
    token: Annotated[int, typer.Argument(metavar="ID", help="The token's id, as `recourse token list` says it.")],
    organization: OrganizationOption = None,
) -> None:
    """Revoke a token: it is refused from now on."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        revoke_token(session, console_operator(owner), token)
    console.print("The token is revoked.")


def _password(*, from_stdin: bool) -> str | None:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        return None
    return Prompt.ask("Password (empty for none)", password=True, console=notes) or None


def _state(token: ApiToken) -> str:
    if token.revoked_at:
        return "revoked"
    return "expired" if token.expires_at and token.expires_at < datetime.now(UTC) else "valid"
