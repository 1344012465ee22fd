"""The commands about users: add, show, edit, remove, unassign, password, erase."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.prompt import Prompt
from rich.table import Table

from cli.acting_as import actor, one_organization, organization_of_user
from cli.options import As, AsJson, CourseCode, Organization, PasswordStdin
from cli.passwords import asked_password
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, notes, print_json, print_table
from models.access import Permission, console_operator
from models.directory import training_of, user_by_address, user_by_external_id
from models.people import Organization as Owner
from models.people import User
from models.session import Session, transaction
from tasks.people.enrolments import unassign
from tasks.people.erase import erase
from tasks.people.password_links import make_password_link
from tasks.people.passwords import set_password
from tasks.people.permissions import set_permissions
from tasks.people.users import add_user, change_user, remove_user

app = typer.Typer()
users = typer.Typer(help="Add, change, remove and erase users, and set their passwords.", no_args_is_help=True)
app.add_typer(users, name="user")

SHOWN = (
    "id",
    "external_id",
    "email",
    "name",
    "active",
    "notifications_on",
    "locale",
    "time_zone",
    "permissions",
    "created_at",
    "removed_at",
    "erased_at",
)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail address.")]


EmailOrNone = Annotated[str | None, typer.Argument(metavar="[EMAIL]", help="The user's e-mail address.")]
ExternalId = Annotated[
    str | None, typer.Option("--external-id", metavar="ID", help="The id that your platform knows the user by.")
]


class PermissionName(StrEnum):
    """A permission as the command line calls it."""

    USERS = "users"
    COURSES = "courses"
    OPERATIONS = "operations"


@users.command("add")
def add_command(
    email: Email,
    name: Annotated[str, typer.Option(help="The user's name.")],
    permission: Annotated[
        list[PermissionName] | None,
        typer.Option(
            help=f"“{Permission.USERS}”, “{Permission.COURSES}” or “{Permission.OPERATIONS}”. Repeat it for more."
        ),
    ] = None,
    external_id: ExternalId = None,
    organization: Organization = None,
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
) -> None:
    """Add a user. With a password they can sign in to the web app.

    A removed user with this address or external id is the same person, and comes back.

    Example: `recourse user add kim@acme.example --name "Kim Khan" --permission courses`
    """
    password = asked_password("Password (empty for none)", from_stdin=password_stdin)
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        permissions = [Permission[one.name] for one in permission or []]
        known: dict[str, Any] = {} if external_id is None else {"external_id": external_id}
        user = add_user(session, console_operator(owner), email, name, permissions, password, **known)
        facts = _facts(session, user)
    answer(facts, f"User {user.id} is added to {owner.slug}.", as_json=as_json)


@users.command("show")
def show_command(
    email: EmailOrNone = None,
    external_id: ExternalId = None,
    organization: Organization = None,
    as_json: AsJson = False,
) -> None:
    """Show a user, by address or by external id."""
    with servers_and_database(), transaction() as session:
        facts = _facts(session, _one(session, email, external_id, organization))
    if as_json:
        print_json(facts)
        return
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        words = ", ".join(value) if isinstance(value, list) else {True: "yes", False: "no", None: ""}.get(value, value)
        table.add_row(name.replace("_", " "), str(words))
    print_table(table)


@users.command("edit")
def edit_command(
    email: EmailOrNone = None,
    external_id: ExternalId = None,
    new_email: Annotated[str | None, typer.Option("--email", metavar="EMAIL", help="The new e-mail address.")] = None,
    name: Annotated[str | None, typer.Option(help="The new name.")] = None,
    new_external_id: Annotated[
        str | None, typer.Option("--set-external-id", metavar="ID", help="The new external id; empty for none.")
    ] = None,
    active: Annotated[bool | None, typer.Option(help="Whether they can sign in and get alerts.")] = None,
    notifications: Annotated[bool | None, typer.Option(help="Whether they get alerts.")] = None,
    locale: Annotated[str | None, typer.Option(metavar="TAG", help="The language tag, such as de-CH.")] = None,
    time_zone: Annotated[str | None, typer.Option(metavar="NAME", help="The time zone, such as Europe/Zurich.")] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Change a user, found by address or by external id. With another address they are the same person.

    Example: `recourse user edit kim@acme.example --email kim.khan@acme.example`
    """
    given = {
        "email": new_email,
        "name": name,
        "external_id": new_external_id,
        "active": active,
        "notifications_on": notifications,
        "locale": locale,
        "time_zone": time_zone,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise typer.BadParameter("Say what to change, for example with --email or --name.")
    with servers_and_database(), transaction() as session:
        user = _one(session, email, external_id, organization)
        change_user(session, actor(session, session.get_one(Owner, user.organization_id), as_), user, changes)
        sentence = f"User {user.id} is changed: {', '.join(sorted(changes)).replace('_', ' ')}."
        answer(_facts(session, user), sentence, as_json=as_json)


@users.command("remove")
def remove_command(
    email: EmailOrNone = None,
    external_id: ExternalId = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Remove a user: no access, no courses, no groups. Their records stay until they are erased or too old."""
    with servers_and_database(), transaction() as session:
        user = _one(session, email, external_id, organization)
        remove_user(session, actor(session, session.get_one(Owner, user.organization_id), as_), user)
        sentence = f"User {user.id} is removed. `recourse user add` with the same address brings them back."
        answer(_facts(session, user), sentence, as_json=as_json)


@users.command("unassign")
def unassign_command(
    email: Email, course: CourseCode, organization: Organization = None, as_: As = None, as_json: AsJson = False
) -> None:
    """Unassign a course from a user. Their records stay, and they continue there if it is assigned again."""
    with servers_and_database(), transaction() as session:
        user = _one(session, email, None, organization)
        unassign(session, actor(session, session.get_one(Owner, user.organization_id), as_), user, course)
        answer(_facts(session, user), f"{course} is unassigned from user {user.id}.", as_json=as_json)


def _facts(session: Session, user: User) -> dict[str, Any]:
    facts = {name: getattr(user, name) for name in SHOWN}
    return {"user_id": facts.pop("id")} | facts | {"courses": [line.code for line in training_of(session, user)]}


def _one(session: Session, email: str | None, external_id: str | None, slug: str | None) -> User:
    """Returns the user with this address or external id. Raises `UserUnknown`."""
    if (email is None) == (external_id is None):
        raise typer.BadParameter("Name the user by their e-mail address, or by --external-id.")
    if email is not None:
        return user_by_address(session, organization_of_user(session, email, slug).id, email)
    return user_by_external_id(session, one_organization(session, slug).id, str(external_id))


@users.command("password")
def password_command(
    email: Email,
    organization: Organization = None,
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
) -> None:
    """Set a user's password, and end their sessions."""
    password = asked_password("New password", from_stdin=password_stdin)
    if not password:
        raise typer.BadParameter("Type a password at the prompt, or pass one with --password-stdin.")
    with servers_and_database(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        user = user_by_address(session, owner.id, email)
        set_password(session, console_operator(owner), user, password)
        facts = _facts(session, user)
    answer(facts, "The password is set, and the user's sessions are ended.", as_json=as_json)


@users.command("password-link")
def password_link_command(
    email: Email, organization: Organization = None, as_: As = None, as_json: AsJson = False
) -> None:
    """Print a link with which the user chooses a password. It is valid for a day and works once.

    Whoever has the link can sign in as the user: send it to them alone.
    """
    with servers_and_database(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        user = user_by_address(session, owner.id, email)
        made = make_password_link(session, actor(session, owner, as_), user)
    answer(asdict(made), made.link, as_json=as_json)


@users.command("permissions")
def permissions_command(
    email: Email,
    permission: Annotated[
        list[PermissionName] | None,
        typer.Option(help="As in `recourse user add`. Repeat it for more; without it, none."),
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Let a user do this, and nothing else. Users who get a permission are signed out everywhere.

    With “Platform operations” they may pause and resume every organization; an operator gives it, without --as.

    Example: `recourse user permissions kim@acme.example --permission courses`
    """
    with servers_and_database(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        user = user_by_address(session, owner.id, email)
        before = user.permissions
        set_permissions(session, actor(session, owner, as_), user, [Permission[one.name] for one in permission or []])
        sentence = f"User {user.id} may now do: {', '.join(user.permissions) or 'nothing but learn'}."
        if Permission.OPERATIONS in user.permissions and Permission.OPERATIONS not in before:
            sentence += f" Their password is removed; `recourse user password-link {email}` makes a link for a new one."
        answer(_facts(session, user), sentence, as_json=as_json)


@users.command("erase")
def erase_command(
    email: Email,
    confirm: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="The address again, to confirm: it cannot be undone.")
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
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
        answer(
            {"user_id": user.id, "erased_at": user.erased_at} | asdict(erased),
            f"User {user.id} is erased, with {erased.enrolments:,} enrolments, {erased.records:,} records and "
            f"{erased.files:,} files.",
            as_json=as_json,
        )
