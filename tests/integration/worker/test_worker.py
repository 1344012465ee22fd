"""The whole flow with a real worker, a real beat and real child processes."""

from collections.abc import Callable

import pytest
from celery.exceptions import TaskRevokedError

from models.tokens import Scope
from tasks.app import app
from tasks.reset.reset_course import ResetFailed
from tasks.signed_messages import RequestRefused
from tests.asking import application, signed
from tests.scenes import (
    COURSE,
    REASON,
    alerts,
    ask,
    count_new_registrations,
    fail_for,
    fingerprint,
    ledger,
    let_all_pass,
    make_scene,
    records_of,
    report_of,
    rows,
    slow_down,
    state_of,
)
from tests.workers import Worker, until


def test_a_worker_does_the_job_from_the_request_to_the_result(start_worker: Callable[..., Worker]) -> None:
    # Given a worker, and two courses of 200 learners
    worker = start_worker()
    scene = make_scene(learners=200, completed=70, begun=90)
    others = fingerprint([scene.other_course])
    planned = scene.preview()
    before = {enrolment.id: enrolment for enrolment in scene.enrolments()}
    fail_for(next(iter(before.values())))
    count_new_registrations()

    # When one learner of a course cannot be reset
    reset = scene.request(planned)
    with pytest.raises(ResetFailed, match="1 of 200 learners were not reset"):
        app.AsyncResult(str(reset)).get(timeout=30)
    # Then the others are reset, once each
    assert report_of(reset)["progress"]["failed"] == 1
    assert ask("SELECT count(*) = count(DISTINCT enrolment_id) FROM new_registration") is True
    assert ask("SELECT count(*) FROM new_registration") == 199

    # And once the cause is fixed, a retry of the failed learner succeeds
    let_all_pass()
    again = scene.retry_failed(reset)
    result = app.AsyncResult(str(again)).get(timeout=30)
    assert result["state"] == "succeeded"
    until(lambda: report_of(reset)["done"])
    done = report_of(reset)
    assert done["removed"] == planned.removed
    assert done["notified"] == planned.alerts == len(alerts(reset))
    assert set(records_of(scene.course).values()) == {0}
    assert {state for state, _ in ledger(reset).values()} == {"cleared", "unchanged"}
    assert fingerprint([scene.other_course]) == others

    # And a second reset is cancelled while it runs
    slow_down(0.2)
    second = scene.request()
    until(lambda: report_of(second)["progress"]["unchanged"])
    scene.cancel(second)
    with pytest.raises(TaskRevokedError, match="the reset was cancelled"):
        app.AsyncResult(str(second)).get(timeout=30)
    assert state_of(second) == "cancelled"
    progress = report_of(second)["progress"]
    assert progress["skipped"] > 0
    assert progress["unchanged"] + progress["skipped"] == 200
    assert '"level": "error"' not in worker.log.read_text()


def test_another_application_requests_a_reset_by_message(start_worker: Callable[..., Worker]) -> None:
    start_worker()
    scene = make_scene()
    known_as = application(scene, Scope.RESETS_WRITE)
    kwargs = {
        "organization": "acme",
        "course": COURSE,
        "reason": REASON,
        "confirm": COURSE,
        "idempotency_key": "2026-01",
    }

    def ask_for(**changes: object) -> dict[str, str]:
        task = "recourse.request_reset"
        sent = app.send_task(task, kwargs=signed(known_as, task, **kwargs | changes), queue="interactive")
        answer: dict[str, str] = sent.get(timeout=20)
        return answer

    # When it sends a request twice with one key, there is one reset, which it can wait for
    first = ask_for()
    assert ask_for() == first
    assert rows("SELECT id::text FROM reset") == [(first["reset"],)]
    assert app.AsyncResult(first["reset"]).get(timeout=20)["progress"]["cleared"] == 8
    # And a refusal is a failure that gives the reason
    with pytest.raises(RequestRefused, match=r"confirm-mismatch.*Type the course code FIRE-101 exactly"):
        ask_for(confirm="yes", idempotency_key="another")
    assert ask("SELECT count(*) FROM reset") == 1
