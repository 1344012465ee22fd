"""The learners of a reset as a list on its page, and as a file."""

from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response

from models.listing import Count
from models.refusals.resets import DetailsDeleted
from models.resets import ItemState, Reset
from models.session import Session, transaction
from tasks.reset.learner_list import (
    LEARNER_ORDERS,
    LearnerFilter,
    count_learners,
    learners_listed,
    matching_learners,
)
from tasks.reset.outcome_files import HEAD, cells
from tasks.reset.outcomes import LEARNERS
from web.shown import Shown


def learners_shown(request: Request, reset_id: UUID) -> Shown:
    """Return the list as it is asked for."""
    path = f"/resets/{reset_id}"
    return Shown(request, LEARNER_ORDERS, {"show": list(ItemState)}, path=path, csv=f"{path}/learners.csv")


def learners_page(session: Session, reset: Reset, shown: Shown) -> dict[str, Any]:
    """Return what the list shows. Only those that a search leaves are counted: the page has the other figures."""
    which = _which(shown)
    details_deleted, listed, count = "", [], Count(0)
    try:
        found = matching_learners(session, reset, shown.q)
        listed = learners_listed(
            session, reset, which, found=found, sort=shown.sort, after=shown.pager.after, limit=shown.pager.limit
        )
        count = count_learners(session, reset, which, found) if shown.q else Count(0)
    except DetailsDeleted as refusal:
        details_deleted = str(refusal)
    return {
        "items": shown.cut(listed),
        "outcomes": list(LEARNERS),
        "wanted": which.state,
        "count": count,
        "details_deleted": details_deleted,
        "shown": shown,
    }


def learners_csv(reset_id: UUID, shown: Shown) -> Response:
    """Return the rows of all pages as a file. Raises `DetailsDeleted`."""
    which = _which(shown)
    with transaction() as session:
        reset = session.get_one(Reset, reset_id)
        found = matching_learners(session, reset, shown.q)
        learners_listed(session, reset, limit=1)  # raises
    return shown.as_csv(
        f"reset {reset_id} learners.csv",
        HEAD,
        lambda own, after, limit: learners_listed(
            own, own.get_one(Reset, reset_id), which, found=found, sort=shown.sort, after=after, limit=limit
        ),
        cells,
    )


def _which(shown: Shown) -> LearnerFilter:
    return LearnerFilter(ItemState(shown["show"]) if shown["show"] else None, shown.q)
