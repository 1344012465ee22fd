"""The command about analytics."""

from dataclasses import asdict
from itertools import islice
from typing import Annotated

import typer
from rich.table import Column, Table

from cli.acting_as import organization_of_course, organizations
from cli.options import AsJson, OnlyOrganization
from cli.servers_and_database import servers_and_database
from cli.terminal import console, print_json, print_table
from models.analytics import CourseCompletion, UserCompletion, completion_by_course, completion_by_user
from models.course_days import FEWEST, completion_over_time
from models.directory import course_of
from models.people import Organization
from models.session import Session, transaction

app = typer.Typer()

BAR = 20  # characters


@app.command("analytics")
def analytics_command(
    course: Annotated[
        str | None, typer.Argument(metavar="COURSE", help="A course code, to show its users as well.")
    ] = None,
    organization: OnlyOrganization = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many users or days.")] = 50,
    over_time: Annotated[bool, typer.Option("--over-time", help="Show daily counts instead of users.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show course completion by users, for all courses or for one."""
    with servers_and_database(), transaction() as session:
        if course is None and over_time:
            raise typer.BadParameter("Name a course to show its daily counts.", param_hint="COURSE")
        if course is None:
            _all_courses(session, organizations(session, organization), as_json=as_json)
        else:
            owner = organization_of_course(session, course, organization)
            show = _over_time if over_time else _one_course
            show(session, owner, course, limit, as_json=as_json)


def _all_courses(session: Session, owners: list[Organization], *, as_json: bool) -> None:
    rows = [(owner, row) for owner in owners for row in completion_by_course(session, owner.id)]
    if as_json:
        print_json({"courses": [_course_as_json(owner, row) for owner, row in rows]})
    elif rows:
        print_table(_courses_table(rows))
    else:
        console.print("There are no courses yet. `recourse import courses FILE` adds some.")


def _one_course(session: Session, owner: Organization, code: str, limit: int, *, as_json: bool) -> None:
    (row,) = completion_by_course(session, owner.id, code)
    users = completion_by_user(session, course_of(session, owner.id, code))
    if as_json:
        print_json({"courses": [_course_as_json(owner, row)], "users": [asdict(user) for user in users]})
        return
    print_table(_courses_table([(owner, row)]))
    if shown := list(islice(users, limit)):
        print_table(_users_table(shown))
        if (left := row.assigned - len(shown)) > 0:
            console.print(f"… and {left:,} more. Show them with --limit, or all with --json.")


def _over_time(session: Session, owner: Organization, code: str, limit: int, *, as_json: bool) -> None:
    (row,) = completion_by_course(session, owner.id, code)
    days = completion_over_time(session, course_of(session, owner.id, code))
    if as_json:
        print_json({"courses": [_course_as_json(owner, row)], "days": [asdict(one) for one in days]})
        return
    print_table(_courses_table([(owner, row)]))
    if not days:
        console.print(f"Daily counts need at least {FEWEST} learners.")
        return
    table = Table(
        "Day", *(Column(name, justify="right") for name in ("Assigned", "Completed", "Due", "Overdue", "Reset"))
    )
    for one in days[-limit:]:
        figures = (one.assigned, one.completed, one.due, one.overdue, one.learners_reset)
        table.add_row(str(one.day), *(f"{figure:,}" for figure in figures))
    print_table(table)
    if (left := len(days) - limit) > 0:
        console.print(f"{left:,} earlier days are left out. Show them with --limit, or all with --json.")


def _course_as_json(owner: Organization, row: CourseCompletion) -> dict[str, object]:
    facts = asdict(row) | {"organization": owner.slug}
    return {"course": facts.pop("code")} | facts


def _courses_table(rows: list[tuple[Organization, CourseCompletion]]) -> Table:
    table = Table(title="Course completion by users", title_justify="left")
    table.add_column("Organization")
    table.add_column("Course", no_wrap=True)
    table.add_column("Title")
    for figure in ("Assigned", "In progress", "Completed", "Rate"):
        table.add_column(figure, justify="right")
    table.add_column(min_width=BAR)
    for organization, course in rows:
        table.add_row(
            organization.slug,
            course.code,
            course.title,
            f"{course.assigned:,}",
            f"{course.in_progress:,}",
            f"{course.completed:,}",
            f"{course.rate:.0%}",
            "█" * round(course.rate * BAR),
        )
    return table


def _users_table(users: list[UserCompletion]) -> Table:
    table = Table("Name", "E-mail", "State", "Progress", "Completed")
    for user in users:
        table.add_row(
            user.name,
            user.email,
            user.state.value.replace("_", " "),
            f"{user.progress} %",
            f"{user.completed_at:%Y-%m-%d}" if user.completed_at else "",
        )
    return table
