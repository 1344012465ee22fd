"""The memory of a worker's processes, and of Redis."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from redis import Redis

from benchmarks.programs import Program

LOOK_EVERY = 0.2


@dataclass
class Peak:
    """The most bytes that were seen."""

    bytes: int = 0


@contextmanager
def watched(measure: Callable[[], int]) -> Iterator[Peak]:
    """Call `measure` again and again within the scope, and keep the most that it returned."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY):
            peak.bytes = max(peak.bytes, measure())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def of_the_largest_process(worker: Program) -> int:
    """Returns the resident memory, in bytes, of that process of the worker that has most."""
    sizes = [0]
    for child in psutil.Process(worker.pid).children(recursive=True):
        try:
            sizes.append(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return max(sizes)


def of_redis(broker: Redis) -> int:
    """Returns the memory that Redis uses, in bytes."""
    return int(broker.info("memory")["used_memory"])
