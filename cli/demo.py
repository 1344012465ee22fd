"""The demonstration: a course of 500 learners is reset from beginning to end."""

from cli.local import remove
from cli.sample import enrol_everyone, hand_in_files, make_courses, make_learners, make_organization
from cli.servers_and_database import surroundings
from cli.tables import before_and_after
from cli.terminal import console
from cli.watch import watch
from config.settings import settings
from models.access import Actor, acting_user
from models.analytics import completion_by_course
from models.records import kind_labels
from models.session import Session, transaction
from tasks.reset.impact import preview
from tasks.reset.request import request_reset

LEARNERS = 500
FILES = 60
CODE = "SAFETY-101"
OTHER = "FIRE-201"
TITLES = {CODE: "Working safely at height", OTHER: "Fire warden"}


def demo() -> bool:
    """Make a course, reset it, and show the figures before and after. Gives whether all is as it should be.

    Runs on servers and data of its own, made anew each time, whatever the settings say: no demonstration may ever
    touch somebody's data.
    """
    home = settings().home.absolute() / "demo"
    home.parent.mkdir(exist_ok=True)
    if (home / "in-use.lock").exists():
        remove(home)
    with surroundings(home) as workers:
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
        console.print(before_and_after([*rows, ("Alerts “course assigned” sent", 0, result["notified"])]))
        untouched = other_before == other_after
        console.print(
            f"{progress_words(result)} in {result['seconds']:.1f} s. "
            f"The other course, {OTHER}, is {'as it was' if untouched else 'NOT AS IT WAS'}.\n"
            "[dim]Next: `.venv/bin/recourse up` with data of your own, `.venv/bin/recourse --help` for the rest.[/]"
        )
        return bool(result["state"] == "succeeded") and untouched


def progress_words(result: dict[str, dict[str, int]]) -> str:
    """A finished reset's figures in a phrase."""
    progress = result["progress"]
    return f"{progress['cleared']:,} learners reset, {progress['unchanged']:,} had nothing to reset"


def _fill() -> Actor:
    with transaction() as session:
        organization = make_organization(session, "demo", "Demo")
        make_learners(session, organization, LEARNERS)
        courses = make_courses(session, organization, TITLES)
        enrol_everyone(session, organization, courses)
        hand_in_files(session, courses, FILES)
        return acting_user(session, organization, "admin@demo.example")


def _figures(session: Session, admin: Actor, code: str) -> dict[str, int | str]:
    """What the analytics and the tables say of the course, by label."""
    seen = preview(session, admin, code)
    (course,) = completion_by_course(session, admin.organization_id, code)
    return {
        "Learners assigned": course.assigned,
        "In progress": course.in_progress,
        "Completed": course.completed,
        "Completion rate": f"{course.rate:.0%}",
        **{label: seen.removed[kind] for kind, label in kind_labels().items()},
    }
