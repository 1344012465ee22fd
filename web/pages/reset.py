"""The page of one reset, updated live until the reset is done."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.links import flower_row
from models.files.deletions import files_left
from models.mail import NO_MAILS
from models.people import zone_of
from models.refusals.base import Refused
from models.refusals.resets import AlreadyBegun, DueInDaysInvalid, ReasonMissing, StartAtInvalid
from models.resets import SETTLED, Reset
from models.session import Session, transaction
from tasks.evidence.lookup import standing_of
from tasks.participants.lookup import there
from tasks.report import mails_in, progress_of, removed_in_words, report_of
from tasks.reset.cancel import cancel
from tasks.reset.in_hand import in_hand
from tasks.reset.lookup import causes_of, line_of, reset_seen_by
from tasks.reset.move import Changes, move
from tasks.reset.outcome_files import learners_as_csv, report_as_pdf, signed_bundle
from tasks.reset.outcomes import AUDIENCES, end_in_words, is_planned, note_on, shares_of
from tasks.reset.outcomes import counted as in_words
from tasks.reset.pause import pause_reset, resume_reset
from tasks.reset.retry_failed import can_retry, retry_failed
from tasks.reset.stalled import stalled
from web.access import AnyAdmin, SignedIn
from web.database import Database
from web.downloads import download
from web.pages.reset_form import days_in, moment_in
from web.pages.reset_learners import learners_csv, learners_page, learners_shown
from web.shown import Shown
from web.templating import page

router = APIRouter(prefix="/resets/{reset_id}")


@router.get("")
def reset_page(request: Request, reset_id: str, person: AnyAdmin, session: Database) -> Response:
    """Show a reset; `show` in the address is the outcome whose learners are listed."""
    return _show(request, person, session, reset_seen_by(session, person.actor, reset_id))


@router.get("/live")
def live(
    request: Request,
    reset_id: str,
    person: AnyAdmin,
    session: Database,
    was: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Return the part of the page that changes, with the list of learners if the outcomes differ from `was`."""
    reset = reset_seen_by(session, person.actor, reset_id)
    shown = learners_shown(request, reset.id)
    values = _progress(session, reset, shown) | {"live": True}
    # A search may look through a million users: with one, the list stays as it is until the reset is settled.
    if values["mark"] != was and (values["settled"] or not shown.q):
        values |= learners_page(session, reset, shown) | {"swapped": True}
    return page(request, "reset_progress.html", **values)


@router.get("/learners.csv")
def learners_file(request: Request, reset_id: str, person: AnyAdmin) -> Response:
    """Download the learners with their outcomes as CSV: all, or those that the list shows."""
    number = _id_for_files(person, reset_id)
    shown = learners_shown(request, number)
    if shown.is_narrowed or shown.is_sorted:
        return learners_csv(number, shown)
    return download(f"reset {number} learners.csv", learners_as_csv(number))


@router.get("/report.pdf")
def report_file(reset_id: str, person: AnyAdmin) -> Response:
    """Download the report of one page as PDF."""
    number = _id_for_files(person, reset_id)
    return download(f"reset {number} report.pdf", iter([report_as_pdf(number)]))


@router.get("/evidence.zip")
def evidence_file(reset_id: str, person: AnyAdmin) -> Response:
    """Download both, with their checksums and a signature."""
    number = _id_for_files(person, reset_id)
    return download(f"reset {number} evidence.zip", signed_bundle(number))


@router.post("/cancel")
def cancel_reset(reset_id: str, person: AnyAdmin, session: Database) -> Response:
    """Cancel the reset; learners already reset stay reset."""
    cancel(session, person.actor, reset_seen_by(session, person.actor, reset_id))
    return RedirectResponse(f"/resets/{reset_id}", 303)


@router.post("/pause")
def pause_this(
    reset_id: str, person: AnyAdmin, session: Database, reason: Annotated[str, Form(max_length=2000)] = ""
) -> Response:
    """Pause the reset; nothing further begins."""
    pause_reset(session, person.actor, reset_seen_by(session, person.actor, reset_id), reason)
    return RedirectResponse(f"/resets/{reset_id}", 303)


@router.post("/resume")
def resume_this(reset_id: str, person: AnyAdmin, session: Database) -> Response:
    """Resume the reset."""
    resume_reset(session, person.actor, reset_seen_by(session, person.actor, reset_id))
    return RedirectResponse(f"/resets/{reset_id}", 303)


@router.post("/move")
def move_reset(
    request: Request,
    reset_id: str,
    person: AnyAdmin,
    session: Database,
    start_at: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
    due_in_days: Annotated[str, Form(max_length=10)] = "",
    quiet: Annotated[bool, Form()] = False,
    with_options: Annotated[bool, Form()] = False,
) -> Response:
    """Change a planned reset; the time is in the person's own zone. `with_options` says that the form had fields for
    the due date and the alerts."""
    reset = reset_seen_by(session, person.actor, reset_id)
    try:
        with session.begin_nested():
            moment = moment_in(start_at, zone_of(person.user))
            same = moment is not None and moment == reset.start_at.replace(second=0, microsecond=0)
            changes = Changes(start_at=None if same else moment, reason=reason)
            if with_options:
                changes |= Changes(due_in_days=days_in(due_in_days, DueInDaysInvalid), notify=not quiet)
            move(session, person.actor, reset, **changes)
    except (StartAtInvalid, ReasonMissing, DueInDaysInvalid, AlreadyBegun) as refusal:
        typed = {"start_at": start_at, "reason": reason, "due_in_days": due_in_days, "notify": not quiet}
        return _show(request, person, session, reset, error=refusal, typed=typed)
    return RedirectResponse(f"/resets/{reset_id}", 303)


@router.post("/retry-failed")
def retry_reset(reset_id: str, person: AnyAdmin, session: Database) -> Response:
    """Retry the failed learners."""
    retry_failed(session, person.actor, reset_seen_by(session, person.actor, reset_id))
    return RedirectResponse(f"/resets/{reset_id}", 303)


def _id_for_files(person: SignedIn, reset_id: str) -> UUID:
    """In a transaction of its own: files are made in others."""
    with transaction() as session:
        return reset_seen_by(session, person.actor, reset_id).id


def _show(
    request: Request,
    person: SignedIn,
    session: Session,
    reset: Reset,
    error: Refused | None = None,
    typed: dict[str, Any] | None = None,
) -> Response:
    start_at = reset.start_at.astimezone(zone_of(person.user)).strftime("%Y-%m-%dT%H:%M")
    shown = learners_shown(request, reset.id)
    return page(
        request,
        "reset.html",
        status=error.status if error else 200,
        error=error,
        typed={
            "start_at": start_at,
            "reason": reset.reason,
            "due_in_days": reset.due_in_days or "",
            "notify": reset.notify,
        }
        | (typed or {}),
        **_progress(session, reset, shown),
        **learners_page(session, reset, shown),
    )


def _progress(session: Session, reset: Reset, shown: Shown) -> dict[str, Any]:
    line, progress = line_of(session, reset), progress_of(session, reset.id)
    seen = report_of(session, reset, progress, line.paused, line.place)
    settled = reset.state in SETTLED
    mark = f"{reset.state} {in_words(progress)}"
    return {
        "reset": reset,
        "line": line,
        "audience": AUDIENCES[reset.audience],
        "progress": progress,
        "shares": shares_of(progress),
        "in_words": in_words(progress),
        "end": end_in_words(reset, progress),
        "note": note_on(reset, line.paused, line.place),
        "planned": is_planned(reset),
        "mark": mark,
        "asked": urlencode({"was": mark, **shown.asked}),
        "swapped": False,
        "live": False,
        "seen": seen,
        "trouble": stalled(session, line, progress),
        "in_hand": [] if settled else in_hand(session, reset),
        "removed": removed_in_words(seen["removed"]),
        "there": there(session, reset),
        "evidence": standing_of(session, reset),
        "notified": seen["notified"],
        # Only a reported run can be retried, so the page follows it until then.
        "all_done": seen["done"] and reset.reported_at is not None,
        "seconds": seen["seconds"],
        "settled": settled,
        "causes": causes_of(session, reset),
        "can_retry": can_retry(reset),
        "mails": mails_in(session, reset) if settled else NO_MAILS,
        "files": files_left(session, reset.id),
        "flower": flower_row(reset.task_id),
    }
