"""The commands about groups: sites, departments, crews, as audiences of resets and rules."""

from typing import Annotated

import typer
from rich.table import Table

from cli.acting_as import As, actor, one_organization
from cli.servers_and_database import surroundings
from cli.terminal import console, print_json
from models.groups import group_by_code, groups_with_size
from models.session import transaction
from tasks.people.groups import add_members, create_group, remove_members

app = typer.Typer()
groups = typer.Typer(
    help="Put users into groups: resets and rules can take one as their audience.", no_args_is_help=True
)
app.add_typer(groups, name="groups")

Code = Annotated[str, typer.Argument(metavar="GROUP", help="The group's code, such as bern-2.")]
Emails = Annotated[list[str], typer.Argument(metavar="EMAIL...", help="E-mail addresses of users.")]
OrganizationOption = Annotated[
    str | None, typer.Option("--organization", metavar="SLUG", help="Needed only where there are several.")
]


@groups.command("add")
def add_command(
    code: Code,
    name: Annotated[str, typer.Option(help="What people call it, such as “Bern, shift 2”.")],
    organization: OrganizationOption = None,
    as_: As = None,
) -> None:
    """Make a group; one that there is stays as it is.

    Example: `recourse groups add bern-2 --name "Bern, shift 2"`
    """
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        group = create_group(session, actor(session, owner, as_), code, name)
        console.print(f"Group {group.code} is there. `recourse groups join {group.code} EMAIL...` puts users into it.")


@groups.command("list")
def list_command(
    organization: OrganizationOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the groups and how many members each has."""
    with surroundings(), transaction() as session:
        found = groups_with_size(session, one_organization(session, organization).id)
    if as_json:
        print_json([{"code": group.code, "name": group.name, "members": size} for group, size in found])
    elif found:
        table = Table("Group", "Name", "Members")
        for group, size in found:
            table.add_row(group.code, group.name, f"{size:,}")
        console.print(table)
    else:
        console.print("There are no groups yet. `recourse groups add CODE --name NAME` makes one.")


@groups.command("join")
def join_command(code: Code, email: Emails, organization: OrganizationOption = None, as_: As = None) -> None:
    """Put users into a group."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        group = group_by_code(session, owner.id, code)
        added = add_members(session, actor(session, owner, as_), group, email)
    console.print(f"{added:,} joined; {len(set(email)) - added:,} were in it already.")


@groups.command("leave")
def leave_command(code: Code, email: Emails, organization: OrganizationOption = None, as_: As = None) -> None:
    """Take users out of a group."""
    with surroundings(), transaction() as session:
        owner = one_organization(session, organization)
        group = group_by_code(session, owner.id, code)
        removed = remove_members(session, actor(session, owner, as_), group, email)
    console.print(f"{removed:,} left; {len(set(email)) - removed:,} were not in it.")
