"""The commands about people: users, their passwords and their tokens."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.prompt import Prompt
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cli.surroundings import surroundings
from cli.terminal import console, notes, print_json
from cli.whose import As, actor, one_organization, organizations
from models import audit
from models.access import Permission, console_operator
from models.people import Organization, User
from models.refusals import UserExists, UserUnknown
from models.session import transaction
from models.sign_in import set_password
from models.tokens import ApiToken, Scope, create_token, revoke_token
from tasks.people.erase import erase

app = typer.Typer()
users = typer.Typer(help="Add users, and set the passwords they sign in with.", no_args_is_help=True)
tokens = typer.Typer(
    help="Create, list and revoke the tokens that programs use the HTTP API with.", no_args_is_help=True
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
        if _found(session, owner, email):
            raise UserExists(email)
        allowed = [PERMISSIONS[short].value for short in permission or []]
        user = User(organization_id=owner.id, email=email, name=name, permissions=allowed)
        session.add(user)
        session.flush()
        audit.record(session, console_operator(owner), "user.added", user.id, owner.id, permissions=allowed)
        if password:
            set_password(session, user, password)
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
        owner = one_organization(session, organization)
        user = _user(session, owner, email)
        set_password(session, user, password)
        audit.record(session, console_operator(owner), "user.password_set", user.id, owner.id)
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
        user = _user(session, owner, email)
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
        owner = one_organization(session, organization)
        until = datetime.now(UTC) + timedelta(days=days)
        text = create_token(session, console_operator(owner), _user(session, owner, email), name, scope, until)
    notes.print(f"Keep it safe: it is shown only now. It expires on {until:%Y-%m-%d}.", style="dim")
    print(text)  # noqa: T201 - the answer, for a program to read


@tokens.command("list")
def list_command(
    organization: OrganizationOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the tokens, whose they are, and when they were last used."""
    with surroundings(), transaction() as session:
        owners = [owner.id for owner in organizations(session, organization)]
        found = session.execute(
            select(ApiToken, User.email)
            .join(User, User.id == ApiToken.user_id)
            .where(User.organization_id.in_(owners))
            .order_by(ApiToken.id)
        ).all()
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


@tokens.command("revoke")
def revoke_command(
    token: Annotated[int, typer.Argument(metavar="ID", help="The token's id, as `recourse token list` says it.")],
    organization: OrganizationOption = None,
) -> None:
    """Revoke a token: it is refused from now on."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        revoke_token(session, console_operator(owner), owner.id, token)
    console.print("The token is revoked.")


def _found(session: Session, owner: Organization, email: str) -> User | None:
    return session.scalar(select(User).where(User.organization_id == owner.id, func.lower(User.email) == email.lower()))


def _user(session: Session, owner: Organization, email: str) -> User:
    user = _found(session, owner, email)
    if user is None:
        raise UserUnknown(email)
    return user


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
