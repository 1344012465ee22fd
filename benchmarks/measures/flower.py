"""What events and Flower cost: Recourse with both, and without either."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.bench import Bench
from benchmarks.contenders import recourse
from benchmarks.contenders.contender import Contender, Took
from benchmarks.flower import flower
from benchmarks.keys import KEYS
from benchmarks.measures.measure import Measure
from benchmarks.outcome import must_be_same
from benchmarks.programs import RunError
from benchmarks.target import Target
from tasks.app import app

KEY = "flower_factor"


@contextmanager
def _with_flower() -> Iterator[Callable[[Target], Took]]:
    with recourse.worker("--task-events") as worker, flower() as client:

        def reset(target: Target) -> Took:
            took = recourse.reset(worker, target)
            if not client.get("/api/tasks", params={"limit": 1}).raise_for_status().json():
                raise RunError("Flower has seen no task, so it cost nothing.")
            return took

        yield reset


@contextmanager
def _without_events() -> Iterator[Callable[[Target], Took]]:
    with recourse.worker() as worker:
        app.control.disable_events()  # which the product's settings enable
        yield partial(recourse.reset, worker)


WITH = Contender("recourse_with_flower", "Recourse with Flower", _with_flower)
WITHOUT = Contender("recourse_without_events", "Recourse without events", _without_events)


def measure(bench: Bench) -> None:
    """Add the factor of each pair: the speed with Flower by that without."""
    target = bench.target(KEYS[KEY].learners)
    bench.learners(KEY)
    with bench.stage.filled([target]):
        for _ in range(bench.pairs):
            slow, fast = bench.run(WITH, target), bench.run(WITHOUT, target)
            must_be_same(slow.outcome, fast.outcome, WITHOUT.label)
            bench.results.figures[KEY].append(fast.took.last_alert / slow.took.last_alert)


MEASURE = Measure((KEY,), measure, lambda bench: 2 * bench.pairs)
