"""Webhooks: signed and minimal, to receivers that fail, hang, lie or disappear."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from models.access import Actor
from models.people import User
from models.refusals.access import Forbidden
from models.refusals.webhooks import WebhookAddressRefused, WebhookDisabled, WebhookUnknown
from models.session import transaction
from models.webhooks import WebhookEndpoint, WebhookEvent, open_endpoint
from tasks import webhooks
from tasks.app import app
from tasks.outbox.waits import OVER_THREE_DAYS
from tasks.people.erase import erase
from tasks.webhooks.deliver import Deliveries
from tasks.webhooks.post import address_of, look_up
from tests.post import Post
from tests.receiver import Received, Receiver, dawdle
from tests.scenes import REASON, Scene, as_actor, ask, fail_for, let_all_pass, make_scene, recover, report_of, rows, run
from tests.web import client_of, form_token, token_for, visitor

SetUp = Callable[..., None]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def scene(database: str, set_up: SetUp) -> Scene:
    set_up(webhook_allow_private=True)
    return make_scene(learners=3, completed=100)


def endpoint_for(scene: Scene, url: str, *events: WebhookEvent) -> WebhookEndpoint:
    with transaction() as session:
        return open_endpoint(session, scene.organization.id, url, events or tuple(WebhookEvent))


def hook(receiver: Receiver) -> str:
    return f"http://127.0.0.1:{receiver.port}/hook?from=recourse"


def verified(endpoint: WebhookEndpoint, request: Received) -> dict[str, object]:
    """Check the signature as receivers do, and return the content."""
    said = Webhook(endpoint.secret()).verify(request.body, request.headers)
    assert isinstance(said, dict)
    return said


def events(receiver: Receiver) -> list[str]:
    return [json.loads(request.body)["type"] for request in receiver.received]


def told(receiver: Receiver) -> list[list[dict[str, object]]]:
    """Return the learners of each message."""
    return [json.loads(request.body)["data"]["learners"] for request in receiver.received]


def outcomes() -> list[tuple[str, int, str | None]]:
    found = rows("SELECT state, attempts, outcome FROM webhook_delivery ORDER BY message_id")
    return [tuple(row) for row in found]


def later() -> None:
    run("UPDATE webhook_delivery SET next_try_at = now() WHERE state = 'pending'")


def deliver(post: Post) -> None:
    recover()
    post.drain()


def test_webhooks_of_a_reset_are_signed_and_contain_only_ids(scene: Scene, post: Post, receiver: Receiver) -> None:
    endpoint = endpoint_for(scene, hook(receiver))
    enrolments = scene.enrolments()
    scene.name_externally(course="4711", first_learner="kim-17")
    reset = scene.request(idempotency_key="order-7")
    post.drain()
    said = {str(message["type"]): message for message in (verified(endpoint, one) for one in receiver.received)}
    assert sorted(said) == ["learner.reset", "reset.completed", "reset.started"]
    about = {"reset": str(reset), "course": "FIRE-101", "course_external_id": "4711"}
    assert said["reset.started"]["data"] == about | {"state": "running"}
    assert said["reset.completed"]["data"] == about | {"state": "succeeded"}
    assert said["learner.reset"]["data"] == about | {
        "reason": REASON,
        "idempotency_key": "order-7",
        "learners": [
            {
                "user": before.user_id,
                "external_id": "kim-17" if place == 0 else None,
                "outcome": "cleared",
                "old_registration": str(before.registration),
                "new_registration": str(after.registration),
            }
            for place, (before, after) in enumerate(zip(enrolments, scene.enrolments(), strict=True))
        ],
    }
    for request in receiver.received:
        assert request.path == "/hook?from=recourse"
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert request.headers["webhook-id"].startswith("msg_")
        assert not [user for user in scene.users() if user.email.encode() in request.body]
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint.secret()).verify(request.body + b" ", request.headers)
    assert {state for state, _, _ in outcomes()} == {"delivered"}
    assert ask("SELECT count(*) FROM learner_event") == 0
    assert endpoint.secret().encode() not in str(rows("SELECT * FROM webhook_endpoint")).encode()


def test_an_erased_users_external_id_is_gone_from_the_messages(scene: Scene, post: Post, receiver: Receiver) -> None:
    endpoint_for(scene, hook(receiver), WebhookEvent.LEARNER_RESET)
    scene.name_externally(course="4711", first_learner="kim-17")
    scene.request()
    post.drain()
    query = "SELECT data['learners'] FROM webhook_message"
    [(before,)] = rows(query)
    assert [learner["external_id"] for learner in before] == ["kim-17", *[None] * (len(before) - 1)]
    with transaction() as session:
        user = session.get_one(User, before[0]["user"])
        erase(session, scene.admin, user, confirm=user.email)
    [(after,)] = rows(query)
    assert after == [before[0] | {"external_id": None}, *before[1:]]


def test_a_failed_or_cancelled_reset_is_sent_as_failed(scene: Scene, post: Post, receiver: Receiver) -> None:
    endpoint_for(scene, hook(receiver), WebhookEvent.RESET_COMPLETED, WebhookEvent.RESET_FAILED)
    fail_for(scene.enrolments()[0])
    scene.request()
    post.drain()
    let_all_pass()
    cancelled = scene.request(scene.preview(course="DATA-202"))
    scene.cancel(cancelled)
    post.drain()
    assert [json.loads(request.body)["data"]["state"] for request in receiver.received] == [
        "partly_failed",
        "cancelled",
    ]
    assert events(receiver) == ["reset.failed", "reset.failed"]


def test_learners_are_sent_in_batches_and_each_once_even_after_a_retry(
    database: str, set_up: SetUp, post: Post, receiver: Receiver
) -> None:
    set_up(webhook_allow_private=True)
    scene = make_scene(learners=1100, completed=100)
    endpoint_for(scene, hook(receiver), WebhookEvent.LEARNER_RESET)
    unlucky = scene.enrolments()[0]
    fail_for(unlucky)
    reset = scene.request()
    post.drain()
    let_all_pass()
    assert sorted(map(len, told(receiver))) == [99, 500, 500]
    scene.retry_failed(reset)
    post.drain()
    [last] = told(receiver)[-1]
    assert (last["user"], last["old_registration"]) == (unlucky.user_id, str(unlucky.registration))
    everybody = [learner["user"] for batch in told(receiver) for learner in batch]
    assert sorted(everybody) == [user.id for user in scene.users()]


def test_learners_without_records_here_are_included(
    database: str, set_up: SetUp, post: Post, receiver: Receiver
) -> None:
    # Given a platform that keeps its own records: of five learners, one has records here and one is unassigned
    set_up(webhook_allow_private=True)
    scene = make_scene(learners=5, completed=0, begun=3)
    before = scene.enrolments()
    endpoint_for(scene, hook(receiver), WebhookEvent.LEARNER_RESET)
    planned = scene.preview()
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=before[4].id)
    scene.request(planned)
    post.drain()
    after = scene.enrolments()
    [batch] = told(receiver)
    assert [(one["user"], one["outcome"]) for one in batch] == [
        (before[0].user_id, "cleared"),
        *((enrolment.user_id, "unchanged") for enrolment in before[1:4]),
    ]
    # Then a late delivery names the attempt that it ended, not the following one
    assert [one["old_registration"] for one in batch] == [str(one.registration) for one in before[:4]]
    assert [one["new_registration"] for one in batch] == [str(one.registration) for one in after[:4]]
    assert before[4].registration == after[4].registration


def test_endpoints_without_subscriptions_get_nothing_and_cost_no_row(
    scene: Scene, post: Post, receiver: Receiver
) -> None:
    elsewhere = make_scene("globex", learners=1)
    endpoint_for(elsewhere, hook(receiver))
    endpoint_for(scene, hook(receiver), WebhookEvent.RESET_FAILED)
    scene.request()
    post.drain()
    assert receiver.received == []
    assert ask("SELECT count(*) FROM webhook_message") == 0
    assert ask("SELECT count(*) FROM learner_event") == 0


def test_a_receiver_that_fails_is_tried_for_three_days_with_one_id_and_then_given_up(
    scene: Scene, post: Post, receiver: Receiver
) -> None:
    assert timedelta(days=3) < timedelta(seconds=sum(OVER_THREE_DAYS)) < timedelta(days=3.1)
    receiver.answer = lambda _: 500
    endpoint_for(scene, hook(receiver), WebhookEvent.RESET_COMPLETED)
    reset = scene.request()
    post.drain()
    waits = []
    for _ in OVER_THREE_DAYS:
        waits.append(round(ask("SELECT extract(epoch FROM next_try_at - now()) FROM webhook_delivery")))
        deliver(post)
        later()
        deliver(post)
    assert [abs(waited - wait) < 5 for waited, wait in zip(waits, OVER_THREE_DAYS, strict=True)] == [True] * 9
    assert outcomes() == [("failed", 10, "given up after 10 attempts: answered 500")]
    assert len(receiver.received) == 10, "once a try, and no try before its time"
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len({request.body for request in receiver.received}) == 1
    assert report_of(reset)["state"] == "succeeded"


def test_failed_messages_are_sent_again_in_bulk_with_their_old_ids(
    scene: Scene, post: Post, receiver: Receiver
) -> None:
    endpoint = endpoint_for(scene, hook(receiver), WebhookEvent.RESET_STARTED, WebhookEvent.RESET_COMPLETED)
    scene.request()
    post.drain()
    run("UPDATE webhook_delivery SET state = 'failed', delivered_at = NULL, outcome = 'answered 503'")
    ids = [request.headers["webhook-id"] for request in receiver.received]
    run("UPDATE webhook_message SET created_at = now() - interval '2 days' WHERE event = 'reset.started'")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with transaction() as session:
        assert webhooks.send_failed_again(session, scene.admin, endpoint.id, yesterday) == 1
    post.drain()
    assert [request.headers["webhook-id"] for request in receiver.received] == [*ids, ids[1]]
    with transaction() as session:
        webhooks.disable(session, scene.admin, endpoint.id)
        with pytest.raises(WebhookDisabled):
            webhooks.send_failed_again(session, scene.admin, endpoint.id, yesterday)


def test_a_program_sends_failed_messages_again(scene: Scene, served: str, post: Post, receiver: Receiver) -> None:
    endpoint = endpoint_for(scene, hook(receiver), WebhookEvent.RESET_STARTED, WebhookEvent.RESET_COMPLETED)
    scene.request()
    post.drain()
    run("UPDATE webhook_delivery SET state = 'failed', delivered_at = NULL, outcome = 'answered 503'")
    run("UPDATE webhook_message SET created_at = now() - interval '2 days' WHERE event = 'reset.started'")
    since = {"since": (datetime.now(UTC) - timedelta(days=1)).isoformat()}
    with client_of(served, token_for(scene.admin.user_id or 0)) as api:
        address = f"/v1/webhook-endpoints/{endpoint.id}:send-failed-again"
        answers = [api.post(address, json=since).json() for _ in range(2)]
        assert answers == [{"messages": 1}, {"messages": 0}]
        post.drain()
        log = api.get(f"/v1/webhook-endpoints/{endpoint.id}/deliveries").json()["items"]
    assert [one["state"] for one in log] == ["delivered", "failed"]
    assert events(receiver) == ["reset.started", "reset.completed", "reset.completed"]
    assert receiver.received[1].headers["webhook-id"] == receiver.received[2].headers["webhook-id"]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 503])
def test_only_2xx_counts_as_delivered_and_no_redirect_is_followed(
    scene: Scene, post: Post, receiver: Receiver, status: int
) -> None:
    with Receiver() as elsewhere:
        receiver.headers = {"Location": hook(elsewhere)}
        receiver.answer = lambda _: status
        endpoint_for(scene, hook(receiver), WebhookEvent.RESET_COMPLETED)
        scene.request()
        post.drain()
        assert outcomes() == [("pending", 1, f"answered {status}")]
        assert elsewhere.received == []


def test_a_slow_receiver_times_out_and_delays_no_other(
    scene: Scene, post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.webhooks.post.SECONDS", 1.0)
    with Receiver(dawdle(3)) as slow:
        endpoint_for(scene, hook(slow))
        endpoint_for(scene, hook(receiver))
        scene.request()
        began = time.monotonic()
        post.drain()
        assert time.monotonic() - began < 8
    assert len(receiver.received) == 3
    waited = rows("SELECT outcome FROM webhook_delivery WHERE state = 'pending' AND attempts > 0")
    assert waited
    assert {outcome for (outcome,) in waited} == {"no answer within 1 seconds"}


def test_a_slow_or_endless_answer_delays_nobody(scene: Scene, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.webhooks.post.SECONDS", 1.0)

    def drops(connection: socket.socket) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nX-Drop: " + b"x" * 1000:
            connection.sendall(bytes([letter]))
            time.sleep(0.1)

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    def rubbish(connection: socket.socket) -> None:
        connection.sendall(b"\x00\x01 no HTTP at all \r\n\r\n")

    def silence(connection: socket.socket) -> None:
        connection.close()

    with (
        raw_server(drops) as slow,
        raw_server(flood) as endless,
        raw_server(rubbish) as odd,
        raw_server(silence) as mute,
    ):
        for port in (slow, endless, odd, mute):
            endpoint_for(scene, f"http://127.0.0.1:{port}/", WebhookEvent.RESET_COMPLETED)
        scene.request()
        began = time.monotonic()
        post.drain()
        assert time.monotonic() - began < 8
    found = dict(rows("SELECT endpoint_id, state || ': ' || outcome FROM webhook_delivery"))
    assert list(dict(sorted(found.items())).values()) == [
        "pending: no answer within 1 seconds",
        "delivered: answered 200",
        "pending: the connection failed: RemoteProtocolError",
        "pending: the connection failed: RemoteProtocolError",
    ]


class raw_server:
    """Run a server on loopback that reads a request and then does `then`. Yields its port."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._answer = answer

    def __enter__(self) -> int:
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self._listening.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            self._read_request(connection)
            self._answer(connection)

    def _read_request(self, connection: socket.socket) -> None:
        """Read all of it: the client sees a connection closed with unread bytes as reset, and not as closed."""
        with connection.makefile("rb") as incoming:
            length = 0
            while (line := incoming.readline()) not in (b"", b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            incoming.read(length)


def test_status_410_closes_the_endpoint_and_fails_its_open_deliveries(
    scene: Scene, post: Post, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 410
    endpoint = endpoint_for(scene, hook(receiver))
    scene.request()
    post.drain()
    assert len(receiver.received) == 1
    assert ask("SELECT disabled_why FROM webhook_endpoint") == "it answered 410 Gone"
    assert {state for state, _, _ in outcomes()} == {"failed"}
    assert ask("SELECT count(*) FROM audit WHERE action = 'webhook.disabled'") == 1
    scene.request(scene.preview(course="DATA-202"))
    post.drain()
    assert len(receiver.received) == 1
    with transaction() as session:
        message = session.scalars(text("SELECT message_id FROM webhook_delivery LIMIT 1")).one()
        with pytest.raises(WebhookUnknown):
            webhooks.send_again(session, scene.admin, endpoint.id, message)


def test_a_message_is_sent_again_by_hand_under_its_old_id(scene: Scene, post: Post, receiver: Receiver) -> None:
    endpoint = endpoint_for(scene, hook(receiver), WebhookEvent.RESET_COMPLETED)
    scene.request()
    post.drain()
    message: UUID = ask("SELECT id FROM webhook_message")
    with transaction() as session:
        webhooks.send_again(session, scene.admin, endpoint.id, message)
    post.drain()
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"msg_{message}"
    assert verified(endpoint, first) == verified(endpoint, second)
    assert outcomes() == [("delivered", 1, "answered 204")]


def test_each_command_needs_the_permission_sees_only_its_own_endpoints_and_is_audited(
    scene: Scene, receiver: Receiver, post: Post
) -> None:
    elsewhere = make_scene("globex", learners=1)
    endpoint = endpoint_for(scene, hook(receiver), WebhookEvent.RESET_COMPLETED)
    scene.request()
    post.drain()
    message: UUID = ask("SELECT id FROM webhook_message")
    address = webhooks.checked_address(hook(receiver))
    commands: dict[str, Callable[[Session, Actor], object]] = {
        "webhook.opened": lambda session, actor: webhooks.open_endpoint(
            session, actor, address, [WebhookEvent.RESET_FAILED]
        ),
        "webhook.replayed": lambda session, actor: webhooks.send_again(session, actor, endpoint.id, message),
        "webhook.disabled": lambda session, actor: webhooks.disable(session, actor, endpoint.id),
        "webhook.enabled": lambda session, actor: webhooks.enable(session, actor, endpoint.id),
        "webhook.deleted": lambda session, actor: webhooks.delete_endpoint(session, actor, endpoint.id),
    }
    learner = as_actor(scene, scene.users()[0].id)
    for action, command in commands.items():
        with pytest.raises(Forbidden), transaction() as session:
            command(session, learner)
        if action != "webhook.opened":
            with pytest.raises(WebhookUnknown), transaction() as session:
                command(session, elsewhere.admin)
        with transaction() as session:
            command(session, scene.admin)
        assert ask("SELECT count(*) FROM audit WHERE action = :action", action=action) == 1
    assert ask("SELECT count(*) FROM audit WHERE action LIKE 'webhook.%'") == len(commands)
    with pytest.raises(Forbidden), transaction() as session:
        webhooks.endpoints(session, learner)


def test_a_worker_that_dies_after_the_receivers_answer_repeats_with_the_same_id(
    scene: Scene, post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_for(scene, hook(receiver), WebhookEvent.RESET_COMPLETED)
    with monkeypatch.context() as patched:
        patched.setattr(Deliveries, "settle", lambda *_: (_ for _ in ()).throw(RuntimeError("died")))
        scene.request()
        post.drain()
    assert outcomes() == [("pending", 1, None)]
    deliver(post)
    assert len(receiver.received) == 1, "the next try is not due yet"
    later()
    deliver(post)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len(receiver.received) == 2
    assert outcomes() == [("delivered", 2, "answered 204")]


def test_messages_are_forgotten_after_a_month(scene: Scene, post: Post, receiver: Receiver) -> None:
    endpoint_for(scene, hook(receiver))
    scene.request()
    post.drain()
    run("UPDATE webhook_message SET created_at = now() - interval '31 days' WHERE event <> 'reset.started'")
    app.tasks["recourse.tidy"]()
    scene.request(scene.preview(course="DATA-202"))
    post.drain()
    app.tasks["recourse.tidy"]()
    assert ask("SELECT count(*) FROM webhook_message WHERE created_at < now() - interval '30 days'") == 0
    assert ask("SELECT count(*) FROM webhook_delivery") == 4


INWARD = [
    "https://127.0.0.1/hook",
    "https://localhost/hook",
    "https://10.1.2.3/hook",
    "https://172.16.0.9/hook",
    "https://192.168.1.1/hook",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/hook",
    "https://0.0.0.0/hook",
    "https://224.0.0.1/hook",
    "https://[::1]/hook",
    "https://[fe80::1]/hook",
    "https://[fd00::1]/hook",
    "https://[::ffff:127.0.0.1]/hook",
    "https://[::ffff:10.0.0.1]/hook",
    "https://[64:ff9b::7f00:1]/hook",
    "https://[2002:7f00:1::]/hook",
    "https://2130706433/hook",
    "https://127.1/hook",
]


@pytest.mark.parametrize("url", INWARD)
def test_nothing_is_sent_into_a_private_network_whatever_its_name(database: str, post: Post, url: str) -> None:
    # Given an endpoint whose name now resolves to such an address
    scene = make_scene(learners=1, completed=100)
    endpoint_for(scene, url, WebhookEvent.RESET_COMPLETED)
    scene.request()
    post.drain()
    [(state, attempts, outcome)] = outcomes()
    assert (state, attempts) == ("pending", 1)
    assert outcome is not None
    assert outcome.startswith("This address is not public.")


def test_only_the_networks_of_the_settings_are_reached_also_without_encryption(
    database: str, post: Post, set_up: SetUp, receiver: Receiver
) -> None:
    set_up(allowed_networks="127.0.0.0/8, 10.20.0.0/16")
    scene = make_scene(learners=1, completed=100)
    endpoint = endpoint_for(scene, hook(receiver), WebhookEvent.RESET_COMPLETED)
    scene.request()
    post.drain()
    assert verified(endpoint, receiver.received[0])["type"] == "reset.completed"
    for allowed in ("http://10.20.1.1/", "https://10.20.1.1/", "https://[::ffff:10.20.1.1]/", "https://1.1.1.1/"):
        assert look_up(address_of(allowed))
    for refused in ("https://10.21.0.1/", "http://192.168.0.1/", "https://[::1]/", "https://[64:ff9b::a15:1]/"):
        with pytest.raises(WebhookAddressRefused, match="This address is not public"):
            look_up(address_of(refused))
    with pytest.raises(WebhookAddressRefused, match="must begin with https"):
        look_up(address_of("http://1.1.1.1/"))


def test_a_name_with_letters_of_any_language_is_kept_as_it_is_sent(scene: Scene, receiver: Receiver) -> None:
    assert str(address_of("http://bücher.example/päth?q=ü").url) == "http://xn--bcher-kva.example/p%C3%A4th?q=%C3%BC"


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "https://", "https://me:secret@example.org/", "https://[::1/", "x",
     "https://example.org:0/", "https://example.org:99999/", "https://1.1.1.1/\x01", "https://1.1.1.1/ x",
     "https://1.1.1.1/\n", "https://1.1.1.1/\u2028", "https://a\\@127.0.0.1/", "https://é\u0378.example/",
     f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/", "https://a..b/",
     "https://[::1", "https://1.1.1.1:x/", "https:///x"],
)  # fmt: skip
def test_an_invalid_webhook_address_is_refused(url: str) -> None:
    with pytest.raises(WebhookAddressRefused, match="Use a public address"):
        address_of(url)


def test_an_admin_adds_a_webhook_sees_what_was_delivered_and_sends_it_again(
    scene: Scene, served: str, post: Post, receiver: Receiver
) -> None:
    assert scene.admin.user_id
    browser = visitor(served, scene.admin.user_id)
    token = form_token(browser.get("/webhooks"))
    # A refused address stays in the form with the reason
    form = {"csrf": token, "url": "ftp://example.org", "events": ["reset.completed"]}
    refused = browser.post("/webhooks", data=form)
    assert refused.status_code == 422
    assert "must begin with https://" in refused.text
    assert 'value="ftp://example.org"' in refused.text
    assert browser.post("/webhooks", data={"csrf": token, "url": hook(receiver)}).status_code == 422
    made = browser.post("/webhooks", data=form | {"url": hook(receiver)})
    assert made.status_code == 303
    page = browser.get(made.headers["location"])
    scene.request()
    post.drain()
    [request] = receiver.received
    secret = page.text.split(">whsec_")[1].split("<")[0]
    assert Webhook(f"whsec_{secret}").verify(request.body, request.headers)
    where = made.headers["location"].partition("?")[0]
    log = browser.get(where)
    assert request.headers["webhook-id"] in log.text
    assert "answered 204" in log.text
    message = request.headers["webhook-id"].removeprefix("msg_")
    again = browser.post(f"{where}/messages/{message}", data={"csrf": token})
    assert again.status_code == 303
    post.drain()
    assert len(receiver.received) == 2
    browser.post(f"{where}/disable", data={"csrf": token})
    assert "Paused since" in browser.get(where).text
    browser.post(f"{where}/enable", data={"csrf": token})
    assert "Paused since" not in browser.get(where).text
    browser.post(f"{where}/delete", data={"csrf": token})
    assert browser.get(where).status_code == 404
    assert rows("SELECT action FROM audit WHERE action LIKE 'webhook.%' ORDER BY id") == [
        ("webhook.opened",), ("webhook.replayed",), ("webhook.disabled",), ("webhook.enabled",), ("webhook.deleted",),
    ]  # fmt: skip


def test_the_form_refuses_an_address_in_a_private_network(served: str) -> None:
    scene = make_scene(learners=1)
    assert scene.admin.user_id
    browser = visitor(served, scene.admin.user_id)
    form = {"csrf": form_token(browser.get("/webhooks")), "events": ["reset.completed"]}
    for url in ("https://127.0.0.1/hook", "https://localhost/hook"):
        refused = browser.post("/webhooks", data=form | {"url": url})
        assert refused.status_code == 422
        assert "This address is not public" in refused.text
    nowhere = browser.post("/webhooks", data=form | {"url": "https://no-such-name.invalid/hook"})
    assert "This host name cannot be resolved" in nowhere.text
    assert ask("SELECT count(*) FROM webhook_endpoint") == 0
