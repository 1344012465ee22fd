"""Users, groups, webhooks and tokens by API and command line: an address changes, a user leaves, a user is erased."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from cli.main import app as commands
from models.access import MANAGEMENT, Permission
from models.people import User
from models.session import transaction
from models.sign_in import set_password
from models.tokens import Scope
from models.web_sessions import begin_session
from models.webhook_messages import tell
from models.webhooks import WebhookEvent
from tests.mail_server import LoopbackMailServer
from tests.post import Post
from tests.rules import CALENDAR, group, make
from tests.scenes import (
    COURSE,
    OTHER_COURSE,
    Scene,
    as_actor,
    ask,
    do_everything,
    make_scene,
    recover,
    report_of,
    rows,
    run,
    state_of,
)
from tests.web import client_of, make_user, token_for, visitor

PASSWORD = "correct horse battery staple"


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene(learners=3)


@pytest.fixture
def api(served: str, scene: Scene) -> Iterator[httpx.Client]:
    assert scene.admin.user_id is not None
    with client_of(served, token_for(scene.admin.user_id)) as client:
        yield client


def recourse(*words: str) -> str:
    done = CliRunner().invoke(commands, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def kim(api: httpx.Client, **more: Any) -> dict[str, Any]:
    answer = api.post("/v1/users", json={"email": "kim@acme.example", "name": "Kim Khan"} | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def everything_about(words: str) -> list[str]:
    """Returns every column that contains these words."""
    columns = rows(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND data_type IN ('text', 'jsonb', 'ARRAY', 'character varying')"
    )
    return [
        f"{table}.{column}"
        for table, column in columns
        if ask(f'SELECT count(*) FROM "{table}" WHERE strpos(lower("{column}"::text), lower(:words)) > 0', words=words)
    ]


def test_users_are_added_found_and_listed(api: httpx.Client) -> None:
    user = kim(api, external_id="hr-1042", locale="de-CH", time_zone="Europe/Zurich", notifications_on=False)
    assert (user["external_id"], user["active"], user["permissions"], user["removed_at"]) == ("hr-1042", True, [], None)
    for query in ("email=KIM@acme.example", "external_id=hr-1042", "search=khan", "email=kim@acme.example&search=Kim"):
        assert [one["user_id"] for one in api.get(f"/v1/users?{query}").json()["items"]] == [user["user_id"]], query
    for query in ("email=kim@acme", "external_id=HR-1042", "email=kim@acme.example&external_id=hr-1", "removed=true"):
        assert api.get(f"/v1/users?{query}").json()["items"] == [], query
    names, address = [], "/v1/users?limit=2"
    while address:
        answer = api.get(address)
        names += [one["name"] for one in answer.json()["items"]]
        address = answer.links.get("next", {}).get("url", "")
    assert names == sorted(names)
    assert len(names) == 5
    for taken, code in (
        ({"email": "KIM@acme.example", "name": "x"}, "user-exists"),
        ({"email": "other@acme.example", "name": "x", "external_id": "hr-1042"}, "external-id-taken"),
    ):
        refused = api.post("/v1/users", json=taken)
        assert (refused.status_code, refused.json()["type"]) == (409, f"/problems/{code}")
    for wrong in ({"email": "kim"}, {"time_zone": "Nowhere"}, {"locale": "??"}, {"name": "  "}):
        refused = api.post("/v1/users", json={"email": "a@b.example", "name": "x"} | wrong)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/user-invalid"), wrong


def test_a_changed_address_is_the_same_person_everywhere(
    api: httpx.Client, scene: Scene, served: str, post: Post, set_up: Callable[..., None]
) -> None:
    learner = scene.enrolments()[0]
    do_everything(learner)
    before = scene.users()[0]
    serial = ask("SELECT serial FROM certificate WHERE registration = :id", id=learner.registration)
    with LoopbackMailServer() as server:
        set_up(
            smtp_host="127.0.0.1",
            smtp_port=server.port,
            smtp_security="none",
            mail_from="Training <training@acme.example>",
            mail_per_second=10_000,
            mail_gather_seconds=0,
        )
        # An e-mail about the reset waits when the address changes
        run(
            "INSERT INTO webhook_endpoint (organization_id, url, events, sealed_secret) "
            "VALUES (:o, 'https://example.org/hook', '{learner.reset}', 'x')",
            o=scene.organization.id,
        )
        reset = scene.request(audience="users", users=[before.id], reason=f"asked by {before.email}")
        new = "new.address@acme.example"
        changed = api.patch(f"/v1/users/{before.id}", json={"email": new, "external_id": "hr-7"})
        assert (changed.status_code, changed.json()["user_id"], changed.json()["email"]) == (200, before.id, new)
        post.drain()
        assert (len(server.to(new)), server.to(before.email)) == (1, [])
    # Pages, analytics, lookups: the new address; certificates, webhooks, the audit: the same person
    page = visitor(served, scene.admin.user_id).get(f"/users/{before.id}").text
    assert new in page
    assert "hr-7" in page
    assert before.email not in page
    assert new in api.get(f"/v1/analytics/courses/{COURSE}/users?format=csv").text
    assert api.get(f"/v1/users?email={before.email}").json()["items"] == []
    assert api.get("/v1/users?external_id=hr-7").json()["items"][0]["user_id"] == before.id
    assert ask("SELECT data -> 'learners' -> 0 -> 'user' FROM webhook_message") == before.id
    assert "superseded" in visitor(served).get(f"/verify/{serial}").text
    assert state_of(reset) == "succeeded"
    assert rows("SELECT subject, details FROM audit WHERE action = 'user.changed'") == [
        (str(before.id), {"changed": ["email", "external_id"]})
    ]
    # Whoever had the address is found by an erasure too: in reasons, in the audit, in their own row
    assert {"audit.details", "reset.reason", "user.former"} <= set(everything_about(before.email))
    erased = api.post(f"/v1/users/{before.id}/erase", json={"confirm": new})
    assert erased.status_code == 200, erased.text
    for words in (before.email, before.name, new):
        assert everything_about(words) == [], words
    assert ask("SELECT reason FROM reset") == f"asked by erased-{before.id}"
    gone = api.get(f"/v1/users/{before.id}").json()
    assert (gone["name"], gone["external_id"], gone["active"]) == ("Erased user", None, False)
    assert gone["erased_at"]
    assert api.patch(f"/v1/users/{before.id}", json={"name": "x"}).json()["type"] == "/problems/user-unknown"


def test_a_removed_user_is_out_of_everything_and_their_records_stay(
    api: httpx.Client, scene: Scene, served: str, post: Post
) -> None:
    leaver = make_user(scene.organization.id, "leaver@acme.example", *MANAGEMENT, name="Lee Leaver")
    run(
        "INSERT INTO enrolment (organization_id, user_id, course_id) SELECT organization_id, :user, id FROM course",
        user=leaver.id,
    )
    mine = next(one for one in scene.enrolments() if one.user_id == leaver.id)
    do_everything(mine)
    actor = as_actor(scene, leaver.id)
    with transaction() as session:
        set_password(session, session.get_one(User, leaver.id), PASSWORD)
    group(scene, "bern", [leaver.email])
    rule = make(scene, datetime.now(UTC), actor, **CALENDAR, starts=datetime(2030, 1, 1, 6))
    token, browser = token_for(leaver.id), visitor(served, leaver.id)
    assert browser.get("/my/training").status_code == 200
    # When they are removed in the middle of a reset
    reset = scene.request()
    post.deliver(post.take()[0])
    for _ in range(2):  # the second time changes nothing
        assert api.delete(f"/v1/users/{leaver.id}").status_code == 204
    assert rows("SELECT details FROM audit WHERE action = 'user.removed'") == [
        ({"enrolments": 2, "groups": 1, "tokens": 1},)
    ]
    # Then they have no access, courses, groups, permissions, and their rules wait
    assert browser.get("/my/training").status_code == 303
    with client_of(served, token) as client:
        assert client.get("/v1/me").status_code == 401
    removed = api.get(f"/v1/users/{leaver.id}").json()
    assert (removed["active"], removed["permissions"], removed["email"]) == (False, [], leaver.email)
    assert removed["removed_at"]
    assert ask("SELECT count(*) FROM group_member WHERE user_id = :id", id=leaver.id) == 0
    assert ask("SELECT count(*) FROM credential WHERE user_id = :id", id=leaver.id) == 0
    assert api.get(f"/v1/users/{leaver.id}/courses").json() == {"items": []}
    assert ask("SELECT waits_for FROM retraining_rule WHERE id = :id", id=rule).startswith("its owner was removed")
    assert [one["email"] for one in api.get("/v1/users?removed=true").json()["items"]] == [leaver.email]
    assert api.get(f"/v1/users?email={leaver.email}").json() == {"items": []}
    admin = visitor(served, scene.admin.user_id)
    assert "removed</span>" in admin.get(f"/users/{leaver.id}").text
    assert "removed</span>" in admin.get("/users?q=leaver").text
    # The reset skips them, and leaves their records and their certificate
    run("UPDATE reset_slice SET published_at = now() - interval '1 hour' WHERE settled_at IS NULL")
    recover()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert report_of(reset)["progress"]["skipped"] == 1
    serial = ask("SELECT serial FROM certificate WHERE registration = :id", id=mine.registration)
    assert "has not been superseded" in visitor(served).get(f"/verify/{serial}").text
    assert ask("SELECT count(*) FROM assignment_submission WHERE registration = :id", id=mine.registration) > 0
    # They can be added again, and are the same person
    again = api.post("/v1/users", json={"email": leaver.email, "name": "Lee Long", "external_id": "hr-9"}).json()
    assert (again["user_id"], again["removed_at"], again["permissions"]) == (leaver.id, None, [])
    assert ask("SELECT details ->> 'again' FROM audit WHERE action = 'user.added' ORDER BY id DESC LIMIT 1") == "true"
    with client_of(served, token) as client:
        assert client.get("/v1/me").status_code == 401
    # Or removed, and become active by an import
    api.delete(f"/v1/users/{leaver.id}")
    csv = f"email,active\n{leaver.email},true\n"
    assert api.post("/v1/imports/users", content=csv, headers={"Content-Type": "text/csv"}).status_code == 200
    assert rows('SELECT active, removed_at FROM "user" WHERE id = :id', id=leaver.id) == [(True, None)]


def test_a_deactivated_user_is_signed_out_and_nobody_locks_themselves_out(
    api: httpx.Client, scene: Scene, served: str
) -> None:
    learner, browser = scene.users()[0], visitor(served, scene.users()[0].id)
    assert api.patch(f"/v1/users/{learner.id}", json={"active": False}).json()["active"] is False
    assert api.patch(f"/v1/users/{learner.id}", json={"active": True}).json()["active"] is True
    assert browser.get("/my/training").status_code == 303
    for answer in (
        api.patch(f"/v1/users/{scene.admin.user_id}", json={"active": False}),
        api.delete(f"/v1/users/{scene.admin.user_id}"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-oneself")


def test_what_someone_is_known_by_and_their_access_are_changed_by_their_equals(served: str, scene: Scene) -> None:
    people = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    with client_of(served, token_for(people.id)) as client:
        admin = f"/v1/users/{scene.admin.user_id}"
        for change in ({"email": "x@y.example"}, {"external_id": "x"}, {"active": False}):
            assert client.patch(admin, json=change).status_code == 403, change
        assert client.patch(admin, json={"name": "Alex"}).status_code == 200
        assert client.delete(admin).status_code == 403
        learner = f"/v1/users/{scene.users()[0].id}"
        assert client.patch(learner, json={"email": "x@y.example"}).status_code == 200
        assert client.delete(learner).status_code == 204
    page = visitor(served, people.id).get(f"/users/{scene.admin.user_id}").text
    assert not [word for word in ("/deactivate", "/remove", "/erase") if f'{scene.admin.user_id}{word}"' in page]
    assert "can deactivate, remove or erase them" in page


def test_two_changes_at_once_are_both_made_and_an_address_is_taken_once(api: httpx.Client, scene: Scene) -> None:
    one, other, *_ = scene.users()
    changes: list[tuple[int, dict[str, Any]]] = [
        (one.id, {"name": "Both"}),
        (one.id, {"external_id": "hr-1"}),
        (one.id, {"locale": "de"}),
        (one.id, {"email": "wanted@acme.example"}),
        (other.id, {"email": "WANTED@acme.example"}),
    ]
    answers: dict[int, int] = {}
    begin = threading.Barrier(len(changes))

    def change(place: int) -> None:
        user, given = changes[place]
        begin.wait()
        answers[place] = api.patch(f"/v1/users/{user}", json=given).status_code

    threads = [threading.Thread(target=change, args=[place]) for place in range(len(changes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [answers[place] for place in range(3)] == [200, 200, 200]
    assert sorted((answers[3], answers[4])) == [200, 409]
    assert rows('SELECT name, external_id, locale FROM "user" WHERE id = :id', id=one.id) == [("Both", "hr-1", "de")]
    assert ask("SELECT count(*) FROM \"user\" WHERE lower(email) = 'wanted@acme.example'") == 1


def test_a_course_is_unassigned_as_an_import_does(api: httpx.Client, scene: Scene, served: str, post: Post) -> None:
    learner = scene.enrolments()[0]
    reset = scene.request()
    post.deliver(post.take()[0])
    address = f"/v1/users/{learner.user_id}/courses/{COURSE}"
    assert api.delete(address).status_code == 204
    assert [one["course"] for one in api.get(f"/v1/users/{learner.user_id}/courses").json()["items"]] == [OTHER_COURSE]
    assert api.delete(address).json()["type"] == "/problems/course-not-assigned"
    assert api.delete(f"/v1/users/{learner.user_id}/courses/NONE").json()["type"] == "/problems/course-unknown"
    assert rows("SELECT subject, details FROM audit WHERE action = 'enrolment.ended'") == [
        (str(learner.id), {"user": learner.user_id, "course": COURSE})
    ]
    run("UPDATE reset_slice SET published_at = now() - interval '1 hour' WHERE settled_at IS NULL")
    recover()
    post.drain()
    assert (state_of(reset), report_of(reset)["progress"]["skipped"]) == ("succeeded", 1)
    moment = ask("SELECT unassigned_at FROM enrolment WHERE id = :id", id=learner.id)
    csv = f"course,email,assigned\n{COURSE},{scene.users()[0].email},false\n"
    assert api.post("/v1/imports/enrolments", content=csv, headers={"Content-Type": "text/csv"}).status_code == 200
    assert ask("SELECT unassigned_at FROM enrolment WHERE id = :id", id=learner.id) == moment, "it ended before"


def test_groups_are_found_renamed_and_deleted(api: httpx.Client, scene: Scene) -> None:
    made = api.put("/v1/groups/bern-2", json={"name": "Bern", "external_id": "site-17"}).json()
    assert made == {"code": "bern-2", "name": "Bern", "external_id": "site-17", "members": 0}
    taken = api.put("/v1/groups/zug-1", json={"name": "Zug", "external_id": "site-17"})
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/external-id-taken")
    api.put("/v1/groups/zug-1", json={"name": "Zug"})
    api.post("/v1/groups/bern-2/members", json={"join": [scene.users()[0].email]})
    assert [one["code"] for one in api.get("/v1/groups?external_id=site-17").json()["items"]] == ["bern-2"]
    renamed = api.patch("/v1/groups/bern-2", json={"name": "Bern, shift 2", "external_id": None}).json()
    assert renamed == {"code": "bern-2", "name": "Bern, shift 2", "external_id": None, "members": 1}
    assert api.delete("/v1/groups/bern-2").status_code == 204
    assert api.delete("/v1/groups/bern-2").json()["type"] == "/problems/group-unknown"
    assert [one["code"] for one in api.get("/v1/groups").json()["items"]] == ["zug-1"]
    scene.request(audience="group", group=group_with(api, scene, "zug-1"))
    in_use = api.delete("/v1/groups/zug-1")
    assert (in_use.status_code, in_use.json()["type"]) == (409, "/problems/group-in-use")
    assert [action for (action,) in rows("SELECT action FROM audit WHERE action LIKE 'group.%' ORDER BY id")] == [
        "group.created", "group.created", "group.members_added", "group.changed", "group.deleted",
        "group.members_added",
    ]  # fmt: skip


def group_with(api: httpx.Client, scene: Scene, code: str) -> str:
    assert api.post(f"/v1/groups/{code}/members", json={"join": [scene.users()[0].email]}).json()["joined"] == 1
    return code


def test_webhooks_are_managed_by_api(api: httpx.Client, scene: Scene, post: Post, set_up: Callable[..., None]) -> None:
    set_up(webhook_allow_private="true")
    wanted = {"url": "http://127.0.0.1:9/hook", "events": ["reset.started", "reset.started"]}
    made = api.post("/v1/webhook-endpoints", json=wanted).json()
    assert (made["events"], made["enabled"], made["waiting"]) == (["reset.started"], True, 0)
    reset = scene.request()
    post.drain()
    with transaction() as session:
        tell(session, scene.organization.id, WebhookEvent.RESET_STARTED, reset, {})
    at = f"/v1/webhook-endpoints/{made['id']}"
    deliveries = api.get(f"{at}/deliveries?limit=1")
    assert len(deliveries.json()["items"]) == 1
    assert deliveries.links["next"]
    assert api.get("/v1/webhook-endpoints").json()["items"][0]["waiting"] == 2
    disabled = api.post(f"{at}:disable").json()
    assert (disabled["enabled"], disabled["disabled_why"], disabled["waiting"]) == (False, "an admin disabled it", 0)
    message = api.get(f"{at}/deliveries").json()["items"][0]
    assert (message["state"], message["event"], message["reset_id"]) == ("failed", "reset.started", str(reset))
    again = f"{at}/deliveries/{message['message_id']}:send-again"
    assert api.post(again).json()["type"] == "/problems/webhook-unknown"
    assert api.post(f"{at}:enable").json()["enabled"] is True
    assert api.post(again).status_code == 204
    assert api.get("/v1/webhook-endpoints").json()["items"][0]["waiting"] == 1
    renewed = api.post(f"{at}:renew-secret").json()["secret"]
    assert renewed != made["secret"]
    assert api.delete(at).status_code == 204
    assert api.get("/v1/webhook-endpoints").json() == {"items": []}


def test_a_token_creates_tokens_with_scopes_of_its_own(served: str, scene: Scene) -> None:
    assert scene.admin.user_id is not None
    learner = scene.users()[0]
    with client_of(served, token_for(scene.admin.user_id, Scope.TOKENS_WRITE, Scope.RESETS_READ)) as api:
        refused = api.post("/v1/tokens", json={"name": "x", "scopes": ["resets:write"]})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/scope-missing")
        made = api.post("/v1/tokens", json={"name": "reports", "scopes": ["resets:read"], "days": 90}).json()
        theirs = api.post("/v1/tokens", json={"name": "x", "scopes": ["resets:read"], "user_id": learner.id})
        assert theirs.status_code == 201
        with client_of(served, made["token"]) as client:
            assert client.get("/v1/resets").status_code == 200
            assert client.get("/v1/tokens").status_code == 403
        listed = api.get("/v1/tokens").json()["items"]
        assert [(one["name"], one["email"], one["state"]) for one in listed[1:]] == [
            ("reports", "admin@acme.example", "valid"),
            ("x", learner.email, "valid"),
        ]
        assert made["token"] not in json.dumps(listed)
        first = api.get("/v1/tokens?limit=1")
        assert api.get(first.links["next"]["url"]).json()["items"] == listed[1:2]
        for _ in range(2):
            assert api.delete(f"/v1/tokens/{listed[1]['id']}").status_code == 204
        with client_of(served, made["token"]) as client:
            assert client.get("/v1/resets").status_code == 401
    people = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    with client_of(served, token_for(people.id)) as api:  # not for someone with more permissions
        more = {"name": "x", "scopes": ["resets:read"], "user_id": scene.admin.user_id}
        assert api.post("/v1/tokens", json=more).json()["type"] == "/problems/forbidden"


def test_a_token_never_gets_more_permissions_than_it_was_made_with(served: str, scene: Scene) -> None:
    user = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    with client_of(served, token_for(user.id)) as theirs, client_of(served, token_for(scene.admin.user_id or 0)) as api:
        at = f"/v1/users/{user.id}/permissions"
        assert api.put(at, json={"permissions": [*MANAGEMENT]}).json()["permissions"] == [*MANAGEMENT]
        assert theirs.get("/v1/me").json()["permissions"] == [Permission.USERS]
        assert theirs.get("/v1/analytics/courses").json()["type"] == "/problems/forbidden"
        more = {"name": "x", "scopes": ["resets:read"]}
        assert theirs.post("/v1/tokens", json=more).json()["type"] == "/problems/forbidden"
        api.put(at, json={"permissions": [Permission.COURSES]})
        assert theirs.get("/v1/me").json()["permissions"] == []
        refused = api.put(f"/v1/users/{scene.admin.user_id}/permissions", json={"permissions": []})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-oneself")


def test_password_links_and_sessions_of_others_by_api(served: str, scene: Scene) -> None:
    learner = scene.users()[0]
    browser = visitor(served, learner.id)
    assert browser.get("/my/training").status_code == 200
    with client_of(served, token_for(scene.admin.user_id or 0, Scope.ACCESS_WRITE)) as api:
        at = f"/v1/users/{learner.id}/sessions"
        [seen] = api.get(at).json()["items"]
        assert api.delete(f"{at}/{seen['key']}").status_code == 204
        assert api.delete(f"{at}/{seen['key']}").json()["type"] == "/problems/session-unknown"
        assert browser.get("/my/training").status_code == 303
        visitor(served, learner.id)
        assert api.delete(at).status_code == 204
        assert api.get(at).json() == {"items": []}
        made = api.post(f"/v1/users/{learner.id}/password-links")
        assert made.status_code == 201, made.text
        assert "Choose" in visitor(served).get(urlsplit(made.json()["link"]).path).text
    people = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    with client_of(served, token_for(people.id)) as api:  # nothing of someone with more permissions
        for method, what in (("GET", "sessions"), ("DELETE", "sessions"), ("POST", "password-links")):
            refused = api.request(method, f"/v1/users/{scene.admin.user_id}/{what}")
            assert refused.json()["type"] == "/problems/forbidden", (method, what)


def test_the_command_line_does_the_same(scene: Scene, post: Post, set_up: Callable[..., None]) -> None:
    set_up(webhook_allow_private="true")
    recourse("user", "add", "kim@acme.example", "--name", "Kim Khan", "--external-id", "hr-1042")
    known = ["user", "show", "--external-id", "hr-1042", "--json"]
    user = json.loads(recourse(*known))
    assert (user["email"], user["removed_at"], user["courses"]) == ("kim@acme.example", None, [])
    change = ["--email", "kim.khan@acme.example", "--set-external-id", "hr-7", "--no-notifications", "--locale", "de"]
    said = recourse("user", "edit", "kim@acme.example", *change)
    assert "is changed: email, external id, locale, notifications on." in said
    assert "kim.khan@acme.example" in recourse("user", "show", "--external-id", "hr-7")
    learner = scene.users()[0]
    assert f"{COURSE} is unassigned" in recourse("user", "unassign", learner.email, COURSE)
    assert json.loads(recourse("user", "show", learner.email, "--json"))["courses"] == [OTHER_COURSE]
    assert "is removed" in recourse("user", "remove", learner.email)
    assert ask('SELECT removed_at IS NOT NULL FROM "user" WHERE id = :id', id=learner.id)
    assert ask("SELECT actor FROM audit WHERE action = 'user.removed'").startswith("console:")
    recourse("groups", "add", "bern-2", "--name", "Bern", "--external-id", "site-17")
    recourse("groups", "edit", "bern-2", "--name", "Bern, shift 2")
    assert json.loads(recourse("groups", "list", "--json")) == [
        {"code": "bern-2", "name": "Bern, shift 2", "external_id": "site-17", "members": 0}
    ]
    recourse("groups", "remove", "bern-2")
    assert ask("SELECT count(*) FROM user_group") == 0
    said = recourse("webhook", "add", "http://127.0.0.1:9/hook", "--event", "reset.started")
    number = re.search(r"Webhook (\d+) is", said)
    assert number
    assert recourse("webhook", "secret", number[1]).strip() in said
    assert recourse("webhook", "secret", number[1], "--new").strip() not in said
    reset = scene.request()
    post.drain()
    recourse("webhook", "disable", number[1])
    assert json.loads(recourse("webhook", "list", "--json"))[0]["disabled_why"] == "an admin disabled it"
    [delivery] = json.loads(recourse("webhook", "deliveries", number[1], "--json"))
    assert (delivery["reset_id"], delivery["state"]) == (str(reset), "failed")
    recourse("webhook", "enable", number[1])
    recourse("webhook", "send-again", number[1], delivery["message_id"])
    assert json.loads(recourse("webhook", "list", "--json"))[0]["waiting"] == 1
    recourse("webhook", "remove", number[1])
    assert "There are no webhooks yet" in recourse("webhook", "list")


def test_a_session_does_not_come_back_with_the_user(scene: Scene, served: str, api: httpx.Client) -> None:
    learner = scene.users()[0]
    with transaction() as session:
        begin_session(session, session.get_one(User, learner.id), "a browser")
    api.delete(f"/v1/users/{learner.id}")
    api.post("/v1/users", json={"email": learner.email, "name": "Back"})
    assert ask("SELECT count(*) FROM web_session WHERE user_id = :id", id=learner.id) == 0
