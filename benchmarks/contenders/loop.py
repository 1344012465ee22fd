"""A for-loop over the users, without any queue."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from benchmarks.asked import ask, learners_of
from benchmarks.contenders.contender import Contender, Took, at_once
from benchmarks.jobs.learner import clear_learner
from benchmarks.target import Target


@contextmanager
def started() -> Iterator[Callable[[Target], Took]]:
    """Connect to the database."""
    with psycopg.connect(autocommit=True) as connection:

        def reset(target: Target) -> Took:
            asked = ask(target)
            begun = time.perf_counter()
            for user in learners_of(asked):
                clear_learner(connection, str(asked.reset_id), asked.course_id, user)
            return at_once(time.perf_counter() - begun)

        yield reset


LOOP = Contender("loop", "Python loop", started)
