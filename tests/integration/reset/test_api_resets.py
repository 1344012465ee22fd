"""Resets through the HTTP API: plan, confirm, follow, cancel, retry; each request done once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from models.session import transaction
from models.tokens import Scope
from tasks.people.groups import add_members, create_group
from tasks.reset.plan import opened, signed
from tests.post import Post
from tests.scenes import COURSE, OTHER_COURSE, REASON, Scene, ask, fail_for, let_all_pass, make_scene, run
from tests.web import client_of, token_for
from tests.workers import until

PLANS, RESETS = f"/v1/courses/{COURSE}/reset-plans", f"/v1/courses/{COURSE}/resets"


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene()


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    """A program with the admin's token."""
    assert scene.admin.user_id is not None
    with client_of(served, token_for(scene.admin.user_id)) as client:
        yield client


def plan(api: httpx.Client, path: str = PLANS, **body: Any) -> dict[str, Any]:
    answer = api.post(path, json={"reason": REASON} | body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def confirm(
    api: httpx.Client, planned: dict[str, Any], key: str = "incident-7731", path: str = RESETS, **more: Any
) -> httpx.Response:
    body = {"plan": planned["plan"], "confirm": planned["confirm"]} | more
    return api.post(path, json=body, headers={"Idempotency-Key": key})


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["title"]
    assert len(body["detail"].split()) > 5
    return answer.status_code, body["type"].removeprefix("/problems/")


def test_a_plan_shows_what_would_be_removed_and_changes_nothing(api: httpx.Client, scene: Scene) -> None:
    planned = plan(api, due_in_days=30)

    seen = scene.preview()
    assert planned["learners"] == seen.learners == 12
    assert planned["removed"] == seen.removed
    assert planned["alerts"] == seen.alerts
    assert planned["excluded"] == []
    assert not planned["about"]
    assert planned["confirm"] == COURSE
    assert len(planned["sample"]) == 5
    expires = datetime.fromisoformat(planned["expires_at"])
    assert timedelta(minutes=14) < expires - datetime.now(UTC) <= timedelta(minutes=15)
    assert ask("SELECT count(*) FROM reset") == 0


def test_a_plan_shows_who_is_left_out(api: httpx.Client, scene: Scene, post: Post) -> None:
    users = scene.users()[:3]
    scene.request(audience="users", users=[user.id for user in users])
    coordinator = post.take()[0]
    post.deliver(coordinator)  # the ledger is written; no learner is cleared yet

    planned = plan(api)

    assert planned["excluded"] == [{"reason": "another reset of this learner is still open", "learners": 3}]


def test_a_confirmed_plan_runs_as_a_reset(api: httpx.Client, post: Post) -> None:
    planned = plan(api, due_in_days=30)

    answer = confirm(api, planned)

    assert answer.status_code == 202
    where = answer.headers["location"]
    assert answer.headers["retry-after"] == "2"
    begun = answer.json()
    assert (begun["state"], begun["done"], begun["reason"]) == ("requested", False, REASON)
    assert api.get(where).json()["id"] == begun["id"]
    post.drain()
    ended = api.get(where)
    assert "retry-after" not in ended.headers
    body = ended.json()
    assert (body["state"], body["done"], body["due_in_days"]) == ("succeeded", True, 30)
    progress = body["progress"]
    assert (progress["total"], progress["skipped"], progress["failed"]) == (12, 0, 0)
    assert progress["cleared"] + progress["unchanged"] == 12
    assert body["removed"] == planned["removed"]
    assert body["notified"] == planned["alerts"]


def test_one_users_course_is_reset_alone(api: httpx.Client, scene: Scene, post: Post) -> None:
    user = scene.users()[0]
    base = f"/v1/users/{user.id}/courses/{COURSE}"
    planned = plan(api, f"{base}/reset-plans")
    assert (planned["audience"], planned["learners"]) == ("users", 1)

    answer = confirm(api, planned, path=f"{base}/resets")

    assert answer.status_code == 202
    post.drain()
    assert api.get(answer.headers["location"]).json()["progress"]["total"] == 1


def test_a_group_is_reset(api: httpx.Client, scene: Scene, post: Post) -> None:
    with transaction() as session:
        group = create_group(session, scene.admin, "bern-2", "Bern, second floor")
        add_members(session, scene.admin, group, [user.email for user in scene.users()[:2]])

    planned = plan(api, audience="group", group="bern-2")

    assert (planned["learners"], planned["group"]) == (2, "bern-2")
    where = confirm(api, planned).headers["location"]
    post.drain()
    assert api.get(where).json()["progress"]["total"] == 2
    assert problem(api.post(PLANS, json={"audience": "group", "group": "none"})) == (404, "group-unknown")
    assert problem(api.post(PLANS, json={"audience": "group"})) == (422, "audience-invalid")


def test_a_plan_is_valid_only_at_its_own_address(api: httpx.Client, scene: Scene) -> None:
    one, other = scene.users()[:2]
    planned = plan(api, f"/v1/users/{one.id}/courses/{COURSE}/reset-plans")

    elsewhere = confirm(api, planned, path=f"/v1/users/{other.id}/courses/{COURSE}/resets")
    other_course = confirm(api, planned, path=f"/v1/users/{one.id}/courses/{OTHER_COURSE}/resets")
    everyones = confirm(api, plan(api), path=f"/v1/users/{one.id}/courses/{COURSE}/resets")

    assert problem(elsewhere) == problem(other_course) == problem(everyones) == (422, "plan-invalid")
    assert ask("SELECT count(*) FROM reset") == 0


def test_a_reset_can_start_later(api: httpx.Client, post: Post) -> None:
    later = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)

    answer = confirm(api, plan(api, start_at=later.isoformat()))

    assert answer.status_code == 202
    assert datetime.fromisoformat(answer.json()["start_at"]) == later
    assert post.take() == []


def test_the_reason_may_come_with_the_request_instead(api: httpx.Client) -> None:
    without = plan(api, reason="")

    assert problem(confirm(api, without)) == (422, "reason-missing")
    answer = confirm(api, without, reason="incident 7731")

    assert answer.json()["reason"] == "incident 7731"


def test_refusals_are_answered_as_problems(api: httpx.Client) -> None:
    planned = plan(api)
    assert problem(confirm(api, planned, confirm="FIRE")) == (422, "confirm-mismatch")
    assert problem(confirm(api, planned | {"plan": planned["plan"] + "x"})) == (422, "plan-invalid")
    run("UPDATE enrolment SET unassigned_at = now() WHERE user_id = (SELECT min(user_id) FROM enrolment)")
    gone = ask("SELECT min(user_id) FROM enrolment")
    assert problem(api.post(PLANS, json={"audience": "users", "user_ids": [gone]})) == (422, "not-assigned")
    assert problem(api.post("/v1/courses/NONE/reset-plans", json={})) == (404, "course-unknown")
    assert problem(api.post(PLANS, json={"audience": "everyone"})) == (422, "request-invalid")
    assert problem(api.post(PLANS, json={"audience": "users"})) == (422, "audience-invalid")
    assert problem(api.post(PLANS, json={"start_at": "2020-01-01T00:00:00Z"})) == (422, "start-at-invalid")
    assert problem(api.get("/v1/nothing")) == (404, "not-found")
    refused = api.delete(RESETS)
    assert problem(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "POST"
    assert api.patch("/v1/rules").headers["allow"] == "GET, POST"  # two separate routes


def test_an_old_plan_is_refused(api: httpx.Client) -> None:
    planned = plan(api)
    old = opened(planned["plan"])
    late = signed(replace(old, planned_at=old.planned_at - timedelta(minutes=16)))

    assert problem(confirm(api, planned | {"plan": late})) == (409, "plan-expired")


ODD_BODIES = [
    '{"unknown_field": 1}',
    '{"reason": "\\u0000"}',
    '{"reason": "\\ud800"}',
    '{"due_in_days": 99999999999999999999999999}',
    '{"due_in_days": 0}',
    '{"due_in_days": "30"}',
    '{"notify": "yes"}',
    '{"audience": "users", "user_ids": [9223372036854775808]}',
    '{"audience": "users", "user_ids": [-1]}',
    '{"audience": "users", "user_ids": []}',
    '{"start_at": 1700000000}',
    '{"start_at": "2027-01-01T00:00:00"}',
    '{"start_at": "9999-12-31T23:59:59-23:59"}',
    '{"start_at": "0001-01-01T00:00:00+23:59"}',
    "[]",
    "null",
    "{",
    "",
    "\xff",
    "[" * 100_000,
]


def test_malformed_bodies_are_refused_and_break_nothing(api: httpx.Client) -> None:
    for body in ODD_BODIES:
        answer = api.post(PLANS, content=body.encode("latin-1"), headers={"Content-Type": "application/json"})
        assert problem(answer) in ((422, "request-invalid"), (422, "start-at-invalid")), body[:100]


ODD_ADDRESSES = [
    "/v1/resets?after=eyJ",
    "/v1/resets?after=WzEsMl0",
    "/v1/resets?limit=0",
    "/v1/resets?limit=99999999999999999999",
    "/v1/resets?state=odd",
    "/v1/resets?course=%00",
    "/v1/resets?after=%00",
]


def test_malformed_addresses_are_refused_and_break_nothing(api: httpx.Client) -> None:
    for path in ODD_ADDRESSES:
        assert problem(api.get(path)) == (422, "request-invalid"), path
    for path in ("/v1/resets/not-a-uuid", "/v1/resets/%00", "/v1/resets/not-a-uuid/items"):
        assert problem(api.get(path)) == (404, "not-found"), path


ODD_PATHS = [
    "courses/%00",
    *(f"users/{user}/courses/{COURSE}" for user in ("%00", "99999999999999999999", "-1", "x")),
]


def test_malformed_ids_of_users_and_courses_are_refused(api: httpx.Client) -> None:
    for path in ODD_PATHS:
        assert problem(api.post(f"/v1/{path}/reset-plans", json={})) == (422, "request-invalid"), path


def test_a_large_body_is_refused(api: httpx.Client) -> None:
    body = json.dumps({"reason": "x" * 2_000_000}).encode()

    for content in (body, iter([body])):  # the second does not declare its length
        answer = api.post(PLANS, content=content, headers={"Content-Type": "application/json"})
        assert problem(answer) == (413, "body-too-large")


def test_a_request_without_a_key_is_refused(api: httpx.Client) -> None:
    planned = plan(api)

    answer = api.post(RESETS, json={"plan": planned["plan"], "confirm": COURSE})
    odd = confirm(api, planned, key="with space")

    assert problem(answer) == problem(odd) == (400, "idempotency-key-missing")
    assert ask("SELECT count(*) FROM reset") == 0


def test_a_repeated_request_gets_the_same_answer_and_makes_no_second_reset(api: httpx.Client, post: Post) -> None:
    planned = plan(api)
    first = confirm(api, planned)
    post.drain()  # it has ended by the time that it is asked again

    second = confirm(api, planned)

    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert ask("SELECT count(*) FROM reset") == 1


def test_a_different_request_with_the_same_key_is_refused(api: httpx.Client) -> None:
    assert confirm(api, plan(api)).status_code == 202

    other = confirm(api, plan(api))

    assert problem(other) == (422, "idempotency-mismatch")


def test_two_users_may_choose_the_same_key(api: httpx.Client, scene: Scene, served: str) -> None:
    other = scene.users()[0]
    run('UPDATE "user" SET permissions = (SELECT permissions FROM "user" WHERE id = :admin) WHERE id = :id',
        admin=scene.admin.user_id, id=other.id)  # fmt: skip
    assert confirm(api, plan(api)).status_code == 202

    with client_of(served, token_for(other.id)) as second:
        path = f"/v1/courses/{OTHER_COURSE}"
        answer = confirm(second, plan(second, f"{path}/reset-plans"), path=f"{path}/resets")

    assert answer.status_code == 202


def test_a_refused_request_can_be_corrected_under_its_key(api: httpx.Client) -> None:
    planned = plan(api)
    assert problem(confirm(api, planned, confirm="FIRE")) == (422, "confirm-mismatch")

    assert confirm(api, planned).status_code == 202


def test_a_request_repeated_while_the_first_is_processed_is_refused(api: httpx.Client, scene: Scene) -> None:
    planned = plan(api)
    with transaction() as session:  # as the first request does
        held = f"idempotency {scene.admin.user_id} incident-7731"
        session.scalars(select(func.pg_advisory_xact_lock(func.hashtextextended(held, 0)))).one()
        answer = confirm(api, planned)

    assert problem(answer) == (409, "idempotency-in-progress")
    assert confirm(api, planned).status_code == 202


def test_simultaneous_repetitions_make_one_reset(api: httpx.Client) -> None:
    planned = plan(api)
    with ThreadPoolExecutor(10) as senders:
        answers = list(senders.map(lambda _: confirm(api, planned), range(20)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert {problem(answer) for answer in answers if answer.status_code == 409} <= {(409, "idempotency-in-progress")}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert ask("SELECT count(*) FROM reset") == 1
    assert ask("SELECT count(*) FROM audit WHERE action = 'reset.requested'") == 1


def test_an_unchanged_reset_is_not_sent_again(api: httpx.Client, post: Post) -> None:
    where = confirm(api, plan(api)).headers["location"]
    tag = api.get(where).headers["etag"]
    assert tag.startswith('W/"')

    same = api.get(where, headers={"If-None-Match": f'"other", {tag}'})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    post.drain()
    changed = api.get(where, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_resets_are_listed_in_pages(api: httpx.Client, scene: Scene, post: Post) -> None:
    users = scene.users()
    made = [scene.request(audience="users", users=[user.id]) for user in users[:5]]
    post.drain()
    made.append(scene.request(course=OTHER_COURSE))

    pages, where = [], "/v1/resets?limit=4"
    while where:
        answer = api.get(where)
        pages.append([item["id"] for item in answer.json()["items"]])
        where = answer.links.get("next", {}).get("url", "")

    assert [len(page) for page in pages] == [4, 2]
    assert [item for page in pages for item in page] == [str(one) for one in reversed(made)]
    (requested,) = api.get("/v1/resets?state=requested").json()["items"]
    assert (requested["id"], requested["course"]) == (str(made[-1]), OTHER_COURSE)
    assert len(api.get(f"/v1/resets?course={COURSE}&state=succeeded&state=failed").json()["items"]) == 5
    finished = api.get(f"/v1/resets?course={COURSE}").json()["items"][0]
    assert finished["progress"]["total"] == 1


def test_failed_learners_are_listed_and_retried(api: httpx.Client, scene: Scene, post: Post) -> None:
    failing = scene.enrolments()[:3]
    for enrolment in failing:
        fail_for(enrolment)
    where = confirm(api, plan(api)).headers["location"]
    post.drain()

    first = api.get(f"{where}/items?state=failed&limit=2")
    second = api.get(first.links["next"]["url"])

    items = first.json()["items"] + second.json()["items"]
    assert [item["user_id"] for item in items] == [enrolment.user_id for enrolment in failing]
    assert {item["reason"] for item in items} == {"RaiseException: this learner cannot be reset"}
    assert "next" not in second.links
    assert len(api.get(f"{where}/items").json()["items"]) == 12

    let_all_pass()
    again = api.post(f"{where}:retry-failed")
    assert (again.status_code, again.json()["state"]) == (202, "running")
    assert problem(api.post(f"{where}:retry-failed"))[0] == 409
    post.drain()
    assert api.get(where).json()["state"] == "succeeded"
    assert problem(api.post(f"{where}:retry-failed")) == (409, "nothing-to-retry")


def test_a_reset_is_cancelled_for_good(api: httpx.Client, post: Post) -> None:
    where = confirm(api, plan(api)).headers["location"]

    answers = [api.post(f"{where}:cancel") for _ in range(2)]

    assert [(one.status_code, one.json()["cancelled"]) for one in answers] == [(202, True), (202, True)]
    post.drain()
    assert api.get(where).json()["state"] == "cancelled"
    assert problem(api.post(f"{where}:cancel")) == (409, "already-settled")


def events(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """Yields the events of a stream, parsed as in a browser."""
    event: dict[str, str] = {}
    for line in answer.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
        elif not line and "data" in event:
            yield event
            event = {}


def test_a_reset_is_watched_live_to_its_end(api: httpx.Client, post: Post) -> None:
    where = confirm(api, plan(api)).headers["location"]
    with api.stream("GET", f"{where}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = events(answer)
        first = next(stream)
        post.drain()
        last = list(stream)[-1]

    assert (first["event"], json.loads(first["data"])["state"]) == ("progress", "requested")
    assert last["event"] == "done"
    assert json.loads(last["data"]) | {"seconds": 0} == api.get(where).json() | {"seconds": 0}


def test_a_stream_repeats_no_event_after_a_reconnect(api: httpx.Client, post: Post) -> None:
    where = confirm(api, plan(api)).headers["location"]
    with api.stream("GET", f"{where}/events") as answer:
        seen = next(events(answer))
    with api.stream("GET", f"{where}/events", headers={"Last-Event-ID": seen["id"]}) as answer:
        stream = events(answer)
        post.drain()
        rest = list(stream)

    assert seen["id"] not in {event["id"] for event in rest}
    assert rest[-1]["event"] == "done"
    known = api.get(f"{where}/events", headers={"Last-Event-ID": rest[-1]["id"]})
    assert known.status_code == 204  # which stops a browser from reconnecting


def test_a_stream_without_a_reader_is_closed(api: httpx.Client) -> None:
    from web.api.reset_stream import STREAMS

    where = confirm(api, plan(api)).headers["location"]
    with api.stream("GET", f"{where}/events") as answer:
        stream = events(answer)
        next(stream)
        assert STREAMS.in_use == 1
    until(lambda: STREAMS.in_use == 0, 5)


def test_the_number_of_streams_is_limited(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.api.reset_stream.STREAMS._total", 1)
    where = confirm(api, plan(api)).headers["location"]
    with api.stream("GET", f"{where}/events") as answer:
        stream = events(answer)
        next(stream)
        refused = api.get(f"{where}/events")

    assert problem(refused) == (503, "busy")
    assert refused.headers["retry-after"] == "30"


def test_a_stream_ends_when_the_server_shuts_down(scene: Scene, post: Post) -> None:
    assert scene.admin.user_id is not None
    token, reset = token_for(scene.admin.user_id, Scope.RESETS_READ), scene.request()
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "web.app:app", "--port", "0", "--no-access-log"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        assert server.stderr is not None
        base = next(line.split()[-5] for line in server.stderr if "running on" in line)
        with client_of(base, token) as api, api.stream("GET", f"/v1/resets/{reset}/events") as answer:
            stream = events(answer)
            next(stream)
            server.send_signal(signal.SIGTERM)
            assert list(stream) == []  # it ends properly and is not cut
        server.wait(5)
    finally:
        server.kill()
        server.communicate()


def test_a_token_in_use_delays_no_other_request(api: httpx.Client) -> None:
    with transaction() as session:  # a long request with the same token
        run("UPDATE api_token SET used_at = NULL")
        session.execute(text("SELECT 1 FROM api_token FOR UPDATE"))
        assert api.get("/v1/resets", timeout=3).status_code == 200
