"""What all outboxes have in common: who is next, whose failure a failure is, and where it ends."""

import threading
from collections.abc import Callable, Iterator

import pytest

from models.session import transaction
from models.webhooks import WebhookEvent, open_endpoint
from tests.mail_server import LoopbackMailServer
from tests.post import Post
from tests.receiver import Receiver
from tests.scenes import ask, make_scene, recover, rows, run

SetUp = Callable[..., None]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def mail_server() -> Iterator[LoopbackMailServer]:
    with LoopbackMailServer() as server:
        yield server


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/\x01", "http://127.0.0.1:9\x7f/", f"http://{'a' * 64}.example/", "http://é\u0378.example/"],
)
def test_an_address_that_cannot_be_written_to_is_that_ones_failure_alone(
    database: str, post: Post, set_up: SetUp, receiver: Receiver, url: str
) -> None:
    # Given one, kept before addresses were looked at closely, and a good one of another organization
    set_up(webhook_allow_private=True)
    odd, good = make_scene("odd", learners=1), make_scene("good", learners=1)
    with transaction() as session:
        open_endpoint(session, odd.organization.id, url, [WebhookEvent.RESET_COMPLETED])
        open_endpoint(session, good.organization.id, f"http://127.0.0.1:{receiver.port}/", list(WebhookEvent))
    odd.request()
    good.request()
    try:
        post.drain()
    except BaseExceptionGroup as error:
        print(repr(error.exceptions))  # noqa: T201
    assert len(receiver.received) == 3
    # And the odd one is given up in the end
    for _ in range(10):
        run("UPDATE webhook_delivery SET next_try_at = now() WHERE state = 'pending'")
        recover()
        post.drain()
    assert rows("SELECT state, attempts FROM webhook_delivery WHERE state <> 'delivered'") == [("failed", 10)]


def test_one_mail_waits_for_a_few_of_another_organizations_many(
    database: str, post: Post, set_up: SetUp, mail_server: LoopbackMailServer
) -> None:
    set_up(
        smtp_host="127.0.0.1",
        smtp_port=mail_server.port,
        smtp_security="none",
        mail_from="training@acme.example",
        mail_per_second=100_000,
        mail_gather_seconds=0,
    )
    many, one = (
        make_scene("many", learners=600, completed=1_000_000),
        make_scene("one", learners=1, completed=1_000_000),
    )
    run('UPDATE "user" SET notifications_on = true')
    for scene in (many, one):
        scene.request()
        for letter in post.take():
            post.deliver(letter)
    while letters := [
        letter for letter in post.take() if "clear" in letter.task or "reset" in letter.task or "notify" in letter.task
    ]:
        for letter in letters:
            post.deliver(letter)
    assert ask("SELECT count(*) FROM mail WHERE state = 'pending'") == 603
    recover()
    post.drain()
    places = [place for place, sent in enumerate(mail_server.delivered, 1) if sent.to.endswith("@one.example")]
    print(f"their mails were the {places} sent")  # noqa: T201
    assert len(mail_server.delivered) == 603
    assert max(places) < 8


def test_a_document_that_is_made_while_its_slice_is_cleared_does_not_stay(
    database: str, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Placeholder for a real barrier
    threading.Event()
