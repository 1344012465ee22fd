"""All outboxes, side by side in one process for some seconds: each in threads of its own, since they only wait.

One process in the whole installation is at it: whatever hangs, all others are free for alerts and resets.
"""

import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import structlog
from structlog.contextvars import bind_contextvars

from models.leases import give_back, hold
from models.session import in_words, transaction
from tasks.app import app
from tasks.messages import WORK_OUTBOXES, send_outbox
from tasks.outbox.every import OUTBOXES
from tasks.outbox.hands import Hands
from tasks.outbox.lane import work_off
from tasks.outbox.turns import Turns

RUN_SECONDS = 15.0  # less than a worker that is told to stop has for what it has in hand
LAST_SECONDS = 1.0  # for what is under way at the end; whoever waits longer settles by themself
LOOK_EVERY = 0.5
LEASE = "outboxes"
LEASE_SECONDS = 10.0  # after which another process takes over from one that was killed

log = structlog.get_logger(__name__)


@app.task(name=WORK_OUTBOXES, send_events=False)  # its runs would bury the jobs in Flower
def work_outboxes() -> None:
    """Work on all that is due, for some seconds, unless another process is at it: that one finds it."""
    holder = uuid4()
    if not _hold(holder):
        return
    run = Run([Desk(kind) for kind in OUTBOXES])
    try:
        run.work(lambda: _hold(holder))
    finally:
        with transaction() as session:
            give_back(session, LEASE, holder)
    # Asked only after it is given back: a message that came before that has ended by itself.
    if run.is_something_left():
        with transaction() as session:
            send_outbox(session, WORK_OUTBOXES)


def _hold(holder: UUID) -> bool:
    with transaction() as session:
        return hold(session, LEASE, holder, LEASE_SECONDS)


_lanes: dict[str, list[threading.Thread]] = {kind.name: [] for kind in OUTBOXES}
"""Of this process, also those of an earlier run that still wait for an answer: they count as lanes."""


class Desk:
    """One outbox in a run."""

    def __init__(self, kind: type[Hands]) -> None:
        self.kind = kind
        self.turns = Turns(kind)

    def fill(self, over: Callable[[], bool], ended: Callable[[], object]) -> None:
        """Have as many lanes at work as there is something to do for."""
        room = self.kind.at_once() - len(self.lanes())
        for _ in range(min(room, self.turns.left()) if room > 0 else 0):
            lane = threading.Thread(target=self._lane, args=(over, ended), daemon=True, name=self.kind.name)
            _lanes[self.kind.name].append(lane)
            lane.start()

    def lanes(self) -> list[threading.Thread]:
        """Those at work."""
        _lanes[self.kind.name] = [lane for lane in _lanes[self.kind.name] if lane.is_alive()]
        return _lanes[self.kind.name]

    def _lane(self, over: Callable[[], bool], ended: Callable[[], object]) -> None:
        bind_contextvars(outbox=self.kind.name)
        try:
            work_off(self.kind, self.turns, over)
        except Exception as error:
            self.turns.away = True
            log.exception("lane_failed", error=in_words(error), remedy="the next run goes on with it")
        finally:
            ended()


class Run:
    """All desks for some seconds."""

    def __init__(self, desks: list[Desk]) -> None:
        self._desks = desks
        self._over = threading.Event()
        self._ended = threading.Event()  # a lane has

    def work(self, still_mine: Callable[[], bool]) -> None:
        """Keep every desk filled until nothing is due, the time is over, or another process has taken over."""
        end = time.monotonic() + RUN_SECONDS
        try:
            while time.monotonic() < end and still_mine():
                self._ended.clear()
                for desk in self._desks:
                    desk.fill(self._over.is_set, self._ended.set)
                if not any(desk.lanes() for desk in self._desks):
                    return
                self._ended.wait(LOOK_EVERY)
        finally:
            self._over.set()
            self._wait_for_the_last()

    def is_something_left(self) -> bool:
        """Whether something is due that another run could do at once."""
        return any(desk.turns.left() for desk in self._desks)

    def _wait_for_the_last(self) -> None:
        end = time.monotonic() + LAST_SECONDS
        for lane in [lane for desk in self._desks for lane in desk.lanes()]:
            lane.join(max(0.0, end - time.monotonic()))
