"""Resets: the list of them, which is the audit, and the page of one, live until it is done."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.links import flower_row
from models.files.deletions import files_left
from models.mail import NO_MAILS
from models.records import kind_labels
from models.refusals.resets import DetailsDeleted
from models.resets import SETTLED, TRANSITIONS, ItemState, Reset, ResetState
from models.session import Session
from tasks.report import mails_in, progress_of, progress_of_each, report
from tasks.reset.cancel import cancel
from tasks.reset.lookup import causes_of, items_of, line_of, reset_seen_by, resets_seen_by
from tasks.reset.outcomes import LEARNERS, end_in_words, is_planned, note_on, shares_of
from tasks.reset.outcomes import counted as in_words
from tasks.reset.retry_failed import retry_failed
from web.access import AnyAdmin
from web.database import Database
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/resets")

OPEN = "open"
FILTERS = {
    "": ("All", ()),
    OPEN: ("Under way", tuple(state for state in ResetState if state not in SETTLED)),
    "failed": ("With failures", (ResetState.PARTLY_FAILED, ResetState.FAILED)),
    "succeeded": ("Succeeded", (ResetState.SUCCEEDED,)),
    "cancelled": ("Cancelled", (ResetState.CANCELLED,)),
}


@router.get("")
def resets(
    request: Request,
    person: AnyAdmin,
    session: Database,
    state: Annotated[str, Query(max_length=20)] = "",
    course: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """Who reset what, when and why; latest first."""
    pager = Pager(request, after, (datetime, UUID))
    _, states = FILTERS.get(state, FILTERS[""])
    found = resets_seen_by(
        session,
        person.actor,
        states=states,
        course_code=course.strip() or None,
        before=pager.after,
        limit=pager.limit,
    )
    lines = pager.cut(found, lambda line: (line.reset.requested_at, line.reset.id))
    progress = progress_of_each(session, [line.reset.id for line in lines])
    return page(
        request,
        "resets.html",
        lines=lines,
        progress=progress,
        filters={name: label for name, (label, _) in FILTERS.items()},
        state=state,
        course=course,
        pager=pager,
    )


@router.get("/{reset_id}")
def reset_page(
    request: Request,
    reset_id: str,
    person: AnyAdmin,
    session: Database,
    show: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """One reset; `show` is the outcome whose learners are listed."""
    reset = reset_seen_by(session, person.actor, reset_id)
    return page(
        request, "reset.html", **_live(session, reset, show, after), **_learners(request, session, reset, show, after)
    )


@router.get("/{reset_id}/live")
def live(
    request: Request,
    reset_id: str,
    person: AnyAdmin,
    session: Database,
    was: Annotated[str, Query(max_length=200)] = "",
    show: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """The part of the page that changes; `was` is what the page shows of its learners, whose list comes along when it
    is not so any more: the bar and the list never say two things for long."""
    reset = reset_seen_by(session, person.actor, reset_id)
    said = _live(session, reset, show, after)
    if said["mark"] != was:
        said |= _learners(request, session, reset, show, after) | {"swapped": True}
    return page(request, "reset_live.html", **said)


def _learners(request: Request, session: Session, reset: Reset, show: str, after: str) -> dict[str, Any]:
    pager = Pager(request, after, (int,), path=f"/resets/{reset.id}", but=("was",))
    wanted = ItemState(show) if show in list(ItemState) else None
    details_deleted = ""
    try:
        found = items_of(session, reset, state=wanted, after=pager.after[0] if pager.after else 0, limit=pager.limit)
    except DetailsDeleted as refusal:
        found, details_deleted = [], str(refusal)
    items = pager.cut(found, lambda item: (item.enrolment_id,))
    return {
        "items": items,
        "outcomes": list(LEARNERS),
        "wanted": wanted,
        "details_deleted": details_deleted,
        "pager": pager,
    }


@router.post("/{reset_id}/cancel")
def cancel_reset(reset_id: str, person: AnyAdmin, session: Database) -> Response:
    """Stop what is not cleared yet."""
    cancel(session, person.actor, reset_seen_by(session, person.actor, reset_id))
    return RedirectResponse(f"/resets/{reset_id}", 303)


@router.post("/{reset_id}/retry-failed")
def retry_reset(reset_id: str, person: AnyAdmin, session: Database) -> Response:
    """Try the failed ones again."""
    retry_failed(session, person.actor, reset_seen_by(session, person.actor, reset_id))
    return RedirectResponse(f"/resets/{reset_id}", 303)


def _live(session: Session, reset: Reset, show: str, after: str) -> dict[str, Any]:
    seen = report(session, reset)
    settled = reset.state in SETTLED
    progress = progress_of(session, reset.id)
    mark = f"{reset.state} {in_words(progress)}"
    return {
        "reset": reset,
        "line": line_of(session, reset),
        "progress": progress,
        "shares": shares_of(progress),
        "in_words": in_words(progress),
        "end": end_in_words(reset, progress),
        "note": note_on(reset),
        "planned": is_planned(reset),
        "mark": mark,
        "asked": urlencode({"was": mark, "show": show, "after": after}),
        "swapped": False,
        "removed": {label: seen["removed"][kind] for kind, label in kind_labels().items()},
        "notified": seen["notified"],
        "all_done": seen["done"],
        "seconds": seen["seconds"],
        "settled": settled,
        "causes": causes_of(session, reset),
        "may_retry": settled
        and ResetState.RUNNING in TRANSITIONS[reset.state]
        and reset.reported_at is not None
        and reset.figures is None,
        "mails": mails_in(session, reset) if settled else NO_MAILS,
        "files": files_left(session, reset.id),
        "flower": flower_row(reset.task_id),
    }
