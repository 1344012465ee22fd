"""Mail server, storage and webhook receivers that all hang: everything else goes on."""

import time
from collections.abc import Callable, Iterator

import pytest

from models.learning import complete
from models.session import transaction
from models.webhooks import WebhookEvent, open_endpoint
from tests.hung import Babbling, Hung
from tests.installations import Installation
from tests.receiver import Receiver
from tests.scenes import ask, make_scene, report_of, run
from tests.workers import Worker, until

SetUp = Callable[..., None]


@pytest.fixture
def hung() -> Iterator[Hung]:
    with Hung() as server:
        yield server


def test_alerts_and_a_healthy_receiver_do_not_wait_for_hanging_servers(
    hung: Hung, start_worker: Callable[..., Worker], set_up: SetUp
) -> None:
    # Given a storage, a mail server and a receiver that accept connections and never answer, and work for each
    set_up(
        webhook_allow_private=True,
        recover_every_seconds=2,  # so long is a message about an outbox valid
        smtp_timeout_seconds=30,
        storage_timeout_seconds=30,
        smtp_host="127.0.0.1",
        smtp_port=hung.port,
        smtp_security="none",
        mail_from="training@acme.example",
        mail_gather_seconds=0,
        storage_url="s3://bucket",
        storage_endpoint=f"http://127.0.0.1:{hung.port}",
        storage_region="x",
        storage_access_key_id="a",
        storage_secret_access_key="b",
    )
    busy = make_scene("busy", learners=6, completed=0, begun=0)
    calm = make_scene("calm", learners=5, completed=1_000_000)
    with transaction() as session:
        for number in range(30):
            open_endpoint(session, busy.organization.id, f"http://127.0.0.1:{hung.port}/{number}", list(WebhookEvent))
    with transaction() as session:
        for enrolment in busy.enrolments():
            complete(session, enrolment.registration)
    run(
        "INSERT INTO file_deletion (key) SELECT organization_id || '/' || id FROM enrolment "
        "WHERE organization_id = :id",
        id=busy.organization.id,
    )
    start_worker()
    stuck = busy.request(busy.preview(course="DATA-202"))
    until(lambda: report_of(stuck)["state"] == "succeeded")
    until(lambda: hung.connections > 6)
    time.sleep(3)  # until no message of before is valid

    # When another organization with a healthy receiver resets a course
    with Receiver() as receiver:
        with transaction() as session:
            open_endpoint(
                session, calm.organization.id, f"http://127.0.0.1:{receiver.port}/", [WebhookEvent.RESET_COMPLETED]
            )
        reset = calm.request()
        began = time.monotonic()
        until(lambda: report_of(reset)["done"], 100)
        alerted = time.monotonic() - began
        until(lambda: receiver.received, 100)
        delivered = time.monotonic() - began
    print(f"alerts after {alerted:.1f} s, the webhook after {delivered:.1f} s")  # noqa: T201 - pytest -s shows it

    # Then neither waits for the others
    assert alerted < 12
    assert delivered < 12
    assert ask("SELECT count(*) FROM certificate WHERE pdf_key IS NOT NULL") == 0


def test_a_reset_does_not_wait_for_a_mail_server_a_storage_and_a_receiver_that_babble(
    installed: Callable[..., Installation], start_worker: Callable[..., Worker], set_up: SetUp
) -> None:
    installation = installed(learners=300)
    with Babbling() as babbling:
        set_up(
            smtp_port=babbling.port,
            storage_url="s3://bucket",
            storage_endpoint=f"http://127.0.0.1:{babbling.port}",
            storage_region="x",
            storage_access_key_id="a",
            storage_secret_access_key="b",
        )
        run("UPDATE webhook_endpoint SET url = :url", url=f"http://127.0.0.1:{babbling.port}/")
        run("INSERT INTO file_deletion (key) SELECT organization_id || '/' || id FROM enrolment LIMIT 5")
        start_worker()
        installation.reset()
        installation.assert_nothing_is_lost(outside=False, limit=60)
        until(lambda: babbling.answers > 3)
        # Nothing counts as sent, and what was tried is tried again later
        until(lambda: ask("SELECT count(*) FROM webhook_delivery WHERE attempts > 0"))
        assert ask("SELECT count(*) FROM webhook_delivery WHERE state <> 'pending'") == 0
        assert ask("SELECT count(*) FROM mail WHERE state <> 'pending'") == 0
        assert ask("SELECT count(*) FROM file_deletion") == 5
