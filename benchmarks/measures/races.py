"""Recourse against the others, by turns: A B A B, so that a slow minute of the machine falls on both."""

from dataclasses import dataclass

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
from benchmarks.keys import KEYS
from benchmarks.measures.measure import Measure
from benchmarks.outcome import must_be_same

NO_OBAN = "Oban: no Python 3.12 or newer was found"


@dataclass(frozen=True)
class Race:
    """Contenders, by the key that compares Recourse with each, over courses of the same size."""

    others: dict[str, Contender]
    most_rounds: int | None = None

    def measure(self, bench: Bench) -> None:
        """Add the ratio of each round: the other's time by Recourse's, both to the last alert."""
        others = self._wanted(bench)
        if not others:
            return
        target = bench.target(KEYS[next(iter(others))].learners)
        for key in others:
            bench.learners(key)
        with bench.stage.filled([target]):
            for _ in range(self._rounds(bench)):
                ours = bench.run(RECOURSE, target)
                for key, other in others.items():
                    theirs = bench.run(other, target)
                    must_be_same(ours.outcome, theirs.outcome, other.label)
                    bench.results.figures[key].append(theirs.took.last_alert / ours.took.last_alert)

    def runs(self, bench: Bench) -> int:
        """Returns how many runs that takes."""
        others = self._wanted(bench)
        return self._rounds(bench) * (1 + len(others)) if others else 0

    def _rounds(self, bench: Bench) -> int:
        return bench.pairs if self.most_rounds is None else min(bench.pairs, self.most_rounds)

    def _wanted(self, bench: Bench) -> dict[str, Contender]:
        wanted = {key: other for key, other in self.others.items() if key in bench.wanted}
        if OBAN in wanted.values() and not oban.is_installed():
            del wanted["vs_oban"]
            if NO_OBAN not in bench.results.left_out:
                bench.results.left_out.append(NO_OBAN)
        return wanted


RACES = [
    Measure(tuple(race.others), race.measure, race.runs)
    for race in (
        Race({"vs_script": SCRIPT_SQL, "vs_bare_script": BARE_SCRIPT}),
        Race({"vs_bare_script_100k": BARE_SCRIPT}),
        Race({"vs_script_few": SCRIPT_SQL}),
        Race({"vs_chord": CHORD}, most_rounds=2),  # which takes minutes
        Race({"vs_dramatiq": DRAMATIQ, "vs_procrastinate": PROCRASTINATE, "vs_oban": OBAN, "vs_loop": LOOP}),
    )
]
