"""Participants: a reset is done, and alerts, only when the records elsewhere are cleared too."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from models.refusals.participants import RequestUnknown
from models.resets import Reset
from models.session import transaction
from tasks.participants.commands import disable_participant, enable_participant, remove_participant
from tasks.participants.lookup import there
from tasks.participants.protocol import ClearAnswer
from tasks.participants.report import check_signature, take_report
from tasks.report import progress_of
from tests.elsewhere import KIND, Elsewhere, make_due
from tests.post import Post
from tests.scenes import alerts, ask, ledger, make_scene, recover, report_of, rows, run, state_of

CLEARED, UNCHANGED, WAITING = ("cleared", None), ("unchanged", None), ("waiting", None)


@pytest.fixture(autouse=True)
def _on_loopback(set_up: Callable[..., None]) -> None:
    set_up(webhook_allow_private="true", recover_after_seconds="0.001")


@pytest.fixture
def scorm(database: str) -> Iterator[Elsewhere]:
    with Elsewhere() as platform:
        yield platform


def test_records_elsewhere_are_cleared_and_counted(post: Post, scorm: Elsewhere) -> None:
    # Given learners with attempts elsewhere, of whom one did nothing here
    scene = make_scene()
    before = scene.enrolments()
    scorm.join(scene.admin)
    scorm.fill([*before[:3], before[11]])
    # When the course is reset
    reset = scene.request()
    post.drain()
    # Then those attempts are gone, and who had something anywhere is reset and alerted
    assert scorm.attempts == {}
    assert state_of(reset) == "succeeded"
    told = report_of(reset)
    assert told["removed"][f"scorm: {KIND}"] == 12
    assert told["progress"] == {
        "total": 12, "cleared": 9, "unchanged": 3, "skipped": 0, "failed": 0, "waiting": 0,
    }  # fmt: skip
    assert ledger(reset)[before[11].id] == CLEARED
    assert before[11].user_id in alerts(reset)
    assert sorted(scorm.asked_about()) == [enrolment.id for enrolment in before]


def test_what_a_participant_is_asked(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene(learners=4)
    scorm.join(scene.admin, learners_at_once=3)
    before = scene.enrolments()
    scene.name_externally(course="4711", first_learner="kim-17")
    reset = scene.request()
    post.drain()
    after = {enrolment.id: enrolment.registration for enrolment in scene.enrolments()}
    first = scorm.asked[0]
    assert {name: first[name] for name in ("type", "reset", "organization", "course")} == {
        "type": "participant.clear",
        "reset": str(reset),
        "organization": "acme",
        "course": {"code": "FIRE-101", "external_id": "4711", "title": "Fire safety"},
    }
    assert scorm.received[0].headers["webhook-id"] == first["idempotency_key"]
    emails = {user.id: user.email for user in scene.users()}
    asked = {learner["enrolment"]: learner for request in scorm.asked for learner in request["learners"]}
    for enrolment in before:
        assert asked[enrolment.id] == {
            "user_id": enrolment.user_id,
            "external_id": "kim-17" if enrolment == before[0] else None,
            "email": emails[enrolment.user_id],
            "enrolment": enrolment.id,
            "old_registration": str(enrolment.registration),
            "new_registration": str(after[enrolment.id]),
        }


def test_nobody_is_done_or_alerted_while_a_participant_is_away(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene()
    scorm.join(scene.admin)
    scorm.fill(scene.enrolments())
    scorm.away = lambda: 503
    reset = scene.request()
    post.drain()
    # Here, all is cleared; but the reset goes on, and says for whom it waits
    assert state_of(reset) == "running"
    assert set(ledger(reset).values()) == {WAITING}
    assert alerts(reset) == {}
    with transaction() as session:
        progress = progress_of(session, reset)
    assert (progress.open_slices, progress.waiting, progress.settled) == (0, 12, 0)
    assert str(progress) == "0 of 12 learners · cleared here, waiting for scorm: 12"
    assert report_of(reset)["waiting_for"] == {"scorm": 12}
    with transaction() as session:
        [one] = there(session, session.get_one(Reset, reset))
    assert (one.code, one.waiting, one.no_answer, one.answered, one.last_words) == ("scorm", 12, 12, 0, "answered 503")
    # It may have done it before it failed: that is not known
    assert {state for (state,) in rows("SELECT state FROM participant_item")} == {"unknown"}
    # `recover` calls nobody in vain
    recover()
    assert [letter.task for letter in post.take()] == []
    # When it is back, it is asked again with the same keys about the same learners, and all is done
    keys = [request["idempotency_key"] for request in scorm.asked]
    scorm.away = lambda: None
    make_due()
    recover()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert [request["idempotency_key"] for request in scorm.asked] == [*keys, keys[0]]
    assert len(alerts(reset)) == 11
    assert scorm.attempts == {}


def test_who_failed_there_is_asked_again_alone(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene()
    scorm.join(scene.admin)
    before = scene.enrolments()
    scorm.fill(before)
    bad = before[2]
    scorm.refused = {bad.id: "the package is locked"}
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "partly_failed"
    assert ledger(reset)[bad.id] == ("failed", "scorm: the package is locked")
    assert bad.user_id not in alerts(reset)
    assert report_of(reset)["progress"]["failed"] == 1
    registration = scene.enrolments()[2].registration
    # When the failed learner is retried, only they are asked about, and nothing is cleared here again
    asked = len(scorm.asked_about())
    scorm.refused = {}
    scene.retry_failed(reset)
    assert ledger(reset)[bad.id] == WAITING
    post.drain()
    assert scorm.asked_about()[asked:] == [bad.id]
    assert scene.enrolments()[2].registration == registration
    assert state_of(reset) == "succeeded"
    assert ledger(reset)[bad.id] == CLEARED
    assert bad.user_id in alerts(reset)
    told = report_of(reset)
    assert (told["progress"]["cleared"], told["progress"]["failed"]) == (12, 0)
    assert told["removed"][f"scorm: {KIND}"] == 36


def test_two_participants_answer_at_different_times(post: Post, scorm: Elsewhere, database: str) -> None:
    scene = make_scene()
    scorm.join(scene.admin)
    with Elsewhere() as moodle:
        moodle.join(scene.admin, code="moodle")
        moodle.away = lambda: 503
        scorm.refused = {scene.enrolments()[0].id: "no"}
        reset = scene.request()
        post.drain()
        assert state_of(reset) == "running"
        assert report_of(reset)["waiting_for"] == {"moodle": 12}
        moodle.away = lambda: None
        make_due()
        recover()
        post.drain()
        assert state_of(reset) == "partly_failed"
        # Only the one that failed is asked again
        asked = len(moodle.asked), len(scorm.asked)
        scorm.refused = {}
        scene.retry_failed(reset)
        post.drain()
        assert (len(moodle.asked), len(scorm.asked)) == (asked[0], asked[1] + 1)
        assert state_of(reset) == "succeeded"


def test_a_participant_reports_later(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene()
    scorm.join(scene.admin)
    late = scene.enrolments()[1]
    scorm.later = {late.id}
    reset = scene.request()
    post.drain()
    assert state_of(reset) == "running"
    assert ledger(reset)[late.id] == WAITING
    key = UUID(scorm.asked[0]["idempotency_key"])
    key = next(
        UUID(request["idempotency_key"])
        for request in scorm.asked
        if late.id in [learner["enrolment"] for learner in request["learners"]]
    )
    body = json.dumps({"learners": [{"enrolment": late.id, "outcome": "done", "removed": {KIND: 5}}]})
    assert _report(scorm, key, body) is True
    post.drain()
    assert state_of(reset) == "succeeded"
    assert ledger(reset)[late.id] == CLEARED
    # A duplicate report, and a late one that says otherwise, change nothing
    before = report_of(reset), ledger(reset)
    assert _report(scorm, key, body) is False
    wrong = json.dumps({"learners": [{"enrolment": late.id, "outcome": "failed", "why": "no"}]})
    assert _report(scorm, key, wrong) is False
    assert (report_of(reset), ledger(reset)) == before
    with pytest.raises(RequestUnknown):
        _report(scorm, uuid4(), body)
    with pytest.raises(RequestUnknown), transaction() as session:
        check_signature(session, key, {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,x"}, b"")


def _report(scorm: Elsewhere, key: UUID, body: str) -> bool:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(scorm.secret).sign("msg_1", now, body),
    }
    outcomes = ClearAnswer.model_validate_json(body).outcomes()
    with transaction() as session:
        check_signature(session, key, headers, body.encode())
        return take_report(session, key, outcomes)


@pytest.mark.parametrize("answer", ["garbage", "nobody", "wrong"])
def test_an_answer_that_is_not_as_agreed(post: Post, scorm: Elsewhere, answer: str) -> None:
    scene = make_scene(learners=2)
    scorm.join(scene.admin)
    said = {"garbage": 200, "nobody": {"learners": []}, "wrong": {"learners": [{"enrolment": 1, "outcome": "perhaps"}]}}
    scorm.answer = lambda _: said[answer]
    reset = scene.request()
    post.drain()
    if answer == "nobody":  # an answer in which learners are missing is an end
        assert state_of(reset) == "failed"
        assert {why for _, why in ledger(reset).values()} == {"scorm: its answer does not mention this learner"}
    else:  # it is asked again
        assert state_of(reset) == "running"
        [(outcome,)] = set(rows("SELECT outcome FROM participant_request"))
        assert outcome.startswith("its answer is not as agreed: ")


def test_a_participant_is_given_up(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene(learners=2)
    scorm.join(scene.admin)
    scorm.away = lambda: 500
    reset = scene.request()
    post.drain()
    run("UPDATE participant_request SET attempts = 1000, next_try_at = now()")
    recover()
    post.drain()
    assert state_of(reset) == "failed"
    [(why,)] = set(rows("SELECT reason FROM reset_item"))
    assert why.startswith("scorm: given up after 1001 attempts: ")


def test_cancelling_says_what_is_gone_and_waits_for_nobody(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene()
    scorm.join(scene.admin)
    scorm.away = lambda: 503
    reset = scene.request()
    post.drain()
    scene.cancel(reset)
    post.drain()
    assert state_of(reset) in ("cancelled", "failed")
    assert {why for _, why in ledger(reset).values()} == {
        "scorm: the reset was cancelled before it answered; it may have cleared this learner"
    }
    scorm.away = lambda: None
    asked = len(scorm.asked)
    run("UPDATE participant_request SET next_try_at = now()")
    recover()
    post.drain()
    assert len(scorm.asked) == asked  # nobody is asked after that


def test_a_disabled_one_fails_its_learners_until_they_are_retried(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene(learners=3)
    scorm.join(scene.admin)
    scorm.away = lambda: 503
    reset = scene.request()
    post.drain()
    with transaction() as session:
        disable_participant(session, scene.admin, "scorm")
    post.drain()
    assert state_of(reset) == "failed"
    assert {why for _, why in ledger(reset).values()} == {"scorm: it is disabled: an admin disabled it"}
    # The next reset does not ask it
    with transaction() as session:
        enable_participant(session, scene.admin, "scorm")
    scorm.away = lambda: None
    scene.retry_failed(reset)
    post.drain()
    assert state_of(reset) == "succeeded"
    with transaction() as session:
        remove_participant(session, scene.admin, "scorm")
    asked = len(scorm.asked)
    assert state_of(_done(post, scene.request())) == "succeeded"
    assert len(scorm.asked) == asked


def _done(post: Post, reset: UUID) -> UUID:
    post.drain()
    return reset


def test_only_the_courses_it_is_for(post: Post, scorm: Elsewhere) -> None:
    scene = make_scene(learners=3)
    scorm.join(scene.admin, courses=["DATA-202"])
    scene.request()
    post.drain()
    assert scorm.asked == []
    scene.request(course="DATA-202")
    post.drain()
    assert len(scorm.asked_about()) == 3


def test_what_is_new_is_never_lost(post: Post, scorm: Elsewhere) -> None:
    # Given a participant that did its work, whose answer was lost
    scene = make_scene(learners=2)
    scorm.join(scene.admin)
    scorm.fill(scene.enrolments())
    did = scorm.answer

    def deaf(request: object) -> int:
        did(request)  # type: ignore[arg-type]
        return 500

    scorm.answer = deaf
    reset = scene.request()
    post.drain()
    # And learners who have begun anew
    scorm.fill(scene.enrolments(), each=7)
    # When it is asked again, and once more by hand, their new attempts stay
    scorm.answer = did
    make_due()
    recover()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert set(scorm.attempts.values()) == {7}
    assert ask("SELECT count(*) FROM participant_item WHERE state <> 'done'") == 0
