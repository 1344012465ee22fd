"""External ids: the ids that the platform beside us knows users, courses and groups by."""

from collections.abc import Iterator

import httpx
import pytest

from models.access import Permission
from models.external_ids import LONGEST
from tests.integration.imports.test_api_imports import NDJSON, counts, errors, send
from tests.scenes import COURSE, OTHER_COURSE, Scene, ask, make_scene, rows, run
from tests.web import client_of, make_user, token_for, visitor


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=4)


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    with client_of(served, token_for(scene.admin.user_id or 0)) as client:
        yield client


def people() -> dict[str, str]:
    """Returns addresses by external id."""
    return dict(rows('SELECT external_id, email FROM "user" WHERE external_id IS NOT NULL'))


def adopt(api: httpx.Client) -> None:
    """Give the first three learners external ids."""
    lines = "".join(f"p-{number},learner-{number}@acme.example\n" for number in (1, 2, 3))
    assert counts(send(api, "users", f"external_id,email\n{lines}")) == {"users": (3, 0, 3, 0)}


def test_a_user_is_adopted_by_address_and_then_known_by_external_id(api: httpx.Client) -> None:
    before = ask("SELECT id FROM \"user\" WHERE email = 'learner-1@acme.example'")
    adopt(api)
    # A new address and a new name are the same person; the address may also be left out
    moved = send(api, "users", "external_id,email,name\np-1,new-address@acme.example,\np-2,,Renamed\n")
    assert counts(moved) == {"users": (2, 0, 2, 0)}
    assert ask("SELECT id FROM \"user\" WHERE email = 'new-address@acme.example'") == before
    assert ask("SELECT name FROM \"user\" WHERE external_id = 'p-2'") == "Renamed"
    again = send(api, "users", "external_id,email,name\np-1,NEW-address@acme.example,\np-2,,Renamed\n")
    assert counts(again) == {"users": (2, 0, 0, 2)}


def test_addresses_are_swapped_and_passed_on_within_a_file(api: httpx.Client) -> None:
    adopt(api)
    file = (
        "external_id,email,name\n"
        "p-1,learner-2@acme.example,\n"
        "p-2,learner-1@acme.example,\n"
        "p-3,third@acme.example,\n"
        "p-9,learner-3@acme.example,Nia New\n"
    )
    assert counts(send(api, "users", file)) == {"users": (4, 1, 3, 0)}
    assert people() == {
        "p-1": "learner-2@acme.example",
        "p-2": "learner-1@acme.example",
        "p-3": "third@acme.example",
        "p-9": "learner-3@acme.example",
    }
    assert counts(send(api, "users", file)) == {"users": (4, 0, 0, 4)}


def test_clashes_of_users_are_reported_by_line(api: httpx.Client) -> None:
    adopt(api)
    one = send(
        api,
        "users",
        "external_id,email,name\n"
        "p-7,learner-1@acme.example,A\n"
        "p-2,learner-4@acme.example,B\n"
        "p-3,third@acme.example,C\n",
    )
    assert errors(one) == [
        (2, "email: another user has this address, with the external_id p-1"),
        (3, "email: another user has this address"),
    ]
    two = send(api, "users", "external_id,email,name\np-1,,A\np-1,,B\np-8,,C\n,,D\n")
    assert errors(two) == [
        (3, "external_id: line 2 has the same one"),
        (4, "email: must not be empty for a new user; nobody has the external_id p-8"),
        (5, "email: must not be empty"),
    ]
    three = send(api, "users", "external_id,email,name\np-1,other@acme.example,A\n,learner-1@acme.example,B\n")
    assert errors(three) == [(3, "email: line 2 has the same user, by external_id and by address")]
    assert people()["p-1"] == "learner-1@acme.example"


def test_a_changed_code_is_the_same_course(api: httpx.Client, scene: Scene) -> None:
    file = f"external_id,code\nc-1,{COURSE}\nc-2,{OTHER_COURSE}\n"
    assert counts(send(api, "courses", file))["courses"] == (2, 0, 2, 0)
    swapped = f"external_id,code,title,activity,kind,activity_title\nc-1,{OTHER_COURSE},,,,\nc-2,{COURSE},,,,\n"
    swapped += f"c-2,{COURSE},,more,lesson,More\nc-3,NEW-1,New,,,\n"
    assert counts(send(api, "courses", swapped)) == {"courses": (3, 1, 2, 0), "activities": (1, 1, 0, 0)}
    assert ask("SELECT code FROM course WHERE id = :id", id=scene.course.id) == OTHER_COURSE
    of_the_new_line = "SELECT code FROM course c JOIN activity a ON a.course_id = c.id WHERE reference = 'more'"
    assert ask(of_the_new_line) == COURSE
    assert counts(send(api, "courses", swapped)) == {"courses": (3, 0, 0, 3), "activities": (1, 0, 0, 1)}


def test_clashes_of_courses_are_reported_by_line(api: httpx.Client, scene: Scene) -> None:
    run("UPDATE course SET external_id = 'c-1' WHERE id = :id", id=scene.course.id)
    wrong = "external_id,code,title\nc-7,A-1,A\nc-8,A-1,A\nc-9,B-1,B\nc-9,B-2,B\n"
    assert errors(send(api, "courses", wrong)) == [
        (3, "external_id: line 2 has another value for course A-1"),
        (5, "external_id: line 4 has the same one, with another code"),
    ]
    taken = send(api, "courses", f"external_id,code,title\nc-1,{OTHER_COURSE},\nc-2,{COURSE},New\n")
    assert errors(taken) == [(2, f"code: another course has the code {OTHER_COURSE}")]
    twice = send(api, "courses", f"external_id,code,title\nc-1,X-1,\n,{COURSE},\n")
    assert errors(twice) == [(3, "code: line 2 has the same course, by external_id and by code")]


def test_enrolments_name_courses_and_users_by_either_id(api: httpx.Client, scene: Scene) -> None:
    adopt(api)
    send(api, "courses", f"external_id,code\nc-1,{COURSE}\n")
    run("DELETE FROM completion; DELETE FROM certificate")
    run("UPDATE enrolment SET due_at = NULL")
    file = '{"course_external_id": "c-1", "user_external_id": "p-1", "due_at": "2027-05-01T00:00:00Z"}\n'
    file += f'{{"course": "{COURSE}", "user_external_id": "p-2", "due_at": "2027-05-01T00:00:00Z"}}\n'
    file += '{"course_external_id": "c-1", "email": "learner-3@acme.example", "due_at": "2027-05-01T00:00:00Z"}\n'
    assert counts(send(api, "enrolments", file, NDJSON)) == {"enrolments": (3, 0, 3, 0)}
    assert ask("SELECT count(*) FROM enrolment WHERE due_at = '2027-05-01T00:00:00Z'") == 3
    # … and read back, the answers have them
    learners = api.get("/v1/analytics/courses/external:c-1/users").json()["items"]
    assert {"p-1", "p-2", "p-3"} < {one["external_id"] for one in learners}
    courses = api.get(f"/v1/users/{learners[0]['user_id']}/courses").json()["items"]
    assert {one["course"]: one["external_id"] for one in courses} == {COURSE: "c-1", OTHER_COURSE: None}
    assert "c-1" in {one["external_id"] for one in api.get("/v1/analytics/courses").json()["items"]}
    wrong = (
        "course,course_external_id,email,user_external_id\n"
        f"{COURSE},c-1,learner-1@acme.example,\n"
        ",c-9,,p-1\n"
        ",c-1,,p-9\n"
        ",c-1,,\n"
        ",c-1,,p-1\n"
        f"{COURSE},,learner-1@acme.example,\n"
    )
    assert errors(send(api, "enrolments", wrong)) == [
        (2, "course_external_id: must be empty if course is given"),
        (3, "course_external_id: there is no course with the id c-9"),
        (4, "user_external_id: there is no user with the id p-9"),
        (5, "email: must not be empty"),
        (7, "email: line 6 has the same course and user"),
    ]


def test_groups_are_made_renamed_joined_and_left(api: httpx.Client) -> None:
    adopt(api)
    first = send(
        api,
        "groups",
        "group,name,external_id,email,user_external_id,member\n"
        'bern-2,"Plant 2, Bern",g-1,learner-1@acme.example,,\n'
        "bern-2,,,,p-2,true\n"
        "empty,Empty,g-2,,,\n",
    )
    assert counts(first) == {"groups": (2, 2, 0, 0), "members": (2, 2, 0, 0)}
    members = """SELECT g.code, g.name, u.email FROM user_group g LEFT JOIN group_member m ON m.group_id = g.id
                 LEFT JOIN "user" u ON u.id = m.user_id ORDER BY 1, 3"""
    second = send(
        api,
        "groups",
        "group,name,external_id,email,member\nbern-3,,g-1,learner-1@acme.example,false\nbern-2,,g-2,,\n",
    )
    assert counts(second) == {"groups": (2, 0, 2, 0), "members": (1, 0, 1, 0)}
    assert rows(members) == [("bern-2", "Empty", None), ("bern-3", "Plant 2, Bern", "learner-2@acme.example")]
    wrong = (
        "group,name,external_id,email,user_external_id,member\n"
        "a/b,A,,,,\n"
        "none,,,,,\n"
        "bern-2,,,nobody@acme.example,,\n"
        "bern-2,,,,p-9,\n"
        "bern-2,,,,,true\n"
        "bern-2,,,learner-1@acme.example,,\n"
        "bern-2,,,,p-1,\n"
    )
    assert errors(send(api, "groups", wrong)) == [
        (2, "group: must have 1 to 100 characters, without “/”"),
        (3, "name: must not be empty for a new group"),
        (4, "email: there is no user nobody@acme.example"),
        (5, "user_external_id: there is no user with the id p-9"),
        (6, "member: must be empty without a user"),
        (8, "user_external_id: line 7 has the same group and user"),
    ]


def test_lines_about_removed_users_are_counted_and_bring_nobody_back(api: httpx.Client, scene: Scene) -> None:
    adopt(api)
    send(api, "groups", "group,name\nbern-2,Bern\n")
    leaver = ask("SELECT id FROM \"user\" WHERE external_id = 'p-1'")
    assert api.delete(f"/v1/users/{leaver}").status_code == 204
    # A file that does not say that they are active leaves them removed
    assert counts(send(api, "users", "external_id,name\np-1,Renamed\np-2,\n")) == {"users": (2, 0, 1, 1)}
    done = f"course,user_external_id,completed_at\n{COURSE},p-1,2026-01-05T10:00:00Z\n{OTHER_COURSE},p-1,\n"
    for kind, file in (("enrolments", done), ("groups", "group,user_external_id\nbern-2,p-1\nbern-2,p-2\n")):
        answer = send(api, kind, file)
        assert answer.json()["ignored"] == {"removed_users": 2 if kind == "enrolments" else 1}
    assert api.get(f"/v1/users/{leaver}/courses").json() == {"items": []}
    assert rows('SELECT u.external_id FROM group_member JOIN "user" u ON u.id = user_id') == [("p-2",)]
    assert ask('SELECT removed_at FROM "user" WHERE id = :id', id=leaver) is not None
    # One that does brings them back, and then they take courses again
    assert counts(send(api, "users", "external_id,active\np-1,true\n")) == {"users": (1, 0, 1, 0)}
    assert send(api, "enrolments", done).json()["ignored"] == {"not_assigned": 1}
    assigned = f"course,user_external_id,assigned\n{COURSE},p-1,true\n"
    assert counts(send(api, "enrolments", assigned)) == {"enrolments": (1, 0, 1, 0)}


def test_an_external_id_has_one_length_everywhere(api: httpx.Client) -> None:
    longest, longer = "x" * LONGEST, "x" * (LONGEST + 1)
    assert counts(send(api, "users", f"external_id,email,name\n{longest},kim@acme.example,Kim\n"))["users"][1] == 1
    assert [one["email"] for one in api.get("/v1/users", params={"external_id": longest}).json()["items"]] == [
        "kim@acme.example"
    ]
    assert api.put("/v1/groups/bern-2", json={"name": "Bern", "external_id": longest}).status_code == 200
    run("UPDATE course SET external_id = :id WHERE code = :code", id=longest, code=COURSE)
    named = {"audience": "users", "users": [f"external:{longest}"]}
    assert api.post(f"/v1/courses/external:{longest}/reset-plans", json=named).status_code == 422  # nobody assigned
    members = f"/v1/groups/external:{longest}/members"
    assert api.post(members, json={"join": [f"external:{longest}"]}).json() == {"joined": 1, "left": 0}
    for answer in (
        send(api, "users", f"external_id,email,name\n{longer},lee@acme.example,Lee\n"),
        api.post("/v1/users", json={"email": "lee@acme.example", "name": "Lee", "external_id": longer}),
        api.put("/v1/groups/zug-1", json={"name": "Zug", "external_id": longer}),
    ):
        assert answer.status_code == 422, answer.text


def test_ids_of_another_organization_are_not_found(api: httpx.Client, scene: Scene) -> None:
    make_scene("globex", learners=1)
    run("UPDATE \"user\" SET external_id = 'p-1' WHERE email = 'learner-1@globex.example'")
    answer = send(api, "users", "external_id,name\np-1,X\n")
    assert errors(answer) == [(2, "email: must not be empty for a new user; nobody has the external_id p-1")]


def test_addresses_of_users_with_more_permissions_stay(scene: Scene, served: str) -> None:
    """Whoever gives a user another address could become that user."""
    people = make_user(scene.organization.id, "people@acme.example", Permission.USERS)
    make_user(scene.organization.id, "manager@acme.example", Permission.COURSES)
    run("UPDATE \"user\" SET external_id = 'a-1' WHERE email = 'admin@acme.example'")
    file = "external_id,email,name\na-1,mine@acme.example,\na-2,manager@acme.example,\np-1,learner-1@acme.example,\n"
    with client_of(served, token_for(people.id)) as client:
        assert errors(send(client, "users", file)) == [
            (2, "email: cannot change; this user has a permission that you do not have"),
            (3, "external_id: cannot change; this user has a permission that you do not have"),
        ]
        locked_out = send(client, "users", "email,active\nmanager@acme.example,false\n")
        assert errors(locked_out) == [(2, "active: cannot change; this user has a permission that you do not have")]
        assert counts(send(client, "users", "external_id,name\na-1,Renamed\n")) == {"users": (1, 0, 1, 0)}
    with client_of(served, token_for(scene.admin.user_id or 0)) as client:
        assert counts(send(client, "users", file)) == {"users": (3, 0, 3, 0)}


def test_who_is_deactivated_by_a_file_is_signed_out(api: httpx.Client, served: str) -> None:
    learner = ask("SELECT id FROM \"user\" WHERE email = 'learner-1@acme.example'")
    with visitor(served, learner) as browser:
        for active in ("false", "true"):  # and stays so
            send(api, "users", f"email,active\nlearner-1@acme.example,{active}\n")
        assert browser.get("/my/training").status_code == 303
