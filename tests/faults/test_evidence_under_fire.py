"""Faults while evidence is written: no learner is cleared whose evidence is not in the store."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.evidence.commands import Terms
from tests.crashes import crash
from tests.scenes import Scene, ask, count_new_registrations, ledger, make_scene, report_of, rows, slow_down, state_of
from tests.stores import keep_evidence, make_due
from tests.workers import Worker, until

LEARNERS = 1200
LEARNERS_PART = "/learners-"  # in the names of its objects


class Store:
    """An S3 server that hangs from the second object with learners on, until it is let go."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.hanging = threading.Event()
        self.let_go = threading.Event()
        taking = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                with taking:
                    if LEARNERS_PART in self.path and any(LEARNERS_PART in name for name in owner.objects):
                        owner.hanging.set()
                    hangs = owner.hanging.is_set() and not owner.let_go.is_set()
                    if not hangs:
                        owner.objects[self.path] = content
                if hangs:
                    owner.let_go.wait(60)
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.terms = Terms(
            "s3://evidence", f"http://127.0.0.1:{self._server.server_address[1]}", "local", "writer", "its secret"
        )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()

    def learners(self) -> set[int]:
        """Those who are in it, by enrolment."""
        found = set()
        for name, content in list(self.objects.items()):
            if LEARNERS_PART in name:
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    found |= {json.loads(line)["enrolment"] for line in archive.read("learners.ndjson").splitlines()}
        return found

    def certificates(self) -> set[int]:
        """Those whose certificate is in it as PDF, by enrolment."""
        found = set()
        for name, content in list(self.objects.items()):
            if LEARNERS_PART in name:
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    pdfs = [one for one in archive.namelist() if one.endswith(".pdf")]
                    found |= {int(Path(one).stem) for one in pdfs if archive.read(one).startswith(b"%PDF")}
        return found


@pytest.fixture
def store(database: str, set_up: Callable[..., None]) -> Iterator[Store]:
    set_up(allowed_networks="127.0.0.0/8", storage_timeout_seconds=2)
    store = Store()
    yield store
    store.close()


@pytest.fixture
def scene(store: Store) -> Scene:
    scene = make_scene(learners=LEARNERS, completed=LEARNERS + 100, begun=LEARNERS + 100, certificates=False)
    keep_evidence(scene, store.terms)
    return scene


def cleared() -> set[int]:
    """Learners with a new registration. Looked at before the store: evidence may arrive in between."""
    return set(
        ask("""SELECT coalesce(array_agg(e.id), '{}') FROM enrolment e JOIN course c ON c.id = e.course_id
               LEFT JOIN completion p ON p.registration = e.registration
               WHERE c.code = 'FIRE-101' AND p.registration IS NULL""")
    )


def nobody_without_evidence(store: Store) -> bool:
    without = cleared() - store.learners()
    assert not without, f"{len(without)} learners were cleared without evidence"
    return True


def test_a_worker_is_killed_the_store_hangs_and_the_database_crashes(
    scene: Scene, store: Store, database: str, start_worker: Callable[..., Worker]
) -> None:
    # Given a reset whose evidence is being written when the store stops answering
    worker = start_worker()
    reset = scene.request()
    until(lambda: nobody_without_evidence(store) and store.hanging.is_set(), 60)
    # When its worker is killed, and another one starts
    worker.kill()
    start_worker()
    # and the database crashes
    crash(database)
    nobody_without_evidence(store)
    # Then the rest is not reset before the store answers again
    assert len(cleared()) < LEARNERS
    assert state_of(reset) == "running"
    store.let_go.set()

    def ended() -> bool:
        make_due()  # what a killed process had in hand would be due in a minute
        return nobody_without_evidence(store) and bool(report_of(reset)["done"])

    until(ended, 120)
    assert state_of(reset) == "succeeded"
    assert {state for state, _ in ledger(reset).values()} == {"cleared"}
    assert store.learners() == set(ledger(reset))


def test_a_worker_is_killed_while_it_clears_learners_beside_others_whose_evidence_is_held(
    store: Store, start_worker: Callable[..., Worker]
) -> None:
    # Given a course with certificates, and a reset of which one slice is being cleared while the others are held
    scene = make_scene(learners=LEARNERS, completed=1, begun=50)
    certified = {one for (one,) in rows("SELECT e.id FROM certificate JOIN enrolment e USING (registration) "
                                        "WHERE e.course_id = :course", course=scene.course.id)}  # fmt: skip
    assert len(certified) == LEARNERS / 100
    count_new_registrations()
    keep_evidence(scene, store.terms)
    slow_down(0.1)
    worker = start_worker()
    reset = scene.request()
    being_cleared = "bool_or(begun_at IS NOT NULL AND settled_at IS NULL)"
    beside = f"SELECT bool_or(held) AND {being_cleared} FROM reset_slice"
    until(lambda: nobody_new_without_evidence(store) and ask(beside), 60)
    # When its worker is killed, and the next one is killed while it clears what was held
    worker.kill()
    worker = start_worker()
    until(lambda: nobody_new_without_evidence(store) and len(newly_registered()) > 0, 60)
    store.let_go.set()

    def is_clearing() -> bool:
        make_due()  # what a killed process had in hand would be due in a minute
        nobody_new_without_evidence(store)
        return len(newly_registered()) > LEARNERS / 3 and bool(ask(f"SELECT {being_cleared} FROM reset_slice"))

    until(is_clearing, 60)
    worker.kill()
    assert len(newly_registered()) < LEARNERS
    start_worker()

    def ended() -> bool:
        make_due()
        return nobody_new_without_evidence(store) and bool(report_of(reset)["done"])

    until(ended, 60)
    # Then everyone is cleared once, and the evidence of everyone is there, with their certificates
    assert state_of(reset) == "succeeded"
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(LEARNERS, LEARNERS)]
    assert store.learners() == set(ledger(reset))
    assert store.certificates() == certified


def newly_registered() -> set[int]:
    return {enrolment for (enrolment,) in rows("SELECT enrolment_id FROM new_registration")}


def nobody_new_without_evidence(store: Store) -> bool:
    without = newly_registered() - store.learners()  # looked at in this order: evidence may arrive in between
    assert not without, f"{len(without)} learners were cleared without evidence"
    return True
