"""The list of resets, which is also their audit."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.listing import Listed
from models.resets import SETTLED, ResetState
from models.session import Session
from tasks.people.organizations import standing
from tasks.report import Progress, progress_of_each
from tasks.reset.lookup import RESET_ORDERS, ResetFilter, ResetLine, count_resets, matching_resets, resets_listed
from tasks.reset.outcomes import state_in_words
from tasks.reset.pause import pause_everything, pause_organization, resume_everything, resume_organization
from web.access import AnyAdmin, Operator
from web.database import Database
from web.shown import Shown
from web.templating import page

router = APIRouter(prefix="/resets")

STATES: dict[str, tuple[str, tuple[ResetState, ...]]] = {
    "": (translatable("All"), ()),
    "open": (translatable("Open"), tuple(state for state in ResetState if state not in SETTLED)),
    "failed": (translatable("With failures"), (ResetState.PARTLY_FAILED, ResetState.FAILED)),
    "succeeded": (translatable("Succeeded"), (ResetState.SUCCEEDED,)),
    "cancelled": (translatable("Cancelled"), (ResetState.CANCELLED,)),
}
HEAD = ("id", "course", "title", "state", "learners", "failed", "requested_at", "requested_by", "reason")
DONE = {
    "paused": translatable("All resets are paused."),
    "resumed": translatable("Resets continue."),
    "everything-paused": translatable("Everything is paused."),
    "everything-resumed": translatable("Everything continues."),
}


@router.get("")
def resets(
    request: Request,
    person: AnyAdmin,
    session: Database,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """List the resets that match, latest first or in another order."""
    shown = _shown(request)
    which = _which(shown)
    found = matching_resets(session, person.actor, which)
    listed = resets_listed(
        session, person.actor, which, found=found, sort=shown.sort, after=shown.pager.after, limit=shown.pager.limit
    )
    lines = shown.cut(listed)
    return page(
        request,
        "resets.html",
        lines=lines,
        progress=progress_of_each(session, [line.reset.id for line in lines]),
        filters={name: label for name, (label, _) in STATES.items()},
        shown=shown,
        count=found.count if found else count_resets(session, person.actor),
        open=None if found else count_resets(session, person.actor, *STATES["open"][1]),
        failed=None if found else count_resets(session, person.actor, *STATES["failed"][1]),
        standing=standing(session, person.actor.organization_id),
        manages=person.actor.has_all(),
        done=DONE.get(done, ""),
    )


@router.get(".csv")
def resets_file(request: Request, person: AnyAdmin, session: Database) -> Response:
    """Download the resets that the list shows."""
    shown = _shown(request)
    which = _which(shown)
    found = matching_resets(session, person.actor, which)

    def read(own: Session, after: Any, limit: int) -> list[Listed[tuple[ResetLine, Progress]]]:
        listed = resets_listed(own, person.actor, which, found=found, sort=shown.sort, after=after, limit=limit)
        progress = progress_of_each(own, [line.reset.id for line, _ in listed])
        return [((line, progress[line.reset.id]), place) for line, place in listed]

    return shown.as_csv("resets.csv", HEAD, read, _cells)


def _shown(request: Request) -> Shown:
    return Shown(request, RESET_ORDERS, {"state": STATES, "course": None})


def _which(shown: Shown) -> ResetFilter:
    return ResetFilter(STATES[shown["state"]][1], shown["course"] or None, shown.q)


def _cells(row: tuple[ResetLine, Progress]) -> tuple[Any, ...]:
    line, progress = row
    reset = line.reset
    counts = (progress.total, progress.failed) if progress.total else (None, None)
    state = state_in_words(reset, line.paused, line.place)
    who = (line.requester, reset.reason)
    return (reset.id, line.course_code, line.course_title, state, *counts, reset.requested_at, *who)


@router.post("/pause-all")
def pause_all(person: AnyAdmin, session: Database, reason: Annotated[str, Form(max_length=2000)] = "") -> Response:
    """Pause all resets of the organization."""
    pause_organization(session, person.actor, reason)
    return RedirectResponse("/resets?done=paused", 303)


@router.post("/resume-all")
def resume_all(person: AnyAdmin, session: Database) -> Response:
    """Resume all resets of the organization that are not paused one by one."""
    resume_organization(session, person.actor)
    return RedirectResponse("/resets?done=resumed", 303)


@router.post("/pause-everything")
def pause_installation(
    person: Operator, session: Database, reason: Annotated[str, Form(max_length=2000)] = ""
) -> Response:
    """Pause all resets of all organizations."""
    pause_everything(session, person.actor, reason)
    return RedirectResponse("/resets?done=everything-paused", 303)


@router.post("/resume-everything")
def resume_installation(person: Operator, session: Database) -> Response:
    """Resume all organizations; what is paused by itself stays paused."""
    resume_everything(session, person.actor)
    return RedirectResponse("/resets?done=everything-resumed", 303)
