"""Work off all outboxes for some seconds, each in its own threads, which mostly wait.

A lease keeps it to one process of the installation: if receivers hang, all others stay free for alerts and resets.
"""

import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

from structlog.contextvars import bind_contextvars

from config.log import logger
from models.leases import give_back, hold
from models.session import in_words, transaction
from tasks.app import app
from tasks.messages import WORK_OUTBOXES, send_outbox
from tasks.outbox.every import OUTBOXES
from tasks.outbox.handler import Handler
from tasks.outbox.lane import work_off
from tasks.outbox.turns import Turns

RUN_SECONDS = 15.0  # shorter than a stopping worker lets running tasks finish
LAST_SECONDS = 1.0  # that the end waits for attempts under way; slower ones settle on their own
LOOK_EVERY = 0.5
LEASE = "outboxes"
LEASE_SECONDS = 10.0  # until another process takes over from a killed one

log = logger(__name__)


@app.task(name=WORK_OUTBOXES, send_events=False)  # its many runs would hide the resets in Flower
def work_outboxes() -> None:
    """Work off what is due for some seconds, unless another process holds the lease."""
    holder = uuid4()
    if not _hold(holder):
        return
    run = Run([Lanes(kind) for kind in OUTBOXES])
    try:
        run.work(lambda: _hold(holder))
    finally:
        with transaction() as session:
            give_back(session, LEASE, holder)
    # Ask only after giving the lease back: a message that arrived while it was held ended without doing anything.
    if run.is_something_left():
        with transaction() as session:
            send_outbox(session, WORK_OUTBOXES)


def _hold(holder: UUID) -> bool:
    with transaction() as session:
        return hold(session, LEASE, holder, LEASE_SECONDS)


_lanes: dict[str, list[threading.Thread]] = {kind.name: [] for kind in OUTBOXES}
"""The threads of this process by outbox, including those of earlier runs that still wait for an answer."""


class Lanes:
    """The lanes of one outbox in a run."""

    def __init__(self, kind: type[Handler]) -> None:
        self.kind = kind
        self.turns = Turns(kind)

    def fill(self, over: Callable[[], bool], ended: Callable[[], object]) -> None:
        """Start as many lanes as there is work and room for."""
        room = self.kind.at_once() - len(self.running())
        for _ in range(min(room, self.turns.free()) if room > 0 else 0):
            lane = threading.Thread(target=self._lane, args=(over, ended), daemon=True, name=self.kind.name)
            _lanes[self.kind.name].append(lane)
            lane.start()

    def running(self) -> list[threading.Thread]:
        """Returns the threads that are still running."""
        _lanes[self.kind.name] = [lane for lane in _lanes[self.kind.name] if lane.is_alive()]
        return _lanes[self.kind.name]

    def _lane(self, over: Callable[[], bool], ended: Callable[[], object]) -> None:
        bind_contextvars(outbox=self.kind.name)
        try:
            work_off(self.kind, self.turns, over)
        except Exception as error:
            self.turns.away = True
            log.exception("lane_failed", error=in_words(error), remedy="the next run continues")
        finally:
            ended()


class Run:
    """All outboxes for some seconds."""

    def __init__(self, outboxes: list[Lanes]) -> None:
        self._outboxes = outboxes
        self._over = threading.Event()
        self._ended = threading.Event()  # a lane has ended

    def work(self, still_mine: Callable[[], bool]) -> None:
        """Keep the lanes filled until nothing is due, time is up, or another process has taken over."""
        end = time.monotonic() + RUN_SECONDS
        try:
            while time.monotonic() < end and still_mine():
                self._ended.clear()
                for outbox in self._outboxes:
                    outbox.fill(self._over.is_set, self._ended.set)
                if not any(outbox.running() or outbox.turns.frees_soon() for outbox in self._outboxes):
                    return
                self._ended.wait(LOOK_EVERY)
        finally:
            self._over.set()
            self._wait_for_the_last()

    def is_something_left(self) -> bool:
        """Returns whether another run would find something to do now."""
        return any(outbox.turns.free() for outbox in self._outboxes)

    def _wait_for_the_last(self) -> None:
        end = time.monotonic() + LAST_SECONDS
        for lane in [lane for outbox in self._outboxes for lane in outbox.running()]:
            lane.join(max(0.0, end - time.monotonic()))
