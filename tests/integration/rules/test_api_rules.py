"""Retraining rules through the HTTP API, and signed events."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from standardwebhooks import Webhook

from models.people import User
from models.session import transaction
from tasks.rules.event_sources import close_source, open_source
from tests.post import Post
from tests.rules import group, tick
from tests.scenes import COURSE, REASON, Scene, ask, make_scene, rows
from tests.web import client_of, token_for

CALENDAR = {
    "kind": "calendar",
    "starts": "2031-03-01T06:00:00",
    "recurrence": "FREQ=YEARLY",
    "time_zone": "Europe/Zurich",
}


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene(completed=100)


@pytest.fixture
def client(served: str, scene: Scene) -> Iterator[httpx.Client]:
    assert scene.admin.user_id is not None
    with client_of(served, token_for(scene.admin.user_id)) as found:
        yield found


def propose(client: httpx.Client, **terms: object) -> httpx.Response:
    return client.post("/v1/rule-proposals", json={"course": COURSE, "reason": REASON} | terms)


def make(client: httpx.Client, **terms: object) -> str:
    proposal = propose(client, **terms).json()["proposal"]
    body = {"proposal": proposal, "confirm": COURSE}
    made = client.post("/v1/rules", json=body, headers={"Idempotency-Key": "make"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def test_a_rule_is_proposed_made_paused_and_removed(client: httpx.Client) -> None:
    proposal = propose(client, **CALENDAR).json()
    assert proposal["ahead"][0]["due_at"] == "2031-03-01T05:00:00Z"
    assert len(proposal["ahead"]) == 12
    assert proposal["figures"]["learners"] == 12
    assert proposal["in_words"][0].startswith(f"{COURSE} is reset for everyone assigned: each year on 1 March")

    wrong = {"proposal": proposal["proposal"], "confirm": "FIRE"}
    refused = client.post("/v1/rules", json=wrong, headers={"Idempotency-Key": "k"})
    assert refused.json()["type"] == "/problems/confirm-mismatch"
    rule = make(client, **CALENDAR)
    assert client.get(f"/v1/rules/{rule}").json()["terms"]["recurrence"] == "FREQ=YEARLY"
    assert [one["id"] for one in client.get("/v1/rules").json()["items"]] == [rule]
    assert client.get(f"/v1/rules/{rule}/dry-run").json()["items"] == proposal["ahead"]
    for what, state in (("pause", "paused"), ("pause", "paused"), ("resume", "active"), ("resume", "active")):
        assert client.post(f"/v1/rules/{rule}:{what}").json()["state"] == state
    assert client.delete(f"/v1/rules/{rule}").status_code == client.delete(f"/v1/rules/{rule}").status_code == 204
    assert client.get("/v1/rules").json() == {"items": []}


def test_the_same_key_makes_one_rule(client: httpx.Client) -> None:
    body = {"proposal": propose(client, **CALENDAR).json()["proposal"], "confirm": COURSE}
    first, second = (client.post("/v1/rules", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert ask("SELECT count(*) FROM retraining_rule") == 1


@pytest.mark.parametrize(
    ("terms", "problem"),
    [
        ({"kind": "calendar"}, "rule-invalid"),
        (CALENDAR | {"recurrence": "FREQ=NEVER"}, "recurrence-invalid"),
        (CALENDAR | {"time_zone": "Europe/Nowhere"}, "time-zone-unknown"),
        (CALENDAR | {"audience": "group", "group": "nowhere"}, "group-unknown"),
        ({"kind": "once", "starts": "2020-01-01T06:00:00"}, "rule-invalid"),
        (CALENDAR | {"most_learners": 0}, "request-invalid"),
        (CALENDAR | {"surprise": 1}, "request-invalid"),
    ],
)
def test_invalid_terms_are_refused(client: httpx.Client, terms: dict[str, object], problem: str) -> None:
    answer = propose(client, **terms)
    assert answer.status_code in (404, 422)
    assert answer.json()["type"] == f"/problems/{problem}"


def test_an_event_makes_its_rules_due_once_however_often_it_is_reported(client: httpx.Client, post: Post) -> None:
    make(client, kind="event", event_kind="incident")
    body = {"kind": "incident", "course": COURSE, "reason": "press 4, hand injury"}
    for _ in range(2):
        answer = client.post("/v1/events", json=body, headers={"Idempotency-Key": "7731"})
        assert answer.status_code == 202
        assert answer.json()["rules_due"] == 1
    other = client.post("/v1/events", json=body | {"reason": "x"}, headers={"Idempotency-Key": "7731"})
    assert other.json()["type"] == "/problems/event-mismatch"
    assert client.post("/v1/events", json=body).json()["type"] == "/problems/idempotency-key-missing"
    tick(datetime.now(UTC) + timedelta(seconds=1))
    post.drain()
    assert rows("SELECT reason, state FROM reset") == [("incident: press 4, hand injury", "succeeded")]


def test_the_history_of_a_rule_comes_in_pages(client: httpx.Client, post: Post) -> None:
    rule = make(client, kind="event")
    for number in range(3):
        body = {"kind": "incident", "course": COURSE, "reason": f"{number}"}
        client.post("/v1/events", json=body, headers={"Idempotency-Key": f"{number}"})
        tick(datetime.now(UTC) + timedelta(seconds=1))
        post.drain()
    seen, address = [], f"/v1/rules/{rule}/occurrences?limit=2"
    while address:
        answer = client.get(address)
        seen += answer.json()["items"]
        address = answer.links.get("next", {}).get("url", "")
    assert len({one["reset_id"] for one in seen}) == len(seen) == 3
    assert [one["due_at"] for one in seen] == sorted((one["due_at"] for one in seen), reverse=True)


def test_a_group_is_created_filled_and_reset(client: httpx.Client, scene: Scene) -> None:
    assert client.put("/v1/groups/bern-2", json={"name": "Bern"}).json() == {
        "code": "bern-2",
        "name": "Bern",
        "external_id": None,
        "members": 0,
    }
    people = [user.email for user in scene.users()[:2]]
    assert client.post("/v1/groups/bern-2/members", json={"join": people}).json() == {"joined": 2, "left": 0}
    refused = client.post("/v1/groups/bern-2/members", json={"leave": people[:1], "join": ["who@acme.example"]})
    assert refused.json()["type"] == "/problems/user-unknown"
    assert client.get("/v1/groups").json()["items"][0]["members"] == 2
    body = {"audience": "group", "group": "bern-2", "reason": REASON}
    assert client.post(f"/v1/courses/{COURSE}/reset-plans", json=body).json()["learners"] == 2


# ---- by webhook


@pytest.fixture
def source(scene: Scene) -> tuple[UUID, str]:
    with transaction() as session:
        user = session.get_one(User, scene.admin.user_id)
        opened = open_source(session, scene.admin, user, "incident system")
        return opened.id, opened.secret()


BODY = json.dumps({"kind": "incident", "course": COURSE, "reason": "press 4"})


def signed(secret: str, body: str = BODY, number: str = "msg_1", at: datetime | None = None) -> dict[str, str]:
    at = at or datetime.now(UTC)
    return {
        "webhook-id": number,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(number, at, body),
        "content-type": "application/json",
    }


def test_a_signed_event_is_reported_once(served: str, client: httpx.Client, source: tuple[UUID, str]) -> None:
    make(client, kind="event")
    number, secret = source
    for _ in range(2):  # a repeated message is no second event
        answer = httpx.post(f"{served}/v1/hooks/{number}", content=BODY, headers=signed(secret))
        assert answer.status_code == 202, answer.text
        assert answer.json()["rules_due"] == 1
    assert rows("SELECT reporter, key FROM training_event") == [(f"source:{number}", "msg_1")]
    assert secret not in str(rows("SELECT * FROM event_source"))


def test_a_wrongly_signed_event_is_refused(
    served: str, scene: Scene, source: tuple[UUID, str], subtests: pytest.Subtests
) -> None:
    number, secret = source
    old = datetime.now(UTC) - timedelta(minutes=6)
    other = "whsec_" + "A" * 43 + "="
    for name, body, headers in (
        ("another secret", BODY, signed(other)),
        ("an old message", BODY, signed(secret, at=old)),
        ("a changed body", BODY.replace("press 4", "press 5"), signed(secret)),
        ("no signature", BODY, {}),
        ("a changed id", BODY, signed(secret) | {"webhook-id": "msg_2"}),
    ):
        with subtests.test(name):
            answer = httpx.post(f"{served}/v1/hooks/{number}", content=body, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/signature-invalid")
    for body in (
        "[]",
        "{",
        json.dumps({"kind": "incident"}),
        json.dumps({"kind": "party", "course": COURSE, "reason": "x"}),
    ):
        with subtests.test(body):
            answer = httpx.post(f"{served}/v1/hooks/{number}", content=body, headers=signed(secret, body))
            assert (answer.status_code, answer.json()["type"]) == (422, "/problems/event-invalid")
    with transaction() as session:
        close_source(session, scene.admin, number)
    assert httpx.post(f"{served}/v1/hooks/{number}", content=BODY, headers=signed(secret)).status_code == 401
    assert ask("SELECT count(*) FROM training_event") == 0


def test_a_group_of_another_organization_is_unknown(client: httpx.Client, served: str) -> None:
    other = make_scene("globex", learners=1)
    group(other, "lyon", [])
    assert propose(client, **CALENDAR, audience="group", group="lyon").json()["type"] == "/problems/group-unknown"
    assert client.get("/v1/groups").json() == {"items": []}


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"recurrence": "FREQ=YEARLY;BYMONTH=13"}, "recurrence-invalid"),
        ({"recurrence": "FREQ=YEARLY;BYMONTH=3,13"}, "recurrence-invalid"),
        ({"recurrence": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "recurrence-invalid"),
        ({"starts": "0001-01-01T00:00:00"}, "recurrence-invalid"),
        ({"starts": "9950-01-01T00:00:00"}, "recurrence-invalid"),
        ({"starts": "9999-12-31T23:59:59", "time_zone": "America/New_York"}, "recurrence-invalid"),
        ({"kind": "once", "recurrence": None, "starts": "0001-01-01T00:00:00"}, "recurrence-invalid"),
        ({"kind": "once", "recurrence": None, "starts": "9999-12-31T23:59:59"}, "recurrence-invalid"),
    ],
)
def test_a_rule_outside_of_the_calendar_is_refused(client: httpx.Client, terms: dict[str, object], code: str) -> None:
    refused = propose(client, **CALENDAR | terms)
    assert (refused.status_code, refused.json()["type"]) == (422, f"/problems/{code}")


def test_the_number_of_an_organizations_rules_is_limited(
    client: httpx.Client, set_up: Callable[..., None], scene: Scene
) -> None:
    set_up(most_rules=2)
    first = make(client, **CALENDAR)
    waiting = propose(client, **CALENDAR).json()["proposal"]
    make_second = {"proposal": propose(client, **CALENDAR).json()["proposal"], "confirm": COURSE}
    assert client.post("/v1/rules", json=make_second, headers={"Idempotency-Key": "2"}).status_code == 201
    # Neither can a third be proposed, nor one created that was proposed before
    refused = propose(client, **CALENDAR)
    assert refused.json()["detail"] == "Your organization has 2 rules; the limit is 2. Remove one first."
    late = {"proposal": waiting, "confirm": COURSE}
    assert client.post("/v1/rules", json=late, headers={"Idempotency-Key": "3"}).status_code == 422
    # … until one is removed
    assert client.delete(f"/v1/rules/{first}").status_code == 204
    assert client.post("/v1/rules", json=late, headers={"Idempotency-Key": "4"}).status_code == 201
