"""A Celery chord of one task a user, as most would write it, with Redis as result backend and two processes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery import chord

from benchmarks.asked import ask, learners_of, value
from benchmarks.contenders.contender import Contender, Took, at_once
from benchmarks.jobs.chord import app, clear_user, finish
from benchmarks.programs import LOOK_EVERY, RunError
from benchmarks.target import Target
from benchmarks.workers import celery_worker

LIMIT = 1800.0
ENDED = "SELECT finished_at IS NOT NULL FROM reset WHERE id = :reset"


@contextmanager
def started() -> Iterator[Callable[[Target], Took]]:
    """Start a worker."""
    with celery_worker(app, "benchmarks.jobs.chord") as worker:

        def reset(target: Target) -> Took:
            asked = ask(target)
            users = learners_of(asked)
            begun = time.perf_counter()
            header = [clear_user.s(str(asked.reset_id), asked.course_id, user) for user in users]
            result = chord(header, app=app)(finish.s(str(asked.reset_id)))
            while time.perf_counter() < begun + LIMIT:
                worker.check()
                if value(ENDED, reset=asked.reset_id):
                    took = time.perf_counter() - begun
                    result.parent.get(timeout=60)  # lets go of the results, which would look for Redis at exit
                    result.get(timeout=60)
                    return at_once(took)
                time.sleep(LOOK_EVERY)
            raise RunError(f"The chord did not end within {LIMIT:.0f} seconds.")

        yield reset


CHORD = Contender("chord", "Celery chord", started)
