"""Rotation of the secret key: what the former key protects stays valid, and no secret changes."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from alembic import command
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from config.links import unsubscribe_link, unsubscribing
from models.events import EventSource
from models.people import User
from models.refusals.access import Forbidden
from models.refusals.events import SignatureInvalid
from models.refusals.resets import PlanInvalid
from models.session import forget_engine, transaction
from models.webhooks import WebhookEndpoint, WebhookEvent, open_endpoint
from tasks.reset.plan import opened
from tasks.rules.event_sources import open_source, report_by_webhook
from tasks.webhooks.secrets import renew_secret
from tests.conftest import SECRET, alembic_config
from tests.databases import recourse_on
from tests.post import Post
from tests.receiver import Receiver
from tests.scenes import Scene, as_actor, make_scene, rows, run
from tests.web import form_token, visitor

NEW = "the new secret key that is long enough to sign with"
SetUp = Callable[..., None]


def rotate(set_up: SetUp, *, keep: bool = True) -> None:
    set_up(secret_key=NEW, old_secret_keys=json.dumps([SECRET] if keep else []))


@pytest.fixture
def scene(database: str, set_up: SetUp) -> Scene:
    set_up(webhook_allow_private=True)
    return make_scene(learners=3, completed=100)


def endpoint_of(scene: Scene, port: int) -> WebhookEndpoint:
    with transaction() as session:
        return open_endpoint(session, scene.organization.id, f"http://127.0.0.1:{port}/hook", tuple(WebhookEvent))


def source_of(scene: Scene) -> EventSource:
    with transaction() as session:
        admin = session.get_one(User, int(scene.admin.name.removeprefix("user:")))
        return open_source(session, scene.admin, admin, "incident system")


def report(source: EventSource, secret: str, number: str) -> None:
    body = json.dumps({"kind": "incident", "course": "FIRE-101", "reason": "press 4"})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": number,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(number, now, body),
    }
    with transaction() as session:
        report_by_webhook(session, source.id, headers, body.encode())


def test_signatures_of_a_former_key_are_valid_until_its_removal(scene: Scene, set_up: SetUp) -> None:
    plan, link = scene.preview().token, unsubscribe_link(7).rpartition("/")[2]
    rotate(set_up)
    assert opened(plan).course_code == "FIRE-101"
    assert unsubscribing(link) == 7
    made_now = scene.preview().token
    rotate(set_up, keep=False)
    assert opened(made_now).course_code == "FIRE-101", "it was made with the former key"
    with pytest.raises(PlanInvalid):
        opened(plan)
    assert unsubscribing(link) is None


def test_a_form_opened_before_the_change_is_accepted(scene: Scene, served: str, set_up: SetUp) -> None:
    admin = visitor(served, scene.admin.user_id)
    endpoint = endpoint_of(scene, 9)
    token = form_token(admin.get("/webhooks"))
    rotate(set_up)
    assert admin.post(f"/webhooks/{endpoint.id}/disable", data={"csrf": token}).status_code == 303
    rotate(set_up, keep=False)
    assert admin.post(f"/webhooks/{endpoint.id}/enable", data={"csrf": token}).status_code == 403


def test_secrets_of_webhooks_and_sources_survive_a_new_key(scene: Scene, post: Post, set_up: SetUp) -> None:
    with Receiver() as receiver:
        endpoint, source = endpoint_of(scene, receiver.port), source_of(scene)
        secret, theirs = endpoint.secret(), source.secret()
        rotate(set_up)
        # While a former key is needed, doctor says so; after re-encryption it is not
        url = os.environ["RECOURSE_DATABASE_URL"]
        found = json.loads(recourse_on(url, "doctor", "--json", "--part", "secret key").stdout)[-1]
        assert found["ok"] is False
        assert found["says"].startswith("2 webhook secrets are still encrypted with a former key")
        done = recourse_on(url, "database", "reseal")
        assert done.returncode == 0, done.stderr
        assert "2 secrets are encrypted with the current key" in done.stdout
        found = json.loads(recourse_on(url, "doctor", "--json", "--part", "secret key").stdout)[-1]
        assert found["says"] == "1 former key is still accepted, and no secret needs it"
        rotate(set_up, keep=False)
        scene.request()
        post.drain()
        assert receiver.received
        for request in receiver.received:
            Webhook(secret).verify(request.body, request.headers)
        report(source, theirs, "msg_1")
    # It is in no table as plain text
    assert secret not in str(rows("SELECT * FROM webhook_endpoint"))


def test_a_lost_key_stops_only_its_own_webhook(scene: Scene, post: Post, set_up: SetUp, served: str) -> None:
    with Receiver() as receiver:
        lost, source = endpoint_of(scene, receiver.port), source_of(scene)
        theirs = source.secret()
        rotate(set_up, keep=False)
        well = endpoint_of(scene, receiver.port)
        scene.request()
        post.drain()
        assert receiver.received
        for request in receiver.received:
            Webhook(well.secret()).verify(request.body, request.headers)
        outcomes = dict(rows("SELECT DISTINCT endpoint_id, outcome FROM webhook_delivery"))
        assert outcomes[lost.id] == "its secret cannot be decrypted: a secret key is missing"
        with pytest.raises(SignatureInvalid):
            report(source, theirs, "msg_1")
        shown = visitor(served, scene.admin.user_id).get(f"/webhooks/{lost.id}")
        assert shown.status_code == 200
        assert "encrypted with a key that is no longer set" in shown.text


def test_a_new_secret_and_the_previous_one_both_sign_for_a_day(scene: Scene, post: Post, served: str) -> None:
    with Receiver() as receiver:
        endpoint, source = endpoint_of(scene, receiver.port), source_of(scene)
        before, theirs = endpoint.secret(), source.secret()
        admin = visitor(served, scene.admin.user_id)
        page = f"/webhooks/{endpoint.id}"
        renewed = admin.post(f"{page}/secret", data={"csrf": form_token(admin.get(page))})
        assert renewed.headers["location"] == f"{page}?done=renewed"
        with transaction() as session:
            endpoint = session.get_one(WebhookEndpoint, endpoint.id)
            renew_secret(session, scene.admin, session.get_one(EventSource, source.id))
        after = endpoint.secret()
        assert after != before
        assert after in admin.get(page).text
        scene.request()
        post.drain()
        for request in receiver.received:
            Webhook(before).verify(request.body, request.headers)
            Webhook(after).verify(request.body, request.headers)
        report(source, theirs, "msg_1")
        # A day later the previous one is invalid
        for table in ("webhook_endpoint", "event_source"):
            run(f"UPDATE {table} SET former_until = now() - interval '1 s'")
        receiver.received.clear()
        scene.request()
        post.drain()
        assert receiver.received
        for request in receiver.received:
            Webhook(after).verify(request.body, request.headers)
            with pytest.raises(WebhookVerificationError):
                Webhook(before).verify(request.body, request.headers)
        with pytest.raises(SignatureInvalid):
            report(source, theirs, "msg_2")
    actions = {action for (action,) in rows("SELECT action FROM audit")}
    assert {"webhook.secret_renewed", "event_source.secret_renewed"} <= actions
    with transaction() as session, pytest.raises(Forbidden):
        renew_secret(session, as_actor(scene, scene.users()[0].id), endpoint)


def test_the_migration_keeps_the_secrets_that_were_made_from_the_key(scene: Scene) -> None:
    command.downgrade(alembic_config(), "0005")
    salt = bytes(range(32))
    run(
        "INSERT INTO webhook_endpoint (organization_id, url, events, salt) "
        "VALUES (:organization, 'https://a.example', '{}', :salt)",
        organization=scene.organization.id,
        salt=salt,
    )
    command.upgrade(alembic_config(), "head")
    forget_engine()
    made = hmac.digest(SECRET.encode(), b"recourse.webhook\0" + salt, hashlib.sha256)
    with transaction() as session:
        [endpoint] = session.query(WebhookEndpoint)
        assert endpoint.secret() == "whsec_" + base64.b64encode(made).decode()
