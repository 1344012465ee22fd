"""Learners a second by the number of worker processes, and how many cores were busy meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.bench import Bench
from benchmarks.contenders import recourse
from benchmarks.contenders.contender import Contender, Took
from benchmarks.keys import KEYS
from benchmarks.measures.measure import Measure
from benchmarks.outcome import must_be_same
from benchmarks.programs import Program
from benchmarks.stage import Stage
from benchmarks.target import Target

KEY = "processes"
COUNTS = (1, 2, 4)


@dataclass(frozen=True)
class Work:
    """Seconds of processor time."""

    worker: float
    postgresql: float

    def __sub__(self, before: "Work") -> "Work":
        return Work(self.worker - before.worker, self.postgresql - before.postgresql)


def measure(bench: Bench) -> None:
    """Add the figures of each number of processes: the median over the rounds, in which they take turns."""
    target = bench.target(KEYS[KEY].learners)
    bench.learners(KEY)
    figures: dict[int, list[dict[str, float]]] = {count: [] for count in COUNTS}
    with bench.stage.filled([target]):
        for _ in range(bench.pairs):
            runs = {}
            for count in COUNTS:
                work: list[Work] = []
                runs[count] = bench.run(_recourse(bench.stage, count, work), target)
                figures[count].append(_figures(target.learners, runs[count].took.last_alert, work[-1]))
            for count in COUNTS[1:]:
                must_be_same(runs[COUNTS[0]].outcome, runs[count].outcome, f"Recourse with {count} processes")
    for count, found in figures.items():
        bench.results.processes[count] = {name: round(median(one[name] for one in found), 2) for name in found[0]}


def _recourse(stage: Stage, processes: int, work: list[Work]) -> Contender:
    """Recourse with so many worker processes. Each reset adds to `work` what it took of the processors."""

    @contextmanager
    def started() -> Iterator[Callable[[Target], Took]]:
        with recourse.worker(processes=processes) as program:

            def reset(target: Target) -> Took:
                before = _so_far(stage, program)
                took = recourse.reset(program, target)
                work.append(_so_far(stage, program) - before)
                return took

            yield reset

    return Contender(f"recourse_{processes}_processes", f"Recourse, worker processes: {processes}", started)


def _figures(learners: int, seconds: float, work: Work) -> dict[str, float]:
    return {
        "learners_per_second": round(learners / seconds),
        "cores_of_workers": work.worker / seconds,
        "cores_of_postgresql": work.postgresql / seconds,
    }


def _so_far(stage: Stage, worker: Program) -> Work:
    return Work(_of_tree(worker.pid), _of_tree(_postmaster(stage)))


def _of_tree(pid: int) -> float:
    """Returns what a program and its children took so far, with children that have ended."""
    parent = psutil.Process(pid)
    own = parent.cpu_times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in parent.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:  # it ended this moment
            continue
        seconds += times.user + times.system
    return float(seconds)


def _postmaster(stage: Stage) -> int:
    return int((Path(stage.ask("SHOW data_directory")) / "postmaster.pid").read_text().split()[0])


MEASURE = Measure((KEY,), measure, lambda bench: bench.pairs * len(COUNTS))
