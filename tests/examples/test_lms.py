"""`examples/lms`: an LMS with a database of its own takes part in resets, over HTTP and as a Celery task."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from models.access import console_operator
from models.participants import ParticipantKind
from models.people import User
from models.session import transaction
from models.tokens import ApiToken, Scope, message_secrets
from models.webhooks import WebhookEvent, open_endpoint
from tasks.participants.commands import Terms, add_participant
from tasks.people.tokens import create_token
from tasks.reset.elsewhere import impact_elsewhere
from tests.lms import Lms
from tests.post import Post
from tests.scenes import Scene, alerts, ask, ledger, make_scene, report_of, rows, state_of
from tests.workers import Worker, until

WHY = "lms: an attempt is locked by an audit"


def add(scene: Scene, terms: Terms) -> str:
    with transaction() as session:
        return add_participant(session, console_operator(scene.organization), "lms", terms).secret()


def ended(reset: UUID) -> bool:
    return state_of(reset) not in ("requested", "running")


@pytest.mark.parametrize(
    ("learners", "away"),
    [(400, 4.0), pytest.param(5000, 60.0, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
def test_its_records_are_cleared_though_it_is_away_in_the_middle(
    start_worker: Callable[..., Worker],
    set_up: Callable[..., None],
    tmp_path: Path,
    learners: int,
    away: float,
) -> None:
    set_up(webhook_allow_private="true", recover_every_seconds=1, recover_after_seconds=2)
    scene = make_scene(learners=learners, completed=learners, begun=learners)
    before = scene.enrolments()
    locked = [enrolment.id for enrolment in before[:: learners // max(1, learners // 100)]][: learners // 100]
    with Lms(tmp_path) as lms:
        lms.environment["PARTICIPANT_SECRET"] = add(scene, Terms(ParticipantKind.HTTP, lms.url, learners_at_once=20))
        lms.serve()
        lms.fill(before, locked=locked)
        # The preview counts the attempts there too
        [there] = impact_elsewhere(scene.preview().plan).each
        assert there.records == {"attempts": 3 * learners}
        start_worker()
        # When it goes away in the middle, the reset waits for it, and says so
        reset = scene.request()
        until(lambda: lms.answers() > 2, 60)
        lms.kill("web")
        gone = time.monotonic()
        until(lambda: ask("SELECT count(*) FROM reset_slice WHERE settled_at IS NULL") == 0, 120)
        waiting = report_of(reset)["waiting_for"]["lms"]
        assert 0 < waiting < learners
        assert state_of(reset) == "running"
        assert alerts(reset) == {}
        while time.monotonic() < gone + away:
            assert not ended(reset)
            time.sleep(0.5)
        # And learners who begin anew meanwhile lose nothing
        anew = scene.enrolments()[5:9]
        lms.fill(anew, each=2)
        # When it is back, each learner is done in both, or failed with its reason
        lms.serve()
        until(lambda: ended(reset), 180)
        assert state_of(reset) == "partly_failed"
        told = ledger(reset)
        assert {enrolment: why for enrolment, (state, why) in told.items() if state != "cleared"} == dict.fromkeys(
            locked, WHY
        )
        left = {str(enrolment.registration): 3 for enrolment in before if enrolment.id in locked}
        new = {str(enrolment.registration): 2 for enrolment in anew}
        assert lms.attempts() == left | new
        until(lambda: report_of(reset)["done"], 60)
        alerted = set(alerts(reset))
        assert alerted.isdisjoint(enrolment.user_id for enrolment in before if enrolment.id in locked)
        # A retry asks about the failed learners alone
        until(lambda: ask("SELECT reported_at IS NOT NULL FROM reset"), 30)
        lms.unlock()
        asked = ask("SELECT sum(learners) FROM participant_request")
        scene.retry_failed(reset)
        until(lambda: ended(reset), 60)
        assert state_of(reset) == "succeeded"
        assert ask("SELECT sum(learners) FROM participant_request") - asked == len(locked)
        assert lms.attempts() == new
        assert {state for state, _ in ledger(reset).values()} == {"cleared"}


def test_it_takes_part_as_a_celery_task_though_its_worker_is_killed(
    start_worker: Callable[..., Worker], set_up: Callable[..., None], tmp_path: Path
) -> None:
    set_up(recover_every_seconds=1, recover_after_seconds=2)
    scene = make_scene(learners=300, completed=300, begun=300)
    before = scene.enrolments()
    terms = Terms(ParticipantKind.CELERY, "lms.clear", "lms", learners_at_once=10)
    with Lms(tmp_path, PARTICIPANT_SECRET=add(scene, terms)) as lms:
        lms.work()
        lms.fill(before)
        start_worker()
        reset = scene.request()
        for answered in (3, 10):
            until(lambda answered=answered: lms.answers() > answered, 60)  # type: ignore[misc]
            lms.kill("worker")
            assert not ended(reset)
            lms.work()
        until(lambda: ended(reset), 120)
        assert state_of(reset) == "succeeded"
        assert lms.attempts() == {}
        assert report_of(reset)["removed"]["lms: attempts"] == 900
        assert rows("SELECT DISTINCT state FROM participant_item") == [("done",)]


def test_it_requests_resets_over_http_and_by_message_and_follows_the_registrations(
    start_worker: Callable[..., Worker], served: str, set_up: Callable[..., None], tmp_path: Path
) -> None:
    set_up(webhook_allow_private="true", recover_every_seconds=1, recover_after_seconds=2)
    scene = make_scene(learners=5)
    with transaction() as session:
        admin = session.get_one(User, scene.admin.user_id)
        text = create_token(session, scene.admin, admin, "lms", [Scope.RESETS_WRITE, Scope.RESETS_READ], None)
        token = session.scalars(select(ApiToken)).one()
        environment = {
            "RECOURSE_ADDRESS": served,
            "RECOURSE_TOKEN": text,
            "RECOURSE_APPLICATION": token.id,
            "RECOURSE_MESSAGE_SECRET": message_secrets(token)[0],
        }
    with Lms(tmp_path, **environment) as lms:
        with transaction() as session:
            url = f"http://127.0.0.1:{lms.port}/webhooks"
            endpoint = open_endpoint(session, scene.organization.id, url, [WebhookEvent.LEARNER_RESET])
            lms.environment["WEBHOOK_SECRET"] = endpoint.secret()
        lms.serve()
        lms.work()
        start_worker()
        here = f"http://127.0.0.1:{lms.port}"
        # A page links to the dialog
        assert f"{served}/training/content/courses/FIRE-101/reset" in httpx.get(f"{here}/courses/FIRE-101").text
        # A form resets over HTTP; the same key again is the same reset
        form = {"reason": "incident 7731", "key": "incident-7731"}
        answers = [httpx.post(f"{here}/courses/FIRE-101/retrain", data=form) for _ in range(2)]
        assert {answer.status_code for answer in answers} == {303}
        assert len({answer.headers["location"] for answer in answers}) == 1
        reset = UUID(answers[0].headers["location"].rsplit("/", 1)[1])
        until(lambda: ended(reset), 60)
        until(lambda: lms.registrations() == {str(one.registration) for one in scene.enrolments()}, 60)
        # And a message does too
        lms.run("import jobs; jobs.request_reset('DATA-202', 'changed procedure', 'procedure-12')")
        until(lambda: ask("SELECT count(*) FROM reset WHERE idempotency_key = 'procedure-12'") == 1, 30)
        until(lambda: "Recourse says" in lms.said(), 30)


def test_it_keeps_recourse_in_step_each_night_and_undoes_no_reset(served: str, post: Post, tmp_path: Path) -> None:
    scene = make_scene(learners=0)
    with transaction() as session:
        admin = session.get_one(User, scene.admin.user_id)
        token = create_token(session, scene.admin, admin, "nightly sync", [Scope.PEOPLE_WRITE], None)
    with Lms(tmp_path, RECOURSE_ADDRESS=served, RECOURSE_TOKEN=token) as lms:
        lms.run("import sync; sync.prepare()")
        people = [(f"p-{n}", f"person-{n}@acme.example", f"Person {n}", f"team-{n % 2}") for n in range(30)]
        lms.write("INSERT INTO person VALUES (?, ?, ?, ?)", people)
        lms.write("INSERT INTO course VALUES (?, ?, ?)", [("c-1", "FIRE-101", "Fire safety")])
        at = "2026-03-01T09:00:00+00:00"
        taking = [(person, "c-1", 100, at, at, 90.0) for person, *_ in people]
        lms.write("INSERT INTO taking VALUES (?, ?, ?, ?, ?, ?)", taking)
        # The first night brings everything, and the second one writes nothing
        assert lms.sync() == [
            "users: 30 new, 0 changed users, 0 users removed, 0 enrolments removed",
            "courses: 0 new, 1 changed courses, 0 new, 0 changed activities",
            "groups: 2 new, 0 changed groups, 30 new, 0 changed members, 0 members removed",
            "enrolments: 30 new, 0 changed enrolments, 30 new, 0 changed completions, 0 enrolments removed",
        ]
        versions = (
            "SELECT ctid::text, xmin::text FROM enrolment UNION ALL SELECT ctid::text, xmin::text FROM completion"
        )
        before = rows(versions)
        lms.sync()
        assert rows(versions) == before
        # A changed address is the same person; who has left is deactivated; a reset stays
        lms.write("UPDATE person SET email = ? WHERE id = ?", [("married@acme.example", "p-0")])
        lms.write("DELETE FROM person WHERE id = ?", [("p-29",)])
        lms.write("DELETE FROM taking WHERE person = ?", [("p-29",)])
        reset = scene.request(audience="users", users=["person-1@acme.example"])
        post.drain()
        assert state_of(reset) == "succeeded"
        users, _, groups, enrolments = lms.sync()
        assert users == "users: 0 new, 1 changed users, 1 users removed, 1 enrolments removed"
        assert groups.endswith("1 members removed")
        assert enrolments.endswith("0 enrolments removed, 1 ignored (completions before reset)")
        assert ask("SELECT external_id FROM \"user\" WHERE email = 'married@acme.example'") == "p-0"
        assert ask("SELECT count(*) FROM enrolment WHERE state = 'completed' AND unassigned_at IS NULL") == 28
        # Half an export is refused, and nothing is done
        lms.write("DELETE FROM person WHERE id > ?", [("p-2",)])
        with pytest.raises(subprocess.CalledProcessError) as failed:
            lms.sync()
        assert "more than the 10% that one file may remove" in failed.value.stderr
        assert ask('SELECT count(*) FROM "user" WHERE external_id IS NOT NULL AND active') == 29
