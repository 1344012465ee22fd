"""The commands about groups: sites, departments, crews."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.acting_as import actor, one_organization
from cli.options import As, AsJson, Organization
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, print_json, print_table, whole
from models.groups import Group, group_by_code, groups_with_size, size_of
from models.refusals.people import UserUnknown
from models.session import Session, transaction
from tasks.people.group_lists import FillMode, fill_group
from tasks.people.groups import add_members, change_group, create_group, delete_group, remove_members
from tasks.people.pasted import read_list

app = typer.Typer()
groups = typer.Typer(help="Manage groups of users. Resets and rules can be for a group.", no_args_is_help=True)
app.add_typer(groups, name="groups")

GroupCode = Annotated[str, typer.Argument(metavar="GROUP", help="The group's code, such as bern-2.")]
Emails = Annotated[list[str], typer.Argument(metavar="EMAIL...", help="The users' e-mail addresses.")]


@groups.command("add")
def add_command(
    code: GroupCode,
    name: Annotated[str, typer.Option(help="A name for people to read, such as “Bern, shift 2”.")],
    external_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The id that your platform knows the group by.")
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Add a group. A group that already exists stays as it is.

    Example: `recourse groups add bern-2 --name "Bern, shift 2"`
    """
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        group = create_group(session, actor(session, owner, as_), code, name, external_id)
        sentence = f"Group {group.code} is ready. `recourse groups join {group.code} EMAIL...` adds members."
        answer(_facts(group, size_of(session, group)), sentence, as_json=as_json)


@groups.command("list")
def list_command(organization: Organization = None, as_json: AsJson = False) -> None:
    """List the groups with their number of members."""
    with servers_and_database(), transaction() as session:
        found = groups_with_size(session, one_organization(session, organization).id)
    if as_json:
        print_json([_facts(group, size) for group, size in found])
    elif found:
        table = whole(Table("Group", "Name", "External ID", "Members"), "Group")
        for group, size in found:
            table.add_row(group.code, group.name, group.external_id or "", f"{size:,}")
        print_table(table)
    else:
        console.print("There are no groups yet. `recourse groups add CODE --name NAME` adds one.")


@groups.command("edit")
def edit_command(
    code: GroupCode,
    name: Annotated[str | None, typer.Option(help="The new name.")] = None,
    external_id: Annotated[str | None, typer.Option(metavar="ID", help="The new external id; empty for none.")] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Rename a group, or change its external id. Its code stays."""
    given = {"name": name, "external_id": external_id}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise typer.BadParameter("Say what to change with --name or --external-id.")
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        group = change_group(session, actor(session, owner, as_), group_by_code(session, owner.id, code), changes)
        facts = _facts(group, size_of(session, group))
    answer(facts, f"Group {code} is changed.", as_json=as_json)


@groups.command("remove")
def remove_command(code: GroupCode, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Delete a group, unless a rule, a reset or an event is about it. Its members stay users."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        delete_group(session, actor(session, owner, as_), group_by_code(session, owner.id, code))
    answer({"id": code, "outcome": "deleted"}, f"Group {code} is deleted.", as_json=as_json)


@groups.command("join")
def join_command(
    code: GroupCode, email: Emails, organization: Organization = None, as_: As = None, as_json: AsJson = False
) -> None:
    """Add members to a group."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        group = group_by_code(session, owner.id, code)
        added = add_members(session, actor(session, owner, as_), group, email)
        facts = _changed(session, group, added, 0)
    answer(facts, f"{added:,} added, {len(set(email)) - added:,} already members.", as_json=as_json)


@groups.command("leave")
def leave_command(
    code: GroupCode, email: Emails, organization: Organization = None, as_: As = None, as_json: AsJson = False
) -> None:
    """Remove members from a group."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        group = group_by_code(session, owner.id, code)
        removed = remove_members(session, actor(session, owner, as_), group, email)
        facts = _changed(session, group, 0, removed)
    answer(facts, f"{removed:,} removed, {len(set(email)) - removed:,} not members.", as_json=as_json)


@groups.command("fill")
def fill_command(
    code: GroupCode,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A text file with addresses or external ids; - for standard input.")
    ],
    mode: Annotated[FillMode, typer.Option(help="Add the users, remove them, or replace all members.")] = FillMode.ADD,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Fill a group from a list: addresses, names with addresses as mail programs write them, or external ids.

    Commas, semicolons, tabs and line breaks separate. With an unknown entry, nothing is changed.
    """
    text = sys.stdin.read() if str(file) == "-" else file.read_text()
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        who, group = actor(session, owner, as_), group_by_code(session, owner.id, code)
        pasted = read_list(session, who, text)
        if pasted.unknown:
            raise UserUnknown(pasted.unknown[0])
        joined, left = fill_group(session, who, group, mode, [user.id for user in pasted.users])
        facts = _changed(session, group, joined, left)
    answer(facts, f"{joined:,} added, {left:,} removed.", as_json=as_json)


def _changed(session: Session, group: Group, joined: int, left: int) -> dict[str, Any]:
    return _facts(group, size_of(session, group)) | {"joined": joined, "left": left}


def _facts(group: Group, size: int) -> dict[str, Any]:
    return {"code": group.code, "name": group.name, "external_id": group.external_id, "members": size}
