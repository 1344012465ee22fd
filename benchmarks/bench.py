"""One call of the benchmark: what it measures, how large, how often; and with what."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contenders.contender import Contender, Run, run
from benchmarks.keys import KEYS
from benchmarks.results import Results
from benchmarks.stage import Stage
from benchmarks.target import Target, target_of

FEWEST = 20  # learners of a course, however small the share


@dataclass(frozen=True)
class Bench:
    """What the measures have in common."""

    stage: Stage
    results: Results
    wanted: frozenset[str]  # keys
    pairs: int
    share: float  # of the learners
    advance: Callable[[], object]  # called after each run

    def learners(self, key: str) -> int:
        """Returns how many learners are reset for this key, and notes it in the results."""
        self.results.learners[key] = self.size(KEYS[key].learners)
        return self.results.learners[key]

    def size(self, learners: int) -> int:
        """Returns the share of so many learners."""
        return max(FEWEST, round(learners * self.share))

    def target(self, learners: int) -> Target:
        """Returns a target with the share of so many learners, and as many courses as the full size has."""
        return Target(self.size(learners), target_of(learners).courses)

    def run(self, contender: Contender, target: Target) -> Run:
        """Run a contender, and note what it took."""
        ran = run(contender, self.stage, target)
        self.results.runs[contender.name, target.learners].append(ran.took)
        self.advance()
        return ran
