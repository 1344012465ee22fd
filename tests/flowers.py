"""A real Flower, and its answers over HTTP."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.workers import until

USER, PASSWORD = "operator", "a password of the tests"


class Flower:
    """`celery -A worker flower --conf=config/flower.py` on a free port, with its state in `folder`."""

    def __init__(self, project: Path, folder: Path, **settings: object) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "flower.log"
        self._project = project
        own = {"home": folder, "flower_port": self.url.rpartition(":")[2], "flower_password": PASSWORD} | settings
        self._environment = {f"RECOURSE_{name.upper()}": str(value) for name, value in own.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self._process is None
        command = [sys.executable, "-m", "celery", "-A", "worker", "flower", "--conf=config/flower.py"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._project,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self._answers)

    def stop(self, signal_: int = signal.SIGTERM) -> None:
        """Stop it, by default as an operator would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal_)
            self._process.wait(20)
            self._process = None

    def get(self, path: str, *, signed_in: bool = True) -> httpx.Response:
        return httpx.get(self.url + path, auth=(USER, PASSWORD) if signed_in else None, timeout=20)

    def post(self, path: str, *, signed_in: bool = True) -> httpx.Response:
        return httpx.post(self.url + path, auth=(USER, PASSWORD) if signed_in else None, timeout=20)

    def tasks(self, **filters: object) -> dict[str, dict[str, Any]]:
        """Return its tasks by id. Filters are those of its API, such as `search="kwargs:reset=…"`."""
        found = httpx.get(f"{self.url}/api/tasks", params=filters, auth=(USER, PASSWORD), timeout=20)  # type: ignore[arg-type]
        assert found.status_code == 200, found.text
        tasks: dict[str, dict[str, Any]] = found.json()
        return tasks

    def task(self, task_id: object) -> dict[str, Any]:
        """Return one task; empty while Flower does not know it."""
        found = self.get(f"/api/task/info/{task_id}")
        return dict(found.json()) if found.status_code == 200 else {}

    def sees_a_worker(self) -> bool:
        """Whether it receives the workers' events: it answers before it subscribes to them."""
        return "flower_worker_online{" in self.get("/metrics").text

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        try:
            return self.get("/healthcheck").status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
