"""The real web app in its own process."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.flowers import free_port
from tests.workers import until


class WebApp:
    """`uvicorn web.app:app` on a free port, on the servers named in this process's environment."""

    def __init__(self, project: Path, folder: Path, **settings: object) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "web.log"
        own = {f"RECOURSE_{name.upper()}": str(value) for name, value in settings.items()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "web.app:app", "--port", str(port), "--no-proxy-headers"],
                cwd=project,
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=20)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False
