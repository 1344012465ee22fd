"""How much Recourse and the script write for a learner."""

from benchmarks.bench import Bench
from benchmarks.contenders.contender import Contender
from benchmarks.contenders.recourse import RECOURSE
from benchmarks.contenders.script import SCRIPT_SQL
from benchmarks.keys import KEYS
from benchmarks.measures.measure import Measure
from benchmarks.target import WARM_UP, Target
from benchmarks.wal import position, written

KEY = "writes_per_learner"
CONTENDERS = (RECOURSE, SCRIPT_SQL)


def measure(bench: Bench) -> None:
    """Add what each writes, by the records of the log from the request to the last alert."""
    target = bench.target(KEYS[KEY].learners)
    bench.learners(KEY)
    with bench.stage.filled([target]):
        for contender in CONTENDERS:
            bench.stage.say(f"{contender.label}, {target.learners:,} learners: what is written")
            bench.results.writes[contender.name] = _written_by(bench, contender, target)
            bench.advance()


def _written_by(bench: Bench, contender: Contender, target: Target) -> dict[str, float]:
    with bench.stage.clone(), contender.start() as reset:
        reset(WARM_UP)
        bench.stage.checkpoint()
        since = position()
        reset(target)
        return written(bench.stage, since, position()).a_learner(target.learners)


MEASURE = Measure((KEY,), measure, lambda _: len(CONTENDERS))
