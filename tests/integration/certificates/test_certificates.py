"""Certificates: issued on completion, and superseded by a reset without revealing their holder."""

import io
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import segno
from pypdf import PdfReader

from models.certificates import facts_of
from models.files import storage
from models.learning import complete
from models.session import transaction
from models.training import Enrolment
from tasks.certificates.documents import Certificates, Stored
from tasks.certificates.pdf import certificate_pdf
from tasks.files.deletions import Deletions
from tasks.outbox.waits import OVER_A_DAY
from tasks.reset.end_registrations import end_registrations
from tests.outboxes import settle, take_one, work
from tests.post import Post
from tests.scenes import Scene, ask, make_scene, recover, rows, run
from tests.web import visitor
from tests.workers import until

SetUp = Callable[..., None]


@pytest.fixture
def scene(database: str, set_up: SetUp) -> Scene:
    set_up(public_url="http://training.acme.example")
    return make_scene(learners=2, completed=0, begun=0)


def finish(enrolment: Enrolment) -> str:
    """Complete the course as the learner. Returns the certificate's serial."""
    with transaction() as session:
        complete(session, enrolment.registration)
    return str(ask("SELECT serial FROM certificate WHERE registration = :id", id=enrolment.registration))


def work_off(post: Post) -> list[str]:
    recover()
    return [letter.task for letter in post.drain()]


def words_of(document: bytes) -> str:
    return PdfReader(io.BytesIO(document)).pages[0].extract_text()


def stored() -> list[str]:
    return [one.key for some in storage.everything() for one in some]


def download(base: str, user_id: int) -> httpx.Response:
    return visitor(base, user_id).get("/my/courses/FIRE-101/certificate")


def test_a_completed_course_makes_a_certificate_with_a_code_that_leads_to_its_page(scene: Scene, post: Post) -> None:
    mine = scene.enrolments()[0]
    name = scene.users()[0].name
    serial = finish(mine)
    assert work_off(post) == ["recourse.work_outboxes"]
    [key] = stored()
    document = b"".join(storage.read(key) or ())
    assert document.startswith(b"%PDF-")
    said = words_of(document)
    link = f"http://training.acme.example/verify/{serial}"
    for words in ("Certificate", "This is to certify that", name, "Fire safety", "Acme", f"Serial {serial}", link):
        assert words in said, words
    assert _drawn_code(document) == [list(row) for row in segno.make(link, error="m").matrix_iter(border=0)]
    # After that nothing is due
    assert work_off(post) == []
    assert ask("SELECT count(*) FROM file_deletion") == 0


def _drawn_code(document: bytes) -> list[list[int]]:
    """Return the modules of the QR code on the page."""
    content = PdfReader(io.BytesIO(document)).pages[0].get_contents()
    assert content is not None
    found = [
        [float(figure) for figure in drawn]
        for drawn in re.findall(rb"([-\d.]+) ([-\d.]+) ([-\d.]+) ([-\d.]+) re f", content.get_data())
    ]
    size = min(abs(height) for _, _, _, height in found)
    left, top = min(x for x, _, _, _ in found), max(y for _, y, _, _ in found)
    width = round(max(x + wide - left for x, _, wide, _ in found) / size)
    modules = [[0] * width for _ in range(width)]
    for x, y, wide, _ in found:
        for step in range(round(wide / size)):
            modules[round((top - y) / size)][round((x - left) / size) + step] = 1
    return modules


def test_anyone_with_the_serial_can_verify_a_certificate(scene: Scene, served: str) -> None:
    serial = finish(scene.enrolments()[0])
    for typed in (serial, serial.lower(), f" {serial} "):
        seen = visitor(served).get(f"/verify/{typed}")
        assert seen.status_code == 200
        assert "This certificate is valid" in seen.text
        assert scene.users()[0].name in seen.text
    assert seen.headers["x-robots-tag"] == "noindex"


def as_people_type(serial: str) -> list[str]:
    plain = serial.replace("-", "")
    return [
        plain,
        plain.lower(),
        serial.replace("-", " "),
        serial.replace("-", "\N{EN DASH}"),
        f" {serial[:11]}\N{ZERO WIDTH SPACE}{serial[11:]}. ",
        serial.replace("L", "1"),
        serial.lower().replace("l", "I"),
        "".join(chr(ord(letter) + 0xFEE0) for letter in plain),  # full-width letters, as some keyboards produce
    ]


def test_a_serial_is_found_however_it_is_typed(scene: Scene, served: str, post: Post) -> None:
    serial = finish(scene.enrolments()[0])
    anybody = visitor(served)
    run("UPDATE certificate SET serial = :serial", serial=(serial := "L2345-6789A-BCDEF-GHJKL"))
    for typed in as_people_type(serial):
        seen = anybody.get(f"/verify/{quote(typed, safe='')}")
        assert "This certificate is valid" in seen.text, typed
        assert f"<code>{serial}</code>" in seen.text
        assert anybody.get("/verify", params={"serial": typed}).headers["location"] == f"/verify/{serial}"
    # Not another one
    for wrong in (serial[:-1], serial + "A", serial.replace("B", "8")):
        assert anybody.get(f"/verify/{wrong}").status_code == 404
    scene.request()
    post.drain()
    for typed in as_people_type(serial):
        assert "This certificate is superseded" in anybody.get(f"/verify/{quote(typed, safe='')}").text, typed


def test_a_serial_that_came_from_another_system_is_found_as_it_is(scene: Scene, served: str) -> None:
    finish(scene.enrolments()[0])
    for serial in ("DEMO-000001", "I0I0I-00000-11111-OOOOO"):
        run("UPDATE certificate SET serial = :serial", serial=serial)
        assert "This certificate is valid" in visitor(served).get(f"/verify/{serial.lower()}").text


def test_a_serial_can_be_typed_into_a_form(scene: Scene, served: str) -> None:
    serial = finish(scene.enrolments()[0])
    anybody = visitor(served)
    for address in ("/verify", "/verify?serial=%20"):
        form = anybody.get(address)
        assert form.status_code == 200
        assert "Verify a certificate" in form.text
        assert '<form action="/verify"' in form.text
    assert anybody.get("/verify/").headers["location"] == f"{served}/verify"
    anybody.follow_redirects = True
    assert "This certificate is valid" in anybody.get("/verify", params={"serial": serial.lower()}).text
    again = anybody.get("/verify", params={"serial": "12/../3"})
    assert (again.status_code, '<form action="/verify"' in again.text) == (404, True)


def test_after_a_reset_a_certificate_is_superseded_without_name_or_date(scene: Scene, served: str, post: Post) -> None:
    mine = scene.enrolments()[0]
    serial = finish(mine)
    work_off(post)
    assert len(stored()) == 1
    scene.request()
    post.drain()
    seen = visitor(served).get(f"/verify/{serial}")
    assert seen.status_code == 200
    assert "This certificate is superseded" in seen.text
    for told in (*(user.name for user in scene.users()), "Fire safety", "FIRE-101", "Acme", "2026", "<time"):
        assert told not in seen.text, told
    assert stored() == [], "the document is gone"
    assert rows("SELECT * FROM superseded_serial") == [(ask("SELECT sha256(:serial)", serial=serial.encode()),)]
    assert download(served, mine.user_id).status_code == 404
    # A new completion issues a new one, and the old one stays superseded
    again = finish(scene.enrolments()[0])
    assert again != serial
    assert "This certificate is valid" in visitor(served).get(f"/verify/{again}").text
    assert "This certificate is superseded" in visitor(served).get(f"/verify/{serial}").text
    # And so it goes on
    scene.request()
    post.drain()
    for ended in (serial, again):
        assert "This certificate is superseded" in visitor(served).get(f"/verify/{ended}").text


def test_an_unknown_serial_is_not_found(served: str) -> None:
    seen = visitor(served).get("/verify/<script>alert(1)<%2Fscript>")
    assert seen.status_code == 404
    assert "Nothing exists at this address" in seen.text
    assert "<script>alert" not in seen.text.lower()
    seen = visitor(served).get("/verify/ABCDE-ABCDE-ABCDE-ABCDE")
    assert seen.status_code == 404
    assert "Certificate not found" in seen.text


def test_a_learner_downloads_their_own_and_no_others(scene: Scene, served: str, post: Post) -> None:
    mine, other = scene.enrolments()
    finish(mine)
    elsewhere = make_scene("globex", learners=1, completed=0, begun=0)
    before = download(served, mine.user_id)  # it may not exist in the storage yet
    work_off(post)
    got = download(served, mine.user_id)
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/pdf"
    assert got.content == before.content
    assert download(served, other.user_id).status_code == 404
    assert download(served, elsewhere.users()[0].id).status_code == 404
    assert visitor(served).get("/my/courses/FIRE-101/certificate").status_code == 303


def test_a_course_without_certificates_issues_none(database: str, post: Post) -> None:
    scene = make_scene(learners=1, completed=0, begun=0, certificates=False)
    with transaction() as session:
        complete(session, scene.enrolments()[0].registration)
    assert work_off(post) == []
    assert ask("SELECT count(*) FROM certificate") == 0
    assert stored() == []


def test_certificates_can_be_downloaded_while_the_storage_is_unreachable(
    scene: Scene, served: str, post: Post, set_up: SetUp
) -> None:
    mine = scene.enrolments()[0]
    serial = finish(mine)
    set_up(
        storage_url="s3://nowhere",
        storage_endpoint="http://127.0.0.1:9",
        storage_access_key_id="a",
        storage_secret_access_key="b",
        storage_timeout_seconds=1,
    )
    work_off(post)
    assert ask("SELECT pdf_key FROM certificate") is None
    assert f"Serial {serial}" in words_of(download(served, mine.user_id).content)
    assert 50 < ask("SELECT extract(epoch FROM pdf_due_at - now()) FROM certificate") <= 60, "it is tried again"


class Slice:
    """Clear the course's learners, pausing once the transaction has locked them. `go_on` ends it."""

    def __init__(self, scene: Scene, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
        self._locked, self._may_go_on = threading.Event(), threading.Event()

        def pause(*arguments: Any, **options: Any) -> dict[str, int]:
            self._locked.set()
            assert self._may_go_on.wait(20)
            return end_registrations(*arguments, **options)

        scene.request(scene.preview(audience="completed"))
        for letter in post.take():
            post.deliver(letter)
        [letter] = post.take()
        monkeypatch.setattr("tasks.reset.clear.end_registrations", pause)
        self._thread = threading.Thread(target=post.deliver, args=(letter,))
        self._thread.start()
        assert self._locked.wait(20)

    def go_on(self) -> None:
        self._may_go_on.set()
        self._thread.join(20)


def everything_is_cleared_away(post: Post) -> None:
    """After all due work, neither an object nor its row is left."""
    for _ in range(2):
        run("UPDATE file_deletion SET next_try_at = now()")
        work(Deletions)
    post.drain()
    assert ask("SELECT count(*) FROM certificate") == 0
    assert stored() == []
    assert ask("SELECT count(*) FROM file_deletion") == 0


def test_a_document_stored_before_its_slice_is_deleted_with_it(scene: Scene, post: Post) -> None:
    finish(scene.enrolments()[0])
    work(Certificates)
    assert len(stored()) == 1
    scene.request()
    post.drain()
    everything_is_cleared_away(post)


def test_a_document_stored_while_its_slice_runs_is_deleted(
    scene: Scene, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a slice that is about to look for objects to delete, and a document that is not stored yet
    finish(scene.enrolments()[0])
    item = take_one(Certificates)
    piece = Slice(scene, post, monkeypatch)
    # When the document is stored and is about to be recorded
    answer = Certificates().attempt(item)
    keeping = threading.Thread(target=settle, args=(Certificates, item, answer))
    keeping.start()
    until(lambda: ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
    # Then that waits for the slice, and is discarded
    piece.go_on()
    keeping.join(20)
    everything_is_cleared_away(post)


def test_a_document_stored_after_its_slice_is_deleted(scene: Scene, post: Post) -> None:
    finish(scene.enrolments()[0])
    item = take_one(Certificates)
    answer = Certificates().attempt(item)
    scene.request()
    post.drain()
    settle(Certificates, item, answer)
    assert ask("SELECT count(*) FROM file_deletion WHERE next_try_at <= now()") == 1, "it goes at once"
    everything_is_cleared_away(post)


def test_a_document_whose_process_dies_before_recording_it_is_deleted(scene: Scene, post: Post) -> None:
    # Given a document stored by a process that died, and one from the next try
    finish(scene.enrolments()[0])
    assert isinstance(Certificates().attempt(take_one(Certificates)), Stored)
    run("UPDATE certificate SET pdf_due_at = now()")
    work(Certificates)
    kept = ask("SELECT pdf_key FROM certificate")
    assert len(stored()) == 2
    # Then the first is deleted after an hour, with or without a reset
    run("UPDATE file_deletion SET next_try_at = now()")
    work(Deletions)
    assert stored() == [kept]
    scene.request()
    post.drain()
    everything_is_cleared_away(post)


def test_one_of_two_concurrent_documents_is_kept(scene: Scene, post: Post) -> None:
    finish(scene.enrolments()[0])
    slow = take_one(Certificates)
    late = Certificates().attempt(slow)
    run("UPDATE certificate SET pdf_due_at = now()")
    work(Certificates)
    settle(Certificates, slow, late)
    work(Deletions)
    assert stored() == [ask("SELECT pdf_key FROM certificate")]


def test_a_document_that_reaches_the_storage_after_an_hour_is_deleted(
    scene: Scene, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a storage so slow that the deletion comes before the object
    finish(scene.enrolments()[0])
    write = storage.write

    def slow(key: str, content: Iterable[bytes]) -> None:
        run("UPDATE file_deletion SET next_try_at = now()")
        assert work(Deletions) == 1
        assert ask("SELECT count(*) FROM file_deletion") == 0
        write(key, content)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "write", slow)
        work(Certificates)
    assert ask("SELECT pdf_key FROM certificate") is None
    work(Deletions)
    assert stored() == []
    assert ask("SELECT count(*) FROM file_deletion") == 0


def test_a_certificate_that_cannot_be_stored_is_given_up_after_a_day(scene: Scene, post: Post, set_up: SetUp) -> None:
    finish(scene.enrolments()[0])
    set_up(
        storage_url="s3://nowhere",
        storage_endpoint="http://127.0.0.1:9",
        storage_access_key_id="a",
        storage_secret_access_key="b",
        storage_timeout_seconds=1,
    )
    waits = []
    for _ in OVER_A_DAY:
        assert work(Certificates) == 1
        assert work(Certificates) == 0, "once a try"
        waits.append(round(ask("SELECT extract(epoch FROM pdf_due_at - now()) FROM certificate")))
        run("UPDATE certificate SET pdf_due_at = now()")
    assert [abs(waited - wait) < 15 for waited, wait in zip(waits, OVER_A_DAY, strict=True)] == [True] * 7
    assert work(Certificates) == 1
    [(due, attempts, error)] = rows("SELECT pdf_due_at, pdf_attempts, pdf_error FROM certificate")
    assert (due, attempts) == (None, 8)
    assert error.startswith("given up after 8 attempts: the storage did not accept it")
    recover()
    assert post.take() == []


def test_the_same_certificate_is_the_same_document(scene: Scene) -> None:
    mine = scene.enrolments()[0]
    finish(mine)
    with transaction() as session:
        facts = facts_of(session, mine.registration)
    assert facts is not None
    assert certificate_pdf(facts) == certificate_pdf(facts)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Łukasz Żółć Νίκος Иванова", "Sécurité <niveau 2> & évacuation"),
        (
            "Maximiliana Theodora von Hohenstein-Schwarzenberg zu Rosenthal-Wittgenstein " * 2,
            "Handling of substances " * 9,
        ),
        ("W" * 300, "x" * 1000),
        ("名前", "コース"),
    ],
)
def test_names_and_titles_of_any_length_and_script_stay_on_the_page(scene: Scene, name: str, title: str) -> None:
    mine = scene.enrolments()[0]
    run('UPDATE "user" SET name = :name WHERE id = :id', name=name, id=mine.user_id)
    run("UPDATE course SET title = :title", title=title)
    finish(mine)
    with transaction() as session:
        facts = facts_of(session, mine.registration)
    assert facts is not None
    document = certificate_pdf(facts)
    assert len(PdfReader(io.BytesIO(document)).pages) == 1
    below = _lowest_of_title(document)
    assert below > 0.32, f"the title runs into what is below it: {below:.2f}"


def _lowest_of_title(document: bytes) -> float:
    """Return the height of the lowest bold line above the foot of the page, as a share of the page."""
    page = PdfReader(io.BytesIO(document)).pages[0]
    heights: list[float] = []

    def note(text: str, _cm: object, tm: list[float], font: dict[str, str] | None, _size: float) -> None:
        if text.strip() and font and "Bold" in str(font.get("/BaseFont", "")):
            heights.append(tm[5])

    page.extract_text(visitor_text=note)
    return min(heights) / float(page.mediabox.height)


def test_the_fonts_come_with_their_licence() -> None:
    folder = Path(__file__).parents[3] / "tasks" / "certificates" / "fonts"
    assert "Bitstream" in (folder / "LICENSE").read_text()
