"""What contenders have in common that have a queue and no callback: the reset is over once no learner is open."""

import time
from collections.abc import Callable, Sequence

from benchmarks.asked import Asked, ask, is_open
from benchmarks.contenders.contender import Took, at_once
from benchmarks.programs import LOOK_EVERY, Program, RunError
from benchmarks.target import Target

LIMIT = 1800.0


def reset_by_queue(enqueue: Callable[[Asked], object], workers: Sequence[Program], target: Target) -> Took:
    """Call `enqueue`, which sends one job a user, and wait for the workers. Raises `RunError`."""
    asked = ask(target)
    begun = time.perf_counter()
    enqueue(asked)
    while time.perf_counter() < begun + LIMIT:
        for worker in workers:
            worker.check()
        if not is_open(asked):
            return at_once(time.perf_counter() - begun)
        time.sleep(LOOK_EVERY)
    raise RunError(f"The jobs did not end within {LIMIT:.0f} seconds. A worker's log:\n{workers[0].last_lines()}")
