"""Learners' files: streamed within limits, private, and deleted by a reset."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from models.files import storage
from models.files.deletions import FilesLeft, files_left
from models.files.files import StoredFile, attach, files_under, open_file
from models.files.uploads import Upload, receive
from models.learning import submit
from models.refusals.files import FileTooLarge, FileTypeRefused, FileUnknown, UploadExpired
from models.session import transaction
from models.training import Activity, ActivityKind, Course, Enrolment
from tasks.files.deletions import Deletions, sweep
from tests.buckets import bucket_at, s3_server
from tests.outboxes import take_one, work
from tests.post import Post
from tests.scenes import Scene, as_actor, ask, fail_for, ledger, let_all_pass, make_scene, recover, report_of, rows, run
from tests.web import visitor

PDF = b"%PDF-1.7\n" + b"What I measured.\n" * 1000


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def s3(s3_address: str, database: str, set_up: Callable[..., None]) -> str:
    """Point the settings at a bucket of an S3 server. Returns the server's address."""
    set_up(**bucket_at(s3_address))
    for page in storage.everything():
        storage.remove([one.key for one in page])
    return s3_address


@pytest.fixture(params=["folder", "s3"])
def any_storage(request: pytest.FixtureRequest, database: str) -> str:
    if request.param == "s3":
        request.getfixturevalue("s3")
    return str(request.param)


def assignment(session: object, course: Course, kind: ActivityKind = ActivityKind.ASSIGNMENT) -> int:
    return int(session.scalars(select(Activity.id).where(Activity.course_id == course.id, Activity.kind == kind)).one())  # type: ignore[attr-defined]


def upload(scene: Scene, name: str = "report.pdf", content: bytes = PDF) -> Upload:
    return receive(scene.organization.id, name, io.BytesIO(content))


def hand_in(
    scene: Scene, enrolment: Enrolment, name: str = "report.pdf", content: bytes = PDF, course: Course | None = None
) -> StoredFile:
    """Upload a file and submit it, as a learner's page does."""
    sent = upload(scene, name, content)
    with transaction() as session:
        row = submit(session, enrolment.registration, assignment(session, course or scene.course), body="See the file.")
        return attach(session, row, sent)


def stored() -> set[str]:
    """Return the keys of all objects in the storage."""
    return {one.key for page in storage.everything() for one in page}


def left(reset: UUID) -> FilesLeft:
    with transaction() as session:
        return files_left(session, reset)


def later() -> None:
    """Move the outbox more than an hour into the past."""
    run("UPDATE file_deletion SET next_try_at = next_try_at - interval '7 hours'")


def test_a_file_comes_back_as_it_was_to_its_learner_and_to_an_admin(any_storage: str) -> None:
    scene = make_scene(learners=2)
    mine = scene.enrolments()[0]
    large = b"%PDF-" + os.urandom(12_000_000)
    file = hand_in(scene, mine, "Bericht über Müll.pdf", large)
    for actor in (as_actor(scene, mine.user_id), scene.admin):
        got = open_file(actor, file.id)
        assert b"".join(got.content) == large
        assert (got.size, got.content_type) == (len(large), "application/pdf")
        assert got.disposition == "attachment; filename*=UTF-8''Bericht%20%C3%BCber%20M%C3%BCll.pdf"
    with transaction() as session:
        assert [row.filename for row in files_under(session, mine.registration)] == ["Bericht über Müll.pdf"]
    assert ask("SELECT count(*) FROM file_deletion") == 0


def test_a_file_is_hidden_from_everyone_else(database: str) -> None:
    scene, elsewhere = make_scene(learners=2), make_scene("globex", learners=1)
    mine, other = scene.enrolments()
    file = hand_in(scene, mine)
    for stranger in (as_actor(scene, other.user_id), elsewhere.admin):
        with pytest.raises(FileUnknown, match=f"There is no file {file.id}"):
            open_file(stranger, file.id)


def test_a_file_of_a_practical_assessment_is_kept_with_its_attempt(database: str) -> None:
    scene = make_scene(learners=1, completed=0, begun=0)
    [mine] = scene.enrolments()
    for attempt in (1, 2):
        sent = upload(scene, f"photo-{attempt}.jpg", b"\xff\xd8\xff\xe0 a photograph")
        with transaction() as session:
            activity = assignment(session, scene.course, ActivityKind.PRACTICAL_ASSESSMENT)
            attach(session, submit(session, mine.registration, activity, score=80), sent)
    assert rows("SELECT filename, attempt FROM stored_file ORDER BY id") == [("photo-1.jpg", 1), ("photo-2.jpg", 2)]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("setup.exe", b"MZ", "Files of this type are not accepted"),
        ("page.html", b"<script>alert(1)</script>", "Files of this type are not accepted"),
        ("report", PDF, "Files of this type are not accepted"),
        ("report.pdf", b"MZ\x90\0 a program", "Its extension says that this file is a PDF, but it is not"),
        ("notes.txt", b"\x7fELF\x02", "Its extension says that this file is a text file, but it is not"),
        ("photo.png", b"\x89PNG", "Its extension says that this file is a PNG picture, but it is not"),
        ("report.pdf", b"", "This file is empty"),
    ],
)
def test_a_file_of_another_type_is_refused_before_anything_is_stored(
    database: str, name: str, content: bytes, why: str
) -> None:
    scene = make_scene(learners=1)
    with pytest.raises(FileTypeRefused, match=rf"{why}\. It was not saved\. Choose a file of one of these types: pdf,"):
        upload(scene, name, content)
    assert stored() == set()
    assert ask("SELECT count(*) FROM file_deletion") == 0


def test_a_file_that_is_too_large_is_not_read_to_its_end_and_leaves_nothing(
    any_storage: str, set_up: Callable[..., None]
) -> None:
    # Given a stream that never ends
    set_up(file_limit_mb=8)
    scene = make_scene(learners=1)
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 100_000
            yield PDF[:9] + bytes(99_991)

    with pytest.raises(FileTooLarge, match="This file is larger than 8 MB and was not saved"):
        receive(scene.organization.id, "report.pdf", endless())
    assert read < 9_000_000
    assert stored() == set()
    recover()
    with Post() as post:
        post.drain()
    assert ask("SELECT count(*) FROM file_deletion") == 0


def test_the_name_of_a_file_carries_no_path_and_no_control_characters(database: str) -> None:
    scene = make_scene(learners=1)
    assert upload(scene, "C:\\Users\\me\\..\\..\\report\x00\x1b.pdf").filename == "report.pdf"
    assert upload(scene, "../../etc/" + "x" * 500 + ".PDF").filename == "x" * 196 + ".PDF"


def test_a_submission_that_is_rolled_back_leaves_no_object(any_storage: str) -> None:
    scene = make_scene(learners=1)
    [mine] = scene.enrolments()
    sent = upload(scene)
    with suppress(ZeroDivisionError), transaction() as session:
        attach(session, submit(session, mine.registration, assignment(session, scene.course)), sent)
        1 / 0  # noqa: B018 - the page breaks
    assert stored() == {sent.key}
    assert work(Deletions) == 0, "it may yet be tried again"
    later()
    assert work(Deletions) == 1
    assert stored() == set()
    assert ask("SELECT count(*) FROM file_deletion") == 0
    with pytest.raises(UploadExpired), transaction() as session:
        attach(session, submit(session, mine.registration, assignment(session, scene.course)), sent)


def test_an_upload_whose_deletion_has_begun_is_refused(database: str) -> None:
    scene = make_scene(learners=1)
    [mine] = scene.enrolments()
    sent = upload(scene)
    run("UPDATE file_deletion SET attempts = 1")
    with pytest.raises(UploadExpired, match="Choose the file again"), transaction() as session:
        attach(session, submit(session, mine.registration, assignment(session, scene.course)), sent)


def test_an_upload_that_takes_over_an_hour_is_refused_and_deleted(database: str) -> None:
    scene = make_scene(learners=1)

    def slow() -> Iterator[bytes]:
        yield PDF
        later()
        assert work(Deletions) == 1
        yield PDF

    with pytest.raises(UploadExpired):
        receive(scene.organization.id, "report.pdf", slow())
    work(Deletions)
    assert stored() == set()


def test_a_reset_takes_its_learners_files_and_no_others(any_storage: str, post: Post) -> None:
    # Given files of two courses, and a learner outside the audience
    scene = make_scene(learners=12, completed=6, begun=10)
    for enrolment in scene.enrolments():
        for number in range(2):
            hand_in(scene, enrolment, f"report-{number}.pdf")
    for enrolment in scene.enrolments(scene.other_course):
        hand_in(scene, enrolment, course=scene.other_course)
    hers = {
        key
        for (key,) in rows(
            "SELECT key FROM stored_file JOIN enrolment USING (registration) "
            "WHERE course_id = :course AND state = 'completed'",
            course=scene.course.id,
        )
    }
    assert len(hers) == 8
    everything = stored()
    planned = scene.preview(audience="completed")
    assert planned.removed["stored_file"] == 8
    # When the reset has run
    reset = scene.request(planned)
    post.drain()
    # Then their objects are gone, and all others unchanged
    assert report_of(reset)["removed"]["stored_file"] == 8
    assert stored() == everything - hers
    assert left(reset) == FilesLeft(0, 0, None, None)
    assert {key for (key,) in rows("SELECT key FROM stored_file")} == stored()
    for (key,) in rows("SELECT key FROM stored_file"):
        assert b"".join(storage.read(key) or ()) == PDF


def test_an_unreachable_storage_does_not_stop_a_reset_and_deletions_follow_later(
    s3: str, served: str, post: Post, set_up: Callable[..., None]
) -> None:
    scene = make_scene(learners=3, completed=100)
    for enrolment in scene.enrolments():
        hand_in(scene, enrolment)
    # Given an unreachable storage
    set_up(storage_endpoint="http://127.0.0.1:9")
    reset = scene.request()
    post.drain()
    # Then the reset is done, and the remaining deletions are recorded with a reason
    assert report_of(reset)["state"] == "succeeded"
    assert report_of(reset)["done"]
    now = left(reset)
    assert (now.pending, now.failing) == (3, 3)
    assert now.error
    assert "127.0.0.1:9" in now.error
    assert now.next_try_at
    assert timedelta(seconds=30) < now.next_try_at - datetime.now(UTC) < timedelta(seconds=61)
    assert scene.admin.user_id
    seen = visitor(served, scene.admin.user_id).get(f"/resets/{reset}").text
    assert "3 files of these learners could not be deleted from storage yet" in seen
    assert "127.0.0.1:9" in seen
    recover()
    assert post.take() == [], "the next try is not due yet"
    # When it is back, the next due try deletes them
    set_up(storage_endpoint=s3)
    assert len(stored()) == 3
    later()
    recover()
    assert [letter.task for letter in post.drain()] == ["recourse.work_outboxes"]
    assert stored() == set()
    assert left(reset) == FilesLeft(0, 0, None, None)


def test_tries_grow_further_apart_up_to_six_hours_and_never_end(database: str) -> None:
    upload(make_scene(learners=1))
    waits = []
    for _ in range(12):
        later()
        take_one(Deletions)
        waits.append(ask("SELECT extract(epoch FROM next_try_at - now())::int FROM file_deletion"))
    assert [round(wait / 60) for wait in waits] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]


def test_a_worker_that_dies_while_it_deletes_leaves_it_to_the_next(
    any_storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene(learners=1)
    upload(scene)
    later()
    with monkeypatch.context() as patched:
        # Given a worker that dies after deleting the object and before recording it
        patched.setattr(Deletions, "settle_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            work(Deletions)
    assert stored() == set()
    assert ask("SELECT attempts FROM file_deletion") == 1
    later()
    assert work(Deletions) == 1
    assert ask("SELECT count(*) FROM file_deletion") == 0


def test_one_object_that_cannot_be_deleted_does_not_block_the_rest(database: str, tmp_path: Path) -> None:
    # Given a folder with content in place of an object
    scene = make_scene(learners=1)
    sent = [upload(scene) for _ in range(5)]
    stuck = tmp_path / "files" / sent[2].key
    stuck.unlink()
    (stuck / "in the way").mkdir(parents=True)
    later()
    assert work(Deletions) == 5
    assert rows("SELECT key, error <> '' FROM file_deletion") == [(sent[2].key, True)]
    assert stored() == set()


def test_a_learner_who_could_not_be_cleared_keeps_their_files(post: Post) -> None:
    scene = make_scene(learners=2, completed=100)
    unlucky, lucky = scene.enrolments()
    kept, gone = hand_in(scene, unlucky), hand_in(scene, lucky)
    fail_for(unlucky)
    reset = scene.request()
    post.drain()
    let_all_pass()
    assert [state for state, _ in ledger(reset).values()] == ["failed", "cleared"]
    assert stored() == {kept.key}
    assert gone.key != kept.key


def test_a_sweep_finds_orphaned_objects_and_deletes_them_only_on_request(
    any_storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.files.deletions.SETTLED", timedelta(seconds=-60))
    scene = make_scene(learners=1)
    [mine] = scene.enrolments()
    known, waiting = hand_in(scene, mine).key, upload(scene).key
    storage.write("1/left-by-a-restored-database", [PDF])
    seen = sweep(delete=False)
    assert (seen.seen, seen.orphans, seen.orphan_bytes, seen.deleted) == (3, 1, len(PDF), 0)
    assert len(stored()) == 3
    assert sweep(delete=True).deleted == 1
    assert stored() == {known, waiting}
    assert sweep(delete=True).orphans == 0


def test_a_sweep_keeps_objects_younger_than_an_hour(database: str) -> None:
    storage.write("1/just-now", [PDF])
    assert sweep(delete=True).orphans == 0
    assert stored() == {"1/just-now"}


def test_nothing_is_held_in_memory_while_a_file_is_streamed(database: str, set_up: Callable[..., None]) -> None:
    import resource

    set_up(file_limit_mb=400)
    scene = make_scene(learners=1)
    piece = PDF[:9] + bytes(999_991)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sent = receive(scene.organization.id, "video.pdf", (piece for _ in range(300)))
    assert sent.size == 300_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
