"""Periodic tasks and frequent queries read open or due rows only, however large the tables are."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client import generate_latest

from models.session import transaction
from models.tokens import Scope
from models.webhooks import WebhookEvent, open_endpoint
from tasks.app import app
from tests.crowd import LARGE, Looked, Looking, fill, looking
from tests.post import Post
from tests.rules import CALENDAR, ROLLING, make
from tests.scenes import Scene, ask, make_scene, run
from tests.web import client_of, token_for, visitor
from web.figures import registry

RESETS, EACH = 10_000, 20  # 200,000 learners and as many alerts
MOST_ROWS = 2_000  # of one large table in one statement
BATCH = 100  # rows that are tidied at once: as small beside these tables as the real one is beside real ones


@pytest.fixture
def scene(served: str, set_up: Callable[..., None]) -> Scene:
    """An installation with years of data, in which something is due everywhere."""
    set_up(smtp_host="127.0.0.1", smtp_port=9, smtp_security="none", mail_from="training@example.org")
    return years(RESETS, EACH, learners=100)


def years(resets: int, each: int, *, learners: int) -> Scene:
    scene = make_scene(learners=learners, completed=100)
    with transaction() as session:
        events = list(WebhookEvent)
        endpoint = open_endpoint(session, scene.organization.id, "https://example.org/hook", events).id
    long_ago = datetime.now(UTC) - timedelta(days=400)
    rule = make(scene, long_ago, **CALENDAR, starts=datetime(2020, 1, 1, 6), warn_days=30)
    make(scene, long_ago, **ROLLING, at_time=datetime(2020, 1, 1, 6).time(), warn_days=10)
    app.backend.ResultSession().close()
    fill(scene, rule, endpoint, resets=resets, each=each)
    return scene


def in_all_of_it(scene: Scene, post: Post, base: str) -> Iterator[Looked]:
    """Every statement of what runs by the clock and of what it sends, of metrics, of doctor, and of pages, some
    of which are asked every second."""
    from cli.checks import Places, examine  # these import tasks, which no test module may
    from tasks.reset.reset_course import mark_reported
    from worker.beat import report_alive, schedule_ticks

    schedule_ticks(app)
    halted = scene.request(audience="users", users=[user.id for user in scene.users()[:50]])
    post.deliver(post.take()[0])
    for letter in post.take()[:10]:
        post.deliver(letter)
    post.take()  # and the rest is lost
    run("UPDATE reset_slice SET published_at = now() - interval '1 hour' WHERE settled_at IS NULL")
    run("UPDATE reset SET requested_at = requested_at - interval '1 hour', start_at = start_at - interval '1 hour' ")
    run("UPDATE retraining_rule SET look_at = now()")
    with looking() as seen:
        for name, tick in app.conf.beat_schedule.items():
            with seen.at(name):
                app.tasks[tick["task"]]()
        with seen.at("what they send"):
            post.drain()
        run("UPDATE reset SET reported_at = NULL WHERE id = :id", id=halted)
        with seen.at("mark_reported"):
            mark_reported(str(halted))
        with seen.at("beat"):
            report_alive()
        with seen.at("metrics"):
            generate_latest(registry)
        with seen.at("doctor"):
            list(examine(Places(None, None), ["database", "migrations", "beat"]))
        _ask_pages(scene, base, halted, seen)
    yield from seen.seen


def _ask_pages(scene: Scene, base: str, reset: object, seen: Looking) -> None:
    old = ask("SELECT id FROM reset WHERE finished_at < now() - interval '10 days' ORDER BY id DESC LIMIT 1")
    admin, learner = visitor(base, scene.admin.user_id), visitor(base, scene.users()[0].id)
    program = client_of(base, token_for(scene.admin.user_id, *Scope))
    asked: list[tuple[httpx.Client, str]] = [
        *((admin, f"/resets/{one}{live}") for one in (reset, old) for live in ("/live", "")),
        (admin, "/resets"),
        (admin, "/resets?state=open"),
        (admin, "/resets?state=failed"),
        (admin, "/resets?state=failed&sort=course"),
        (admin, "/webhooks"),
        (admin, "/rules"),
        (learner, "/my/inbox"),
        (learner, "/my/training"),
        (program, f"/v1/resets/{reset}"),
        (program, f"/v1/resets/{old}/items"),
        (program, "/v1/resets"),
        (program, "/v1/me"),
    ]
    for client, address in asked:
        with seen.at(address.replace(str(reset), "NEW").replace(str(old), "OLD")):
            answer = client.get(address)
            assert answer.status_code == 200, (address, answer.text)


@pytest.mark.timeout(400)
def test_nothing_that_runs_by_the_clock_reads_what_is_over(
    scene: Scene, post: Post, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.retention.tidy.RUN_SECONDS", 5.0)
    for step, at_once in (("BATCH", BATCH), ("RESETS", 20)):
        monkeypatch.setattr(f"tasks.retention.tidy.{step}", at_once)
    monkeypatch.setattr("models.listing.MOST_COUNTED", 10 * BATCH)
    seen = list(in_all_of_it(scene, post, served))
    # Each of them was seen at work
    during = {looked.during for looked in seen}
    assert {
        *app.conf.beat_schedule,
        "what they send",
        "mark_reported",
        "metrics",
        "doctor",
        "/resets/NEW/live",
    } <= during
    assert {table for looked in seen for table in looked.rows} >= LARGE - {"stored_answer"}
    assert len(seen) > 200
    too_much = [looked for looked in seen if looked.from_end_to_end or looked.most > MOST_ROWS]
    assert not too_much, "\n" + "\n".join(map(str, dict.fromkeys(map(str, too_much))))


def test_a_statement_that_reads_a_whole_table_would_be_seen(scene: Scene) -> None:
    with looking() as seen, seen.at("a mistake"):
        ask("SELECT count(*) FROM reset WHERE reason = 'x'")
        run("UPDATE notification SET read_at = now() WHERE created_at < now() AND reason = 'x'")
    assert [looked.from_end_to_end for looked in seen.seen] == [{"reset"}, {"notification"}]
    assert [looked.most for looked in seen.seen] == [RESETS, RESETS * EACH]
    assert ask("SELECT count(*) FROM notification WHERE read_at > now() - interval '1 minute' AND reason = 'x'") == 0
