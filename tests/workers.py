"""Real Celery workers, each in its own process group so that a test can kill all of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from config.settings import Settings

QUICK = {"RECOURSE_RECOVER_EVERY_SECONDS": "0.5", "RECOURSE_RECOVER_AFTER_SECONDS": "1"}
AS_INSTALLED = {
    name: Settings.model_fields[name].default for name in ("recover_every_seconds", "recover_after_seconds")
}

CELERY = (sys.executable, "-m", "celery")

SOFT = {"REMAP_SIGTERM": "SIGQUIT"}  # as in production: running tasks may finish, the rest returns to the queue


class Worker:
    """`celery -A worker worker` with two child processes, on the servers named in this process's environment."""

    def __init__(
        self,
        project: Path,
        folder: Path,
        *,
        beat: bool,
        queues: str,
        environment: Mapping[str, object],
        celery: Sequence[str] = CELERY,
    ) -> None:
        """`celery` is the command that runs Celery, elsewhere or otherwise."""
        folder.mkdir()
        self._asked = False
        self.log = folder / "log"
        command = [*celery, "-A", "worker", "worker", "-c", "2", "-Q", queues]
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
        """Wait until it takes messages."""

        def ready() -> bool:
            assert self.process.poll() is None, f"the worker ended:\n{self.last_lines()}"
            return b" ready." in self.log.read_bytes()

        until(ready, 30)

    def children(self) -> list[psutil.Process]:
        """Return the processes that run tasks, and beat if it was requested."""
        return [child for child in psutil.Process(self.process.pid).children() if _is_alive(child)]

    def kill(self) -> None:
        """Send SIGKILL to the whole group, as if the machine failed."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ask_to_stop(self) -> None:
        """Ask it to stop, once and without waiting: a second request would make it drop its tasks."""
        if not self._asked and self.process.poll() is None:
            self.process.terminate()
        self._asked = True

    def stop(self) -> None:
        """Stop it as an operator would; kill it after five seconds."""
        if self.process.poll() is not None:
            return
        self.ask_to_stop()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_lines(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])


def until(condition: Callable[[], object], limit: float = 30) -> None:
    """Wait until the condition holds. Fails after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {limit} seconds"
        time.sleep(0.05)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
