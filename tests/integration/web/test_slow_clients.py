"""Slow clients delay no others."""

import csv
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.scenes import COURSE, Scene, ask, make_scene, rows, run
from tests.sockets import Line
from tests.web import client_of, token_for, visitor

MANY = 24  # more than a process has connections
QUICK = 5.0  # seconds; a blocked answer takes 30, or forever


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene()


def signed_in(scene: Scene, base: str) -> dict[str, str]:
    with visitor(base, scene.admin.user_id) as browser:
        return {"Cookie": f"recourse={browser.cookies['recourse']}"}


def by_token(scene: Scene) -> dict[str, str]:
    assert scene.admin.user_id is not None
    return {"Authorization": f"Bearer {token_for(scene.admin.user_id)}"}


def make_large(scene: Scene, learners: int) -> None:
    """Add learners to the course, with names so long that no buffer holds the file."""
    run(
        'INSERT INTO "user" (organization_id, email, name) SELECT :organization, '
        "'many-' || n || '@acme.example', lpad(n::text, 6, '0') || repeat(' Anna', 60) FROM generate_series(1, :n) n",
        organization=scene.organization.id,
        n=learners,
    )
    run(
        "INSERT INTO enrolment (organization_id, course_id, user_id, registration) "
        "SELECT organization_id, :course, id, gen_random_uuid() FROM \"user\" WHERE email LIKE 'many-%'",
        course=scene.course.id,
    )
    run("ANALYZE")


def nobody_holds_a_connection() -> bool:
    """Returns whether no transaction is idle for more than a second."""
    found = ask(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '1 second'"
    )
    return bool(found == 0)


def assert_others_are_served(base: str) -> None:
    other = make_scene("globex", learners=1)
    with visitor(base, other.admin.user_id) as browser:
        began = time.monotonic()
        assert browser.get("/training/analytics", timeout=QUICK).status_code == 200
        assert time.monotonic() - began < QUICK


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    opened: list[Line] = []
    yield opened
    for line in opened:
        line.close()


@pytest.mark.parametrize(
    "path", [f"/training/analytics/{COURSE}/users.csv", f"/v1/analytics/courses/{COURSE}/users?format=csv"]
)
def test_slowly_read_tables_hold_no_connection(served: str, scene: Scene, lines: list[Line], path: str) -> None:
    make_large(scene, 20_000)
    who = by_token(scene) if path.startswith("/v1") else signed_in(scene, served)

    for _ in range(MANY):
        lines.append(Line(served, "GET", path, who))
        assert "text/csv" in lines[-1].answer()[1]
    time.sleep(3)  # until all buffers are full

    assert nobody_holds_a_connection()
    assert_others_are_served(served)


def test_a_table_lists_everyone_who_stays_once_whatever_happens_to_others(
    served: str, scene: Scene, lines: list[Line]
) -> None:
    make_large(scene, 20_000)
    lines.append(
        Line(
            served, "GET", f"/training/analytics/{COURSE}/users.csv", signed_in(scene, served) | {"Connection": "close"}
        )
    )
    lines[0].answer()
    time.sleep(1)
    # While it is read, some users join and some leave
    run("UPDATE enrolment SET unassigned_at = now() WHERE user_id % 7 = 0")
    run(
        "INSERT INTO \"user\" (organization_id, email, name) SELECT organization_id, email || 'x', name "
        "FROM \"user\" WHERE email LIKE 'many-%' AND id % 11 = 0"
    )
    run(
        "INSERT INTO enrolment (organization_id, course_id, user_id, registration) "
        "SELECT organization_id, :course, id, gen_random_uuid() FROM \"user\" WHERE email LIKE 'many-%x'",
        course=scene.course.id,
    )

    table = lines[0].rest().decode("latin-1")
    found = [row[1] for row in csv.reader(io.StringIO(table)) if len(row) == 6 and row[1].startswith("many-")]
    stayed = {
        email
        for (email,) in rows(
            'SELECT email FROM "user" u JOIN enrolment e ON e.user_id = u.id AND e.course_id = :course '
            "WHERE unassigned_at IS NULL AND email LIKE 'many-%' AND email NOT LIKE '%x'",
            course=scene.course.id,
        )
    }
    assert len(found) == len(set(found))
    assert stayed <= set(found)
    assert 17_000 < len(stayed) < len(found) < 20_000, "some left before they were read"


def test_memory_does_not_grow_with_the_table(served: str, scene: Scene) -> None:
    import tracemalloc

    make_large(scene, 20_000)
    path, who = f"/v1/analytics/courses/{COURSE}/users?format=csv", by_token(scene)

    def most() -> int:
        tracemalloc.start()
        with httpx.stream("GET", served + path, headers=who, timeout=60) as answer:
            size = sum(len(block) for block in answer.iter_raw())
        assert size > 6_000_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most()  # loads what is loaded at the first use
    assert most() < 6_000_000


@pytest.fixture
def hung_storage(set_up: Callable[..., None]) -> Iterator[None]:
    """An S3 server that accepts every request and answers none."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    held: list[socket.socket] = []

    def hang() -> None:
        while True:
            try:
                held.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=hang)
    thread.start()
    set_up(
        storage_url="s3://bucket/files",
        storage_endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}",
        storage_region="us-east-1",
        storage_access_key_id="x",
        storage_secret_access_key="x",
        storage_timeout_seconds=10,
    )
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for one in held:
        one.close()
    thread.join()


def test_downloads_from_a_hanging_storage_hold_no_connection(served: str, scene: Scene, hung_storage: None) -> None:
    run(
        "INSERT INTO stored_file (registration, activity_id, attempt, key, filename, content_type, size, sha256) "
        "SELECT registration, (SELECT min(id) FROM activity), 1, 'x/y', 'a.txt', 'text/plain', 5, '' FROM enrolment "
        "ORDER BY id LIMIT 1"
    )
    file, who = ask("SELECT id FROM stored_file"), signed_in(scene, served)
    with ThreadPoolExecutor(8) as people:
        waiting = [people.submit(httpx.get, f"{served}/my/files/{file}", headers=who, timeout=60) for _ in range(8)]
        time.sleep(3)
        free = nobody_holds_a_connection()
        assert [one.result().status_code for one in waiting] == [503] * 8
    assert free


def test_slowly_sent_bodies_hold_no_connection_and_block_no_others(
    served: str, scene: Scene, lines: list[Line]
) -> None:
    who = by_token(scene) | {"Content-Type": "application/json", "Content-Length": "1000"}
    path = f"/v1/courses/{COURSE}/reset-plans"
    lines.extend(Line(served, "POST", path, who, b'{"reason": "') for _ in range(MANY))
    time.sleep(2)

    assert nobody_holds_a_connection()
    other = make_scene("globex", learners=1)
    with client_of(served, token_for(other.admin.user_id or 0)) as api:
        began = time.monotonic()
        answer = api.post(f"/v1/courses/{COURSE}/reset-plans", json={"reason": "x"}, timeout=QUICK)
    assert (answer.status_code, time.monotonic() - began < QUICK) == (201, True), answer.text


def test_a_body_that_does_not_arrive_is_given_up(
    served: str, scene: Scene, lines: list[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.bodies.pace.GRACE_SECONDS", 1.0)
    for path, headers in (
        (f"/v1/courses/{COURSE}/reset-plans", by_token(scene) | {"Content-Type": "application/json"}),
        ("/sign-in", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("/v1/imports/users", by_token(scene) | {"Content-Type": "text/csv"}),
    ):
        lines.append(Line(served, "POST", path, headers | {"Content-Length": "1000"}, b"{"))
        assert lines[-1].answer(5)[0] == 408


def test_a_waiting_event_stream_holds_no_connection(served: str, scene: Scene, lines: list[Line]) -> None:
    reset, who = scene.request(), by_token(scene)
    for _ in range(20):
        lines.append(Line(served, "GET", f"/v1/resets/{reset}/events", who))
        assert lines[-1].answer()[0] == 200
    time.sleep(2)

    assert nobody_holds_a_connection()
    assert_others_are_served(served)


def test_one_persons_streams_do_not_block_others(served: str, scene: Scene, lines: list[Line]) -> None:
    from web.api.reset_stream import STREAMS

    reset, who = scene.request(), by_token(scene)
    statuses = []
    for _ in range(21):
        lines.append(Line(served, "GET", f"/v1/resets/{reset}/events", who))
        statuses.append(lines[-1].answer())
    other = make_scene("globex", learners=1)
    lines.append(Line(served, "GET", f"/v1/resets/{other.request()}/events", by_token(other)))

    assert [status for status, _ in statuses] == [200] * 20 + [429]
    assert "retry-after: 30" in statuses[-1][1]
    assert lines[-1].answer()[0] == 200
    assert STREAMS.in_use == 21
