"""Learners a second of every contender, by the size of the course: the plot."""

from statistics import median

from benchmarks.bench import Bench
from benchmarks.contenders import oban
from benchmarks.contenders.bare_script import BARE_SCRIPT
from benchmarks.contenders.chord import CHORD
from benchmarks.contenders.contender import Contender
from benchmarks.contenders.dramatiq import DRAMATIQ
from benchmarks.contenders.loop import LOOP
from benchmarks.contenders.oban import OBAN
from benchmarks.contenders.procrastinate import PROCRASTINATE
from benchmarks.contenders.recourse import RECOURSE
from benchmarks.contenders.script import SCRIPT_SQL
from benchmarks.measures.measure import Measure
from benchmarks.outcome import must_be_same
from benchmarks.target import Target, target_of

KEY = "speeds"
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
CONTENDERS = (RECOURSE, SCRIPT_SQL, BARE_SCRIPT, DRAMATIQ, OBAN, PROCRASTINATE, LOOP, CHORD)
AT_EVERY_SIZE = (RECOURSE, SCRIPT_SQL, BARE_SCRIPT)
LONGEST = 60.0  # seconds that a run of the others may take, by their speed at the size before
RUNS = 3  # of a small course; of a large one, one


def measure(bench: Bench) -> None:
    """Add the speed of each contender at each size; the slow ones only up to the size that they can do in a minute."""
    bench.learners(KEY)
    for target in _targets(bench):
        with bench.stage.filled([target]):
            for _ in range(_rounds(bench, target)):
                ours = bench.run(RECOURSE, target)
                for contender in _contenders(bench, target):
                    must_be_same(ours.outcome, bench.run(contender, target).outcome, contender.label)
        _add(bench, target.learners)
    for learners in SIZES:  # other measures have run some of these too
        _add(bench, learners)


def _add(bench: Bench, learners: int) -> None:
    for contender in CONTENDERS:
        if took := bench.results.runs.get((contender.name, learners)):
            bench.results.speeds[contender.name][learners] = learners / median(one.last_alert for one in took)


def _targets(bench: Bench) -> list[Target]:
    """The targets by size. A share leaves out the large ones instead of scaling all: a tenth, from 10,000 on."""
    most = SIZES[-1] * bench.share**2
    return [target_of(size) for size in SIZES if size < most or bench.share >= 1]


def _rounds(bench: Bench, target: Target) -> int:
    return min(bench.pairs, RUNS if target.learners <= 10_000 else 1)


def _contenders(bench: Bench, target: Target) -> list[Contender]:
    """All but Recourse that can do the target in time."""
    return [contender for contender in CONTENDERS[1:] if _is_fast_enough(bench, contender, target.learners)]


def _is_fast_enough(bench: Bench, contender: Contender, learners: int) -> bool:
    if contender is OBAN and not oban.is_installed():
        return False
    measured = bench.results.speeds[contender.name]
    if contender in AT_EVERY_SIZE or learners == SIZES[0]:
        return True
    return bool(measured) and learners / measured[max(measured)] < LONGEST * bench.share


def _runs(bench: Bench) -> int:
    """How many runs at most: the slow contenders leave out the large sizes."""
    return sum(_rounds(bench, target) * len(CONTENDERS) for target in _targets(bench))


MEASURE = Measure((KEY,), measure, _runs)
