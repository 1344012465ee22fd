"""Flower, as `recourse up` runs it."""

import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.programs import RunError, running
from cli.local.ports import answers, free_port
from config.settings import settings

CONFIGURATION = "config/flower.py"
START_LIMIT = 60.0


@contextmanager
def flower() -> Iterator[httpx.Client]:
    """Run Flower within the scope. Provides a client for its API, signed in."""
    port, password = free_port("127.0.0.1", 5555), secrets.token_hex(16)
    command = [sys.executable, "-m", "celery", "--app=worker", "flower", f"--conf={CONFIGURATION}"]
    environment = {"RECOURSE_FLOWER_PORT": str(port), "RECOURSE_FLOWER_PASSWORD": password}
    url = f"http://127.0.0.1:{port}"
    with running("flower", command, **environment) as program:
        end = time.monotonic() + START_LIMIT
        while not answers(f"{url}/healthcheck"):
            program.check()
            if time.monotonic() > end:
                raise RunError(f"Flower did not answer. The end of its log:\n{program.last_lines()}")
            time.sleep(0.2)
        with httpx.Client(base_url=url, auth=(settings().flower_user, password), timeout=30) as client:
            yield client
    (settings().home / "flower").unlink(missing_ok=True)  # the tasks that it keeps for its next start
