"""The LMS of `examples/lms` as processes of its own: its web application, and its Celery worker."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import httpx

from config.settings import settings
from models.training import Enrolment
from tests.flowers import free_port
from tests.workers import until

EXAMPLE = Path(__file__).parents[1] / "examples" / "lms"


class Lms:
    """A context manager: what it has started ends with it."""

    def __init__(self, folder: Path, **environment: object) -> None:
        self.database = folder / "lms.sqlite"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/recourse"
        self.environment = {name: str(value) for name, value in environment.items()}
        self._log = folder / "lms.log"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Lms":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.kill(name)

    def serve(self) -> None:
        """Start the web application, and wait until it answers."""
        self._start("web", "flask", "--app", "app", "run", "--port", str(self.port))
        until(self._answers, 30)

    def work(self) -> None:
        """Start the Celery worker, and wait until it takes messages."""
        before = self.said().count(" ready.")
        self._start(
            "worker", "celery", "-A", "jobs", "worker", "-Q", "lms", "-c", "1", "--without-mingle", "-l", "INFO"
        )
        until(lambda: self.said().count(" ready.") > before, 30)

    def run(self, code: str) -> None:
        """Run Python in the LMS."""
        subprocess.run([sys.executable, "-c", code], cwd=EXAMPLE, env=self._whole(), check=True, timeout=60)

    def sync(self) -> list[str]:
        """Run the nightly sync. Returns what it prints."""
        done = subprocess.run(
            [sys.executable, "sync.py"],
            cwd=EXAMPLE,
            env=self._whole(),
            check=True,
            timeout=120,
            capture_output=True,
            text=True,
        )
        return done.stdout.splitlines()

    def write(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Run a statement in the LMS's database, once for each row."""
        with closing(self._connect()) as db, db:
            db.executemany(statement, rows)

    def kill(self, name: str) -> None:
        """Kill the web application or the worker, with its children."""
        process = self._running.pop(name)
        os.killpg(process.pid, 9)
        process.wait()

    def said(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def fill(self, enrolments: Iterable[Enrolment], each: int = 3, *, locked: Iterable[int] = ()) -> None:
        """Give the learners attempts under their registrations; those of the enrolments `locked` cannot be cleared."""
        barred = set(locked)
        rows = [
            (str(enrolment.registration), score, enrolment.id in barred)
            for enrolment in enrolments
            for score in range(each)
        ]
        with closing(self._connect()) as db, db:
            db.executemany("INSERT INTO attempt (registration, score, locked) VALUES (?, ?, ?)", rows)

    def unlock(self) -> None:
        with closing(self._connect()) as db, db:
            db.execute("UPDATE attempt SET locked = 0")

    def attempts(self) -> dict[str, int]:
        """Returns the number of attempts by registration."""
        with closing(self._connect()) as db:
            return dict(db.execute("SELECT registration, count(*) FROM attempt GROUP BY registration"))

    def registrations(self) -> set[str]:
        """Returns the registrations that webhooks told it of."""
        with closing(self._connect()) as db:
            return {registration for (registration,) in db.execute("SELECT registration FROM learner")}

    def answers(self) -> int:
        """Returns how many requests it has answered."""
        with closing(self._connect()) as db:
            return int(db.execute("SELECT count(*) FROM answered").fetchone()[0])

    def _whole(self) -> dict[str, str]:
        ours = {"LMS_DATABASE": str(self.database), "LMS_BROKER": settings().broker_url or ""}
        return os.environ | ours | self.environment

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.database, timeout=30)

    def _start(self, name: str, *command: str) -> None:
        with self._log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=EXAMPLE,
                env=self._whole(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        assert self._running["web"].poll() is None, self.said()
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/courses/FIRE-101").status_code == 200
        except httpx.TransportError:
            return False
