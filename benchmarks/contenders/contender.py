"""One way to reset a course, and one run of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from benchmarks.asked import value
from benchmarks.outcome import Outcome, outcome
from benchmarks.stage import Stage
from benchmarks.target import WARM_UP, Target


@dataclass(frozen=True)
class Took:
    """Seconds from the request until all learners were settled, and until the last alert was committed."""

    settled: float
    last_alert: float


@dataclass(frozen=True)
class Contender:
    """`start` starts everything on the database of the run, and provides the function that resets a target."""

    name: str
    label: str
    start: Callable[[], AbstractContextManager[Callable[[Target], Took]]]


@dataclass(frozen=True)
class Run:
    """One run of a contender: what it took, and what it left."""

    took: Took
    outcome: Outcome


def run(contender: Contender, stage: Stage, target: Target) -> Run:
    """Reset the target's course on a fresh copy of the database, by a contender that has just reset a small course."""
    stage.say(f"{contender.label}, {target.learners:,} learners")
    with stage.clone():
        since = value("SELECT clock_timestamp()")
        with contender.start() as reset:
            reset(WARM_UP)
            stage.checkpoint()
            took = reset(target)
        return Run(took, outcome(since))


def at_once(seconds: float) -> Took:
    """Returns what a contender took that alerts each learner in the transaction that resets them."""
    return Took(seconds, seconds)
