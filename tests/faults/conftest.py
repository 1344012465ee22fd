"""Fixtures of the fault tests: an installation with a mail server and a receiver of webhooks, and beats."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.installations import Installation, install
from tests.mail_server import LoopbackMailServer
from tests.receiver import Receiver

IN_THE_WORKER = Path(__file__).parent / "in_the_worker"


@pytest.fixture
def installed(database: str, set_up: Callable[..., None]) -> Iterator[Callable[..., Installation]]:
    """Returns a function that sets up an installation: `installed(learners=500)`."""
    with LoopbackMailServer() as mails, Receiver() as webhooks:
        yield lambda **scene: install(set_up, mails, webhooks, **scene)


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Returns a function that tells workers that are started with `record_kinds=DEADLY` where to die: see
    `in_the_worker/deadly.py`. It returns a file in which each death is a line, if it is of those that happen once."""
    numbers = iter(range(100))

    def make(**told: Any) -> Path:
        folder = tmp_path / f"deaths-{next(numbers)}"
        folder.mkdir()
        monkeypatch.setenv("PYTHONPATH", str(IN_THE_WORKER))
        monkeypatch.setenv("DEADLY", json.dumps({"folder": str(folder)} | told))
        return folder / "log"

    return make


@pytest.fixture
def start_beat(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Returns a function that starts a beat process, which is killed after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        monkeypatch.setenv("RECOURSE_RETRAIN_EVERY_SECONDS", "0.3")
        monkeypatch.setenv("RECOURSE_RECOVER_EVERY_SECONDS", "0.5")
        schedule = tmp_path / f"beat-{len(started)}"
        command = [sys.executable, "-m", "celery", "-A", "worker", "beat", "-s", str(schedule), "--pidfile="]
        with (tmp_path / "beat.log").open("ab") as log:
            started.append(subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
