"""Groups filled from lists, password links, and permissions that are given."""

import re
from dataclasses import replace

import pytest

from models.access import MANAGEMENT, Permission
from models.groups import group_by_code
from models.people import User
from models.refusals.access import Forbidden
from models.refusals.people import ListTooLong, NotOneself, UserUnknown
from models.refusals.sign_in import PasswordLinkOver
from models.session import transaction
from models.sign_in import set_password
from models.web_sessions import begin_session, sessions_of
from tasks.people.devices import device_in
from tasks.people.group_lists import FillMode, fill_group, filling_of
from tasks.people.password_links import make_password_link, user_of_link
from tasks.people.pasted import MOST_IN_A_LIST, parts_of, read_list
from tasks.people.permissions import set_permissions
from tasks.people.users import change_user, remove_user
from tests.rules import group
from tests.scenes import Scene, make_scene, rows
from tests.web import form_token, make_user, visitor


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=4)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a@x.y, b@x.y;c@x.y\td@x.y\r\ne@x.y f@x.y", ["a@x.y", "b@x.y", "c@x.y", "d@x.y", "e@x.y", "f@x.y"]),
        ('"Khan, Kim" <kim@x.y>; Sam Lee <sam@x.y>', ["kim@x.y", "sam@x.y"]),
        ("hr-17, Khan, Kim <kim@x.y>", ["hr-17", "(Khan)", "kim@x.y"]),
        ('"hr-1","hr-2"\nexternal:hr 3', ["hr-1", "hr-2", "external:hr 3"]),
        ("Kim Khan\tkim@x.y\tnight shift 2", ["(Kim Khan)", "kim@x.y", "night shift 2"]),
        (" ;, \n", []),
    ],
)
def test_lists_are_read_as_people_paste_them(text: str, parts: list[str]) -> None:
    found = [f"({part})" if perhaps_a_name else part for part, perhaps_a_name in parts_of(text)]
    assert found == parts


def test_a_list_adds_replaces_and_removes_and_tells_what_it_does_not_know(scene: Scene) -> None:
    scene.name_externally(course="c-1", first_learner="hr-1")
    one, two, three, four = scene.users()
    group(scene, "bern-2", [three.email, four.email])
    text = f"hr-1, {two.email.upper()}; {three.email}\n{three.email}, who@acme.example, hr-2"
    with transaction() as session:
        found = group_by_code(session, scene.organization.id, "bern-2")
        pasted = read_list(session, scene.admin, text)
        ids = [user.id for user in pasted.users]
        assert (sorted(ids), pasted.unknown, pasted.repeated) == (
            [one.id, two.id, three.id], ["who@acme.example", "hr-2"], 1,
        )  # fmt: skip
        seen = filling_of(session, found, FillMode.REPLACE, ids)
        assert (seen.joining, seen.staying, seen.leaving, seen.leavers) == (2, 1, 1, [four.name])
        assert fill_group(session, scene.admin, found, FillMode.REPLACE, ids) == (2, 1)
        assert fill_group(session, scene.admin, found, FillMode.REMOVE, [one.id, four.id]) == (0, 1)
        with pytest.raises(ListTooLong):
            read_list(session, scene.admin, "x\n" * (MOST_IN_A_LIST + 1))
    assert rows("SELECT user_id FROM group_member ORDER BY 1") == [(two.id,), (three.id,)]


def test_a_password_link_ends_with_any_new_password_and_is_made_only_by_ones_equals(scene: Scene) -> None:
    learner = scene.users()[0]
    helper = replace(scene.admin, permissions=frozenset({Permission.USERS}))
    with transaction() as session:
        token = make_password_link(session, helper, session.get_one(User, learner.id)).link.rpartition("/")[2]
        assert user_of_link(session, token).id == learner.id
        set_password(session, session.get_one(User, learner.id), "correct horse battery staple")
    for over in (token, "made-up"):
        with pytest.raises(PasswordLinkOver), transaction() as session:
            user_of_link(session, over)
    with pytest.raises(Forbidden), transaction() as session:
        make_password_link(session, helper, session.get_one(User, scene.admin.user_id))


@pytest.mark.parametrize("what", ["used, removed and brought back", "more permissions", "another address"])
def test_a_password_link_is_for_the_account_as_it_was(scene: Scene, what: str) -> None:
    learner = scene.users()[0]
    with transaction() as session:
        user = session.get_one(User, learner.id)
        token = make_password_link(session, scene.admin, user).link.rpartition("/")[2]
        change_user(session, scene.admin, user, {"name": "Someone Else", "time_zone": "Europe/Zurich"})
        assert user_of_link(session, token).id == learner.id
        if what == "more permissions":
            set_permissions(session, scene.admin, user, [Permission.COURSES])
        elif what == "another address":
            change_user(session, scene.admin, user, {"email": "right@acme.example"})
        else:
            set_password(session, user, "correct horse battery staple")
            remove_user(session, scene.admin, user)
            with pytest.raises(UserUnknown):
                set_permissions(session, scene.admin, user, [Permission.COURSES])
            change_user(session, scene.admin, user, {"active": True})
    with pytest.raises(PasswordLinkOver), transaction() as session:
        user_of_link(session, token)
    with transaction() as session:
        again = make_password_link(session, scene.admin, session.get_one(User, learner.id)).link.rpartition("/")[2]
        assert user_of_link(session, again).id == learner.id


def test_who_signed_in_before_a_permission_was_given_does_not_have_it(scene: Scene) -> None:
    learner = scene.users()[0]

    def sessions_after(*permissions: Permission) -> int:
        with transaction() as session:
            user = session.get_one(User, learner.id)
            begin_session(session, user, "a browser")
            session.flush()
            set_permissions(session, scene.admin, user, permissions)
            return len(sessions_of(session, user.id))

    assert sessions_after() == 1
    assert sessions_after(Permission.COURSES) == 0
    assert sessions_after(Permission.USERS) == 0, "one is taken, but another one is given"
    assert sessions_after() == 1
    ended = rows("SELECT details FROM audit WHERE action = 'user.sessions_ended' ORDER BY id")
    assert ended == [({"sessions": 2},), ({"sessions": 1},)]


def test_permissions_are_given_and_taken_only_up_to_ones_own(scene: Scene) -> None:
    other = make_user(scene.organization.id, "kim@acme.example")
    helper = replace(scene.admin, permissions=frozenset({Permission.USERS}))
    with transaction() as session:
        user = session.get_one(User, other.id)
        with pytest.raises(Forbidden):
            set_permissions(session, helper, user, [Permission.COURSES])
        set_permissions(session, scene.admin, user, [*MANAGEMENT])
        with pytest.raises(Forbidden):
            set_permissions(session, helper, user, [])
        with pytest.raises(NotOneself):
            set_permissions(session, scene.admin, session.get_one(User, scene.admin.user_id), [])
    assert rows('SELECT permissions FROM "user" WHERE id = :id', id=other.id) == [([*MANAGEMENT],)]


def test_browsers_have_names_that_people_know() -> None:
    edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
    assert [device_in(one) for one in (edge, "curl/8.5", "")] == ["Edge on Windows", "curl", "Unknown browser"]


def test_a_list_with_a_user_who_was_removed_meanwhile_is_shown_again(scene: Scene, served: str) -> None:
    group(scene, "nights", [])
    learner, other = scene.users()[:2]
    with visitor(served, scene.admin.user_id) as browser:
        form = {"csrf": form_token(browser.get("/groups/nights/members")), "text": f"{learner.email}\n{other.email}"}
        shown = browser.post("/groups/nights/members", data=form)
        with transaction() as session:
            remove_user(session, scene.admin, session.get_one(User, learner.id))
        ids = re.search(r'name="ids" value="([\d,]+)"', shown.text)
        kept = re.search(r'<input type="hidden" name="text" value="([^"]+)"', shown.text)
        assert ids
        assert kept
        answer = browser.post("/groups/nights/members", data=form | {"ids": ids[1], "text": kept[1]})
    assert answer.status_code == UserUnknown.status
    assert other.email in answer.text
    assert rows("SELECT user_id FROM group_member") == []
