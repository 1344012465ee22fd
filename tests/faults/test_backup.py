"""A backup taken in the middle of a reset and restored, with the commands of the guide."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from cli.main import app as commands
from models.learning import complete
from models.people import User
from models.session import transaction
from tasks.app import app
from tasks.people.erase import erase
from tests.backups import Backup
from tests.post import Post
from tests.rules import CALENDAR, make
from tests.scenes import (
    OTHER_COURSE,
    ask,
    count_new_registrations,
    make_scene,
    records_of,
    recover,
    report_of,
    rows,
    run,
    state_of,
)
from tests.web import client_of, make_user, token_for, visitor


@pytest.mark.usefixtures("one_by_one")
def test_a_reset_goes_on_from_a_backup_that_was_taken_in_the_middle_of_it(
    database: str, post: Post, redis_server: redis.Redis, set_up: Callable[..., None], tmp_path: Path
) -> None:
    # Given a half-finished reset
    set_up(recover_after_seconds=0.01)
    scene = make_scene(learners=20, completed=100)
    count_new_registrations()
    reset = scene.request()
    post.deliver(post.take()[0])
    for letter in post.take()[:10]:
        post.deliver(letter)
    before = report_of(reset)
    assert before["progress"]["cleared"] == 10
    # When it is backed up, continues for a while, and then database and broker are lost
    backup = Backup(database, tmp_path)
    for letter in post.take():
        post.deliver(letter)
    # … and the backup is restored
    backup.restore(redis_server)
    # Then the reset is where it was, and continues to its end with beat's next tick
    assert report_of(reset)["progress"] == before["progress"]
    recover()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert report_of(reset)["progress"]["cleared"] == 20
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(20, 20)]
    assert set(records_of(scene.course).values()) == {0}


def test_what_a_backup_brings_back_is_undone(
    served: str, database: str, post: Post, redis_server: redis.Redis, tmp_path: Path
) -> None:
    # Given learners with certificates, a person, a token, a session and a rule, and a backup of them
    scene = make_scene(learners=6, completed=100)
    person = make_user(scene.organization.id, "zora@acme.example", name="Zora Quandt")
    token = token_for(scene.admin.user_id)
    browser = visitor(served, scene.admin.user_id)
    rule = make(scene, datetime.now(UTC), **CALENDAR, starts=datetime(2030, 1, 1, 6))
    serial = rows(
        "SELECT serial FROM certificate JOIN enrolment USING (registration) WHERE course_id = :c", c=scene.course.id
    )
    planned = scene.request(course=OTHER_COURSE, start_at=datetime.now(UTC) + timedelta(days=3))
    backup = Backup(database, tmp_path)
    # … after which a reset ran, another certificate was issued and superseded, and the person was erased
    scene.request()
    post.drain()
    with transaction() as session:
        complete(session, scene.enrolments()[0].registration)
    later = ask(
        "SELECT serial FROM certificate JOIN enrolment USING (registration) WHERE course_id = :c", c=scene.course.id
    )
    scene.request()
    with transaction() as session:
        erase(session, scene.admin, session.get_one(User, person.id), confirm=person.email)
    post.drain()
    newcomer = make_user(scene.organization.id, "new@acme.example")
    app.tasks["recourse.keep_journal"]()
    assert ask("SELECT count(*) FROM journal_entry") == 0
    # When the backup is restored
    backup.restore(redis_server)
    assert ask('SELECT name FROM "user" WHERE id = :id', id=person.id) == "Zora Quandt"
    assert records_of(scene.course)["certificate"] == 6
    assert browser.get("/my/training").status_code == 200
    # … followed by the step from the guide
    done = CliRunner().invoke(commands, ["database", "restored"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    # Then all of that is done again
    assert ask('SELECT name FROM "user" WHERE id = :id', id=person.id) == "Erased user"
    assert set(records_of(scene.course).values()) == {0}
    assert records_of(scene.other_course)["certificate"] == 6
    assert visitor(served).get(f"/verify/{serial[0][0]}").text.count("superseded")
    assert visitor(served).get(f"/verify/{later}").text.count("superseded")
    assert browser.get("/my/training").status_code == 303
    with client_of(served, token) as client:
        assert client.get("/v1/me").status_code == 401
    assert rows("SELECT state, waits_for FROM retraining_rule WHERE id = :id", id=rule) == [
        ("waiting", "the database was restored from a backup: check that the rule is still right")
    ]
    assert str(planned) in done.output.replace("\n", "")
    # And a second run changes nothing, even for a user with the id of an erased one
    run(
        'INSERT INTO "user" (id, organization_id, email, name) OVERRIDING SYSTEM VALUE '
        "VALUES (:id, :o, :email, :email)",
        id=newcomer.id,
        o=scene.organization.id,
        email="another@acme.example",
    )
    before = rows('SELECT * FROM "user" ORDER BY id')
    assert CliRunner().invoke(commands, ["database", "restored"], catch_exceptions=False).exit_code == 0
    assert rows('SELECT * FROM "user" ORDER BY id') == before


def test_the_journal_waits_for_the_storage_and_forgets_what_is_older_than_any_backup(
    post: Post, set_up: Callable[..., None], tmp_path: Path
) -> None:
    scene = make_scene(learners=3, completed=100)
    scene.request()
    post.drain()
    files = tmp_path / "files"
    (tmp_path / "a file").write_text("in the way")
    set_up(storage_url=(tmp_path / "a file" / "below").as_uri())
    keep_journal = app.tasks["recourse.keep_journal"]
    keep_journal()
    assert ask("SELECT count(*) FROM journal_entry") == 1  # a transaction cleared all three
    set_up(storage_url=files.as_uri())
    keep_journal()
    assert ask("SELECT count(*) FROM journal_entry") == 0
    (written,) = files.glob("journal/*/*")
    assert "learner" not in written.read_text()
    # The sweep does not take it for an orphan
    os.utime(written, (0, time.time() - 200 * 86400))
    assert CliRunner().invoke(commands, ["files", "sweep", "--delete"], catch_exceptions=False).exit_code == 0
    keep_journal()
    assert written.exists()
    set_up(keep_journal_days=100)
    keep_journal()
    assert not written.exists()
