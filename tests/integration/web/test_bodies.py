"""The sender is checked before a body is read, and no body fills memory or disk."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.scenes import COURSE, Scene, ask, make_scene, rows, run
from tests.sockets import Line
from tests.web import client_of, form_token, make_user, page_routes, token_for, visitor
from tests.workers import until

FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-'
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene()


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    opened: list[Line] = []
    yield opened
    for line in opened:
        line.close()


def cookie_of(base: str, user_id: int | None) -> dict[str, str]:
    with visitor(base, user_id) as browser:
        return {"Cookie": f"recourse={browser.cookies['recourse']}", "Sec-Fetch-Site": "same-origin"}


def bearer(user_id: int | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_for(user_id or 0)}"}


def waiting_bytes() -> int:
    """Returns the size of this process's temporary files, which have no names."""
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        try:
            if str(one.readlink()).endswith("(deleted)"):
                found += one.stat().st_size
        except OSError:  # closed meanwhile
            continue
    return found


def blocks(megabytes: int) -> Iterator[bytes]:
    return (b"x" * 100_000 for _ in range(megabytes * 10))


def test_an_upload_without_a_session_is_refused_before_it_is_read(served: str, scene: Scene, lines: list[Line]) -> None:
    before = waiting_bytes()
    upload = f"/my/courses/{COURSE}/attempts/1"
    for headers, status in (
        ({}, 303),
        ({"Cookie": "recourse=made-up"}, 303),
        ({"Cookie": "recourse=made-up", "HX-Request": "true"}, 401),
    ):
        for length in ({"Content-Length": "49000000"}, {"Transfer-Encoding": "chunked"}):
            line = Line(served, "POST", upload, headers | length | {"Content-Type": FORM})
            lines.append(line)
            assert line.answer(5)[0] == status, "refused on its head alone"
            sender = threading.Thread(target=line.send, args=[blocks(20)], daemon=True)
            sender.start()
    time.sleep(1)
    assert waiting_bytes() - before < 100_000


def test_every_address_checks_the_sender_before_it_reads_the_body(
    served: str, scene: Scene, subtests: pytest.Subtests
) -> None:
    """Except those open to everyone."""
    open_to_all = {"/sign-in", "/first-start", "/unsubscribe/{token}", "/v1/hooks/{source}"}
    open_to_all |= {"/sign-on/{slug}/logout", "/set-password/{token}"}
    open_to_all |= {"/v1/participant-requests/{key}/report"}
    values = {"code": COURSE, "activity_id": 1, "user_id": 1, "file_id": 1, "endpoint_id": 1, "serial": "x"}
    values |= {"slug": "acme", "name": "lms", "key": str(uuid4()), "token_id": 1, "event_id": 1}
    values |= {
        name: str(uuid4())
        for name in ("reset_id", "rule_id", "message_id", "registration", "token", "source", "list_id")
    }
    pages = {(method, path) for method, path in page_routes() if method != "GET"}
    document = httpx.get(f"{served}/v1/openapi.json").json()["paths"]
    api = {(method.upper(), path) for path, methods in document.items() for method in methods if method != "get"}
    assert len(pages) > 20
    assert len(api) > 10
    for method, path in sorted(pages | api):
        with subtests.test(method=method, path=path):
            line = Line(served, method, path.format(**values), {"Content-Length": "30000", "Content-Type": URLENCODED})
            try:
                if path in open_to_all:
                    line.send([b"x" * 30_000])
                    assert line.answer(10)[0] in (401, 403, 404, 422)
                else:
                    assert line.answer(10)[0] == (401 if path.startswith("/v1") else 303)
            finally:
                line.close()


def test_bodies_from_unknown_senders_are_small(served: str, scene: Scene) -> None:
    for path, kind in (("/sign-in", URLENCODED), (f"/v1/hooks/{uuid4()}", "application/json")):
        for content in (b"x" * 33_000, iter([b"x" * 1_000] * 33)):
            answer = httpx.post(served + path, content=content, headers={"Content-Type": kind})
            assert (answer.status_code, "larger than the 32 KB" in answer.text) == (413, True)


def test_a_chunked_body_has_the_same_limit(served: str, scene: Scene) -> None:
    for path, headers in (
        ("/my/settings", cookie_of(served, scene.admin.user_id) | {"Content-Type": URLENCODED}),
        (f"/v1/courses/{COURSE}/reset-plans", bearer(scene.admin.user_id) | {"Content-Type": "application/json"}),
    ):
        answer = httpx.post(served + path, content=blocks(2), headers=headers)
        assert (answer.status_code, "larger than the 1 MB" in answer.text) == (413, True), answer.text


def test_a_user_deactivated_while_the_body_arrives_is_refused(served: str, scene: Scene, lines: list[Line]) -> None:
    user = make_user(scene.organization.id, "slow@acme.example", *scene.admin.permissions)
    csv = b"email,name\nnew@acme.example,New\n"
    headers = bearer(user.id) | {"Content-Type": "text/csv", "Content-Length": str(len(csv))}
    line = Line(served, "POST", "/v1/imports/users", headers, csv[:10])
    lines.append(line)
    time.sleep(0.5)
    run('UPDATE "user" SET active = false WHERE id = :id', id=user.id)
    line.send([csv[10:]])
    assert line.answer()[0] == 401
    assert ask("SELECT count(*) FROM \"user\" WHERE email = 'new@acme.example'") == 0


def test_one_persons_uploads_are_limited_and_do_not_block_others(
    served: str, scene: Scene, lines: list[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.bodies.limits import UPLOADS  # imports tasks, which test modules must not

    monkeypatch.setattr("web.bodies.limits.UPLOAD_PATIENCE", 0.5)
    learners = scene.users()
    upload = f"/my/courses/{COURSE}/attempts/1"
    mine = cookie_of(served, learners[0].id) | {"Content-Type": FORM, "Content-Length": "40000000"}
    lines.extend(Line(served, "POST", upload, mine, PART + b"x" * 2_000_000) for _ in range(2))
    until(lambda: UPLOADS.in_use == 2)
    lines.append(Line(served, "POST", upload, mine, PART))
    refused = lines[-1].answer()
    with visitor(served, learners[1].id) as browser:
        token = form_token(browser.get("/my/settings"))
        registration = rows(
            "SELECT registration FROM enrolment WHERE user_id = :id AND course_id = :course",
            id=learners[1].id,
            course=scene.course.id,
        )[0][0]
        activity = ask("SELECT id FROM activity WHERE course_id = :id AND kind = 'assignment'", id=scene.course.id)
        answer = browser.post(
            f"/my/courses/{COURSE}/attempts/{activity}",
            data={"csrf": token, "registration": str(registration), "body": "Mine"},
            files={"file": ("a.txt", b"Hello")},
        )
    assert refused[0] == 429
    assert "retry-after" in refused[1]
    assert answer.status_code == 303, answer.text
    assert ask("SELECT count(*) FROM stored_file WHERE filename = 'a.txt'") == 1


def test_the_spool_is_limited_and_one_organization_gets_at_most_half(
    served: str, scene: Scene, lines: list[Line], set_up: Callable[..., None]
) -> None:
    set_up(spool_limit_mb=100)
    other = make_scene("globex", learners=1)
    mine = bearer(scene.admin.user_id) | {"Content-Type": "text/csv"}
    before = waiting_bytes()
    first = Line(served, "POST", "/v1/imports/users", mine | {"Content-Length": "40000000"}, b"email,name\n")
    lines.append(first)
    first.send(blocks(30))
    until(lambda: waiting_bytes() - before > 28_000_000, 20)

    refused = httpx.post(f"{served}/v1/imports/users", content=b"x" * 20_000_000, headers=mine, timeout=30)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/busy")
    assert refused.headers["retry-after"] == "60"
    as_it_comes = httpx.post(f"{served}/v1/imports/users", content=blocks(20), headers=mine, timeout=30)
    assert as_it_comes.status_code == 503
    with client_of(served, token_for(other.admin.user_id or 0)) as api:
        theirs = api.post(
            "/v1/imports/users", content=b"email,name\nu@globex.example,U\n", headers={"Content-Type": "text/csv"}
        )
    assert theirs.status_code == 200, theirs.text
    first.close()
    until(lambda: waiting_bytes() - before < 1_000_000, 20)


def test_bodies_are_spooled_in_the_configured_folder(
    served: str, scene: Scene, lines: list[Line], tmp_path: Path
) -> None:
    mine = bearer(scene.admin.user_id) | {"Content-Type": "text/csv", "Content-Length": "40000000"}
    lines.append(Line(served, "POST", "/v1/imports/users", mine, b"email,name\n"))
    lines[0].send(blocks(5))
    learner = cookie_of(served, scene.users()[0].id) | {"Content-Type": FORM, "Content-Length": "40000000"}
    lines.append(Line(served, "POST", f"/my/courses/{COURSE}/attempts/1", learner, PART))
    lines[1].send(blocks(5))

    def folders() -> list[str]:
        found = []
        for one in Path("/proc/self/fd").iterdir():
            try:
                if one.stat().st_size > 3_000_000 and "(deleted)" in str(one.readlink()):
                    found.append(str(one.readlink()))
            except OSError:
                continue
        return found

    until(lambda: len(folders()) == 2, 20)
    assert all(one.startswith(f"{tmp_path}/spool/") for one in folders())


def test_one_organizations_imports_do_not_block_others(served: str, scene: Scene, lines: list[Line]) -> None:
    other = make_scene("globex", learners=1)
    mine = bearer(scene.admin.user_id) | {"Content-Type": "text/csv"}
    begun = mine | {"Content-Length": "1000"}
    lines.extend(Line(served, "POST", "/v1/imports/users", begun, b"email") for _ in range(2))
    time.sleep(0.5)

    refused = httpx.post(f"{served}/v1/imports/users", content=b"email,name\n", headers=mine)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
    assert refused.headers["retry-after"] == "30"
    assert "You already have 2 imports open" in refused.json()["detail"]
    theirs = httpx.post(
        f"{served}/v1/imports/users",
        content=b"email,name\nu@globex.example,U\n",
        headers=bearer(other.admin.user_id) | {"Content-Type": "text/csv"},
    )
    assert theirs.status_code == 200


def test_running_imports_leave_connections_for_pages(served: str, scene: Scene) -> None:
    """Each waits for a lock held here, on a connection of its own."""
    from sqlalchemy import text

    from models.session import transaction

    organizations = [make_scene(f"org-{n}", learners=1) for n in range(6)]
    done: list[int] = []

    def bring(one: Scene) -> None:
        answer = httpx.post(
            f"{served}/v1/imports/users",
            content=b"email,name\nu@x.example,U\n",
            headers=bearer(one.admin.user_id) | {"Content-Type": "text/csv"},
            timeout=60,
        )
        done.append(answer.status_code)

    threads = [threading.Thread(target=bring, args=[one]) for one in organizations]
    with transaction() as session:
        session.execute(text('LOCK TABLE "user" IN SHARE ROW EXCLUSIVE MODE'))
        for thread in threads:
            thread.start()
        time.sleep(2)
        with visitor(served) as browser:
            assert browser.get("/sign-in", timeout=5).status_code == 200
        with client_of(served) as api:
            assert api.get("/readyz", timeout=5).status_code == 200
    for thread in threads:
        thread.join(30)
    assert done == [200] * 6


def test_a_full_disk_is_reported(served: str, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:

    def full(**_: object) -> object:
        return os.fdopen(os.open("/dev/full", os.O_RDWR), "w+b", buffering=0)

    monkeypatch.setattr("web.api.import_files.TemporaryFile", full)
    answer = httpx.post(
        f"{served}/v1/imports/users",
        content=b"email,name\nu@x.example,U\n",
        headers=bearer(scene.admin.user_id) | {"Content-Type": "text/csv"},
    )
    assert (answer.status_code, answer.json()["type"]) == (507, "/problems/disk-full")
    assert "spool" in answer.json()["detail"]
