"""Full imports: what the file does not name is removed, with a brake. A second one is a no-op."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from models.access import console_operator
from models.refusals.imports import ImportRemovesTooMuch
from models.session import transaction
from tasks.imports import FULL_IMPORTS, Form, Full, Imported, history, users
from tests.integration.imports.test_api_imports import CSV
from tests.scenes import COURSE, Scene, ask, make_scene, rows, run
from tests.web import client_of, make_user, token_for


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=20, completed=0, begun=0)


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    with client_of(served, token_for(scene.admin.user_id or 0)) as client:
        yield client


def full(scene: Scene, what: str, content: str, most: float = 0.1) -> Imported:
    with transaction() as session:
        actor = console_operator(scene.organization)
        return FULL_IMPORTS[what](session, actor, io.BytesIO(content.encode()), Form.CSV, Full(most))


def send(api: httpx.Client, what: str, content: str) -> httpx.Response:
    return api.post(f"/v1/imports/{what}?full=true", content=content.encode(), headers={"Content-Type": CSV})


def emails(scene: Scene) -> list[str]:
    return [user.email for user in scene.users()]


def versions() -> dict[str, list[Any]]:
    """Returns the row versions of what imports write."""
    tables = ('"user"', "course", "enrolment", "completion", "user_group", "group_member")
    return {table: rows(f"SELECT ctid::text, xmin::text FROM {table} ORDER BY ctid") for table in tables}


def test_users_whom_the_file_does_not_name_are_deactivated_and_unassigned(api: httpx.Client, scene: Scene) -> None:
    make_user(scene.organization.id, "boss@acme.example", *scene.admin.permissions)
    first, *others = emails(scene)
    file = "email\n" + "\n".join(others) + "\n"

    answer = send(api, "users", file)

    assert answer.json()["removed"] == {"users": 1, "enrolments": 2}
    # Users with permissions stay: files neither give nor take them
    assert rows('SELECT email FROM "user" WHERE NOT active') == [(first,)]
    assert ask("SELECT count(*) FROM enrolment WHERE unassigned_at IS NOT NULL") == 2
    details = ask("SELECT details FROM audit WHERE action = 'users.imported'")
    assert details["removed"] == {"users": 1, "enrolments": 2}
    before = versions()
    assert send(api, "users", file).json()["removed"] == {"users": 0, "enrolments": 0}
    assert versions() == before
    # Who is named again is active again, and assigned again by the file of enrolments
    again = send(api, "users", f"{file}{first}\n").json()
    assert again["counts"]["users"] == {"in_file": 20, "new": 0, "changed": 1, "unchanged": 19}
    assert ask('SELECT count(*) FROM "user" WHERE NOT active') == 0


def test_a_full_file_lets_nobody_with_permissions_in_again_unless_it_says_so(scene: Scene) -> None:
    boss = make_user(scene.organization.id, "boss@acme.example", *scene.admin.permissions)
    learner, *others = emails(scene)
    run('UPDATE "user" SET active = false WHERE email = ANY(:those)', those=[boss.email, learner])
    inactive = 'SELECT email FROM "user" WHERE NOT active'

    full(scene, "users", "\n".join(["email", boss.email, learner, *others]))
    assert rows(inactive) == [(boss.email,)]
    full(scene, "users", "\n".join(["email,active", f"{boss.email},true", *(f"{one}," for one in (learner, *others))]))
    assert rows(inactive) == []


def test_enrolments_and_memberships_that_the_file_does_not_name_end(api: httpx.Client, scene: Scene) -> None:
    everyone = emails(scene)
    named = [(code, email) for code in (COURSE, "DATA-202") for email in everyone]
    file = "course,email\n" + "".join(f"{code},{email}\n" for code, email in named[1:])
    answer = send(api, "enrolments", file)
    assert (answer.json()["removed"], answer.json()["counts"]["enrolments"]["changed"]) == ({"enrolments": 1}, 0)
    before = versions()
    assert send(api, "enrolments", file).json()["removed"] == {"enrolments": 0}
    assert versions() == before
    # In a full file, a line without `assigned` assigns again
    whole = f"{file}{named[0][0]},{named[0][1]}\n"
    assert send(api, "enrolments", whole).json()["counts"]["enrolments"]["changed"] == 1
    assert ask("SELECT count(*) FROM enrolment WHERE unassigned_at IS NOT NULL") == 0

    groups = "group,name,email\n" + "".join(f"bern,Bern,{email}\n" for email in everyone)
    assert send(api, "groups", groups).json()["removed"] == {"members": 0}
    fewer = "group,name,email\n" + "".join(f"bern,Bern,{email}\n" for email in everyone[1:])
    assert send(api, "groups", fewer).json()["removed"] == {"members": 1}
    before = versions()
    assert send(api, "groups", fewer).json()["counts"]["members"]["unchanged"] == 19
    assert versions() == before


@pytest.mark.parametrize(
    ("what", "head", "words"),
    [
        ("users", "email\n{0}\n", "19 of 20 users"),
        ("enrolments", f"course,email\n{COURSE},{{0}}\n", "39 of 40 enrolments"),
        ("groups", "group,name,email\nbern,Bern,{0}\n", "19 of 20 memberships"),
    ],
)
def test_a_file_that_would_remove_too_much_is_refused(
    api: httpx.Client, scene: Scene, what: str, head: str, words: str
) -> None:
    everyone = emails(scene)
    send(api, "groups", "group,name,email\n" + "".join(f"bern,Bern,{email}\n" for email in everyone))
    before = versions()
    file = head.format(everyone[0])

    refused = send(api, what, file)

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/import-removes-too-much")
    assert f"leaves out {words}, more than the 10%" in refused.json()["detail"]
    assert versions() == before
    # An operator can allow more
    with pytest.raises(ImportRemovesTooMuch, match=r"more than the 94\.9%"):
        full(scene, what, file, most=0.949)
    assert sum(full(scene, what, file, most=1).removed.values()) >= 19


def test_without_full_nothing_is_removed(api: httpx.Client, scene: Scene) -> None:
    answer = api.post("/v1/imports/users", content=b"email,name\nnew@acme.example,N\n", headers={"Content-Type": CSV})
    assert answer.json()["removed"] == {}
    assert ask('SELECT count(*) FROM "user" WHERE NOT active') == 0


def test_an_erased_user_is_not_counted_and_does_not_come_back(scene: Scene) -> None:
    run("UPDATE \"user\" SET active = false, erased_at = now() WHERE email = 'learner-1@acme.example'")
    named = [email for email in emails(scene) if email != "learner-1@acme.example"]
    assert full(scene, "users", "email\n" + "\n".join(named) + "\n", most=0).removed == {"users": 0, "enrolments": 0}


def test_no_plan_compares_every_row_with_every_line(scene: Scene) -> None:
    """A first import has just ended and there are no statistics yet: such plans took hours for a million lines."""
    file = "course,email\n" + "".join(f"{COURSE},{email}\n" for email in emails(scene))
    with transaction() as session:
        actor = console_operator(scene.organization)
        FULL_IMPORTS["users"](session, actor, io.BytesIO(f"email\n{emails(scene)[0]}\n".encode()), Form.CSV, Full(1))
        FULL_IMPORTS["enrolments"](session, actor, io.BytesIO(file.encode()), Form.CSV, Full(1))
        for joins in ("hashjoin", "mergejoin", "seqscan"):
            session.execute(text(f"SET LOCAL enable_{joins} TO off"))
        for left_out, table in ((history.LEFT_OUT, "import_enrolment"), (users.LEFT_OUT, "import_user")):
            values = {"full": True, "organization": actor.organization_id, "actor": scene.admin.user_id}
            plan = "\n".join(session.execute(text(f"EXPLAIN {left_out}"), values).scalars())
            assert f"Seq Scan on {table}" not in plan, plan
