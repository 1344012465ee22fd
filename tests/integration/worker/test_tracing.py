"""Traces at a real collector: one per reset, whatever sends its messages."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tasks.app import app
from tests.collectors import Collector
from tests.conftest import PROJECT
from tests.scenes import ask, make_scene, report_of
from tests.web_apps import WebApp
from tests.workers import Worker, until

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collecting:
        yield collecting


ASK = """
from sqlalchemy import select
from models.access import acting_user
from models.people import Organization
from models.session import transaction
from tasks.reset.impact import preview
from tasks.reset.request import request_reset
from tasks.tracing import span, start_tracing, stop_tracing

start_tracing("asking")
with span("somebody's request"), transaction() as session:
    admin = acting_user(session, session.scalars(select(Organization)).one(), "admin@acme.example")
    planned = preview(session, admin, "FIRE-101")
    print(request_reset(session, admin, plan=planned.token, confirm="FIRE-101", reason="yearly").id)
stop_tracing()
"""


def test_one_trace_spans_the_request_every_slice_and_the_alerts(
    collector: Collector, start_worker: Callable[..., Worker], set_up: Callable[..., None]
) -> None:
    # Given a worker that traces, and a reset whose first message is lost
    scene = make_scene(learners=30, completed=100)
    set_up(otlp_endpoint=collector.url)
    asked = subprocess.run([sys.executable, "-c", ASK], cwd=PROJECT, capture_output=True, text=True, check=True)
    reset = asked.stdout.strip()
    with app.connection_for_write() as connection:
        connection.default_channel.client.flushall()
    worker = start_worker(otlp_endpoint=collector.url)
    until(app.AsyncResult(reset).ready)
    until(lambda: report_of(reset)["done"])  # type: ignore[arg-type]
    assert ask("SELECT recoveries FROM reset") > 0
    worker.stop()
    # Then all its work is in the trace of the request
    begun = [span for span in collector.spans if span.name == "request_reset"]
    assert [span.attributes["reset"] for span in begun] == [f'string_value: "{reset}"\n']
    mine = [span for span in collector.spans if span.trace == begun[0].trace]
    runs = [span.name for span in mine]
    assert runs.count("somebody's request") == 1
    assert runs.count("run/recourse.clear_learners") == 30
    assert runs.count("run/recourse.notify") >= 1
    assert runs.count("run/recourse.reset_course") >= 2
    # … in which each span has a parent, up to the request
    ids = {span.id for span in mine}
    assert [span.name for span in mine if span.parent not in ids] == ["somebody's request"]
    # … and nothing else is traced, such as ticks
    assert {span.name for span in collector.spans if span.trace != begun[0].trace} == set()
    # And it contains no personal data
    assert not [
        user for user in scene.users() if user.email in str(collector.spans) or user.name in str(collector.spans)
    ]


def test_the_web_app_continues_its_callers_trace_and_names_routes_not_addresses(
    collector: Collector, database: str, tmp_path: Path
) -> None:
    web = WebApp(PROJECT, tmp_path, otlp_endpoint=collector.url)
    try:
        httpx.get(f"{web.url}/resets/01-secret", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        web.get("/metrics")
    finally:
        web.stop()
    assert [(span.service, span.name, span.trace) for span in collector.spans] == [
        ("recourse-web", "GET /resets/{reset_id}", TRACE)
    ]
    assert "secret" not in str(collector.spans)


def test_a_missing_collector_stops_no_reset(start_worker: Callable[..., Worker]) -> None:
    scene = make_scene(learners=3, completed=100)
    start_worker(otlp_endpoint="http://127.0.0.1:9")
    assert app.AsyncResult(str(scene.request())).get(timeout=30)["state"] == "succeeded"


def test_opentelemetry_is_not_imported_while_tracing_is_off() -> None:
    loaded = "import sys, worker, tasks.reset.request; print([name for name in sys.modules if 'opentelemetry' in name])"
    asked = subprocess.run([sys.executable, "-c", loaded], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"
