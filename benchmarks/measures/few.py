"""The seconds that a small course takes, whose learners are cleared one by one."""

from benchmarks.bench import Bench
from benchmarks.contenders.recourse import RECOURSE
from benchmarks.keys import KEYS
from benchmarks.measures.measure import Measure

KEY = "few_seconds"


def measure(bench: Bench) -> None:
    """Add the seconds of each round, to the last alert."""
    target = bench.target(KEYS[KEY].learners)
    bench.learners(KEY)
    with bench.stage.filled([target]):
        for _ in range(bench.pairs):
            bench.results.figures[KEY].append(bench.run(RECOURSE, target).took.last_alert)


MEASURE = Measure((KEY,), measure, lambda bench: bench.pairs)
