"""A real `recourse up` in a folder of its own, and its parts as processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from cli.local.broker import Broker
from cli.local.place import place_of
from tests import CHOSEN
from tests.flowers import free_port
from tests.workers import until

PROJECT = Path(__file__).parents[1]
PROGRAMS = {  # a word of each command line
    "web app": "uvicorn",
    "Flower": "flower",
    "worker": "--queues=interactive,bulk,notify",
    "interactive worker": "--queues=interactive",
    "beat": "beat",
}


class Up:
    """`recourse up` with its output in a file, and other commands in the same folder."""

    def __init__(self, folder: Path, *, run_in: Sequence[str] = (), **settings: object) -> None:
        """`run_in` is put before each command."""
        self.home = folder / "home"
        self._command = [*run_in, sys.executable, "-m", "cli.main"]
        self.said = folder / "up.txt"
        ports = {"web_port": free_port(), "flower_port": free_port()}
        self.web, self.flower = (f"http://127.0.0.1:{port}" for port in ports.values())
        own = {"home": self.home, "recover_every_seconds": 1, "recover_after_seconds": 2} | ports | settings
        ours = {name: value for name, value in os.environ.items() if not name.startswith("RECOURSE_")}
        self.environment = ours | CHOSEN | {f"RECOURSE_{name.upper()}": str(value) for name, value in own.items()}
        self.environment |= {"COLUMNS": "300", "PYTHONUNBUFFERED": "1"}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until everything is up."""
        self.spawn()
        until(self._is_up, 90)

    def spawn(self) -> None:
        """Start it without waiting."""
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [*self._command, "up"],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def words(self) -> str:
        return self.said.read_text(errors="replace")

    def __call__(self, *words: str, said: str = "", limit: float = 120) -> subprocess.CompletedProcess[str]:
        """Run another command in the same folder. `said` is its standard input."""
        return subprocess.run(
            [*self._command, *words],
            cwd=PROJECT, env=self.environment, input=said, capture_output=True, text=True, timeout=limit, check=False,
        )  # fmt: skip

    def beside(self, *words: str) -> "subprocess.Popen[str]":
        """Start another command in the same folder without waiting for its end."""
        return subprocess.Popen(
            [*self._command, *words],
            cwd=PROJECT, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def findings(self) -> dict[str, dict[str, Any]]:
        """Returns doctor's findings by part."""
        done = self("doctor", "--json")
        assert done.stdout, done.stderr
        return {finding["part"]: finding for finding in json.loads(done.stdout)}

    def pid(self, part: str) -> int | None:
        """Returns the process of a part, `None` if it is not running."""
        if part == "PostgreSQL":
            file = place_of(self.home).folder / "postgres" / "postmaster.pid"
            pid = int(file.read_text().split()[0]) if file.exists() else None
            return pid if pid and psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" else None
        if part == "Redis":
            broker = Broker(place_of(self.home))
            if not broker.is_ready():
                return None
            with broker._client() as client:
                return int(client.info("server")["process_id"])
        return next(iter(self.processes(PROGRAMS[part])), None)

    def processes(self, word: str = "") -> list[int]:
        """Returns its Python children with this word in their command line, oldest first."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "environ", "create_time", "status"]):
            told = process.info
            if told["status"] == "zombie" or not told["environ"] or "cli.local.child" not in (told["cmdline"] or []):
                continue
            if told["environ"].get("RECOURSE_HOME") == str(self.home) and (not word or word in told["cmdline"]):
                found.append((told["create_time"], told["pid"]))
        return [pid for _, pid in sorted(found)]

    def answers(self, url: str, path: str) -> bool:
        try:
            return httpx.get(url + path, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, signal_: int = signal.SIGTERM) -> int:
        """Stop it as an operator would. Returns its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal_)
            self.process.wait(90)
        return int(self.process.returncode)

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.words()
        return "Ctrl-C ends it" in self.words()


def within(seconds: float, condition: Any) -> bool:
    """Returns whether the condition comes true within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
