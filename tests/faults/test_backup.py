"""A backup taken in the middle of a reset, and brought back: with the guide's own commands."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis

from cli.local.place import place_of
from cli.local.programs import postgres_programs
from models.session import forget_engine
from tests.post import Post
from tests.scenes import count_new_registrations, make_scene, records_of, recover, report_of, rows, state_of


def program(name: str, tmp_path: Path) -> str:
    """The embedded PostgreSQL's: what is on the PATH may be of an older version."""
    return str(postgres_programs(place_of(tmp_path)) / name)


def test_a_reset_goes_on_from_a_backup_that_was_taken_in_the_middle_of_it(
    database: str, post: Post, redis_server: redis.Redis, set_up: Callable[..., None], tmp_path: Path
) -> None:
    # Given a reset of which half is done
    set_up(recover_after_seconds=0.01)
    scene = make_scene(learners=20, completed=100)
    count_new_registrations()
    reset = scene.request()
    post.deliver(post.take()[0])
    for letter in post.take()[:10]:
        post.deliver(letter)
    before = report_of(reset)
    assert before["progress"]["cleared"] == 10
    # When it is backed up, goes on for a while, and then everything is lost, the broker's memory too
    dump = tmp_path / "recourse.dump"
    subprocess.run([program("pg_dump", tmp_path), "--format=custom", f"--file={dump}", database], check=True)
    for letter in post.take():
        post.deliver(letter)
    forget_engine()
    administration = psycopg.connect(database, dbname="postgres", autocommit=True)
    administration.execute("DROP DATABASE recourse WITH (FORCE)")
    administration.execute("CREATE DATABASE recourse")
    administration.close()
    redis_server.flushall()
    # … and brought back
    restored = [program("pg_restore", tmp_path), "--exit-on-error", "--no-owner", f"--dbname={database}", str(dump)]
    subprocess.run(restored, check=True, env=os.environ)
    # Then it stands where it stood, and beat's next tick has it go on to its end
    assert report_of(reset)["progress"] == before["progress"]
    recover()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert report_of(reset)["progress"]["cleared"] == 20
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(20, 20)]
    assert set(records_of(scene.course).values()) == {0}
