"""Processes that are killed between two steps: each of them once, at every such place of the whole flow."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.installations import DEADLY, Installation
from tests.scenes import ask
from tests.sizes import Size, sized
from tests.workers import Worker

Installed = Callable[..., Installation]
StartWorker = Callable[..., Worker]
Deadly = Callable[..., Path]


def deaths(log: Path) -> Counter[str]:
    """Returns how many processes died of what: the first two words, such as “publishing recourse.notify”."""
    return Counter(" ".join(line.split()[:2]) for line in log.read_text().splitlines())


def killed_at_each(moment: str, installed: Installed, start_worker: StartWorker, log: Path, size: Size) -> int:
    """Run a reset whose processes die at each such moment, once, and check its end. Returns how many died at slices."""
    installation = installed(learners=size.learners)
    start_worker(record_kinds=DEADLY)
    installation.reset()
    installation.assert_nothing_is_lost(limit=size.limit)
    seen = deaths(log)
    assert {f"{moment} recourse.reset_course", f"{moment} recourse.notify"} <= set(seen), seen
    return seen[f"{moment} recourse.clear_learners"]


def slices() -> int:
    return int(ask("SELECT count(*) FROM reset_slice WHERE position > 0"))


@sized(learners=(3, 20_000), limit=(120, 600))
def test_killed_between_the_commit_and_each_publish(
    installed: Installed, start_worker: StartWorker, deadly: Deadly, size: Size
) -> None:
    died = killed_at_each("publishing", installed, start_worker, deadly(publishing=True), size)
    assert 0 < died <= slices()  # what was not published yet may be taken along


@sized(learners=(3, 20_000), limit=(120, 600))
def test_killed_between_the_commit_and_each_acknowledgement(
    installed: Installed, start_worker: StartWorker, deadly: Deadly, size: Size
) -> None:
    assert killed_at_each("ending", installed, start_worker, deadly(ending=True), size) == slices()


MOMENTS = ("INSERT INTO reset_slice", "INSERT INTO audit", "INSERT INTO celery_taskmeta", "INSERT INTO notification")


@sized(learners=(250, 20_000))
def test_killed_before_and_after_settlement_result_and_alerts(
    installed: Installed, start_worker: StartWorker, deadly: Deadly, size: Size
) -> None:
    log = deadly(statements=MOMENTS)
    installation = installed(learners=size.learners)
    start_worker(record_kinds=DEADLY)
    installation.reset()
    installation.assert_nothing_is_lost()
    assert sorted(log.read_text().splitlines()) == sorted(
        f"{when} {moment}" for when in ("before", "after") for moment in MOMENTS
    )
