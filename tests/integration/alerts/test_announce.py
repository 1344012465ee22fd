"""Announcements to a channel."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.post import Post
from tests.receiver import Receiver
from tests.scenes import ask, make_scene, recover, report_of, rows, run

SetUp = Callable[..., None]


@pytest.fixture
def channel() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_a_channel_gets_the_result_of_a_reset_and_no_names(
    database: str, post: Post, set_up: SetUp, channel: Receiver
) -> None:
    set_up(announce_urls=json.dumps([f"json://127.0.0.1:{channel.port}/hook"]))
    scene = make_scene(learners=3, completed=100)
    reset = scene.request()
    post.drain()
    [told] = channel.received
    said = json.loads(told.body)
    assert said["title"] == "Reset of Fire safety (FIRE-101): succeeded"
    assert said["message"].startswith(
        "3 of 3 learners reset, 0 had nothing to reset.\nReason: yearly recertification\n"
    )
    assert f"/resets/{reset}" in said["message"]
    assert "/training/content/courses/FIRE-101" in said["message"]
    assert not [user for user in scene.users() if user.name in said["message"] or user.email in said["message"]]
    assert ask("SELECT count(*) FROM announcement") == 0


def test_a_channel_is_told_in_the_language_of_who_asked(
    database: str, post: Post, set_up: SetUp, channel: Receiver
) -> None:
    set_up(announce_urls=json.dumps([f"json://127.0.0.1:{channel.port}/hook"]))
    scene = make_scene(learners=3, completed=100)
    run("""UPDATE "user" SET locale = 'de-CH' WHERE id = :id""", id=scene.admin.user_id)
    scene.request(reason="incident: a fall")
    post.drain()
    [told] = channel.received
    said = json.loads(told.body)
    assert said["title"] == "Zurücksetzung von Fire safety (FIRE-101): erfolgreich"
    assert "\nGrund: Vorfall: a fall\n" in said["message"]


def test_a_channel_that_is_away_is_tried_again_for_a_day_and_costs_the_reset_nothing(
    database: str, post: Post, set_up: SetUp, channel: Receiver
) -> None:
    channel.answer = lambda _: 500
    set_up(announce_urls=json.dumps([f"json://127.0.0.1:{channel.port}/hook", "json://127.0.0.1:9/"]))
    reset = make_scene(learners=1, completed=100).request()
    post.drain()
    assert report_of(reset)["done"]
    assert rows("SELECT attempts FROM announcement") == [(1,), (1,)]
    recover()
    assert post.take() == [], "the next try is not due yet"
    channel.answer = lambda _: 204
    run("UPDATE announcement SET next_try_at = now()")
    recover()
    post.drain()
    assert len(channel.received) == 2
    assert rows("SELECT attempts FROM announcement") == [(2,)], "the other is still away"
    for _ in range(6):
        run("UPDATE announcement SET next_try_at = now()")
        recover()
        post.drain()
    assert rows("SELECT attempts, error FROM announcement WHERE given_up_at IS NOT NULL") == [
        (8, "given up after 8 attempts: the channel did not accept it")
    ]
    run("UPDATE announcement SET next_try_at = now()")
    recover()
    assert post.take() == [], "what was given up stays so"
    assert len(channel.received) == 2, "who was told is not told again"


def test_a_channels_address_is_in_no_table(database: str, post: Post, set_up: SetUp) -> None:
    set_up(announce_urls='["json://user:secret@127.0.0.1:9/"]')
    make_scene(learners=1, completed=100).request()
    post.drain()
    assert "secret" not in str(rows("SELECT * FROM announcement"))
    set_up(announce_urls="[]")
    run("UPDATE announcement SET next_try_at = now()")
    recover()
    post.drain()
    assert ask("SELECT count(*) FROM announcement") == 0, "a channel that is named no more is forgotten"
