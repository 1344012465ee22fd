"""The commands about groups: sites, departments, crews."""

from typing import Annotated

import typer
from rich.table import Table

from cli.acting_as import actor, one_organization
from cli.options import As, AsJson, Organization
from cli.servers_and_database import servers_and_database
from cli.terminal import console, print_json
from models.groups import group_by_code, groups_with_size
from models.session import transaction
from tasks.people.groups import add_members, create_group, remove_members

app = typer.Typer()
groups = typer.Typer(help="Manage groups of users. Resets and rules can be for a group.", no_args_is_help=True)
app.add_typer(groups, name="groups")

GroupCode = Annotated[str, typer.Argument(metavar="GROUP", help="The group's code, such as bern-2.")]
Emails = Annotated[list[str], typer.Argument(metavar="EMAIL...", help="The users' e-mail addresses.")]


@groups.command("add")
def add_command(
    code: GroupCode,
    name: Annotated[str, typer.Option(help="A name for people to read, such as “Bern, shift 2”.")],
    organization: Organization = None,
    as_: As = None,
) -> None:
    """Add a group. A group that already exists stays as it is.

    Example: `recourse groups add bern-2 --name "Bern, shift 2"`
    """
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        group = create_group(session, actor(session, owner, as_), code, name)
        console.print(f"Group {group.code} is ready. `recourse groups join {group.code} EMAIL...` adds members.")


@groups.command("list")
def list_command(organization: Organization = None, as_json: AsJson = False) -> None:
    """List the groups with their number of members."""
    with servers_and_database(), transaction() as session:
        found = groups_with_size(session, one_organization(session, organization).id)
    if as_json:
        print_json([{"code": group.code, "name": group.name, "members": size} for group, size in found])
    elif found:
        table = Table("Group", "Name", "Members")
        for group, size in found:
            table.add_row(group.code, group.name, f"{size:,}")
        console.print(table)
    else:
        console.print("There are no groups yet. `recourse groups add CODE --name NAME` adds one.")


@groups.command("join")
def join_command(code: GroupCode, email: Emails, organization: Organization = None, as_: As = None) -> None:
    """Add members to a group."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        group = group_by_code(session, owner.id, code)
        added = add_members(session, actor(session, owner, as_), group, email)
    console.print(f"{added:,} added, {len(set(email)) - added:,} already members.")


@groups.command("leave")
def leave_command(code: GroupCode, email: Emails, organization: Organization = None, as_: As = None) -> None:
    """Remove members from a group."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        group = group_by_code(session, owner.id, code)
        removed = remove_members(session, actor(session, owner, as_), group, email)
    console.print(f"{removed:,} removed, {len(set(email)) - removed:,} not members.")
