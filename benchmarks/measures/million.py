"""A course of a million learners: what it costs, and what others notice of it.

Each round has a fresh copy of the database and one worker, which resets, one after the other: a course of 20,000; a
course of the million, with nothing else going on; and the other course of the million, while single learners are reset
and a learner writes. For the single learners, a second worker for their queue runs beside it, as `recourse up` has it;
they are also reset alone, first.
"""

import time
from dataclasses import dataclass
from statistics import quantiles

from sqlalchemy import text

from benchmarks.asked import value
from benchmarks.bench import Bench
from benchmarks.contenders import recourse
from benchmarks.contenders.contender import Took
from benchmarks.fill import ONE_BY_ONE
from benchmarks.keys import MILLION
from benchmarks.measures.interactive import Singles
from benchmarks.measures.measure import Measure
from benchmarks.measures.writer import writing
from benchmarks.memory import of_redis, of_the_largest_process, watched
from benchmarks.outcome import must_be_reset
from benchmarks.programs import Program
from benchmarks.target import Target
from models.session import transaction
from tasks.reset.impact import preview

SMALL = 20_000
ALONE, FEWEST_ALONE, BESIDE = 100, 30, 1_000  # single learners to reset
ALL_AT_ONCE = ("scale_cost", "worker_memory_growth", "redis_growth_mb", "alerts_share", "preview_share")
MEANWHILE = ("longest_writer_wait_ms", "interactive_slowdown")
MB = 1024**2


@dataclass(frozen=True)
class _Reset:
    """A reset, and the most memory that a process of the worker, and Redis, had while it ran."""

    took: Took
    worker: int
    redis: int


def measure(bench: Bench) -> None:
    """Add the figures of each round."""
    size = bench.target(MILLION)
    singles = min(ALONE + BESIDE, size.learners)  # of the same organization
    large, small = Target(size.learners, size.courses, one_by_one=singles), bench.target(SMALL)
    for key in bench.wanted.intersection(MEASURE.keys):
        bench.learners(key)
    with bench.stage.filled([large, small]):
        for _ in range(bench.pairs):
            with bench.stage.clone(), recourse.worker() as worker:
                _round(bench, worker, large, small)
            bench.advance()


def _round(bench: Bench, worker: Program, large: Target, small: Target) -> None:
    singles = Singles(large.organization, ONE_BY_ONE)
    alone = _alone(bench, singles) if "interactive_slowdown" in bench.wanted else []
    if bench.wanted.intersection(ALL_AT_ONCE):
        bench.stage.say(f"Recourse, {small.learners:,} learners")
        few = _watched(bench, worker, small)
        bench.stage.say(f"exact preview of {large.learners:,} learners")
        previewed = _previewed(large)
        bench.stage.say(f"Recourse, {large.learners:,} learners")
        many = _watched(bench, worker, large)
        _add(bench, few, many, previewed, large.learners / small.learners)
    if bench.wanted.intersection(MEANWHILE):
        bench.stage.say(f"Recourse, {large.learners:,} learners, and others meanwhile")
        with recourse.interactive_worker():
            _meanwhile(bench, worker, large, singles, alone)


def _alone(bench: Bench, singles: Singles) -> list[float]:
    """Returns how many seconds each reset of a single learner takes with nothing else going on."""
    bench.stage.say("single learners alone")
    with recourse.interactive_worker():
        singles.reset(10)  # what is loaded once
        return singles.reset(max(FEWEST_ALONE, round(ALONE * bench.share)))


def _watched(bench: Bench, worker: Program, target: Target) -> _Reset:
    bench.stage.checkpoint()
    before = of_redis(bench.stage.broker)
    with (
        watched(lambda: of_the_largest_process(worker)) as memory,
        watched(lambda: of_redis(bench.stage.broker)) as redis,
    ):
        took = recourse.reset(worker, target)
    must_be_reset(target)
    bench.results.runs["recourse", target.learners].append(took)
    return _Reset(took, memory.bytes, max(0, redis.bytes - before))


def _previewed(target: Target) -> float:
    """Returns how many seconds an exact preview takes."""
    actor = recourse.actor_of(target.organization)
    began = time.perf_counter()
    with transaction() as session:
        session.execute(text("SET LOCAL statement_timeout TO 0"))
        preview(session, actor, target.course)
    return time.perf_counter() - began


def _add(bench: Bench, few: _Reset, many: _Reset, previewed: float, factor: float) -> None:
    figures = {
        "scale_cost": many.took.last_alert / few.took.last_alert / factor,
        "worker_memory_growth": many.worker / few.worker,
        "redis_growth_mb": many.redis / MB,
        "alerts_share": (many.took.last_alert - many.took.settled) / many.took.last_alert,
        "preview_share": previewed / many.took.settled,
    }
    for key in bench.wanted.intersection(figures):
        bench.results.figures[key].append(figures[key])


def _meanwhile(bench: Bench, worker: Program, large: Target, singles: Singles, alone: list[float]) -> None:
    other = large.codes[-1]
    bench.stage.checkpoint()
    alerts = value(recourse.EXPECTED, organization=large.organization, course=other)
    singles.reset(5)  # what the second worker loads once
    reset_id = recourse.request(large.organization, other)
    with writing(large.organization, other) as waits:
        beside = singles.reset_while(lambda: not value(recourse.IS_SETTLED, reset=reset_id))
    recourse.wait(worker, reset_id, alerts)
    if "longest_writer_wait_ms" in bench.wanted:
        bench.results.figures["longest_writer_wait_ms"].append(max(waits) * 1000)
    if "interactive_slowdown" in bench.wanted:
        bench.results.figures["interactive_slowdown"].append(p95(beside) / p95(alone))


def p95(seconds: list[float]) -> float:
    """Returns the time that 95 of 100 do not exceed; the longest if there are only few."""
    return quantiles(seconds, n=20)[-1] if len(seconds) >= 20 else max(seconds)


MEASURE = Measure((*ALL_AT_ONCE, *MEANWHILE), measure, lambda bench: bench.pairs)
