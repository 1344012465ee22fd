"""E-mails: their content, their recipients, and a mail server with faults."""

import re
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.links import unsubscribing
from models.leases import hold
from models.mail import MailFigures, mails_of
from models.preferences import AlertLevel
from models.session import transaction
from tasks.alerts.mail import Mails
from tasks.outbox.answers import Never
from tasks.outbox.run import LEASE
from tasks.outbox.waits import OVER_A_DAY as WAITS
from tasks.people.preferences import set_level
from tests.mail_server import DROP, TAKE_AND_DROP, LoopbackMailServer
from tests.outboxes import settle, take_one, work
from tests.post import Letter, Post
from tests.rules import CALENDAR, tick
from tests.rules import make as make_rule
from tests.scenes import OTHER_COURSE, Scene, ask, fail_for, let_all_pass, make_scene, recover, report_of, rows, run
from tests.web import visitor

SetUp = Callable[..., None]


@pytest.fixture
def mail_server() -> Iterator[LoopbackMailServer]:
    with LoopbackMailServer() as server:
        yield server


@pytest.fixture
def by_mail(database: str, mail_server: LoopbackMailServer, set_up: SetUp) -> LoopbackMailServer:
    """The mail server of the settings. E-mails are not gathered, so they are due at once."""
    set_up(
        smtp_host="127.0.0.1",
        smtp_port=mail_server.port,
        smtp_security="none",
        smtp_timeout_seconds=3,
        mail_from="Training <training@acme.example>",
        mail_per_second=10_000,
        mail_gather_seconds=0,
        public_url="https://training.acme.example",
    )
    return mail_server


def reset_all(scene: Scene, post: Post, **options: object) -> UUID:
    """Reset the course and deliver all messages, including those for e-mails."""
    reset = scene.request(scene.preview(**options))
    post.drain()
    return reset


def until_there_is(post: Post, task: str) -> list[Letter]:
    """Deliver messages until one of this task waits. Returns all waiting messages."""
    letters = post.take()
    while task not in {letter.task for letter in letters}:
        assert letters
        for letter in letters:
            post.deliver(letter)
        letters = post.take()
    return letters


def figures(reset: UUID) -> MailFigures:
    with transaction() as session:
        return mails_of(session, reset)


def later() -> None:
    """Make every e-mail's next try due."""
    run("UPDATE mail SET next_try_at = now() WHERE state = 'pending'")


def address(number: int) -> str:
    return f"learner-{number}@acme.example"


def test_each_learner_who_was_cleared_gets_one_email_and_the_requester_a_digest(
    by_mail: LoopbackMailServer, post: Post
) -> None:
    # Given twelve learners who completed the course, the tenth with notifications off
    scene = make_scene(completed=100)
    reset = reset_all(scene, post)
    assert sorted(one.to for one in by_mail.delivered) == sorted(
        ["admin@acme.example", *(address(n) for n in range(1, 13) if n != 10)]
    )
    assert figures(reset) == MailFigures(0, 0, 12, 0, 0, 0)
    assert by_mail.handler.connections == 1
    # However often this runs, no e-mail is sent twice
    recover()
    post.drain()
    assert work(Mails) == 0
    assert len(by_mail.delivered) == 12


def test_an_email_says_what_to_do_in_the_users_language_and_time_zone(by_mail: LoopbackMailServer, post: Post) -> None:
    scene = make_scene(learners=2, completed=100)
    german, english = scene.users()
    run("UPDATE \"user\" SET locale = 'de-CH', name = 'Zoë Müller' WHERE id = :id", id=german.id)
    run(
        "UPDATE \"user\" SET locale = 'xx', time_zone = 'Pacific/Kiritimati' WHERE id = :id",
        id=english.id,
    )
    run("UPDATE course SET title = 'Fire & <safety>'")
    scene.request()
    held = until_there_is(post, "recourse.notify")
    run("UPDATE enrolment SET due_at = '2027-03-01 12:00+00'")
    for letter in held:
        post.deliver(letter)
    post.drain()
    [sent] = by_mail.to(german.email)
    assert sent.message["From"] == "Training <training@acme.example>"
    assert sent.message["To"] == f"Zoë Müller <{german.email}>"
    assert sent.message["Subject"] == "Fire & <safety> ist Ihnen erneut zugewiesen"
    assert sent.message["Content-Language"] == "de"
    assert sent.message["Auto-Submitted"] == "auto-generated"
    assert "Guten Tag Zoë Müller," in sent.part("plain")
    assert "Fire & <safety> (FIRE-101)\n  Fällig am 1. März 2027\n  Grund: yearly recertification\n" in sent.part(
        "plain"
    )
    assert "https://training.acme.example/my/courses/FIRE-101" in sent.part("plain")
    assert "Fire &amp; &lt;safety&gt; (FIRE-101)" in sent.part("html")
    [sent] = by_mail.to(english.email)
    assert sent.message["Subject"] == "Fire & <safety> is assigned to you again"
    assert "Due on 2 March 2027" in sent.part("plain"), "it is already the next day there"


def test_alerts_lead_to_the_platforms_own_course_page(
    by_mail: LoopbackMailServer, post: Post, set_up: SetUp, served: str
) -> None:
    set_up(course_url="https://lms.acme.example/courses/{external_id}")
    scene = make_scene(learners=1, completed=100)
    run("UPDATE course SET external_id = 'fire/7' WHERE code = 'FIRE-101'")
    reset_all(scene, post)
    reset_all(scene, post, course=OTHER_COURSE)  # which the platform does not know
    [user] = scene.users()
    fire, data = (one.part("plain") for one in by_mail.to(user.email))
    assert "https://lms.acme.example/courses/fire%2F7" in fire
    assert "https://training.acme.example/my/courses/DATA-202" in data
    set_up(course_url="https://lms.acme.example/courses/{external_id}", public_url=served)  # for a cookie without https
    inbox = visitor(served, user.id).get("/my/inbox").text
    assert 'href="https://lms.acme.example/courses/fire%2F7"' in inbox
    assert 'href="/my/courses/DATA-202"' in inbox
    assert "Reason: yearly recertification" in inbox
    run("UPDATE enrolment SET due_at = '2027-03-01 12:00+00', state = 'assigned'")
    assert re.search(r"Take this course again by <time[^>]*>1 Mar 2027", visitor(served, user.id).get("/my/inbox").text)


def test_an_email_can_be_ended_with_one_click(by_mail: LoopbackMailServer, post: Post) -> None:
    scene = make_scene(learners=1, completed=100)
    [user] = scene.users()
    reset_all(scene, post)
    [sent] = by_mail.to(user.email)
    assert sent.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(sent.message["List-Unsubscribe"]).strip(" <>")
    assert link in sent.part("plain")
    assert link.startswith("https://training.acme.example/unsubscribe/")
    assert unsubscribing(link.rpartition("/")[2]) == user.id
    assert unsubscribing(link.rpartition("/")[2] + "x") is None


def test_the_digest_has_the_result_and_comes_once(by_mail: LoopbackMailServer, post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    fail_for(scene.enrolments()[0])
    reset = reset_all(scene, post)
    [digest] = by_mail.to("admin@acme.example")
    assert digest.message["Subject"] == "Reset of Fire safety finished"
    said = digest.part("plain")
    assert "Some learners could not be reset." in said
    assert "3 learners: 2 reset, 0 had nothing to reset, 0 skipped, 1 failed" in said
    assert "Reason: yearly recertification" in said
    assert f"https://training.acme.example/resets/{reset}" in said
    assert "https://training.acme.example/training/content/courses/FIRE-101" in said
    assert "learner-1" not in said
    let_all_pass()
    scene.retry_failed(reset)
    post.drain()
    assert len(by_mail.to("admin@acme.example")) == 1
    assert len(by_mail.to(address(1))) == 1
    assert report_of(reset)["notified"] == 3


def test_several_courses_reset_within_a_minute_make_one_email(
    by_mail: LoopbackMailServer, post: Post, set_up: SetUp
) -> None:
    set_up(mail_gather_seconds=60)
    scene = make_scene(learners=2, completed=100)
    resets = [scene.request(scene.preview(course=course)) for course in ("FIRE-101", OTHER_COURSE)]
    post.drain()
    assert {one.to for one in by_mail.delivered} == {"admin@acme.example"}, "digests do not wait"
    assert ask("SELECT min(next_try_at) - now() > interval '50 s' FROM mail WHERE state = 'pending'")
    later()
    work(Mails)
    for user in scene.users():
        [sent] = by_mail.to(user.email)
        assert sent.message["Subject"] == "2 courses are assigned to you again"
        assert "Data protection (DATA-202)" in sent.part("plain")
        assert "Fire safety (FIRE-101)" in sent.part("plain")
    assert [figures(reset).sent for reset in resets] == [3, 3], "two learners' and a digest"
    # A reset after that makes another e-mail
    run("UPDATE enrolment SET state = 'in_progress', progress = 1")
    scene.request()
    post.drain()
    later()
    work(Mails)
    assert [len(by_mail.to(user.email)) for user in scene.users()] == [2, 2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ('UPDATE "user" SET active = false WHERE id = :id', "the user is deactivated"),
        ('UPDATE "user" SET notifications_on = false WHERE id = :id', "the user's notifications are off"),
        ('UPDATE "user" SET mail_on = false WHERE id = :id', "the user wants no e-mail"),
        ("UPDATE enrolment SET unassigned_at = now() WHERE user_id = :id", "the course is no longer assigned"),
        (
            "INSERT INTO alert_preference SELECT :id, id, 'inbox' FROM course",
            "the user wants no e-mail about this course",
        ),
        (
            "INSERT INTO alert_preference SELECT :id, id, 'none' FROM course",
            "the user wants no alerts about this course",
        ),
    ],
)
def test_an_outdated_email_is_not_sent_and_has_a_reason(
    by_mail: LoopbackMailServer, post: Post, set_up: SetUp, change: str, reason: str
) -> None:
    # Given a change between the alert in the inbox and its e-mail
    set_up(mail_gather_seconds=60)
    scene = make_scene(learners=2, completed=100)
    user, other = scene.users()
    reset = reset_all(scene, post)
    run(change, id=user.id)
    later()
    work(Mails)
    assert by_mail.to(user.email) == []
    assert len(by_mail.to(other.email)) == 1
    assert rows("SELECT state, reason FROM mail WHERE user_id = :id", id=user.id) == [("suppressed", reason)]
    assert figures(reset).suppressed == 1


def test_a_wish_for_one_course_is_for_that_course_alone(by_mail: LoopbackMailServer, post: Post) -> None:
    scene = make_scene(learners=3, completed=100)
    silent, inbox, _ = scene.users()
    with transaction() as session:
        set_level(session, silent.id, scene.course.id, AlertLevel.NONE)
        set_level(session, inbox.id, scene.course.id, AlertLevel.NONE)
        set_level(session, inbox.id, scene.course.id, AlertLevel.INBOX)
    planned = scene.preview()
    assert planned.alerts == 2
    reset = scene.request(planned)
    scene.request(scene.preview(course=OTHER_COURSE))
    post.drain()
    assert report_of(reset)["notified"] == 2
    assert [one.message["Subject"] for one in by_mail.to(silent.email)] == ["Data protection is assigned to you again"]
    assert [one.message["Subject"] for one in by_mail.to(inbox.email)] == ["Data protection is assigned to you again"]
    with transaction() as session:
        set_level(session, silent.id, scene.course.id, AlertLevel.ALL)
    assert ask("SELECT count(*) FROM alert_preference") == 1


def test_temporary_and_permanent_failures_are_distinguished(by_mail: LoopbackMailServer, post: Post) -> None:
    # Given a server that rejects one address and defers another
    answers = {address(1): "550 5.1.1 no such user here", address(2): "451 4.7.1 greylisted, come back later"}
    by_mail.handler.on_recipient = lambda to: answers.get(to, "250 OK")
    scene = make_scene(learners=4, completed=100)
    reset = reset_all(scene, post)
    assert {one.to for one in by_mail.delivered} == {address(3), address(4), "admin@acme.example"}
    assert rows("SELECT state, attempts, reason, error FROM mail WHERE state <> 'sent' ORDER BY user_id") == [
        ("failed", 1, "550 5.1.1 no such user here", "550 5.1.1 no such user here"),
        ("pending", 1, None, "451 4.7.1 greylisted, come back later"),
    ]
    assert figures(reset) == MailFigures(pending=1, retried=1, sent=3, suppressed=0, failed=1, maybe_repeated=0)
    # The reset is not affected
    assert report_of(reset)["state"] == "succeeded"
    assert report_of(reset)["done"]
    assert report_of(reset)["notified"] == 4
    # The next try is in a minute, and not before
    assert 55 < ask("SELECT extract(epoch FROM next_try_at - now()) FROM mail WHERE state = 'pending'") <= 60
    assert work(Mails) == 0
    del answers[address(2)]
    later()
    assert work(Mails) == 1
    assert figures(reset).sent == 4
    assert by_mail.handler.seen[address(1)] == 1, "never is never"


def test_tries_are_spread_over_a_day_and_then_end(by_mail: LoopbackMailServer, post: Post) -> None:
    assert timedelta(days=1) < timedelta(seconds=sum(WAITS)) < timedelta(days=1.1)
    by_mail.handler.on_message = lambda to: "452 4.2.2 mailbox full" if to == address(1) else "250 OK"
    scene = make_scene(learners=1, completed=100)
    reset_all(scene, post)
    waits = []
    for _ in WAITS:
        waits.append(round(ask("SELECT extract(epoch FROM next_try_at - now()) FROM mail WHERE state = 'pending'")))
        later()
        assert work(Mails) == 1
    assert [abs(waited - wait) < 5 for waited, wait in zip(waits, WAITS, strict=True)] == [True] * len(WAITS)
    assert rows("SELECT state, attempts, reason FROM mail WHERE state <> 'sent'") == [
        ("failed", 8, "given up after 8 attempts: 452 4.2.2 mailbox full")
    ]


def test_a_connection_that_drops_costs_the_one_email_a_minute(by_mail: LoopbackMailServer, post: Post) -> None:
    dropped: list[str] = []

    def drop_once(to: str) -> str:
        if to == address(2) and not dropped:
            dropped.append(to)
            return DROP
        return "250 OK"

    by_mail.handler.on_recipient = drop_once
    scene = make_scene(learners=4, completed=100)
    reset = reset_all(scene, post)
    assert figures(reset) == MailFigures(pending=1, retried=1, sent=4, suppressed=0, failed=0, maybe_repeated=0)
    assert by_mail.handler.connections == 2
    later()
    work(Mails)
    assert len(by_mail.to(address(2))) == 1
    assert figures(reset).maybe_repeated == 0, "nothing had been handed over when it dropped"


def test_an_unconfirmed_email_is_repeated_with_the_same_id_and_counted(by_mail: LoopbackMailServer, post: Post) -> None:
    by_mail.handler.on_message = lambda to: TAKE_AND_DROP if len(by_mail.to(to)) == 0 else "250 OK"
    scene = make_scene(learners=1, completed=100)
    reset = reset_all(scene, post)
    later()
    work(Mails)
    first, second = by_mail.to(address(1))
    assert first.id == second.id
    assert first.id.endswith("@acme.example>")
    assert figures(reset).maybe_repeated == 2, "the learner's and the digest"
    assert len({one.id for one in by_mail.delivered}) == 2


def test_a_worker_killed_between_the_servers_ok_and_the_commit_repeats_with_the_same_id(
    by_mail: LoopbackMailServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene(learners=1, completed=100)
    scene.request()
    until_there_is(post, "recourse.work_outboxes")
    with monkeypatch.context() as patched:
        patched.setattr(Mails, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            work(Mails)
    assert len(by_mail.delivered) == 1
    later()
    work(Mails)
    reset = ask("SELECT id FROM reset")
    twice = by_mail.delivered[0].to
    first, second = by_mail.to(twice)
    assert first.id == second.id
    assert figures(reset) == MailFigures(0, 0, 2, 0, 0, maybe_repeated=1)
    assert rows("SELECT attempts, unsure FROM mail ORDER BY unsure DESC") == [(2, 1), (1, 0)]


def test_an_answer_that_comes_too_late_changes_nothing(by_mail: LoopbackMailServer, post: Post) -> None:
    # Given an e-mail that another process has taken since
    scene = make_scene(learners=1, completed=100)
    scene.request()
    until_there_is(post, "recourse.work_outboxes")
    first = take_one(Mails)
    later()
    second = take_one(Mails)
    while second.key != first.key:
        second = take_one(Mails)
    settle(Mails, first, Never("550 no"))
    assert rows("SELECT state, attempts FROM mail WHERE id = :id", id=first.key[0]) == [("pending", 2)]


def test_an_unreachable_server_counts_against_no_email(by_mail: LoopbackMailServer, post: Post, set_up: SetUp) -> None:
    set_up(smtp_port=9)
    scene = make_scene(learners=2, completed=100)
    reset = reset_all(scene, post)
    assert report_of(reset)["done"]
    assert rows("SELECT state, attempts FROM mail") == [("pending", 0)] * 3
    set_up(smtp_port=by_mail.port)
    recover()
    post.drain()
    assert figures(reset).sent == 3


def test_a_refused_sender_fails_no_email_for_good(by_mail: LoopbackMailServer, post: Post) -> None:
    by_mail.handler.on_sender = lambda _: "550 5.7.60 not allowed to send as this sender"
    scene = make_scene(learners=1, completed=100)
    reset = reset_all(scene, post)
    assert figures(reset).pending == 2
    assert figures(reset).failed == 0
    by_mail.handler.on_sender = lambda _: "250 OK"
    later()
    work(Mails)
    assert figures(reset).sent == 2


def test_no_more_emails_a_second_than_allowed(by_mail: LoopbackMailServer, post: Post, set_up: SetUp) -> None:
    set_up(mail_per_second=20)
    make_scene(learners=10, completed=100).request()
    began = time.monotonic()
    post.drain()
    assert len(by_mail.delivered) == 10
    assert time.monotonic() - began > 9 / 20


def test_only_one_process_sends_at_a_time(by_mail: LoopbackMailServer, post: Post) -> None:
    scene = make_scene(learners=1, completed=100)
    other = uuid4()
    with transaction() as session:
        assert hold(session, LEASE, other, 60)
    scene.request()
    post.drain()
    assert by_mail.delivered == []
    # It takes over when the other has given no sign of life for a while
    run("UPDATE lease SET until = now() - interval '1 ms'")
    recover()
    post.drain()
    assert len(by_mail.delivered) == 2
    with transaction() as session:
        assert hold(session, LEASE, other, 60), "it was given back"
    assert ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


def test_without_a_mail_server_alerts_only_reach_the_inbox(post: Post) -> None:
    scene = make_scene(learners=2, completed=100)
    reset = reset_all(scene, post)
    assert report_of(reset)["notified"] == 2
    assert ask("SELECT count(*) FROM mail") == 0


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("a b@acme.example\r\nBcc: all@acme.example", "Kim"),
        ("kim@acme@example", "Kim"),
        ("kim@", "Kim"),
        ("zoë@acme.example", "Zoë"),
    ],
)
def test_an_address_that_is_none_fails_alone(by_mail: LoopbackMailServer, post: Post, email: str, name: str) -> None:
    scene = make_scene(learners=2, completed=100)
    bad, good = scene.users()
    run('ALTER TABLE "user" DROP CONSTRAINT ck_user_email_has_an_at')
    run('UPDATE "user" SET email = :email, name = :name WHERE id = :id', email=email, name=name, id=bad.id)
    reset_all(scene, post)
    assert len(by_mail.to(good.email)) == 1
    [(state, reason)] = rows("SELECT state, reason FROM mail WHERE user_id = :id", id=bad.id)
    assert state == "failed"
    assert reason
    assert {one.to for one in by_mail.delivered} == {good.email, "admin@acme.example"}


def test_names_and_titles_cannot_add_headers(by_mail: LoopbackMailServer, post: Post) -> None:
    scene = make_scene(learners=1, completed=100)
    [user] = scene.users()
    run("UPDATE \"user\" SET name = E'Kim\\r\\nBcc: all@acme.example' WHERE id = :id", id=user.id)
    run("UPDATE course SET title = E'Fire\\r\\nBcc: all@acme.example'")
    reset_all(scene, post)
    [sent] = by_mail.to(user.email)
    assert sent.message["Bcc"] is None
    assert sent.message["Subject"] == "Fire Bcc: all@acme.example is assigned to you again"


def test_warnings_of_a_retraining_rule_reach_inbox_and_email(by_mail: LoopbackMailServer, post: Post) -> None:
    scene = make_scene(learners=1)
    [user] = scene.users()
    yearly = CALENDAR | {"starts": "2020-03-01T23:30", "time_zone": "UTC", "warn_days": 14}
    rule = make_rule(scene, datetime(2026, 1, 2, tzinfo=UTC), **yearly)
    run("UPDATE \"user\" SET time_zone = 'Europe/Zurich' WHERE id = :id", id=user.id)
    tick(datetime(2026, 2, 16, tzinfo=UTC))
    run(
        "INSERT INTO notification (kind, user_id, course_id, occurrence_id) "
        "SELECT 'rule_waits', :user, :course, min(id) FROM occurrence",
        user=scene.admin.user_id,
        course=scene.course.id,
    )
    recover()
    assert {"recourse.notify", "recourse.work_outboxes"} <= {letter.task for letter in post.drain()}
    assert rows("SELECT DISTINCT state FROM notification") == [("sent",)]
    [sent] = by_mail.to(user.email)
    assert sent.message["Subject"] == "Fire safety will be assigned to you again"
    assert "Assigned again on 2 March 2026" in sent.part("plain"), "it is already the next day in Zurich"
    [sent] = by_mail.to("admin@acme.example")
    assert sent.message["Subject"] == "A retraining rule for Fire safety needs your decision"
    assert f"https://training.acme.example/rules/{rule}" in sent.part("plain")


def test_a_connection_is_encrypted_and_signed_in_and_the_certificate_is_checked(
    database: str, post: Post, set_up: SetUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _own_certificate(tmp_path)
    with LoopbackMailServer(tls=own, password="open sesame") as server:
        set_up(
            smtp_host="127.0.0.1",
            smtp_port=server.port,
            smtp_user="recourse",
            smtp_password="open sesame",
            mail_from="training@acme.example",
            mail_gather_seconds=0,
        )
        scene = make_scene(learners=1, completed=100)
        # A certificate from an unknown authority is refused
        reset = reset_all(scene, post)
        assert server.delivered == []
        assert figures(reset).pending == 2
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        recover()
        post.drain()
        assert [(one.encrypted, one.user) for one in server.delivered] == [(True, "recourse")] * 2
        # And a wrong password counts against no e-mail
        set_up(smtp_password="open barley")
        again = reset_all(scene, post, course=OTHER_COURSE)
        assert rows("SELECT state, attempts FROM mail WHERE state = 'pending'") == [("pending", 0)] * 2
        assert figures(again).sent == 0


def _own_certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context
