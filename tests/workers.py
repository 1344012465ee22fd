"""Real Celery workers, each a process group of its own that can be killed whole."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

QUICK = {"RECOURSE_RECOVER_EVERY_SECONDS": "0.5", "RECOURSE_RECOVER_AFTER_SECONDS": "1"}

SOFT = {"REMAP_SIGTERM": "SIGQUIT"}  # as it is deployed: what is under way may end, the rest goes back to the queue


class Worker:
    """`celery -A worker worker` with two child processes, on the servers that this process's environment names."""

    def __init__(
        self, project: Path, folder: Path, *, beat: bool, queues: str, environment: Mapping[str, object]
    ) -> None:
        folder.mkdir()
        self.log = folder / "log"
        command = [sys.executable, "-m", "celery", "-A", "worker", "worker", "-c", "2", "-Q", queues]
        command += ["-n", f"{folder.name}@%h", "--without-mingle", "--without-gossip"]
        command += ["-B", "-s", str(folder / "beat")] if beat else []
        own = {f"RECOURSE_{name.upper()}": str(value) for name, value in environment.items()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=project,
                env=os.environ | QUICK | SOFT | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return once it takes messages."""

        def ready() -> bool:
            assert self.process.poll() is None, f"the worker has ended:\n{self.last_lines()}"
            return b" ready." in self.log.read_bytes()

        until(ready, 30)

    def children(self) -> list[psutil.Process]:
        """The processes that run tasks; beat is among them if it was asked for."""
        return [child for child in psutil.Process(self.process.pid).children() if child.status() != "zombie"]

    def kill(self) -> None:
        """SIGKILL to all of it, as when the machine goes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop it as an operator would, and not so if it does not listen."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_lines(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])


def until(condition: Callable[[], object], limit: float = 30) -> None:
    """Wait until it is so. Fails when it never is."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {limit} seconds"
        time.sleep(0.05)
