"""What does not do its work is known, and who has what."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
import redis

from cli.local import LocalServers
from models.certificates import DOCUMENTS
from models.mail import MAILS
from models.outbox import Outbox, Turn, take
from models.resets import Reset
from models.session import transaction
from models.signs import MOST_GIVEN_UP
from models.webhook_messages import tell
from models.webhooks import WebhookEvent, open_endpoint
from tasks.app import app
from tasks.report import progress_of
from tasks.reset.in_hand import in_hand
from tasks.reset.lookup import line_of
from tasks.reset.pause import pause_everything, resume_everything
from tasks.reset.stalled import stalled
from tasks.troubles import OVERDUE, TRIED, Kind, Trouble, beat_patience, troubles
from tests.conftest import PROJECT
from tests.crashes import kill_redis
from tests.scenes import Scene, ask, make_scene, recover, run, slow_down
from tests.workers import Worker, until

AN_HOUR_AGO = "now() - interval '1 h'"


def why(reset: UUID) -> Trouble | None:
    with transaction() as session:
        return stalled(session, line_of(session, session.get_one(Reset, reset)), progress_of(session, reset))


def workers(reset: UUID) -> list[tuple[str, int]]:
    with transaction() as session:
        return [(one.worker, one.learners) for one in in_hand(session, session.get_one(Reset, reset))]


def found(scene: Scene) -> list[tuple[Kind, str]]:
    with transaction() as session:
        return [(one.kind, one.what) for one in troubles(session, scene.organization.id)]


def beat(at: str = "now()", part: str = "beat") -> None:
    run(
        f"INSERT INTO heartbeat (part, at) VALUES (:part, {at}) ON CONFLICT (part) DO UPDATE SET at = excluded.at",
        part=part,
    )


def test_a_reset_says_that_no_worker_is_there_and_then_which_one_has_what(
    start_worker: Callable[..., Worker], set_up: Callable[..., None]
) -> None:
    # Given a large reset, whose slices wait for a worker, and one that has the queue of a single learner
    set_up(flower_url="http://flower.example")
    scene = make_scene(learners=600, completed=1000)
    start_worker(queues="interactive,notify")
    reset = scene.request()
    until(lambda: ask("SELECT unread_since FROM queue_probe WHERE queue = 'bulk'"))
    # When it was sent a moment ago, nobody is asked
    assert (why(reset), found(scene)) == (None, [])
    # When that is a while ago, the workers are asked, and it is known since when none of them reads the queue
    since = ask(
        "WITH old AS (UPDATE reset_slice SET published_at = now() - interval '5 min') "
        "UPDATE queue_probe SET unread_since = now() - interval '5 min' WHERE queue = 'bulk' RETURNING unread_since"
    )
    until(lambda: found(scene))
    assert found(scene) == [(Kind.QUEUE, "bulk")]
    assert why(reset) == Trouble(Kind.QUEUE, "bulk", since)
    assert workers(reset) == []
    # When there is one, it is known what it has, and nothing is missing any more
    slow_down(1.0)
    start_worker(queues="bulk", beat=False)
    until(lambda: workers(reset))
    [(name, learners), *_] = workers(reset)
    assert re.fullmatch(r"worker-1@\S+", name)
    assert learners > 0
    until(lambda: not found(scene))
    assert why(reset) is None
    run("DROP FUNCTION dawdle CASCADE")


def test_everything_that_does_not_do_its_work_is_named(database: str) -> None:
    scene = make_scene(learners=2)
    assert found(scene) == [(Kind.BEAT, "")]
    beat()
    assert found(scene) == []
    recover()
    run(f"UPDATE heartbeat SET at = {AN_HOUR_AGO} WHERE part = 'recover'")
    assert found(scene) == [(Kind.TICKS, "interactive")]
    beat(AN_HOUR_AGO)  # nothing follows for the worker from ticks that nobody sends
    assert found(scene) == [(Kind.BEAT, "")]
    beat()
    run("DELETE FROM heartbeat WHERE part = 'recover'")
    # A process of an earlier release sets only `sent_in_vain` back when a queue is read
    run(f"INSERT INTO queue_probe VALUES ('bulk', {AN_HOUR_AGO}, 0, NULL, {AN_HOUR_AGO}, true)")
    assert found(scene) == [(Kind.QUEUE, "bulk")]
    recover()
    assert found(scene) == []
    run("DELETE FROM heartbeat WHERE part = 'recover'")
    with transaction() as session:
        pause_everything(session, "console:root", "their directory is broken")
    assert found(scene) == [(Kind.EVERYTHING_PAUSED, "their directory is broken")]
    with transaction() as session:
        resume_everything(session, "console:root")
    # An outbox of ours, and none of another organization's
    other = make_scene("other", learners=1)
    reset = scene.request()
    with transaction() as session:
        open_endpoint(session, scene.organization.id, "https://example.org/hook", list(WebhookEvent))
        for _ in range(MOST_GIVEN_UP + 1):
            tell(session, scene.organization.id, WebhookEvent.RESET_STARTED, reset, {})
    assert found(scene) == []
    run("UPDATE webhook_delivery SET next_try_at = now() - make_interval(secs => :s)", s=OVERDUE + 1)
    assert found(scene) == [(Kind.OVERDUE, "webhook")]
    run("UPDATE webhook_delivery SET next_try_at = now() + interval '1 h', attempts = :n", n=TRIED)
    assert found(scene) == [(Kind.FAILING, "webhook")]
    assert found(other) == []
    run("UPDATE webhook_delivery SET state = 'failed', tried_at = now()")
    assert found(scene) == [(Kind.GIVEN_UP, "webhook")]
    run("UPDATE webhook_delivery SET tried_at = now() - interval '2 h'")
    assert found(scene) == []


@pytest.mark.parametrize(
    ("name", "outbox", "insert", "give_up"),
    [
        (
            "mail",
            MAILS,
            """INSERT INTO mail (user_id, organization_id, kind, bundle, next_try_at)
               SELECT id, organization_id, 'course_assigned', '', now() FROM "user" """,
            "UPDATE mail SET state = 'failed', reason = '550 no such user' WHERE attempts = 1",
        ),
        (
            "certificate",
            DOCUMENTS,
            """INSERT INTO certificate (registration, serial, organization_id, pdf_due_at)
               SELECT registration, registration::text, organization_id, now() FROM enrolment""",
            "UPDATE certificate SET pdf_due_at = NULL, pdf_error = 'away' WHERE pdf_attempts = 1",
        ),
    ],
    ids=["mail", "certificate"],
)
def test_many_that_were_given_up_lately_are_named(
    database: str, set_up: Callable[..., None], name: str, outbox: Outbox, insert: str, give_up: str
) -> None:
    set_up(smtp_host="mail.example", mail_from="training@acme.example")
    scene = make_scene(learners=2 * MOST_GIVEN_UP, completed=0)
    beat()
    run(insert)

    def fail_for_good(items: int) -> None:
        with transaction() as session:
            turn = Turn(scene.organization.id, scene.organization.id)
            assert len(take(session, outbox, turn, (60,), items)) == items
        run(give_up)

    fail_for_good(MOST_GIVEN_UP)
    assert found(scene) == []
    fail_for_good(1)
    assert found(scene) == [(Kind.GIVEN_UP, name)]


def test_a_worker_that_reads_its_queue_is_not_called_missing(
    database: str, own_servers: LocalServers, redis_server: redis.Redis
) -> None:
    scene = make_scene(learners=2)
    reset = scene.request()
    run(f"UPDATE reset SET requested_at = {AN_HOUR_AGO}, start_at = {AN_HOUR_AGO}")
    beat()
    # Where ticks are not carried out, it is not known whether a worker is missing
    beat(AN_HOUR_AGO, "recover")
    since = ask("SELECT at FROM heartbeat WHERE part = 'recover'")
    assert why(reset) == Trouble(Kind.TICKS, "interactive", since)
    # When the worker drops late ticks, but reads probes
    sent_at = ask("SELECT now()").isoformat()
    app.tasks["recourse.probe"](queue="bulk", sent_at=sent_at)
    assert found(scene) == [(Kind.TICKS, "interactive")]
    app.tasks["recourse.probe"](queue="interactive", sent_at=sent_at)
    assert (found(scene), why(reset)) == ([], None)
    # When it carries out a tick, and the broker is away
    beat(AN_HOUR_AGO, "recover")
    kill_redis(redis_server)
    try:
        recover()
    finally:
        own_servers.start()
    assert found(scene) == []


def test_the_alert_rules_have_the_same_limits() -> None:
    rules = (PROJECT / "deploy" / "prometheus-rules.yml").read_text()
    assert rules.count("_overdue_seconds") == rules.count(f"> {OVERDUE:.0f}") == 2
    assert beat_patience() < int(re.search(r"recourse_beat_age_seconds > (\d+)", rules)[1])
