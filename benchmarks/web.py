"""Measure how quickly the HTTP API answers, alone and beside a large reset: `python -m benchmarks.web`.

Two figures: from a confirmed request to its 202, and from asking for a plan of a large course to its answer. Requests
come one after the other, over loopback, as those of one program do.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks.programs import Program, RunError, running
from benchmarks.stage import Stage
from benchmarks.target import Target
from benchmarks.workers import celery_worker
from cli.local.ports import answers, free_port
from models.access import console_operator
from models.people import Organization, User
from models.resets import Reset, ResetState
from models.session import transaction
from models.tokens import Scope
from tasks.app import app
from tasks.people.tokens import create_token

MANY = Target(20_000)
WIDE = Target(100_000, courses=1)
REQUESTS = 150
PLANS = 20
PAUSE = 0.02  # seconds between two requests: a busy program, but no flood
LIMIT = 120.0  # seconds that the small resets may take
RESULTS = Path(__file__).parent / "results" / "web.json"


@dataclass(frozen=True)
class Latency:
    """Milliseconds from the request to the whole answer."""

    requests: int
    median: float
    p95: float
    most: float


def main() -> None:
    """Run the benchmark."""
    notes = Console(stderr=True, log_path=False)
    try:
        with Stage(notes.log) as stage, stage.filled([MANY, WIDE]), stage.clone():
            tokens = _tokens()
            stage.checkpoint()
            with celery_worker(app, "worker", "-Q", "interactive,bulk,notify") as worker, _served() as base:
                results = _measure(base, tokens, worker, notes)
    except RunError as error:
        sys.exit(str(error))
    _show(results)
    RESULTS.write_text(json.dumps(results | {"at": datetime.now(UTC).isoformat(timespec="seconds")}, indent=2) + "\n")


def _measure(base: str, tokens: dict[str, str], worker: Program, notes: Console) -> dict[str, object]:
    with _client(base, tokens[MANY.organization]) as api:
        notes.log("planning")
        plans = _plans_of_single_users(api, 2 * REQUESTS + 10)
        _requests(api, [next(plans) for _ in range(10)])  # what is loaded once
        notes.log("requests alone")
        alone = _requests(api, [next(plans) for _ in range(REQUESTS)])
        _wait_until_nothing_runs(worker)
        notes.log("requests beside a large reset")
        beside = _requests(api, list(plans), beside=_large_resets(api))
    with _client(base, tokens[WIDE.organization]) as api:
        _wait_until_nothing_runs(worker)
        notes.log("plans of the large course")
        planned = _latency([_timed(api, f"/v1/courses/{WIDE.course}/reset-plans", {}) for _ in range(PLANS)])
    return {
        "learners_of_the_reset": MANY.learners,
        "learners_of_the_plan": WIDE.learners,
        "request_alone_ms": asdict(alone),
        "request_beside_ms": asdict(beside),
        "p95_beside_by_alone": round(beside.p95 / alone.p95, 2),
        "plan_ms": asdict(planned),
    }


def _client(base: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=base, timeout=60, headers={"Authorization": f"Bearer {token}"})


def _tokens() -> dict[str, str]:
    """Returns an API token of each organization's admin, by the organization's slug."""
    tokens = {}
    with transaction() as session:
        for organization in session.scalars(select(Organization)):
            admin = session.scalars(
                select(User).where(User.organization_id == organization.id, User.email.like("admin@%"))
            ).one()
            until = datetime.now(UTC) + timedelta(days=1)
            tokens[organization.slug] = create_token(
                session, console_operator(organization), admin, "benchmark", list(Scope), until
            )
    return tokens


@contextmanager
def _served() -> Iterator[str]:
    """Run the web app within the scope. Provides its address."""
    port = free_port("127.0.0.1", 8000)
    base = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "web.app:app", f"--port={port}", "--no-access-log"]
    with running("web", command) as program:
        end = time.monotonic() + 60
        while not answers(f"{base}/readyz"):
            program.check()
            if time.monotonic() > end:
                raise RunError(f"The web app did not start. The end of its log:\n{program.last_lines()}")
            time.sleep(0.1)
        yield base


@dataclass(frozen=True)
class _Planned:
    path: str
    body: dict[str, str]


def _plans_of_single_users(api: httpx.Client, count: int) -> Iterator[_Planned]:
    """Confirmed plans for single learners, of a course that no large reset touches; made beforehand."""
    with transaction() as session:
        of_many = User.email.like(f"learner-%@{MANY.organization}.example")
        users = session.scalars(select(User.id).where(of_many).order_by(User.id).limit(count)).all()
    course = MANY.codes[-1]
    made = []
    for user in users:
        path = f"/v1/users/{user}/courses/{course}"
        plan = api.post(f"{path}/reset-plans", json={"reason": "benchmark"}).json()
        made.append(_Planned(f"{path}/resets", {"plan": plan["plan"], "confirm": course}))
    return iter(made)


def _requests(api: httpx.Client, plans: list[_Planned], beside: Iterator[None] | None = None) -> Latency:
    """Confirm the plans, each while something of `beside` runs."""
    took = []
    for plan in plans:
        if beside is not None:
            next(beside)
        took.append(_timed(api, plan.path, plan.body))
        time.sleep(PAUSE)
    return _latency(took)


def _large_resets(api: httpx.Client) -> Iterator[None]:
    """Yields whenever a large reset is running; begins the next one when one has ended."""
    for course in MANY.codes[:-1]:
        path = f"/v1/courses/{course}"
        plan = api.post(f"{path}/reset-plans", json={"reason": "benchmark"}).json()
        body = {"plan": plan["plan"], "confirm": course}
        _timed(api, f"{path}/resets", body)
        with transaction() as session:
            reset_id = session.scalars(select(Reset.id).order_by(Reset.requested_at.desc()).limit(1)).one()
        while (state := _state_of(reset_id)) in (ResetState.REQUESTED, ResetState.RUNNING):
            if state == ResetState.RUNNING:
                yield
    sys.exit("The large resets ended before all requests were sent; raise MANY.")


def _state_of(reset_id: object) -> ResetState:
    with transaction() as session:
        return session.scalars(select(Reset.state).where(Reset.id == reset_id)).one()


def _wait_until_nothing_runs(worker: Program) -> None:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        with transaction() as session:
            open_now = session.scalars(select(func.count()).where(Reset.finished_at.is_(None))).one()
        if not open_now:
            return
        time.sleep(0.2)
    sys.exit(f"{open_now:,} resets have not ended within {LIMIT:.0f} seconds. The worker's log:\n{worker.last_lines()}")


def _timed(api: httpx.Client, path: str, body: dict[str, str]) -> float:
    headers = {"Idempotency-Key": f"bench-{time.monotonic_ns()}"}
    began = time.perf_counter()
    answer = api.post(path, json=body, headers=headers)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code not in (201, 202):
        sys.exit(f"{path} was answered with {answer.status_code}: {answer.text}")
    return took


def _latency(took: list[float]) -> Latency:
    p95 = statistics.quantiles(took, n=20)[-1]
    return Latency(len(took), *(round(value, 1) for value in (statistics.median(took), p95, max(took))))


def _show(results: dict[str, object]) -> None:
    table = Table("", "Requests", "Median", "p95", "Most", title="Milliseconds, one request after the other")
    for column in table.columns[1:]:
        column.justify = "right"
    beside = f"request to 202, beside resets of {MANY.learners:,} learners"
    rows = {"request to 202, alone": "request_alone_ms", beside: "request_beside_ms"}
    rows[f"plan of a course of {WIDE.learners:,} learners"] = "plan_ms"
    for label, name in rows.items():
        figures = results[name]
        assert isinstance(figures, dict)
        table.add_row(label, *map(str, figures.values()))
    console = Console()
    console.print(table)
    console.print(f"p95 beside a large reset by p95 alone: {results['p95_beside_by_alone']}")


if __name__ == "__main__":
    main()
