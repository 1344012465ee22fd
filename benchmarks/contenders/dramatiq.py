"""Dramatiq: one message a user, two processes of eight threads, which is its default."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.asked import Asked, learners_of
from benchmarks.contenders.contender import Contender, Took
from benchmarks.contenders.queued import reset_by_queue
from benchmarks.programs import running
from benchmarks.target import Target
from benchmarks.workers import PROCESSES


@contextmanager
def started() -> Iterator[Callable[[Target], Took]]:
    """Start its workers."""
    command = [sys.executable, "-m", "dramatiq", "benchmarks.jobs.dramatiq", "--processes", str(PROCESSES)]
    with running("dramatiq", command) as workers:
        yield partial(reset_by_queue, _enqueue, [workers])


def _enqueue(asked: Asked) -> None:
    from benchmarks.jobs.dramatiq import clear_user  # its broker connects to the Redis of the stage

    for user in learners_of(asked):
        clear_user.send(str(asked.reset_id), asked.course_id, user)


DRAMATIQ = Contender("dramatiq", "Dramatiq", started)
