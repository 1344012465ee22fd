"""The list of resets, which is also their audit."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.resets import SETTLED, ResetState
from tasks.people.organizations import standing
from tasks.report import progress_of_each
from tasks.reset.lookup import resets_seen_by
from tasks.reset.pause import pause_organization, resume_organization
from web.access import AnyAdmin
from web.database import Database
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/resets")

FILTERS: dict[str, tuple[str, tuple[ResetState, ...]]] = {
    "": (translatable("All"), ()),
    "open": (translatable("Open"), tuple(state for state in ResetState if state not in SETTLED)),
    "failed": (translatable("With failures"), (ResetState.PARTLY_FAILED, ResetState.FAILED)),
    "succeeded": (translatable("Succeeded"), (ResetState.SUCCEEDED,)),
    "cancelled": (translatable("Cancelled"), (ResetState.CANCELLED,)),
}
DONE = {"paused": translatable("All resets are paused."), "resumed": translatable("Resets continue.")}


@router.get("")
def resets(
    request: Request,
    person: AnyAdmin,
    session: Database,
    state: Annotated[str, Query(max_length=20)] = "",
    course: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=1000)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """List resets, latest first."""
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
    return page(
        request,
        "resets.html",
        lines=lines,
        progress=progress_of_each(session, [line.reset.id for line in lines]),
        filters={name: label for name, (label, _) in FILTERS.items()},
        state=state,
        course=course,
        pager=pager,
        standing=standing(session, person.actor.organization_id),
        manages=person.actor.has_all(),
        done=DONE.get(done, ""),
    )


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
