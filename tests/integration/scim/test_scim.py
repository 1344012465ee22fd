"""SCIM over real HTTP: the standard, as `scim2-tester` checks it, and the ways of Okta and Microsoft Entra."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from scim2_tester import Status, check_server
from sqlalchemy import event

from models.access import Permission
from models.people import User
from models.session import engine, transaction
from models.tokens import Scope
from models.web_sessions import begin_session
from tasks.people.groups import create_group
from tests.post import Post
from tests.scenes import Scene, ask, make_scene, recover, report_of, rows, run, state_of
from tests.scim import GROUP, USER, Client, patch, provider_of
from tests.sockets import Line
from tests.web import client_of, make_user, token_for, visitor


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene(learners=6)


@pytest.fixture
def provider(served: str, scene: Scene) -> Iterator[httpx.Client]:
    assert scene.admin.user_id is not None
    with provider_of(served, scene.admin.user_id) as client:
        yield client


def created(client: httpx.Client, user_name: str, **more: Any) -> dict[str, Any]:
    answer = client.post("/Users", json={"schemas": [USER], "userName": user_name, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def group_of(client: httpx.Client, name: str, *members: str) -> dict[str, Any]:
    listed = [{"value": one} for one in members]
    answer = client.post("/Groups", json={"schemas": [GROUP], "displayName": name, "members": listed})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def members_of(client: httpx.Client, key: str) -> set[str]:
    return {one["value"] for one in client.get(f"/Groups/{key}").json().get("members", [])}


def learners(scene: Scene) -> list[str]:
    return [str(user.id) for user in scene.users()]


def test_scim2_tester_finds_no_failure(provider: httpx.Client) -> None:
    results = check_server(Client(provider))

    found = Counter(result.status for result in results)
    assert not [result for result in results if result.status in (Status.ERROR, Status.CRITICAL, Status.DEVIATION)]
    # Searching users and groups at once is the one thing that it skips
    assert {result.title for result in results if result.status == Status.SKIPPED} == {"search_with_attributes"}
    assert found[Status.SUCCESS] > 45, found
    assert {result.resource_type for result in results} == {None, "User", "Group"}


def test_a_user_in_the_ways_of_okta(provider: httpx.Client, scene: Scene) -> None:
    # Okta looks for the user first, and sends more than we keep
    found = provider.get("/Users", params={"filter": 'userName eq "kim@acme.example"', "startIndex": 1, "count": 100})
    assert (found.json()["totalResults"], found.json()["Resources"]) == (0, [])
    user = created(
        provider,
        "kim@acme.example",
        name={"givenName": "Kim", "familyName": "Khan"},
        emails=[
            {"primary": False, "value": "kim@home.example", "type": "home"},
            {"primary": True, "value": "kim@acme.example", "type": "work"},
        ],
        displayName="Kim Khan",
        locale="en_US",
        externalId="00ujl29u0le5T6Aj10h7",
        groups=[],
        password="1mz050nq",
        active=True,
    )
    assert user["meta"]["location"].endswith(f"/scim/v2/Users/{user['id']}")
    row = rows('SELECT email, name, external_id, locale, user_name FROM "user" WHERE id = :id', id=int(user["id"]))
    assert row == [("kim@acme.example", "Kim Khan", "00ujl29u0le5T6Aj10h7", "en-US", None)]
    assert ask("SELECT count(*) FROM credential WHERE user_id = :id", id=int(user["id"])) == 0
    # It deactivates without a path, which ends their sessions
    with transaction() as session:
        begin_session(session, session.get_one(User, int(user["id"])), "a browser")
    answer = patch(provider, f"/Users/{user['id']}", {"op": "replace", "value": {"active": False}})
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert ask("SELECT count(*) FROM web_session WHERE user_id = :id", id=int(user["id"])) == 0
    # And updates by replacing: the person with the new address is the same
    whole = provider.get(f"/Users/{user['id']}").json() | {
        "userName": "kim.khan@acme.example",
        "emails": [{"primary": True, "value": "kim.khan@acme.example", "type": "work"}],
        "active": True,
    }
    answer = provider.put(f"/Users/{user['id']}", json=whole)
    assert (answer.status_code, answer.json()["id"], answer.json()["userName"]) == (
        200,
        user["id"],
        "kim.khan@acme.example",
    )
    # And renames a group with its id in the value
    group = group_of(provider, "Bern", user["id"])
    value = {"id": group["id"], "displayName": "Bern, shift 2"}
    assert patch(provider, f"/Groups/{group['id']}", {"op": "replace", "value": value}).status_code == 200
    assert rows("SELECT code, name FROM user_group") == [("bern", "Bern, shift 2")]
    leaves = {"op": "remove", "path": f'members[value eq "{user["id"]}"]'}
    assert "members" not in patch(provider, f"/Groups/{group['id']}", leaves).json()


def test_a_user_in_the_ways_of_entra(provider: httpx.Client) -> None:
    user = created(
        provider,
        "kim@corp.onmicrosoft.com",
        **{
            "schemas": [USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "emails": [{"primary": True, "type": "work", "value": "kim@acme.example"}],
            "displayName": "Kim Khan",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Safety"},
        },
    )
    at = f"/Users/{user['id']}"
    assert (user["userName"], user["emails"]) == (
        "kim@corp.onmicrosoft.com",
        [{"value": "kim@acme.example", "type": "work"}],
    )
    assert ask('SELECT email FROM "user" WHERE id = :id', id=int(user["id"])) == "kim@acme.example"
    found = provider.get("/Users", params={"filter": 'userName eq "KIM@corp.onmicrosoft.com"'}).json()
    assert [one["id"] for one in found["Resources"]] == [user["id"]]
    # Booleans are text, operations have capitals, and paths have filters
    answer = patch(
        provider,
        at,
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "kim.khan@acme.example"},
        {"op": "Add", "path": "name.familyName", "value": "Quandt"},
        {"op": "Replace", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+41 79 000 00 00"},
        {
            "op": "Replace",
            "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "value": "X",
        },
        {"op": "Replace", "path": "displayName", "value": "Kim Quandt"},
    )
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["active"], changed["displayName"], changed["emails"][0]["value"], changed["userName"]) == (
        False,
        "Kim Quandt",
        "kim.khan@acme.example",
        "kim@corp.onmicrosoft.com",
    )
    # Members leave by value
    other = created(provider, "lee@acme.example", displayName="Lee")
    group = group_of(provider, "Crew")
    joins = [{"$ref": None, "value": user["id"]}, {"$ref": None, "value": other["id"]}]
    at = f"/Groups/{group['id']}"
    assert patch(provider, at, {"op": "Add", "path": "members", "value": joins}).status_code == 200
    patch(provider, at, {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": user["id"]}]})
    assert members_of(provider, group["id"]) == {other["id"]}
    assert "members" not in provider.get(at, params={"excludedAttributes": "members"}).json()


def test_a_user_name_that_is_no_address_needs_one(provider: httpx.Client) -> None:
    refused = provider.post("/Users", json={"schemas": [USER], "userName": "kkhan"})
    assert (refused.status_code, refused.json()["scimType"]) == (400, "invalidValue")
    user = created(provider, "kkhan", emails=[{"value": "kim@acme.example"}])
    assert (user["userName"], user["displayName"]) == ("kkhan", "kkhan")
    taken = provider.post(
        "/Users", json={"schemas": [USER], "userName": "KKHAN", "emails": [{"value": "other@acme.example"}]}
    )
    assert (taken.status_code, taken.json()["scimType"]) == (409, "uniqueness")
    # An address that is the user name follows it
    plain = created(provider, "lee@acme.example")
    changed = patch(
        provider, f"/Users/{plain['id']}", {"op": "replace", "path": "userName", "value": "lee.long@acme.example"}
    ).json()
    assert changed["emails"][0]["value"] == changed["userName"] == "lee.long@acme.example"


def test_thousands_of_members_join_and_leave_in_one_request_each_and_few_statements(
    provider: httpx.Client, scene: Scene
) -> None:
    run(
        "INSERT INTO \"user\" (organization_id, email, name) SELECT :o, 'u' || n || '@acme.example', 'U' "
        "FROM generate_series(1, 10000) n",
        o=scene.organization.id,
    )
    ids = [str(one) for (one,) in rows("SELECT id FROM \"user\" WHERE name = 'U' ORDER BY id")]
    group = group_of(provider, "Everyone", *learners(scene))
    at, statements = f"/Groups/{group['id']}", []
    count = lambda *_: statements.append(1)  # noqa: E731 - a listener
    event.listen(engine(), "before_cursor_execute", count)
    try:
        joined = patch(provider, at, {"op": "add", "path": "members", "value": [{"value": one} for one in ids]})
        assert joined.status_code == 200, joined.text
        assert len(joined.json()["members"]) == 10_006
        leave = [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in ids[:9_000]]
        left = patch(provider, at, *leave)
        assert left.status_code == 200, left.text
    finally:
        event.remove(engine(), "before_cursor_execute", count)
    assert len(statements) < 60, "not a statement for each member"
    assert members_of(provider, group["id"]) == {*learners(scene), *ids[9_000:]}
    replaced = patch(provider, at, {"op": "replace", "path": "members", "value": [{"value": ids[0]}]})
    assert [one["value"] for one in replaced.json()["members"]] == [ids[0]]
    sizes = "SELECT action, jsonb_array_length(details -> 'users') FROM audit WHERE action LIKE 'group.members%' "
    entries = rows(f"{sizes} ORDER BY id")
    assert entries == [
        ("group.members_added", 6),
        ("group.members_added", 10_000),
        ("group.members_removed", 9_000),
        ("group.members_removed", 1_006),
        ("group.members_added", 1),
    ]


def test_operations_on_members_come_one_after_the_other(provider: httpx.Client, scene: Scene) -> None:
    a, b, c, d, *_ = learners(scene)
    group = group_of(provider, "Bern", a)
    patch(
        provider,
        f"/Groups/{group['id']}",
        {"op": "add", "path": "members", "value": [{"value": b}, {"value": c}]},
        {"op": "remove", "path": f'members[value eq "{b}" or value eq "{a}"]'},
        {"op": "add", "value": {"members": [{"value": a}]}},
    )
    assert members_of(provider, group["id"]) == {a, c}
    patch(
        provider,
        f"/Groups/{group['id']}",
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": {"value": d}},
    )
    assert members_of(provider, group["id"]) == {d}
    for wrong in (
        {"op": "add", "path": "members", "value": [{"value": "10000000"}]},
        {"op": "add", "path": "members", "value": [{"value": a, "type": "Group"}]},
        {"op": "add", "path": 'members[value eq "1"]', "value": "x"},
        {"op": "remove", "path": "displayName"},
        {"op": "remove", "path": "members[value sw 1]"},
        {"op": "move", "path": "members"},
        {"op": "remove"},
        {"op": "add", "value": "x"},
    ):
        refused = patch(provider, f"/Groups/{group['id']}", wrong)
        assert refused.status_code in (400, 404), (wrong, refused.text)
        assert refused.json()["detail"]
    assert members_of(provider, group["id"]) == {d}


def test_a_deleted_user_is_gone_and_comes_back_as_the_same_person(
    provider: httpx.Client, scene: Scene, post: Post, served: str
) -> None:
    learner = scene.users()[0]
    group = group_of(provider, "Bern", str(learner.id))
    token = token_for(learner.id)
    browser = visitor(served, learner.id)
    # They are in a running reset
    reset = scene.request()
    post.deliver(post.take()[0])
    assert provider.delete(f"/Users/{learner.id}").status_code == 204
    for answer in (provider.get(f"/Users/{learner.id}"), provider.delete(f"/Users/{learner.id}")):
        assert (answer.status_code, answer.json()["status"]) == (404, "404")
    assert provider.get("/Users", params={"filter": f'id eq "{learner.id}"'}).json()["totalResults"] == 0
    assert members_of(provider, group["id"]) == set()
    assert browser.get("/my/training").status_code == 303
    with client_of(served, token) as client:
        assert client.get("/v1/me").status_code == 401
    run("UPDATE reset_slice SET published_at = now() - interval '1 hour' WHERE settled_at IS NULL")
    recover()
    post.drain()
    assert state_of(reset) == "succeeded"
    assert report_of(reset)["progress"]["skipped"] == 1
    # When they are created again, they have their records, and neither courses nor their token
    again = created(provider, learner.email.upper(), displayName="Back Again")
    assert again["id"] == str(learner.id)
    assert rows('SELECT active, removed_at, name FROM "user" WHERE id = :id', id=learner.id) == [
        (True, None, "Back Again")
    ]
    assert ask("SELECT count(*) FROM enrolment WHERE user_id = :id AND unassigned_at IS NULL", id=learner.id) == 0
    with client_of(served, token) as client:
        assert client.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('userName eq "LEARNER-1@acme.example"', ["1"]),
        ('externalId eq "hr-2"', ["2"]),
        ('externalId eq "HR-2"', []),
        ('externalId pr and not (userName sw "learner-2")', []),
        ('userName eq "learner-1@acme.example" or externalId eq "hr-2"', ["1", "2"]),
        ('emails[type eq "work" and value eq "learner-3@acme.example"]', ["3"]),
        ('emails.value co "NER-4@"', ["4"]),
        ('displayName ew "5" and active eq true', ["5"]),
        ('active eq "False"', ["6"]),
        ('active ne true and meta.created gt "2020-01-01T00:00:00Z"', ["6"]),
        ('userName sw "learner-" and userName lt "learner-3"', ["1", "2"]),
        ('userName co "%"', []),
        ('externalId ne "hr-2" and userName sw "learner-1"', ["1"]),
    ],
)
def test_users_are_found_by_filter(provider: httpx.Client, scene: Scene, text: str, found: list[str]) -> None:
    _, two, *_, last = scene.users()
    run("UPDATE \"user\" SET external_id = 'hr-2' WHERE id = :id", id=two.id)
    run('UPDATE "user" SET active = false WHERE id = :id', id=last.id)
    run("UPDATE \"user\" SET name = 'Learner ' || substr(email, 9, 1) WHERE email LIKE 'learner-%'")
    for answer in (
        provider.get("/Users", params={"filter": text}),
        provider.post("/Users/.search", json={"filter": text}),
    ):
        assert answer.status_code == 200, answer.text
        assert sorted(one["userName"] for one in answer.json()["Resources"]) == [
            f"learner-{number}@acme.example" for number in found
        ]


def test_groups_are_found_by_filter(provider: httpx.Client, scene: Scene) -> None:
    a, b, *_ = learners(scene)
    bern, zug = group_of(provider, "Bern", a), group_of(provider, "Zug", a, b)
    for text, found in (
        ('displayName eq "BERN"', [bern]),
        (f'members.value eq "{b}"', [zug]),
        (f'members[value eq "{a}"]', [bern, zug]),
        ("externalId pr", []),
        (f'id eq "{zug["id"]}"', [zug]),
    ):
        answer = provider.get("/Groups", params={"filter": text}).json()
        assert [one["id"] for one in answer["Resources"]] == [one["id"] for one in found], text


def test_lists_come_in_parts(provider: httpx.Client) -> None:
    seen: list[str] = []
    while True:
        part = provider.get("/Users", params={"startIndex": len(seen) + 1, "count": 3, "attributes": "userName"}).json()
        assert part["startIndex"] == len(seen) + 1
        assert all(set(one) == {"schemas", "id", "userName"} for one in part["Resources"])
        seen += [one["id"] for one in part["Resources"]]
        if len(seen) >= part["totalResults"]:
            break
    assert len(set(seen)) == len(seen) == ask('SELECT count(*) FROM "user"')
    assert provider.get("/Users", params={"count": 0}).json()["Resources"] == []
    assert provider.get("/Users", params={"startIndex": 1000}).json()["Resources"] == []


@pytest.mark.parametrize(
    ("method", "address", "body", "status", "kind"),
    [
        ("GET", "/Users?filter=userName", None, 400, "invalidFilter"),
        ("GET", "/Users?filter=shoeSize eq 42", None, 400, "invalidFilter"),
        ("GET", "/Users?filter=" + "(" * 900, None, 400, "invalidFilter"),
        ("GET", "/Users?filter=active gt true", None, 400, "invalidFilter"),
        ("GET", "/Users?count=many", None, 400, "invalidValue"),
        ("GET", "/Users/0", None, 404, None),
        ("GET", "/Users/kim", None, 404, None),
        ("GET", "/Groups/99999999999999999999", None, 404, None),
        ("GET", "/Cats", None, 404, None),
        ("DELETE", "/Users", None, 405, None),
        ("POST", "/Users", "kim", 400, "invalidSyntax"),
        ("POST", "/Users", "[]", 400, "invalidSyntax"),
        ("POST", "/Users", "[" * 100_000, 400, "invalidSyntax"),
        ("POST", "/Users", "{}", 400, "invalidValue"),
        ("POST", "/Users", '{"userName": "a@b.example", "timezone": "Nowhere"}', 400, "invalidValue"),
        ("POST", "/Users", '{"userName": "a\\u0000@b.example"}', 400, "invalidValue"),
        ("POST", "/Users", '{"userName": "learner-1@acme.example"}', 409, "uniqueness"),
        ("POST", "/Groups", "{}", 400, "invalidValue"),
        ("PATCH", "/Users/USER", '{"Operations": []}', 400, "invalidValue"),
        ("PATCH", "/Users/USER", '{"Operations": [{"op": "remove", "path": "timezone"}]}', 400, "mutability"),
        ("PATCH", "/Users/USER", '{"Operations": [{"op": "replace", "path": "id", "value": "1"}]}', 400, "mutability"),
        ("PATCH", "/Users/USER", '{"Operations": [{"op": "replace", "path": "a[", "value": 1}]}', 400, "invalidPath"),
        ("PATCH", "/Users/ADMIN", '{"Operations": [{"op": "replace", "path": "active", "value": false}]}', 409, None),
        ("DELETE", "/Users/ADMIN", None, 409, None),
        ("POST", "/.search", "{}", 501, None),
        ("POST", "/Bulk", "{}", 501, None),
        ("GET", "/Me", None, 501, None),
    ],
)
def test_errors_are_scims_own(
    provider: httpx.Client, scene: Scene, method: str, address: str, body: str | None, status: int, kind: str | None
) -> None:
    before = rows('SELECT * FROM "user" ORDER BY id')
    place = address.replace("USER", learners(scene)[0]).replace("ADMIN", str(scene.admin.user_id))
    answer = provider.request(method, place, content=body)
    assert answer.headers["content-type"] == "application/scim+json"
    said = answer.json()
    assert (answer.status_code, said["status"], said.get("scimType")) == (status, str(status), kind), said
    assert said["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert rows('SELECT * FROM "user" ORDER BY id') == before


def test_only_a_token_with_the_scope_of_a_user_who_manages_users_is_accepted(served: str, scene: Scene) -> None:
    assert scene.admin.user_id is not None
    manager = make_user(scene.organization.id, "manager@acme.example", Permission.COURSES)
    for client, status in (
        (httpx.Client(base_url=f"{served}/scim/v2"), 401),
        (provider_of(served, scene.admin.user_id, *(one for one in Scope if one != Scope.SCIM_WRITE)), 403),
        (provider_of(served, manager.id), 403),
    ):
        for address in ("/Users", "/Groups", "/Schemas", "/ResourceTypes/User", "/ServiceProviderConfig", "/Me"):
            answer = client.get(address)
            assert (answer.status_code, answer.json()["status"]) == (status, str(status)), address


def test_each_organization_is_alone(served: str, scene: Scene, provider: httpx.Client) -> None:
    other = make_scene("globex", learners=1)
    assert other.admin.user_id is not None
    learner, group = learners(scene)[0], group_of(provider, "Bern", learners(scene)[0])
    with provider_of(served, other.admin.user_id) as stranger:
        active = {"op": "replace", "path": "active", "value": False}
        joins = {"op": "add", "path": "members", "value": [{"value": learner}]}
        theirs = group_of(stranger, "Bern")
        for answer in (
            stranger.get(f"/Users/{learner}"),
            stranger.put(f"/Users/{learner}", json={"userName": "x@globex.example"}),
            patch(stranger, f"/Users/{learner}", active),
            stranger.delete(f"/Users/{learner}"),
            stranger.get(f"/Groups/{group['id']}"),
            stranger.put(f"/Groups/{group['id']}", json={"displayName": "X"}),
            patch(stranger, f"/Groups/{group['id']}", joins),
            stranger.delete(f"/Groups/{group['id']}"),
            patch(stranger, f"/Groups/{theirs['id']}", joins),
        ):
            assert answer.status_code == 404, answer.text
        assert stranger.get("/Users", params={"filter": f'id eq "{learner}"'}).json()["totalResults"] == 0
        assert stranger.get("/Users").json()["totalResults"] == 2
        assert [one["id"] for one in stranger.get("/Groups").json()["Resources"]] == [theirs["id"]]
        # Who is of another organization may have the same address
        created(stranger, scene.users()[0].email)
    assert members_of(provider, group["id"]) == {learner}
    assert ask('SELECT active FROM "user" WHERE id = :id', id=int(learner))


def test_two_changes_at_once_are_both_made_and_one_of_an_old_version_is_refused(
    provider: httpx.Client, scene: Scene
) -> None:
    a, b, *_ = learners(scene)
    group = group_of(provider, "Bern")
    user, at = f"/Users/{a}", f"/Groups/{group['id']}"
    changes = [
        (user, {"op": "replace", "path": "displayName", "value": "Both"}),
        (user, {"op": "replace", "path": "externalId", "value": "hr-1"}),
        (user, {"op": "replace", "path": "userName", "value": "both@acme.example"}),
        (at, {"op": "add", "path": "members", "value": [{"value": a}]}),
        (at, {"op": "add", "path": "members", "value": [{"value": b}]}),
        (at, {"op": "replace", "path": "displayName", "value": "Both"}),
    ] * 3
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda at=at, one=one: answers.append(patch(provider, at, one).status_code))  # type: ignore[misc]
        for at, one in changes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * len(changes)
    found = provider.get(user).json()
    assert (found["displayName"], found["externalId"], found["userName"]) == ("Both", "hr-1", "both@acme.example")
    assert (members_of(provider, group["id"]), provider.get(at).json()["displayName"]) == ({a, b}, "Both")
    # A change that is meant for an earlier version
    for address, change in (
        (user, {"op": "replace", "path": "displayName", "value": "Kim"}),
        (at, {"op": "remove", "path": f'members[value eq "{a}"]'}),
    ):
        version = provider.get(address).headers["etag"]
        assert provider.get(address, headers={"If-None-Match": version}).status_code == 304
        assert patch(provider, address, change, **{"If-Match": version}).status_code == 200
        late = patch(provider, address, change, **{"If-Match": version})
        assert (late.status_code, late.json()["status"]) == (412, "412")
        assert provider.get(address).headers["etag"] != version


def test_who_changes_an_address_needs_the_users_permissions(served: str, scene: Scene) -> None:
    people = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    with provider_of(served, people.id) as client:
        taken_over = {"op": "replace", "path": "userName", "value": "people@evil.example"}
        refused = patch(client, f"/Users/{scene.admin.user_id}", taken_over)
        assert (refused.status_code, refused.json()["status"]) == (403, "403")
        renamed = {"op": "replace", "path": "displayName", "value": "Alex"}
        assert patch(client, f"/Users/{scene.admin.user_id}", renamed).status_code == 200


def test_a_group_in_use_stays(provider: httpx.Client, scene: Scene) -> None:
    with transaction() as session:
        create_group(session, scene.admin, "bern-2", "Bern", "site-17")
    group = provider.get("/Groups", params={"filter": 'externalId eq "site-17"'}).json()["Resources"][0]
    patch(
        provider, f"/Groups/{group['id']}", {"op": "add", "path": "members", "value": [{"value": learners(scene)[0]}]}
    )
    scene.request(audience="group", group="bern-2")
    refused = provider.delete(f"/Groups/{group['id']}")
    assert (refused.status_code, "resets, rules or events" in refused.json()["detail"]) == (409, True)
    other = group_of(provider, "Bern", learners(scene)[0])
    assert ask("SELECT code FROM user_group WHERE id = :id", id=int(other["id"])) == "bern"
    assert provider.delete(f"/Groups/{other['id']}").status_code == 204


def test_every_address_checks_the_sender_before_it_reads_the_body(served: str, scene: Scene) -> None:
    from web import scim  # imports tasks, which test modules must not

    addresses = {
        (method, route.path_format)
        for router in scim.ROUTERS
        for route in router.routes
        for method in route.methods
        if method not in ("GET", "HEAD")
    }
    assert len(addresses) > 10
    for method, path in sorted(addresses):
        headers = {"Content-Length": "30000", "Content-Type": "application/scim+json"}
        line = Line(served, method, f"/scim/v2{path.format(key=1)}", headers)
        try:
            status, head = line.answer(10)
            assert (status, "application/scim+json" in head) == (401, True), (method, path)
        finally:
            line.close()


def test_a_body_of_more_than_a_megabyte_is_refused(provider: httpx.Client) -> None:
    refused = provider.post("/Groups", content=b"x" * 1_000_001)
    assert (refused.status_code, refused.json()["status"]) == (413, "413")
