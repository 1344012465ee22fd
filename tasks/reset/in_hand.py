"""Which worker has which learners of a reset in hand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.links import flower_worker
from models.resets import Reset, ResetSlice

SHOWN = 50  # workers


@dataclass(frozen=True)
class InHand:
    """What one worker has begun and not ended."""

    worker: str
    slices: int
    learners: int  # who are not settled yet
    since: datetime  # when it began the first of them, or last settled one of their learners
    flower: str | None  # its page in Flower


def in_hand(session: Session, reset: Reset) -> list[InHand]:
    """Returns what workers have begun of the reset, by the name of the worker. What is lost is among it, until
    `recover` sends it again."""
    begun = (
        select(
            ResetSlice.worker,
            func.count(),
            func.sum(ResetSlice.learners - ResetSlice.counted),
            func.min(ResetSlice.begun_at),
        )
        .where(
            ResetSlice.reset_id == reset.id,
            ResetSlice.settled_at.is_(None),
            ResetSlice.worker.is_not(None),
            ResetSlice.begun_at >= ResetSlice.published_at,
        )
        .group_by(ResetSlice.worker)
        .order_by(ResetSlice.worker)
        .limit(SHOWN)
    )
    rows: Any = session.execute(begun)
    return [InHand(worker, slices, int(left), since, flower_worker(worker)) for worker, slices, left, since in rows]
