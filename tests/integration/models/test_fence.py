"""The fence: no record under a registration that has ended, and no registration ends while a record is left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from models.records import record_kinds
from tests.scenes import Scene, ask, do_everything, make_scene, rows, run
from tests.workers import until

KINDS = [kind.kind() for kind in record_kinds()]
WRITE = "INSERT INTO completion (registration) VALUES (%s)"
END = (
    "UPDATE enrolment SET registration = uuidv7(), state = 'assigned', progress = 0, completed_at = NULL WHERE id = %s"
)


@pytest.fixture
def scene(database: str) -> Scene:
    """Two learners without any record."""
    return make_scene(learners=2, completed=0, begun=0)


@contextmanager
def session(database: str, level: str = "read committed") -> Iterator[psycopg.Connection[Any]]:
    """A connection that commits when it is told to."""
    with psycopg.connect(database) as connection:
        connection.execute(f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}".encode())
        connection.commit()
        yield connection
        connection.rollback()


def waits() -> bool:
    return bool(ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


def in_background(call: Any) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread, raised


def test_every_record_kind_is_fenced(scene: Scene) -> None:
    fenced = rows("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'registration_is_open_on_insert'")
    assert {table for (table,) in fenced} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_registration_cannot_end_while_a_record_is_left(scene: Scene, database: str, kind: str) -> None:
    [learner, _] = scene.enrolments()
    do_everything(learner)
    for other in [other for other in KINDS if other != kind]:
        run(f"DELETE FROM {other}")
    with session(database) as reset, pytest.raises(errors.ForeignKeyViolation, match=f"record in {kind} is left"):
        reset.execute(END.encode(), [learner.id])
    with session(database) as eraser, pytest.raises(errors.ForeignKeyViolation, match=f"record in {kind} is left"):
        eraser.execute(b"DELETE FROM enrolment WHERE id = %s", [learner.id])
    assert scene.enrolments()[0].registration == learner.registration


def test_one_record_among_many_learners_is_found(scene: Scene, database: str) -> None:
    last = scene.enrolments()[-1]
    run("INSERT INTO completion (registration) VALUES (:registration)", registration=last.registration)
    with session(database) as reset, pytest.raises(errors.ForeignKeyViolation, match="record in completion is left"):
        reset.execute(b"UPDATE enrolment SET registration = uuidv7()")
    with session(database) as reset, pytest.raises(errors.ForeignKeyViolation, match="record in completion is left"):
        reset.execute(b"TRUNCATE enrolment CASCADE")


def copy(writer: psycopg.Connection[Any], old: UUID, _: UUID) -> None:
    with writer.cursor().copy(b"COPY completion (registration) FROM STDIN") as rows_to_copy:
        rows_to_copy.write_row([str(old)])


WRITES: dict[str, Callable[[psycopg.Connection[Any], UUID, UUID], object]] = {
    "INSERT": lambda writer, old, _: writer.execute(WRITE.encode(), [old]),
    "UPDATE": lambda writer, old, _: writer.execute(b"UPDATE completion SET registration = %s", [old]),
    "ON CONFLICT": lambda writer, old, new: writer.execute(
        b"INSERT INTO completion (registration) VALUES (%s) ON CONFLICT (registration) DO UPDATE SET registration = %s",
        [new, old],
    ),
    "COPY": copy,
}


@pytest.mark.parametrize("how", WRITES)
def test_no_statement_writes_a_record_under_a_registration_that_has_ended(
    scene: Scene, database: str, how: str
) -> None:
    [learner, other] = scene.enrolments()
    old = learner.registration
    run("INSERT INTO completion (registration) VALUES (:registration)", registration=other.registration)
    run("UPDATE enrolment SET registration = uuidv7() WHERE id = :id", id=learner.id)
    with session(database) as writer, pytest.raises(errors.ForeignKeyViolation, match="that has ended"):
        WRITES[how](writer, old, other.registration)


def test_a_record_that_does_not_change_its_registration_locks_no_learner(scene: Scene, database: str) -> None:
    [learner, _] = scene.enrolments()
    run("INSERT INTO completion (registration) VALUES (:registration)", registration=learner.registration)
    with session(database) as reset, session(database) as writer:
        reset.execute(b"SELECT FROM enrolment WHERE id = %s FOR UPDATE", [learner.id])
        writer.execute(b"SET lock_timeout TO '1s'")
        writer.execute(b"UPDATE completion SET completed_at = now()")


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_a_writer_who_comes_second_waits_and_is_refused(scene: Scene, database: str, level: str) -> None:
    [learner, _] = scene.enrolments()
    with session(database) as reset, session(database, level) as writer:
        writer.execute(b"SELECT count(*) FROM enrolment")  # its snapshot is from before
        reset.execute(END.encode(), [learner.id])

        def write() -> None:
            writer.execute(WRITE.encode(), [learner.registration])
            writer.commit()

        writing, raised = in_background(write)
        until(waits)
        reset.commit()
        writing.join(10)
    assert isinstance(raised[0], errors.ForeignKeyViolation | errors.SerializationFailure)
    assert ask("SELECT count(*) FROM completion") == 0


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_a_writer_with_an_old_snapshot_is_refused_after_the_reset(scene: Scene, database: str, level: str) -> None:
    [learner, _] = scene.enrolments()
    with session(database, level) as writer:
        writer.execute(b"SELECT count(*) FROM enrolment")
        with session(database) as reset:
            reset.execute(END.encode(), [learner.id])
            reset.commit()
        with pytest.raises((errors.ForeignKeyViolation, errors.SerializationFailure)):
            writer.execute(WRITE.encode(), [learner.registration])


def test_a_reset_that_comes_second_waits_and_sees_the_record(scene: Scene, database: str) -> None:
    [learner, _] = scene.enrolments()
    with session(database) as writer, session(database) as reset:
        writer.execute(WRITE.encode(), [learner.registration])

        def end() -> None:
            reset.execute(END.encode(), [learner.id])
            reset.commit()

        ending, raised = in_background(end)
        until(waits)
        writer.commit()
        ending.join(10)
    assert isinstance(raised[0], errors.ForeignKeyViolation)  # and the product, which locks first, deletes it
    assert scene.enrolments()[0].registration == learner.registration


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_registration_ends_at_read_committed_only(scene: Scene, database: str, level: str) -> None:
    [learner, _] = scene.enrolments()
    with session(database, level) as reset, pytest.raises(errors.FeatureNotSupported, match="READ COMMITTED"):
        reset.execute(END.encode(), [learner.id])
    with session(database, level) as learning:  # what does not end one may be at any level
        learning.execute(b"UPDATE enrolment SET state = 'in_progress', progress = 10 WHERE id = %s", [learner.id])


def test_learners_who_write_and_are_reset_at_once_leave_nothing_under_an_old_registration(
    scene: Scene, database: str
) -> None:
    # Given three writers by raw SQL, with the registrations that they read before, and a reset that deletes and ends
    end = time.monotonic() + 5
    written, refused = [0], [0]

    def write() -> None:
        with psycopg.connect(database, autocommit=True) as writer:
            while time.monotonic() < end:
                [(registration,)] = writer.execute(
                    b"SELECT registration FROM enrolment ORDER BY random() LIMIT 1"
                ).fetchall()
                try:
                    writer.execute(
                        b"INSERT INTO discussion_post (registration, activity_id, body) "
                        b"VALUES (%s, (SELECT min(id) FROM activity), 'x')",
                        [registration],
                    )
                    written[0] += 1
                except errors.ForeignKeyViolation:
                    refused[0] += 1

    writers = [threading.Thread(target=write) for _ in range(3)]
    for thread in writers:
        thread.start()
    ended = 0
    with psycopg.connect(database) as reset:
        while time.monotonic() < end:
            reset.execute(b"SELECT FROM enrolment ORDER BY id FOR UPDATE")
            reset.execute(b"DELETE FROM discussion_post")
            reset.execute(b"UPDATE enrolment SET registration = uuidv7()")
            reset.commit()
            ended += 1
    for thread in writers:
        thread.join(20)
    # Then whatever is left belongs to a registration of now
    assert ended > 10
    assert written[0] > 10
    assert refused[0] > 0
    stale = "SELECT count(*) FROM discussion_post WHERE registration NOT IN (SELECT registration FROM enrolment)"
    assert ask(stale) == 0
