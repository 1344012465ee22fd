"""What the command line shows as tables."""

from rich.table import Table

from models.analytics import CourseCompletion, UserCompletion
from models.files.deletions import files_left
from models.mail import NO_MAILS
from models.people import Organization, User
from models.records import kind_labels
from models.resets import Reset
from models.session import Session
from models.training import Course
from tasks.imports import Imported
from tasks.imports.oulad import ImportReport
from tasks.report import mails_in, progress_of, report
from tasks.reset.impact import Preview
from tasks.reset.lookup import causes_of
from tasks.reset.outcomes import LEARNERS, end_in_words, shares_of, state_in_words

BAR = 20  # characters


def preview_table(seen: Preview) -> Table:
    """What a reset would remove."""
    table = Table("Would be reset", "Now", title=f"Reset of {seen.plan.course_code}", title_justify="left")
    table.columns[1].justify = "right"
    table.add_row("Learners", f"{seen.learners:,}")
    for kind, label in kind_labels().items():
        table.add_row(label, f"{seen.removed[kind]:,}")
    table.add_section()
    table.add_row("Alerts to send", f"{seen.alerts:,}")
    return table


def report_table(session: Session, reset: Reset) -> Table:
    """Everything there is to know of one reset."""
    figures = report(session, reset)
    course = session.get_one(Course, reset.course_id)
    table = Table(title=f"Reset {reset.id}", title_justify="left", show_header=False)
    table.add_row("Course", f"{course.code} · {course.title}")
    table.add_row("State", state_in_words(reset))
    table.add_row("For", f"{reset.audience.value} learners" if reset.user_ids is None else "named users")
    table.add_row("Why", reset.reason)
    table.add_row("Asked for", f"{reset.requested_at:%Y-%m-%d %H:%M:%S %Z} by {requester(session, reset)}")
    table.add_row("Took", f"{figures['seconds']:,.1f} s")
    if reset.error:
        table.add_row("Error", reset.error)
    table.add_section()
    progress = progress_of(session, reset.id)
    table.add_row("Learners", f"{progress.total:,}" if progress.total else end_in_words(reset, progress))
    for share in shares_of(progress) if progress.total else ():
        table.add_row(f"Learners: {share.label}", f"{share.learners:,}")
    table.add_section()
    for kind, label in kind_labels().items():
        table.add_row(f"{label} removed", f"{figures['removed'][kind]:,}")
    table.add_row("Alerts sent", f"{figures['notified']:,}")
    mails = mails_in(session, reset)
    if mails != NO_MAILS:
        words = f"{mails.sent:,} sent, {mails.pending:,} to be sent, {mails.suppressed:,} not wanted any more"
        table.add_row("E-mails", f"{words}, {mails.failed:,} refused")
        if mails.maybe_repeated:
            table.add_row("E-mails perhaps sent twice", f"{mails.maybe_repeated:,}")
    left = files_left(session, reset.id)
    if left.pending:
        why = f": {left.error}" if left.error else ""
        table.add_row("Files not deleted yet", f"{left.pending:,}{why}")
    return table


def causes_table(session: Session, reset: Reset) -> Table | None:
    """Why learners were skipped or failed, most frequent first; none if there were no such."""
    causes = causes_of(session, reset)
    if not causes:
        return None
    table = Table("Outcome", "Cause", "Learners")
    for cause in causes:
        table.add_row(LEARNERS[cause.state], cause.reason, f"{cause.learners:,}")
    return table


def resets_table(session: Session, resets: list[Reset]) -> Table:
    """The latest resets, one a line."""
    table = Table("Reset", "Course", "State", "Learners", "Failed", "Asked for", "By", "Why")
    for column in table.columns[:3]:
        column.no_wrap, column.overflow = True, "fold"  # an id or a code that is cut short cannot be copied
    for reset in resets:
        progress = progress_of(session, reset.id)
        table.add_row(
            str(reset.id),
            session.get_one(Course, reset.course_id).code,
            state_in_words(reset),
            f"{progress.settled:,} of {progress.total:,}" if progress.total else "-",
            f"{progress.failed:,}" if progress.total else "-",
            f"{reset.requested_at:%Y-%m-%d %H:%M}",
            requester(session, reset),
            reset.reason,
        )
    return table


def requester(session: Session, reset: Reset) -> str:
    """Who asked, by address where it was a user."""
    return reset.requester if reset.requested_by is None else session.get_one(User, reset.requested_by).email


def courses_table(rows: list[tuple[Organization, CourseCompletion]]) -> Table:
    """Analytics: course completion by users, a line a course."""
    table = Table(title="Course completion by users", title_justify="left")
    table.add_column("Organization")
    table.add_column("Course", no_wrap=True, overflow="fold")
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


def imported_table(found: ImportReport) -> Table:
    """What an import found in the files, and how much of it is new."""
    counts = {"Courses": found.courses, "Users": found.users, "Activities": found.activities}
    counts |= {"Enrolments": found.enrolments, **{kind_labels()[kind]: count for kind, count in found.records.items()}}
    table = Table("Imported", "In the files", "New")
    for label, count in counts.items():
        table.add_row(label, f"{count.in_files:,}", f"{count.new:,}")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def counts_table(imported: Imported) -> Table:
    """What an import of one file did."""
    table = Table("Imported", "In the file", "New", "Changed", "As before")
    for what, count in imported.counts.items():
        figures = (count.in_file, count.new, count.changed, count.unchanged)
        table.add_row(what.capitalize(), *(f"{figure:,}" for figure in figures))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def users_table(users: list[UserCompletion]) -> Table:
    """Analytics of one course, a line a user."""
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


def _figure(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def before_and_after(rows: list[tuple[str, int | str, int | str]]) -> Table:
    """Figures before and after a reset."""
    table = Table("", "Before", "After")
    for label, before, after in rows:
        table.add_row(label, _figure(before), _figure(after))
    for column in table.columns[1:]:
        column.justify = "right"
    return table
