"""The compose file, read as Compose reads it, with services that run without containers."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[1]
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\}")


def composed(environment: Mapping[str, str]) -> dict[str, Any]:
    """Returns the services with their variables filled in. Raises `KeyError` if a required variable is not set."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return VARIABLE.sub(found, value) if isinstance(value, str) else value

    def found(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if environment.get(match["name"]):
            return environment[match["name"]]
        if match["how"] == "-":
            return str(match["rest"])
        raise KeyError(match["name"])

    services: dict[str, Any] = filled(yaml.safe_load((PROJECT / "docker-compose.yml").read_text()))["services"]
    return services


class Service:
    """One service of the compose file, run with its own command line in its own process group."""

    def __init__(self, name: str, told: dict[str, Any], replaced: Mapping[str, str], log: Path) -> None:
        """`replaced` maps texts of the file, such as host names and ports, to their values here."""
        self.name, self.log = name, log
        self._told, self._replaced = told, replaced
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._here(self._told["command"]),
                cwd=PROJECT,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run a service that ends by itself."""
        return self._run(self._here(self._told["command"]))

    def is_healthy(self) -> bool:
        """Returns whether its health check succeeds."""
        kind, *words = self._told["healthcheck"]["test"]
        return self._run(self._here(["sh", "-c", *words] if kind == "CMD-SHELL" else words)).returncode == 0

    def stop(self) -> int:
        """Stop it as Compose does. Returns its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return int(self.process.returncode)

    def environment(self) -> dict[str, str]:
        """Returns the environment of its container, with the path to the programs."""
        ours = {name: self._in(str(value)) for name, value in self._told["environment"].items()}
        return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": "/nonexistent"} | ours

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=PROJECT, env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )

    def _here(self, command: list[str]) -> list[str]:
        return [self._in(word) for word in command]

    def _in(self, word: str) -> str:
        for there, here in self._replaced.items():
            word = word.replace(there, here)
        return word


def until_healthy(services: list[Service], limit: float = 60) -> None:
    """Wait until every health check succeeds."""
    end = time.monotonic() + limit
    waiting = list(services)
    while waiting := [service for service in waiting if not service.is_healthy()]:
        for service in waiting:
            assert service.process is not None
            assert service.process.poll() is None, service.log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < end, f"not healthy: {[service.name for service in waiting]}"
