"""Resets as tables."""

from uuid import UUID

import typer
from rich.table import Table

from cli.terminal import print_json, print_table, whole
from models.files.deletions import files_left
from models.mail import NO_MAILS
from models.resets import SETTLED, Reset, ResetState
from models.session import Session, transaction
from models.short_ids import short
from tasks.evidence.lookup import standing_of
from tasks.participants.lookup import there
from tasks.report import Progress, mails_in, progress_of, progress_of_each, removed_in_words, report_of
from tasks.reset.lookup import ResetLine, causes_of, facts_of, line_of
from tasks.reset.outcomes import (
    AUDIENCES,
    LEARNERS,
    end_in_words,
    place_in_words,
    shares_of,
    state_in_words,
    what_is_paused,
)
from tasks.reset.stalled import stalled
from tasks.trouble_words import words_of


def report_table(session: Session, line: ResetLine) -> Table:
    """Returns all facts and figures of one reset."""
    reset, progress = line.reset, progress_of(session, line.reset.id)
    table = Table(title=f"Reset {reset.id}", title_justify="left", show_header=False)
    table.add_row("Course", f"{line.course_code} · {line.course_title}")
    _add_standing(session, table, line, progress)
    table.add_row("Audience", AUDIENCES[reset.audience])
    table.add_row("Reason", reset.reason)
    table.add_row("Requested", f"{reset.requested_at:%Y-%m-%d %H:%M:%S %Z} by {line.requester}")
    if reset.start_at > reset.requested_at:
        table.add_row("Start", f"{reset.start_at:%Y-%m-%d %H:%M:%S %Z}")
    if reset.state == ResetState.REQUESTED:
        return table  # there is nothing to count yet
    figures = report_of(session, reset, progress, line.paused, line.place)
    table.add_row("Duration", f"{figures['seconds']:,.1f} s")
    if reset.error:
        table.add_row("Error", reset.error)
    table.add_section()
    table.add_row("Learners", f"{progress.total:,}" if progress.total else end_in_words(reset, progress))
    for share in shares_of(progress) if progress.total else ():
        table.add_row(f"Learners: {share.label}", f"{share.learners:,}")
    for one in there(session, reset):
        words = f"{one.answered:,} answered, {one.waiting:,} waiting, {one.given_up + one.withdrawn:,} given up"
        table.add_row(f"Elsewhere: {one.code}", words + (f" ({one.last_words})" if one.last_words else ""))
    table.add_section()
    for label, count in removed_in_words(figures["removed"]).items():
        table.add_row(f"{label} removed", f"{count:,}")
    table.add_row("Alerts sent", f"{figures['notified']:,}")
    mails = mails_in(session, reset)
    if mails != NO_MAILS:
        words = f"{mails.sent:,} sent, {mails.pending:,} waiting, {mails.suppressed:,} no longer wanted"
        table.add_row("E-mails", f"{words}, {mails.failed:,} rejected")
        if mails.maybe_repeated:
            table.add_row("E-mails possibly sent twice", f"{mails.maybe_repeated:,}")
    left = files_left(session, reset.id)
    if left.pending:
        why = f": {left.error}" if left.error else ""
        table.add_row("Files still to delete", f"{left.pending:,}{why}")
    if (evidence := standing_of(session, line.reset)).parts:
        why = f": {evidence.why}" if evidence.why else ""
        table.add_row("Evidence", f"{evidence.written:,} of {evidence.parts:,} parts stored{why}")
    return table


def _add_standing(session: Session, table: Table, line: ResetLine, progress: Progress) -> None:
    """Add the rows that say where the reset stands, and what holds it."""
    table.add_row("State", state_in_words(line.reset, line.paused, line.place))
    if line.paused:
        table.add_row("Paused", f"{line.paused.at:%Y-%m-%d %H:%M:%S %Z} by {line.paused.by}")
        table.add_row(what_is_paused(line.paused), line.paused.reason)
    elif line.place:
        table.add_row("Place", place_in_words(line.place))
    if missing := stalled(session, line, progress):
        table.add_row("Waits", str(words_of(missing)))


def causes_table(session: Session, reset: Reset) -> Table | None:
    """Returns why learners were skipped or failed, most frequent first; `None` if none were."""
    causes = causes_of(session, reset)
    if not causes:
        return None
    table = Table("Outcome", "Cause", "Learners")
    for cause in causes:
        table.add_row(LEARNERS[cause.state], cause.reason, f"{cause.learners:,}")
    return table


def resets_table(session: Session, lines: list[ResetLine]) -> Table:
    """Returns one row per reset, with the end of its id."""
    table = whole(
        Table("Reset", "Course", "State", "Learners", "Failed", "Requested", "By", "Reason"), "Reset", "Course"
    )
    ids = short([line.reset.id for line in lines])
    progress_by_id = progress_of_each(session, [line.reset.id for line in lines])
    for line in lines:
        progress = progress_by_id[line.reset.id]
        table.add_row(
            ids[line.reset.id],
            line.course_code,
            state_in_words(line.reset, line.paused, line.place) + (f" ({line.place})" if line.place else ""),
            f"{progress.settled:,} of {progress.total:,}" if progress.total else "-",
            f"{progress.failed:,}" if progress.total else "-",
            f"{line.reset.requested_at:%Y-%m-%d %H:%M}",
            line.requester,
            line.reset.reason,
        )
    return table


def print_reset(reset_id: UUID, *, as_json: bool, judge: bool = True) -> None:
    """Print the reset. With `judge`, exit with status 1 if it failed in part or whole, or was cancelled."""
    with transaction() as session:
        reset = session.get_one(Reset, reset_id)
        if as_json:
            print_json(facts_of(session, line_of(session, reset)))
        else:
            print_table(report_table(session, line_of(session, reset)))
            if causes := causes_table(session, reset):
                print_table(causes)
    if judge and reset.state in SETTLED - {ResetState.SUCCEEDED}:
        raise typer.Exit(1)
