"""Old rows are deleted by age; open rows, and those that totals are computed from, are kept."""

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from models import metadata
from models.records import record_kinds
from models.refusals.resets import DetailsDeleted
from models.retention.periods import KEPT, RETENTIONS, WITH_ANOTHER
from tasks.app import app
from tests.integration.worker.test_metrics import figures
from tests.post import Post
from tests.scenes import OTHER_COURSE, ask, fail_for, let_all_pass, make_scene, report_of, rows, run
from tests.web import client_of, token_for, visitor

LONG_AGO = "interval '3000 days'"


def tidy() -> None:
    app.tasks["recourse.tidy"]()


def age(*columns: str) -> None:
    """Move these times, given as `table.column`, far into the past."""
    for column in columns:
        table, name = column.split(".")
        run(f"UPDATE {table} SET {name} = {name} - {LONG_AGO}")


def test_the_details_of_an_old_reset_are_deleted_and_its_totals_kept(post: Post, set_up: Callable[..., None]) -> None:
    # Given a reset that ended long ago, with one learner who failed, and one that is open
    set_up(smtp_host="127.0.0.1", mail_from="training@example.org")
    scene = make_scene(learners=12, completed=6, begun=8)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    post.drain()
    before = report_of(reset)
    assert before["notified"] > 0
    age("reset.finished_at", "notification.created_at", "mail.created_at", "mail.next_try_at")
    run("UPDATE mail SET state = 'sent', sent_at = now()")
    open_one = scene.request(course="DATA-202")
    post.deliver(post.take()[0])
    # When `tidy` runs
    tidy()
    # Then its ledger, alerts and e-mails are gone, and its report is unchanged
    assert rows("SELECT * FROM reset_item") == []
    assert rows("SELECT count(*), sum(learners) FROM reset_slice WHERE reset_id = :id", id=open_one) == [(12, 12)]
    assert ask("SELECT count(*) FROM notification WHERE reset_id = :id", id=reset) == 0
    assert ask("SELECT count(*) FROM mail") == 0
    assert report_of(reset) | {"seconds": 0} == before | {"seconds": 0}
    assert ask("SELECT count(*) FROM reset_slice WHERE reset_id = :id", id=reset) == 1


def test_open_rows_are_kept_whatever_their_age(post: Post, set_up: Callable[..., None]) -> None:
    set_up(smtp_host="127.0.0.1", mail_from="training@example.org")
    scene = make_scene(learners=3, completed=100)
    scene.request()
    post.drain()
    scene.request(course=OTHER_COURSE)
    run("UPDATE notification SET state = 'pending', sent_at = NULL WHERE id = (SELECT min(id) FROM notification)")
    age("notification.created_at", "mail.created_at", "reset.requested_at")
    kept = {table: ask(f"SELECT count(*) FROM {table}") for table in ("notification", "mail", "mail_alert", "reset")}
    tidy()
    # The reset has just ended, and its totals still come from its alerts
    assert {table: ask(f"SELECT count(*) FROM {table}") for table in kept} == kept
    age("reset.finished_at")
    tidy()
    # And pending alerts stay, as do pending e-mails with their alerts
    pending = "SELECT count(*) FROM mail WHERE state = 'pending'"
    assert ask("SELECT count(*) FROM notification WHERE state = 'pending'") == 1
    assert ask(pending) == ask("SELECT count(*) FROM mail") == kept["mail"]
    assert ask("SELECT count(*) FROM reset") == 2


def test_learners_who_failed_long_ago_cannot_be_retried_and_the_page_says_why(post: Post, served: str) -> None:
    scene = make_scene(learners=4, completed=100)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    post.drain()
    let_all_pass()
    age("reset.finished_at")
    with visitor(served, scene.admin.user_id) as browser:
        assert "Retry 1 failed learner</button>" in browser.get(f"/resets/{reset}").text
        tidy()
        page = browser.get(f"/resets/{reset}")
    assert "were deleted 730 days after its end" in page.text
    assert "Retry 1 failed learner</button>" not in page.text
    with client_of(served, token_for(scene.admin.user_id)) as program:
        answer = program.get(f"/v1/resets/{reset}/items")
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/details-deleted")
    with pytest.raises(DetailsDeleted):
        scene.retry_failed(reset)
    assert report_of(reset)["progress"] == {
        "total": 4,
        "cleared": 3,
        "unchanged": 0,
        "skipped": 0,
        "failed": 1,
        "waiting": 0,
    }


def test_resets_without_details_are_deleted_too_if_a_setting_says_so(post: Post, set_up: Callable[..., None]) -> None:
    set_up(keep_resets_days=1000)
    scene = make_scene(learners=2, completed=100)
    scene.request()
    post.drain()
    young = scene.request()
    post.drain()
    run("UPDATE reset SET finished_at = finished_at - interval '3000 days' WHERE id <> :young", young=young)
    age("notification.created_at")
    before = figures()
    for _ in range(3):  # its alerts must be gone first
        tidy()
    assert rows("SELECT id FROM reset") == [(young,)]
    after = figures()
    same = ("recourse_learners_settled_total{cleared}", "recourse_resets{succeeded}")
    assert [after[name] for name in same] == [before[name] for name in same] == [2, 2]


def test_each_run_deletes_what_its_time_allows_and_the_next_continues(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(
        "INSERT INTO sign_in_failure (account, address, at) "
        "SELECT '\\x00', '198.51.100.7', now() - interval '1 day' FROM generate_series(1, 25000)"
    )
    monkeypatch.setattr("tasks.retention.tidy.RUN_SECONDS", 0.0)
    tidy()
    assert ask("SELECT count(*) FROM sign_in_failure") == 25000
    monkeypatch.setattr("tasks.retention.tidy.RUN_SECONDS", 30.0)
    # A locked row is left to the next run, without waiting for it
    with psycopg.connect(database) as other:
        other.execute("SELECT FROM sign_in_failure WHERE id = 1 FOR UPDATE")
        tidy()
    assert ask("SELECT count(*) FROM sign_in_failure") == 1
    tidy()
    assert ask("SELECT count(*) FROM sign_in_failure") == 0
    found = figures()
    assert found["recourse_deleted_rows_total{sign_in_failure}"] == 25000
    assert found["recourse_oldest_row_seconds{sign_in_failure}"] == 0


@pytest.mark.usefixtures("database")
def test_a_table_that_fails_does_not_block_the_others() -> None:
    run("INSERT INTO sign_in_failure (account, address, at) VALUES ('\\x00', '198.51.100.7', now() - interval '1 day')")
    run("ALTER TABLE mail RENAME TO elsewhere")
    tidy()
    assert ask("SELECT count(*) FROM sign_in_failure") == 0


@pytest.mark.usefixtures("database")
def test_the_audit_is_deleted_by_age_only_and_never_its_recent_entries(set_up: Callable[..., None]) -> None:
    scene = make_scene(learners=1)
    for at in ("now() - interval '500 days'", "now() - interval '80 days'", "now()"):
        run(
            "INSERT INTO audit (at, organization_id, actor, action, subject, details) "
            f"VALUES ({at}, {scene.organization.id}, 'user:1', 'x', 'y', '{{}}')"
        )
    tidy()
    assert ask("SELECT count(*) FROM audit") == 3  # forever, unless a setting says otherwise
    set_up(keep_audit_days=400)
    tidy()
    assert ask("SELECT count(*) FROM audit") == 2
    for deed in (
        "DELETE FROM audit",
        "UPDATE audit SET details = '{}'",
        "TRUNCATE audit",
        "SELECT forget_audit_before(now() - interval '10 days', 100)",
    ):
        with pytest.raises(DBAPIError, match=r"append-only|keeps the last 90 days"):
            run(deed)
    assert ask("SELECT count(*) FROM audit") == 2


def test_results_tokens_answers_and_events_are_deleted_by_age(post: Post) -> None:
    scene = make_scene(learners=2, completed=100)
    scene.request()
    post.drain()
    user, course, organization = scene.users()[0].id, scene.course.id, scene.organization.id
    run(f"INSERT INTO stored_answer VALUES ({user}, 'k', 'f', 202, '{{}}', '{{}}', now() - interval '2 days')")
    for end in ("revoked_at", "expires_at"):
        run(
            f"INSERT INTO api_token (user_id, token_hash, name, scopes, {end}) "
            f"VALUES ({user}, '{end}', '', '{{}}', now() - interval '100 days')"
        )
    run(f"INSERT INTO api_token (user_id, token_hash, name, scopes) VALUES ({user}, 'in use', '', '{{}}')")
    run(
        "INSERT INTO training_event (organization_id, course_id, kind, reason, reporter, key, reported_at) "
        f"VALUES ({organization}, {course}, 'incident', 'r', 'user:1', 'k', now() - interval '2000 days')"
    )
    run("UPDATE celery_taskmeta SET date_done = date_done - interval '40 days'")
    assert ask("SELECT count(*) FROM celery_taskmeta") == 1
    tidy()
    left = ("stored_answer", "api_token", "training_event", "celery_taskmeta")
    assert [ask(f"SELECT count(*) FROM {table}") for table in left] == [0, 1, 0, 0]


def test_every_table_has_a_period_or_a_reason_to_be_kept() -> None:
    """A table that is in no list grows forever: add it to models/retention/periods.py."""
    by_age = {retention.table for retention in RETENTIONS}
    of_learners = {kind.__tablename__ for kind in record_kinds()}
    listed = [*by_age, *WITH_ANOTHER, *KEPT, *of_learners]
    assert sorted(listed) == sorted({*metadata.tables, "celery_taskmeta", "celery_tasksetmeta"})
    assert all(KEPT.values())
    assert set(WITH_ANOTHER.values()) <= by_age
