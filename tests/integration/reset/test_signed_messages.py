"""Signed messages from other applications: which are accepted, and the replies."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from models.session import transaction
from models.tokens import Scope
from tasks.app import app
from tasks.people.tokens import revoke_token
from tests.asking import application, signed
from tests.post import Letter, Post
from tests.scenes import COURSE, OTHER_COURSE, REASON, Scene, ask, fingerprint, make_scene, rows, run
from tests.web import client_of, token_for

RESET, EVENT = "recourse.request_reset", "recourse.report_event"
DAY = 24 * 3600


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene()


def reset(**changes: Any) -> dict[str, Any]:
    return {"organization": "acme", "course": COURSE, "reason": REASON, "confirm": COURSE,
            "idempotency_key": "2026-01"} | changes  # fmt: skip


def send(post: Post, task: str, kwargs: dict[str, Any]) -> tuple[str, Any]:
    """Send and deliver a message. Returns "SUCCESS" and the answer, or the refusal's code and sentence."""
    sent = app.send_task(task, kwargs=kwargs, queue="interactive")
    for letter in post.take():
        if letter.id == sent.id:
            post.deliver(letter)
    found = app.AsyncResult(sent.id)
    return ("SUCCESS", found.result) if found.state == "SUCCESS" else found.result.args


def nothing_came_of_it() -> bool:
    return ask("SELECT count(*) FROM reset") == ask("SELECT count(*) FROM training_event") == 0


def test_a_signed_message_starts_a_reset_as_its_tokens_user(scene: Scene, post: Post) -> None:
    known_as = application(scene, Scope.RESETS_WRITE)
    state, answer = send(post, RESET, signed(known_as, RESET, **reset()))
    assert state == "SUCCESS"
    assert rows("SELECT id::text, requester, requested_by FROM reset") == [
        (answer["reset"], f"user:{scene.admin.user_id}", scene.admin.user_id)
    ]
    assert ask("SELECT used_at IS NOT NULL FROM api_token") is True
    # And text beyond ASCII is signed as well
    again = signed(
        known_as,
        RESET,
        **reset(reason="Änderung, 変更", idempotency_key="ü", course=OTHER_COURSE, confirm=OTHER_COURSE),
    )
    assert send(post, RESET, again)[0] == "SUCCESS"


def test_an_event_is_reported_by_a_signed_message(scene: Scene, post: Post) -> None:
    known_as = application(scene, Scope.EVENTS_WRITE)
    told = {"organization": "acme", "course": COURSE, "kind": "incident", "reason": "case 7731", "idempotency_key": "1"}
    assert send(post, EVENT, signed(known_as, EVENT, **told))[0] == "SUCCESS"
    # … and the same token does not reset a course by itself
    code, sentence = send(post, RESET, signed(known_as, RESET, **reset()))
    assert code == "scope-missing"
    assert "resets:write" in sentence
    assert ask("SELECT count(*) FROM reset") == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"signature": None}, "message-not-signed"),
        ({"signature": "0" * 64}, "message-not-signed"),
        ({"signature": "ä"}, "message-not-signed"),
        ({"application": None}, "message-not-signed"),
        ({"application": 999}, "message-not-signed"),
        ({"application": 10**30}, "arguments-invalid"),
        ({"sent_at": 10**400}, "arguments-invalid"),
        ({"requested_by": 10**30}, "arguments-invalid"),
        ({"sent_at": None}, "message-not-signed"),
        ({"sent_at": int(time.time()) + 1}, "message-not-signed"),
        ({"course": OTHER_COURSE, "confirm": OTHER_COURSE}, "message-not-signed"),
        ({"due_in_days": 3}, "message-not-signed"),
        ({"reply_to": {"task": "shop.hear", "queue": "elsewhere"}}, "message-not-signed"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_changed_or_unsigned_message_is_refused(scene: Scene, post: Post, change: dict[str, Any], why: str) -> None:
    kwargs = signed(application(scene, Scope.RESETS_WRITE), RESET, **reset()) | change
    assert send(post, RESET, {name: value for name, value in kwargs.items() if value is not None})[0] == why
    assert nothing_came_of_it()


def test_an_unsigned_message_is_refused_unless_a_setting_allows_it(
    scene: Scene, post: Post, set_up: Callable[..., None]
) -> None:
    plain = reset(requested_by=scene.admin.user_id)
    assert send(post, RESET, plain)[0] == "message-not-signed"
    assert nothing_came_of_it()
    set_up(allow_unsigned_messages=True)
    assert send(post, RESET, plain)[0] == "SUCCESS"
    # … and a message that names its user must name the right one
    known_as = application(scene, Scope.RESETS_WRITE)
    assert send(post, RESET, signed(known_as, RESET, **plain) | {"signature": "0" * 64})[0] == "message-not-signed"


def test_a_signature_is_valid_for_one_task_only(scene: Scene, post: Post) -> None:
    known_as = application(scene, Scope.RESETS_WRITE, Scope.EVENTS_WRITE)
    assert send(post, RESET, signed(known_as, EVENT, **reset()))[0] == "message-not-signed"
    assert nothing_came_of_it()


def test_a_message_acts_only_for_its_tokens_user_and_organization(scene: Scene, post: Post) -> None:
    make_scene("globex")
    known_as = application(scene, Scope.RESETS_WRITE)
    other = reset(organization="globex")
    code, sentence = send(post, RESET, signed(known_as, RESET, **other))
    assert (code, sentence) == ("organization-unknown", "There is no organization 'globex'. Check its short name.")
    learner = scene.users()[0].id
    assert send(post, RESET, signed(known_as, RESET, **reset(requested_by=learner)))[0] == "message-not-signed"
    assert nothing_came_of_it()
    # … which then changes nothing
    named = signed(known_as, RESET, **reset(requested_by=scene.admin.user_id))
    assert send(post, RESET, named)[0] == "SUCCESS"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE api_token SET revoked_at = now()", "message-not-signed"),
        ("UPDATE api_token SET expires_at = now() - interval '1 second'", "message-not-signed"),
        ("""UPDATE "user" SET active = false""", "message-not-signed"),
        ("""UPDATE "user" SET permissions = '{}'""", "forbidden"),
        ("UPDATE api_token SET permissions = '{}'", "forbidden"),  # its user got them later
    ],
)
def test_an_expired_token_or_one_of_a_user_without_permission_is_refused(
    scene: Scene, post: Post, change: str, why: str
) -> None:
    known_as = application(scene, Scope.RESETS_WRITE)
    run(change)
    assert send(post, RESET, signed(known_as, RESET, **reset()))[0] == why
    assert nothing_came_of_it()


def test_a_message_is_valid_for_a_day_and_acts_once(scene: Scene, post: Post) -> None:
    known_as, now = application(scene, Scope.RESETS_WRITE), time.time()
    for sent_at in (now - DAY - 60, now + 600):
        assert send(post, RESET, signed(known_as, RESET, sent_at, **reset()))[0] == "message-expired"
    assert nothing_came_of_it()
    late = signed(known_as, RESET, now - DAY + 600, **reset())
    answers = [send(post, RESET, late) for _ in range(3)]
    assert answers[0][0] == "SUCCESS"
    assert answers[0] == answers[1] == answers[2]
    assert ask("SELECT count(*) FROM reset") == 1


def test_a_secret_is_in_no_table_and_hidden_once_revoked(scene: Scene, post: Post) -> None:
    number, secret = application(scene, Scope.RESETS_WRITE)
    tables = [name for (name,) in rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    for table in tables:
        assert not ask(f"""SELECT count(*) FROM "{table}" t WHERE t::text LIKE '%' || :s || '%'""", s=secret[4:])
    with transaction() as session:
        revoke_token(session, scene.admin, number)
    assert send(post, RESET, signed((number, secret), RESET, **reset()))[0] == "message-not-signed"


# ---- replies to the sender

WHERE = {"task": "shop.hear", "queue": "shop-answers"}


def heard(post: Post) -> list[dict[str, Any]]:
    """Return the replies in the sender's own queue."""
    with app.connection_for_read() as connection, connection.SimpleQueue("shop-answers") as queue:
        answers = []
        while True:
            try:
                message = queue.get(block=False)
            except queue.Empty:
                return answers
            assert message.headers["task"] == "shop.hear"
            answers.append(message.payload[0][0])
            message.ack()


def test_the_sender_gets_a_reply_whether_accepted_or_refused(scene: Scene, post: Post) -> None:
    known_as = application(scene, Scope.RESETS_WRITE)
    _, answer = send(post, RESET, signed(known_as, RESET, **reset(reply_to=WHERE)))
    assert heard(post) == [{"task": RESET, "idempotency_key": "2026-01", "reset": answer["reset"]}]
    # … once more if the message comes again, because the first reply may have been lost
    send(post, RESET, signed(known_as, RESET, **reset(reply_to=WHERE)))
    assert heard(post) == [{"task": RESET, "idempotency_key": "2026-01", "reset": answer["reset"]}]
    # … and the reason for a refusal
    send(post, RESET, signed(known_as, RESET, **reset(reply_to=WHERE, confirm="yes", idempotency_key="2")))
    assert heard(post) == [
        {
            "task": RESET,
            "idempotency_key": "2",
            "refused": "confirm-mismatch",
            "because": "The confirmation does not match. Type the course code FIRE-101 exactly to confirm.",
        }
    ]
    send(post, RESET, reset(reply_to=WHERE, reason=None))
    [answer] = heard(post)
    assert answer["refused"] == "arguments-invalid"


def test_a_reply_address_cannot_start_a_task(scene: Scene, post: Post) -> None:
    known_as = application(scene, Scope.RESETS_WRITE)
    for number, where in enumerate(
        ({"task": "recourse.retrain", "queue": "shop-answers"}, {"task": "shop.hear", "queue": "recourse.bulk"})
    ):
        sent = app.send_task(
            RESET, queue="interactive",
            kwargs=signed(known_as, RESET, **reset(reply_to=where, confirm="no", idempotency_key=str(number))),
        )  # fmt: skip
        [letter] = post.take()
        assert (letter.id, post.deliver(letter)) == (sent.id, "FAILURE")
        assert post.take() == []
        assert heard(post) == []


# ---- messages from anyone on the broker


def test_forged_internal_messages_do_nothing_unrequested(scene: Scene, post: Post) -> None:
    # Given a reset for tomorrow, and a finished one
    done = scene.request(scene.preview(course=OTHER_COURSE))
    post.drain()
    later = scene.request(scene.preview(start_at=ask("SELECT now() + interval '1 day'")))
    before = fingerprint([scene.course, scene.other_course])
    ledger = rows("SELECT * FROM reset_item ORDER BY 1, 2"), rows("SELECT id, state FROM notification ORDER BY id")
    # When someone sends each task that takes an id, for both
    for reset_id in (later, done):
        for task, more in (
            ("recourse.reset_course", {}),
            ("recourse.clear_learners", {"number": 1}),
            ("recourse.clear_learners", {"number": 99}),
            ("recourse.notify", {}),
        ):
            for task_id in (str(reset_id), "0197a0a0-0000-7000-8000-000000000001"):
                forged = {"task": task, "id": task_id, "root_id": task_id, "parent_id": None, "ignore_result": True}
                post.deliver(Letter(task, task_id, "bulk", {"reset_id": str(reset_id)} | more, forged))
        post.drain()
    # Then nobody is cleared or alerted wrongly
    assert fingerprint([scene.course, scene.other_course]) == before
    assert (
        rows("SELECT * FROM reset_item ORDER BY 1, 2"),
        rows("SELECT id, state FROM notification ORDER BY id"),
    ) == ledger
    assert ask("SELECT state FROM reset WHERE id = :id", id=later) == "requested"


def test_every_task_that_takes_more_than_ids_asks_who_sends_it() -> None:
    import inspect

    from tasks.door import Door

    app.loader.import_default_modules()
    # Their meaning is in the ledger; a made-up probe could only have messages sent once more.
    harmless = {"reset_id", "number", "queue", "sent_at"}
    for name, task in app.tasks.items():
        if name.startswith("recourse.") and not isinstance(task, Door):
            assert set(inspect.signature(task.run).parameters) - {"self"} <= harmless, name


def test_a_reset_that_was_asked_for_by_message_is_found_by_its_key(scene: Scene, served: str, post: Post) -> None:
    known_as = application(scene, Scope.RESETS_WRITE)
    _, answer = send(post, RESET, signed(known_as, RESET, **reset()))
    scene.request(scene.preview(course=OTHER_COURSE))
    globex = make_scene("globex")
    assert scene.admin.user_id
    assert globex.admin.user_id
    with client_of(served, token_for(scene.admin.user_id)) as api:
        found = api.get("/v1/resets", params={"idempotency_key": "2026-01"}).json()["items"]
        assert [one["id"] for one in found] == [answer["reset"]]
        assert api.get("/v1/resets", params={"idempotency_key": "2026-02"}).json()["items"] == []
    with client_of(served, token_for(globex.admin.user_id)) as api:
        assert api.get("/v1/resets", params={"idempotency_key": "2026-01"}).json()["items"] == []
