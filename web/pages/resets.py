"""The list of resets, which is also their audit."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from models.resets import SETTLED, ResetState
from tasks.report import progress_of_each
from tasks.reset.lookup import resets_seen_by
from web.access import AnyAdmin
from web.database import Database
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/resets")

FILTERS: dict[str, tuple[str, tuple[ResetState, ...]]] = {
    "": ("All", ()),
    "open": ("Open", tuple(state for state in ResetState if state not in SETTLED)),
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
    )
