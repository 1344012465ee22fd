"""Alerts: the check whether they are still wanted comes when they are sent."""

import threading

import pytest

from config.settings import settings
from models.session import transaction
from tasks.alerts.alert_learners import alert_learners
from tests.post import Letter, Post
from tests.scenes import Scene, alerts, ask, make_scene, recover, report_of, rows, run, state_of


@pytest.fixture
def waiting(post: Post) -> tuple[Scene, Letter]:
    """A settled reset with five alerts due, and the message that sends them."""
    scene = make_scene(learners=5, completed=100)
    scene.request()
    while (letters := post.take())[0].task != "recourse.notify":
        for letter in letters:
            post.deliver(letter)
    assert rows("SELECT count(*) FILTER (WHERE alerts_due), sum(cleared) FROM reset_slice") == [(5, 5)]
    assert rows("SELECT * FROM notification WHERE kind = 'course_assigned'") == []
    return scene, letters[0]


@pytest.mark.parametrize(
    ("change", "instead"),
    [
        ('UPDATE "user" SET active = false WHERE id = :id', None),
        ('UPDATE "user" SET notifications_on = false WHERE id = :id', None),
        (
            "UPDATE enrolment SET unassigned_at = now() WHERE user_id = :id",
            ("suppressed", "the course is no longer assigned"),
        ),
    ],
)
def test_an_alert_that_is_no_longer_wanted_or_apt_is_not_sent(
    post: Post, waiting: tuple[Scene, Letter], change: str, instead: tuple[str, str] | None
) -> None:
    # Given a change between clearing the learner and sending the alert
    scene, letter = waiting
    user = scene.users()[0]
    run(change, id=user.id)
    post.deliver(letter)
    sent = alerts(ask("SELECT id FROM reset"))
    assert sent.pop(user.id, None) == instead
    assert set(sent.values()) == {("sent", None)}
    assert report_of(ask("SELECT id FROM reset"))["notified"] == 4


def test_an_alert_is_sent_once_however_often_the_message_comes(post: Post, waiting: tuple[Scene, Letter]) -> None:
    _, letter = waiting
    post.deliver(letter)
    before = rows("SELECT * FROM notification ORDER BY id")
    for _ in range(3):
        post.deliver(letter)
    assert rows("SELECT * FROM notification ORDER BY id") == before
    assert ask("SELECT count(sent_at) FROM notification WHERE kind = 'course_assigned'") == 5


def test_two_workers_share_the_outbox_and_send_each_alert_once(
    waiting: tuple[Scene, Letter], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that has taken two alerts and not finished them
    monkeypatch.setattr("tasks.alerts.alert_learners.BATCH", 2)
    reset = ask("SELECT id FROM reset")
    run("CREATE TABLE sending (id bigint, at timestamptz DEFAULT clock_timestamp())")
    run(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO sending VALUES (new.id); PERFORM pg_sleep(0.3); RETURN new; END $$"
    )
    run("CREATE TRIGGER note BEFORE UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION note()")
    settled: list[int] = []
    together = [threading.Thread(target=lambda: settled.append(alert_learners(reset))) for _ in range(2)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join(20)
    # Then the other takes the next two
    assert settled == [2, 2]
    assert ask("SELECT count(DISTINCT id) = count(*) FROM sending") is True


def test_a_worker_killed_between_batches_leaves_the_rest_to_be_sent(
    post: Post, waiting: tuple[Scene, Letter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.alerts.alert_learners.BATCH", 2)
    _, letter = waiting
    reset = ask("SELECT id FROM reset")
    assert alert_learners(reset) == 2  # and there it dies
    assert not report_of(reset)["done"]
    post.deliver(letter)
    assert set(alerts(reset).values()) == {("sent", None)}
    assert report_of(reset)["done"]


def test_recover_sends_the_alerts_whose_message_was_lost(
    post: Post, waiting: tuple[Scene, Letter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOURSE_RECOVER_AFTER_SECONDS", "0.01")
    settings.cache_clear()
    run("SELECT pg_sleep(0.05)")
    recover()
    assert {letter.task for letter in post.drain()} == {"recourse.notify"}
    assert ask("SELECT count(sent_at) FROM notification WHERE kind = 'course_assigned'") == 5
    recover()
    assert post.drain() == []


def test_an_alert_that_cannot_be_sent_does_not_change_the_reset(post: Post, waiting: tuple[Scene, Letter]) -> None:
    _, letter = waiting
    reset = ask("SELECT id FROM reset")
    run("ALTER TABLE notification ADD CONSTRAINT broken CHECK (state <> 'sent') NOT VALID")
    with pytest.raises(Exception, match="broken"):
        post.deliver(letter)
    assert state_of(reset) == "succeeded"
    run("ALTER TABLE notification DROP CONSTRAINT broken")
    post.deliver(letter)
    assert set(alerts(reset).values()) == {("sent", None)}


def test_the_outbox_holds_no_alert_of_a_learner_who_was_not_cleared(post: Post) -> None:
    # Given a slice that fails after writing its alerts
    scene = make_scene(learners=1, completed=100)
    scene.request()
    post.deliver(post.take()[0])
    run("ALTER TABLE reset_item ADD CONSTRAINT broken CHECK (state <> 'cleared') NOT VALID")
    post.drain()
    with transaction() as session:
        assert (
            session.connection()
            .exec_driver_sql("SELECT count(*) FROM notification WHERE kind = 'course_assigned'")
            .scalar()
            == 0
        )
    assert rows("SELECT state FROM reset_item") == [("failed",)]
    assert scene.enrolments()[0].state == "completed"


def test_a_slice_that_is_still_open_is_left_to_who_clears_it(post: Post, waiting: tuple[Scene, Letter]) -> None:
    # Given a slice of which some learners are cleared and others are not
    _, letter = waiting
    reset = ask("SELECT id FROM reset")
    run("UPDATE reset_slice SET settled_at = NULL WHERE number = 1")
    # When the others are alerted, then this one is not taken, so that it is free for its next transaction
    post.deliver(letter)
    assert len(alerts(reset)) == 4
    assert rows("SELECT number FROM reset_slice WHERE alerts_due") == [(1,)]
    run("UPDATE reset_slice SET settled_at = now() WHERE number = 1")
    post.deliver(letter)
    assert len(alerts(reset)) == 5
