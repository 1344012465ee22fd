"""Signs of whether everything does its work: of processes, of queues, and of one organization's outboxes and pauses.

All in one statement, since it is asked with pages; its cost does not depend on how much waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, cast, func, literal, null, or_, select, union_all
from sqlalchemy.orm import Session

from models.heartbeat import BEAT, TICKS, Heartbeat
from models.outbox import Outbox, backlogs, given_up_lately
from models.pauses import Pause
from models.queue_probes import QueueProbe

LATELY = 3600.0  # seconds
MOST_GIVEN_UP = 10  # items of an outbox within that time; more are trouble, and not counted


@dataclass(frozen=True)
class OutboxSigns:
    """How far behind an outbox is."""

    overdue_since: datetime | None
    attempts: int  # of the item that waits longest for its next one
    given_up: int  # items, within the last hour; at most `MOST_GIVEN_UP` + 1


@dataclass(frozen=True)
class WholePause:
    """The widest pause that holds a whole organization."""

    everything: bool  # all organizations
    reason: str
    at: datetime


@dataclass(frozen=True)
class Signs:
    """What the database knows."""

    now: datetime
    beat_at: datetime | None  # when beat last ticked
    ticks_at: datetime | None  # when a worker for `interactive` last carried out such a tick, or read a probe
    without_worker: Mapping[str, datetime]  # queues that no worker reads, and since when something waits there
    paused: WholePause | None
    outboxes: Mapping[str, OutboxSigns]


_STATEMENTS: dict[tuple[object, ...], Any] = {}  # making one takes much longer than running it


def signs(session: Session, organization_id: int | None, outboxes: Mapping[str, Outbox]) -> Signs:
    """Returns the signs, with the outboxes of one organization, or of all."""
    key = (organization_id is None, *outboxes)
    if key not in _STATEMENTS:
        whose = None if organization_id is None else bindparam("organization", type_=BigInteger)
        _STATEMENTS[key] = _statement(whose, outboxes)
    found: dict[str, dict[str, Any]] = {}
    pauses = []
    for row in session.execute(_STATEMENTS[key], {"organization": organization_id}):
        if row.sign == "pause":
            pauses.append(WholePause(row.a is None, row.name, row.at))
        found.setdefault(row.sign, {})[row.name] = row
    processes = {name: row.at for name, row in found.get("part", {}).items()}
    return Signs(
        found["now"][""].at,
        processes.get(BEAT),
        processes.get(TICKS),
        {name: row.at for name, row in found.get("queue", {}).items()},
        max(pauses, key=lambda one: one.everything, default=None),
        {name: OutboxSigns(row.at, int(row.a or 0), int(row.b or 0)) for name, row in found.get("outbox", {}).items()},
    )


def _statement(organization_id: ColumnElement[int] | None, outboxes: Mapping[str, Outbox]) -> Any:
    count = cast(null(), BigInteger)
    parts: list[Any] = [
        select(
            literal("now").label("sign"),
            literal("").label("name"),
            func.now().label("at"),
            count.label("a"),
            count.label("b"),
        ),
        select(literal("part"), Heartbeat.part, Heartbeat.at, count, count).where(Heartbeat.part.in_((BEAT, TICKS))),
        select(literal("queue"), QueueProbe.queue, QueueProbe.unread_since, count, count).where(QueueProbe.no_worker),
        select(literal("pause"), Pause.reason, Pause.paused_at, Pause.organization_id, count).where(
            Pause.reset_id.is_(None), or_(Pause.organization_id.is_(None), Pause.organization_id == organization_id)
        ),
    ]
    for name, outbox in outboxes.items():
        behind = backlogs(outbox, organization_id).subquery(f"behind_{name}")
        given_up = given_up_lately(outbox, organization_id, LATELY, MOST_GIVEN_UP + 1)
        parts.append(select(literal("outbox"), literal(name), behind.c.overdue_since, behind.c.attempts, given_up))
    return union_all(*parts)
