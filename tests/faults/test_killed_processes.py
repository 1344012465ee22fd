"""Workers and their processes that are killed, kill themselves, stop, or freeze."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.installations import DEADLY, Installation
from tests.scenes import fail_for, ledger, report_of, slow_down, state_of
from tests.sizes import Size, sized
from tests.workers import Worker, until

Installed = Callable[..., Installation]
StartWorker = Callable[..., Worker]


@sized(learners=(1500, 10_000), kills=(2, 20))
def test_a_worker_that_is_killed_again_and_again(installed: Installed, start_worker: StartWorker, size: Size) -> None:
    installation = installed(learners=size.learners)
    slow_down(0.1)
    worker = start_worker()
    installation.reset()
    for kill in range(1, size.kills + 1):
        installation.wait_for(kill / (size.kills + 2))
        worker.kill()
        worker = start_worker()
    installation.assert_nothing_is_lost()


@sized(learners=(1500, 10_000), kills=(6, 50))
def test_the_processes_of_a_worker_that_are_killed_again_and_again(
    installed: Installed,
    start_worker: StartWorker,
    start_beat: Callable[[], "subprocess.Popen[bytes]"],
    size: Size,
) -> None:
    chance = random.Random(20261129)
    installation = installed(learners=size.learners)
    slow_down(0.1)
    start_beat()
    worker = start_worker(beat=False)
    installation.reset()
    for kill in range(1, size.kills + 1):
        installation.wait_for(kill / (size.kills + 2))
        until(worker.children)
        chance.choice(worker.children()).kill()
    installation.assert_nothing_is_lost()


@sized(learners=(300, 10_000), killers=(1, 3))
def test_learners_who_kill_their_process_or_raise_fail_alone(
    installed: Installed,
    start_worker: StartWorker,
    set_up: Callable[..., None],
    deadly: Callable[..., object],
    size: Size,
) -> None:
    set_up(slice_attempts=3)
    installation = installed(learners=size.learners)
    everyone = installation.scene.enrolments()
    killers = [one.id for one in everyone[120 :: size.learners // size.killers][: size.killers]]
    fail_for(everyone[7])
    deadly(enrolments=killers)
    start_worker(record_kinds=DEADLY)
    reset = installation.reset()
    installation.assert_nothing_is_lost(failing=[everyone[7].id, *killers])
    assert state_of(reset) == "partly_failed"
    why = ledger(reset)
    assert why[everyone[7].id] == ("failed", "RaiseException: this learner cannot be reset")
    assert {why[killer] for killer in killers} == {("failed", "given up: the worker was lost each time this was tried")}


@sized(learners=(1500, 20_000), restarts=(2, 6), seconds=(0, 30))
def test_rolling_restarts_with_a_cancel_and_an_overlapping_reset(
    installed: Installed, database: str, start_worker: StartWorker, size: Size
) -> None:
    installation = installed(learners=size.learners)
    users = [user.id for user in installation.scene.users()]
    half, few = size.learners // 2, 250
    # Two of the four processes at most wait for learners who are held, and wait for as long as that takes
    settings = {"soft_shutdown_seconds": 5, "slices_in_flight": 2, "lock_timeout_seconds": 60}
    slow_down(0.1)
    workers = [start_worker(**settings) for _ in range(2)]
    with psycopg.connect(database) as connection:
        # Given a reset that has done half of its learners. It gets no further, or what follows would be refused: nobody
        # may confirm what has changed since it was shown.
        hold(connection, users[half:])
        first = installation.reset()
        until(lambda: installation.settled() == half)
        # When one that is under way is cancelled, and another one begins with learners of both halves
        hold(connection, users[:half])
        cancelled = installation.reset(users[: 2 * few])
        until(lambda: state_of(cancelled) == "running")
        installation.scene.cancel(cancelled)
        overlapping = installation.reset(users[half - few : half + few])
    # … and the workers are restarted one by one
    for restart in range(size.restarts):
        time.sleep(size.seconds)
        installation.wait_for((restart + 1) / (size.restarts + 4))
        old = workers.pop(0)
        old.ask_to_stop()
        workers.append(start_worker(**settings))
        assert old.process.wait(30) == 0, old.last_lines()
    installation.assert_nothing_is_lost()
    assert [state_of(reset) for reset in (first, cancelled, overlapping)] == ["succeeded", "cancelled", "succeeded"]
    assert report_of(overlapping)["progress"]["skipped"] == few


def hold(connection: psycopg.Connection[Any], users: list[int]) -> None:
    """Keep these learners from being reset until the connection's transaction ends."""
    connection.execute("SELECT FROM enrolment WHERE user_id = ANY(%s) FOR NO KEY UPDATE", [users])


@sized(learners=(1500, 10_000), times=(1, 5))
def test_a_worker_frozen_past_every_time_out_and_let_go(
    installed: Installed, start_worker: StartWorker, size: Size
) -> None:
    limits = {"statement_timeout_seconds": 2, "task_time_limit_seconds": 10}
    installation = installed(learners=size.learners)
    slow_down(0.2)
    frozen, other = start_worker(**limits), None
    reset = installation.reset()
    for time_ in range(1, size.times + 1):
        # Given a worker that freezes in the middle of slices, and another one that does the work of both
        installation.wait_for(time_ / (size.times + 3))
        os.killpg(frozen.process.pid, signal.SIGSTOP)
        other = other or start_worker(**limits)
        installation.wait_for((time_ + 1) / (size.times + 2))
        if time_ == size.times:
            until(lambda: state_of(reset) == "succeeded", 60)
        # When it is let go with everything it was about to do
        os.killpg(frozen.process.pid, signal.SIGCONT)
    # Then it does no harm, and works again
    assert other is not None
    other.stop()
    installation.reset([installation.scene.users()[0].id])
    installation.assert_nothing_is_lost()


@pytest.mark.timeout(120)
def test_one_learner_after_the_other_who_kills_the_process_ends_in_giving_up_the_slice(
    installed: Installed, start_worker: StartWorker, set_up: Callable[..., None], deadly: Callable[..., object]
) -> None:
    # Given a course of which every learner kills the process: it is hardly the learners
    set_up(slice_attempts=2)
    installation = installed(learners=201)
    everyone = [one.id for one in installation.scene.enrolments()]
    deadly(enrolments=everyone)
    start_worker(record_kinds=DEADLY)
    reset = installation.reset()
    installation.assert_nothing_is_lost(failing=everyone)
    assert state_of(reset) == "failed"
