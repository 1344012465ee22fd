"""The command demo: a course of 500 learners is reset from beginning to end."""

import typer
from rich.table import Table

from cli.local import remove
from cli.servers_and_database import servers_and_database
from cli.terminal import console, print_table
from cli.watch import watch
from config.settings import settings
from models.access import Actor, acting_user
from models.analytics import completion_by_course
from models.records import kind_labels
from models.session import Session, transaction
from tasks.reset.impact import preview
from tasks.reset.request import request_reset
from tasks.sample import enrol_everyone, hand_in_files, make_courses, make_learners, make_organization

LEARNERS = 500
FILES = 60
CODE = "SAFETY-101"
OTHER = "FIRE-201"
TITLES = {CODE: "Working safely at height", OTHER: "Fire warden"}

app = typer.Typer()


@app.command("demo")
def demo_command() -> None:
    """Reset a made-up course of 500 learners while you watch, on servers and data of its own."""
    # A demonstration must never touch anyone's data, so it ignores the settings and starts over each time.
    home = settings().home.absolute() / "demo"
    home.parent.mkdir(exist_ok=True)
    if (home / "in-use.lock").exists():
        remove(home)
    with servers_and_database(home) as workers:
        admin = _fill()
        workers.ensure()
        with transaction() as session:
            before, other_before = _figures(session, admin, CODE), _figures(session, admin, OTHER)
            seen = preview(session, admin, CODE)
            reason = "Changed procedure: everyone takes it again"
            reset = request_reset(session, admin, plan=seen.token, confirm=CODE, reason=reason)
        console.print(f"\nAlex Admin resets [bold]{CODE}[/], “{TITLES[CODE]}”, for all {seen.learners:,} learners.\n")
        result = watch(reset.id, workers)
        with transaction() as session:
            after, other_after = _figures(session, admin, CODE), _figures(session, admin, OTHER)
        rows = [(label, figure, after[label]) for label, figure in before.items()]
        print_table(_before_and_after([*rows, ("“Course assigned” alerts sent", 0, result["notified"])]))
        untouched = other_before == other_after
        progress = result["progress"]
        console.print(
            f"{progress['cleared']:,} learners reset, {progress['unchanged']:,} had nothing to reset, "
            f"in {result['seconds']:.1f} s. The other course, {OTHER}, is {'unchanged' if untouched else 'CHANGED'}.\n"
            "[dim]Next: `.venv/bin/recourse up` to try it in the browser, `.venv/bin/recourse --help` for the rest.[/]"
        )
    if result["state"] != "succeeded" or not untouched:
        raise typer.Exit(1)


def _fill() -> Actor:
    with transaction() as session:
        organization = make_organization(session, "demo", "Demo")
        make_learners(session, organization, LEARNERS)
        courses = make_courses(session, organization, TITLES)
        enrol_everyone(session, organization, courses)
        hand_in_files(session, courses, FILES)
        return acting_user(session, organization, "admin@demo.example")


def _figures(session: Session, admin: Actor, code: str) -> dict[str, int | str]:
    """Returns what analytics and the tables say about the course, by label."""
    seen = preview(session, admin, code)
    (course,) = completion_by_course(session, admin.organization_id, code)
    return {
        "Learners assigned": course.assigned,
        "In progress": course.in_progress,
        "Completed": course.completed,
        "Completion rate": f"{course.rate:.0%}",
        **{label: seen.removed[kind] for kind, label in kind_labels().items()},
    }


def _before_and_after(rows: list[tuple[str, int | str, int | str]]) -> Table:
    table = Table("", "Before", "After")
    for label, before, after in rows:
        table.add_row(label, _figure(before), _figure(after))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _figure(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value
