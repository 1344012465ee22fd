"""What all outboxes share: turns, isolation of failures, and the end of tries."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from models.files import storage
from models.learning import complete
from models.mail import MAILS, Mail
from models.outbox import take_query, turns, turns_query
from models.session import engine, transaction
from models.webhooks import WebhookEvent, open_endpoint
from tasks.alerts.letters import write_letter
from tasks.alerts.mail import Mails
from tasks.certificates.documents import Certificates
from tasks.outbox.total_time import hanging
from tasks.people.organizations import weigh_organization
from tasks.webhooks.deliver import Deliveries
from tests.hung import Hung
from tests.mail_server import LoopbackMailServer
from tests.outboxes import take_one, work, work_is_due
from tests.post import Post
from tests.receiver import Received, Receiver
from tests.scenes import Scene, ask, make_scene, recover, rows, run
from tests.workers import Worker, until

MOST_MILLISECONDS = 20

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
def test_an_invalid_address_fails_alone(database: str, post: Post, set_up: SetUp, receiver: Receiver, url: str) -> None:
    # Given an invalid address from before addresses were checked, and a valid one of another organization
    set_up(webhook_allow_private=True)
    odd, good = make_scene("odd", learners=1), make_scene("good", learners=1)
    with transaction() as session:
        open_endpoint(session, odd.organization.id, url, [WebhookEvent.RESET_COMPLETED])
        open_endpoint(session, good.organization.id, f"http://127.0.0.1:{receiver.port}/", list(WebhookEvent))
    odd.request()
    good.request()
    post.drain()
    assert len(receiver.received) == 3
    # And the invalid one is given up in the end
    for _ in range(10):
        run("UPDATE webhook_delivery SET next_try_at = now() WHERE state = 'pending'")
        recover()
        post.drain()
    assert rows("SELECT state, attempts FROM webhook_delivery WHERE state <> 'delivered'") == [("failed", 10)]


def write_alerts(post: Post, scene: Scene) -> None:
    """Reset the scene's course and write its alerts and e-mails, without sending them."""
    scene.request()
    while letters := [letter for letter in post.take() if letter.task != "recourse.work_outboxes"]:
        for letter in letters:
            post.deliver(letter)


@pytest.fixture
def by_mail(database: str, set_up: SetUp, mail_server: LoopbackMailServer) -> LoopbackMailServer:
    set_up(
        smtp_host="127.0.0.1",
        smtp_port=mail_server.port,
        smtp_security="none",
        smtp_timeout_seconds=3,
        mail_from="training@acme.example",
        mail_per_second=100_000,
        mail_gather_seconds=0,
    )
    return mail_server


def test_one_email_waits_for_a_few_of_another_organizations_many(post: Post, by_mail: LoopbackMailServer) -> None:
    many = make_scene("many", learners=600, completed=1_000_000)
    one = make_scene("one", learners=1, completed=1_000_000)
    run('UPDATE "user" SET notifications_on = true')
    for scene in (many, one):
        write_alerts(post, scene)
    assert ask("SELECT count(*) FROM mail WHERE state = 'pending'") == 603
    recover()
    post.drain()
    places = [place for place, sent in enumerate(by_mail.delivered, 1) if sent.to.endswith("@one.example")]
    print(f"their mails were the {places} sent")  # noqa: T201
    assert len(by_mail.delivered) == 603
    assert max(places) < 8


def shares(senders: Iterable[str]) -> list[Counter[str]]:
    """Who sent each four of the first 20."""
    first = list(senders)[:20]
    return [Counter(first[start : start + 4]) for start in range(0, 20, 4)]


def weigh(slug: str, weight: int) -> None:
    with transaction() as session:
        weigh_organization(session, "console:root", slug, weight)


def test_three_of_four_emails_are_those_of_an_organization_with_weight_three(
    post: Post, by_mail: LoopbackMailServer
) -> None:
    scenes = [make_scene(name, learners=20, completed=1_000_000) for name in ("light", "heavy")]
    run('UPDATE "user" SET notifications_on = true')
    weigh("heavy", 3)
    for scene in scenes:
        write_alerts(post, scene)
    assert work(Mails, 60) == 2 * 21
    senders = [sent.to.partition("@")[2].removesuffix(".example") for sent in by_mail.delivered]
    assert shares(senders) == [Counter(heavy=3, light=1)] * 5


def test_three_of_four_webhooks_are_those_of_an_organization_with_weight_three(
    post: Post, set_up: SetUp, receiver: Receiver
) -> None:
    set_up(webhook_allow_private=True)
    for name in ("light", "heavy"):
        scene = make_scene(name, learners=1)
        with transaction() as session:
            open_endpoint(session, scene.organization.id, f"http://127.0.0.1:{receiver.port}/{name}", [])
        scene.request()
    run(
        """INSERT INTO webhook_message (organization_id, event, reset_id, data)
           SELECT organization_id, 'reset.completed', id, '{}' FROM reset, generate_series(1, 20)"""
    )
    run(
        """INSERT INTO webhook_delivery (message_id, endpoint_id)
           SELECT m.id, e.id FROM webhook_message m JOIN webhook_endpoint e USING (organization_id)"""
    )
    weigh("heavy", 3)
    assert work(Deliveries, 60) == 40
    assert shares(one.path.strip("/") for one in receiver.received) == [Counter(heavy=3, light=1)] * 5


def test_an_organizations_own_rate_does_not_slow_the_others(
    post: Post, set_up: SetUp, by_mail: LoopbackMailServer
) -> None:
    set_up(mail_per_second_each=4)
    many = make_scene("many", learners=9, completed=1_000_000)
    few = make_scene("few", learners=2, completed=1_000_000)
    run('UPDATE "user" SET notifications_on = true')
    for scene in (many, few):
        write_alerts(post, scene)
    began = time.monotonic()
    work(Mails)
    assert time.monotonic() - began > 9 / 4
    assert {sent.to.partition("@")[2] for sent in by_mail.delivered[:2]} == {"many.example", "few.example"}
    last = max(place for place, sent in enumerate(by_mail.delivered, 1) if sent.to.endswith("@few.example"))
    assert last <= 6


def test_an_email_that_cannot_be_rendered_is_given_up_and_delays_no_other(
    post: Post, by_mail: LoopbackMailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene(learners=3, completed=1_000_000)
    write_alerts(post, scene)
    bad = scene.users()[0]

    def write(session: Session, mail: Mail) -> EmailMessage:
        if mail.user_id == bad.id:
            raise ZeroDivisionError
        return write_letter(session, mail)

    monkeypatch.setattr("tasks.alerts.mail.write_letter", write)
    for _ in range(8):
        work(Mails)
        run("UPDATE mail SET next_try_at = now() WHERE state = 'pending'")
    assert len(by_mail.delivered) == 3
    assert rows("SELECT user_id, attempts, reason FROM mail WHERE state = 'failed'") == [
        (bad.id, 8, "given up after 8 attempts: unexpected error: ZeroDivisionError")
    ]


def test_an_item_that_always_kills_its_process_is_given_up(post: Post, by_mail: LoopbackMailServer) -> None:
    write_alerts(post, make_scene(learners=1, completed=1_000_000))
    for _ in range(8):
        while work_is_due(Mails):
            take_one(Mails)  # and be killed
        run("UPDATE mail SET next_try_at = now()")
    assert work(Mails) == 2
    assert by_mail.delivered == []
    assert set(rows("SELECT state, reason FROM mail")) == {
        ("failed", "given up after 9 attempts: the worker process died at every attempt")
    }


def test_an_answer_with_invalid_characters_is_recorded(post: Post, by_mail: LoopbackMailServer) -> None:
    by_mail.handler.on_recipient = lambda _: "550 no\x00 such\x1b user"
    write_alerts(post, make_scene(learners=1, completed=1_000_000))
    work(Mails)
    assert set(rows("SELECT state, reason FROM mail")) == {("failed", "550 no  such  user")}


def test_a_mail_server_that_answers_byte_by_byte_delays_nobody(
    post: Post, set_up: SetUp, by_mail: LoopbackMailServer
) -> None:
    # Given a server that accepts the e-mail and then sends an endless answer
    listening = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.sendall(b"220 slow\r\n")
                for answer in (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
                    connection.recv(65536)
                    connection.sendall(answer)
                while True:
                    connection.sendall(b"250-a\r\n")
                    time.sleep(0.1)

    threading.Thread(target=talk, daemon=True).start()
    set_up(smtp_port=listening.getsockname()[1], smtp_timeout_seconds=1.5)
    write_alerts(post, make_scene(learners=1, completed=1_000_000))
    began = time.monotonic()
    work(Mails, seconds=1)
    assert time.monotonic() - began < 5
    assert rows("SELECT unsure, error FROM mail WHERE attempts = 1") == [(1, "no answer within 2 seconds")]
    until(lambda: hanging("mail") == 0)
    listening.close()


def test_no_database_connection_is_held_while_waiting_for_a_server(
    post: Post, set_up: SetUp, by_mail: LoopbackMailServer, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(webhook_allow_private=True)
    scene = make_scene(learners=2, completed=0, begun=0)
    with transaction() as session:
        complete(session, scene.enrolments()[0].registration)
        open_endpoint(session, scene.organization.id, f"http://127.0.0.1:{receiver.port}/", list(WebhookEvent))
    held: list[tuple[str, int]] = []

    def note(who: str) -> None:
        pool: Any = engine().pool
        held.append((who, pool.checkedout()))

    def taken(_: str) -> str:
        note("mail")
        return "250 OK"

    def answered(_: Received) -> int:
        note("webhook")
        return 204

    write = storage.write
    monkeypatch.setattr(storage, "write", lambda *what: (note("storage"), write(*what)))
    by_mail.handler.on_message, receiver.answer = taken, answered
    work(Certificates)
    write_alerts(post, scene)
    assert [work(Mails), work(Deliveries)] == [2, 3]
    assert Counter(held) == {("storage", 0): 1, ("mail", 0): 2, ("webhook", 0): 3}


def test_endpoints_of_one_organization_that_hang_leave_room_for_the_others(
    database: str, post: Post, set_up: SetUp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more hanging endpoints of one organization than may be written to at once
    monkeypatch.setattr("tasks.webhooks.post.SECONDS", 4.0)
    set_up(webhook_allow_private=True, webhooks_at_once=6, webhooks_at_once_each=5)
    many, one = make_scene("many", learners=1), make_scene("one", learners=1)
    with Hung() as hung:
        with transaction() as session:
            for number in range(20):
                open_endpoint(
                    session, many.organization.id, f"http://127.0.0.1:{hung.port}/{number}", list(WebhookEvent)
                )
            open_endpoint(session, one.organization.id, f"http://127.0.0.1:{receiver.port}/", list(WebhookEvent))
        write_alerts(post, many)
        write_alerts(post, one)
        began = time.monotonic()
        recover()
        thread = threading.Thread(target=post.drain)
        thread.start()
        until(lambda: len(receiver.received) == 3)
        took = time.monotonic() - began
        assert hung.connections <= 5
        thread.join(60)
    assert took < 3


def test_another_process_takes_over_when_the_one_running_the_outboxes_dies(
    start_worker: Callable[..., Worker], set_up: SetUp, receiver: Receiver
) -> None:
    # Given a worker that is killed while it waits for a receiver
    set_up(webhook_allow_private=True)
    scene = make_scene(learners=1)
    with Hung() as hung:
        with transaction() as session:
            open_endpoint(
                session, scene.organization.id, f"http://127.0.0.1:{hung.port}/", [WebhookEvent.RESET_STARTED]
            )
            open_endpoint(
                session, scene.organization.id, f"http://127.0.0.1:{receiver.port}/", [WebhookEvent.RESET_COMPLETED]
            )
        first = start_worker()
        scene.request()
        until(lambda: hung.connections > 0)
        first.kill()
        start_worker()
        # Then another takes over once the lease ends
        until(lambda: receiver.received, 30)


MILLION = """
INSERT INTO mail (user_id, organization_id, kind, bundle, next_try_at)
SELECT :user, :organization, 'course_assigned', n::text, now() - interval '1 hour' + n * interval '1 ms'
FROM generate_series(1, :count) n
"""


def test_the_next_turn_among_hundreds_of_thousands_is_found_through_the_index(database: str) -> None:
    many, one = make_scene("many", learners=1), make_scene("one", learners=1)
    for scene, count in ((many, 300_000), (one, 3)):
        run(MILLION, user=scene.admin.user_id, organization=scene.organization.id, count=count)
    run("ANALYZE mail")
    with transaction() as session:
        found = turns(session, MAILS)
        assert [turn.key for turn in found] == [many.organization.id, one.organization.id]
        for name, statement in (("turns", turns_query(MAILS)), ("take", take_query(MAILS, found[0], Mails.waits, 1))):
            compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
            plan = list(session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF) {compiled}").scalars())
            print(f"{name}:", *plan, sep="\n  ")  # noqa: T201 - with `pytest -s`, to look at
            assert "Seq Scan on mail" not in "\n".join(plan)
            assert "ix_mail_due" in "\n".join(plan)
            assert not [line for line in plan if "Sort Key: mail" in line]
            assert float(plan[-1].split()[2]) < MOST_MILLISECONDS
