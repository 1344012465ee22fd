"""Commands about people: each checks the permission, and writes an audit entry."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.links import unsubscribe_link
from models.access import Actor, Permission, console_operator
from models.people import User
from models.preferences import AlertLevel
from models.refusals.access import Forbidden, TokenUnknown
from models.refusals.base import Refused
from models.refusals.people import UserExists, UserUnknown
from models.refusals.sign_in import PasswordTooShort
from models.session import transaction
from models.tokens import Scope
from models.web_sessions import begin_session
from tasks.people.groups import add_members, create_group, remove_members
from tasks.people.passwords import set_password
from tasks.people.preferences import choose_alerts, choose_settings
from tasks.people.sign_in import sign_out_everywhere
from tasks.people.tokens import create_token, revoke_token
from tasks.people.users import add_user
from tests.scenes import Scene, as_actor, ask, make_scene, rows
from tests.web import form_token, make_user, visitor

PASSWORD = "correct horse battery staple"


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=2)


def audit_of(action: str) -> list[Any]:
    return list(rows("SELECT actor, subject, details FROM audit WHERE action = :action ORDER BY id", action=action))


def do(command: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    with transaction() as session:
        return command(session, *arguments, **options)


def learner(scene: Scene, place: int = 0) -> User:
    return scene.users()[place]


def test_each_command_about_others_needs_the_permission_to_manage_users(
    scene: Scene, subtests: pytest.Subtests
) -> None:
    manager = make_user(scene.organization.id, "manager@acme.example", Permission.COURSES)
    group = do(create_group, scene.admin, "bern-2", "Bern")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    token = do(create_token, scene.admin, learner(scene), "x", [Scope.RESETS_READ], tomorrow) and ask(
        "SELECT max(id) FROM api_token"
    )
    before = ask("SELECT count(*) FROM audit")
    commands: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "add a user": (add_user, ("new@acme.example", "New")),
        "set a password": (set_password, (learner(scene), PASSWORD)),
        "create a token": (create_token, (learner(scene), "x", [Scope.RESETS_READ], tomorrow)),
        "revoke a token": (revoke_token, (token,)),
        "create a group": (create_group, ("zug-1", "Zug")),
        "add members": (add_members, (group, [learner(scene).email])),
        "remove members": (remove_members, (group, [learner(scene).email])),
    }
    for name, (command, arguments) in commands.items():
        for actor in (as_actor(scene, manager.id), as_actor(scene, learner(scene, 1).id)):
            with subtests.test(name, actor=actor.name), pytest.raises(Forbidden, match="Users"):
                do(command, actor, *arguments)
    assert ask("SELECT count(*) FROM audit") == before


def test_an_operators_commands_are_in_the_audit(scene: Scene) -> None:
    operator = console_operator(scene.organization)
    user = do(add_user, operator, "new@acme.example", "New", [Permission.COURSES], PASSWORD)
    assert audit_of("user.added") == [(operator.name, str(user.id), {"permissions": [Permission.COURSES.value]})]
    assert audit_of("user.password_set") == [(operator.name, str(user.id), {})]
    with pytest.raises(UserExists):
        do(add_user, operator, "NEW@acme.example", "New")
    with pytest.raises(PasswordTooShort):
        do(set_password, operator, user, "short")
    assert len(audit_of("user.password_set")) == 1


def test_users_cannot_grant_permissions_that_they_lack(scene: Scene) -> None:
    people = as_actor(scene, make_user(scene.organization.id, "people@acme.example", Permission.USERS).id)
    with pytest.raises(Forbidden, match="Manage courses"):
        do(add_user, people, "new@acme.example", "New", [Permission.COURSES])
    # Nor set a password or create a token for a user with more permissions
    with pytest.raises(Forbidden, match="Manage courses"):
        do(set_password, people, user_of(scene.admin), PASSWORD)
    with pytest.raises(Forbidden, match="Manage courses"):
        do(create_token, people, user_of(scene.admin), "x", [Scope.RESETS_WRITE], None)
    assert do(add_user, people, "new@acme.example", "New", [Permission.USERS]).active


def user_of(actor: Actor) -> User:
    with transaction() as session:
        return session.get_one(User, actor.user_id)


def test_no_command_reaches_users_of_another_organization(scene: Scene, subtests: pytest.Subtests) -> None:
    other = make_scene("globex", learners=1)
    theirs = other.users()[0]
    do(create_token, other.admin, theirs, "x", [Scope.RESETS_READ], None)
    group = do(create_group, scene.admin, "bern-2", "Bern")
    their_group = do(create_group, other.admin, "bern-2", "Bern")
    for name, command, arguments in (
        ("set a password", set_password, (theirs, PASSWORD)),
        ("create a token", create_token, (theirs, "x", [Scope.RESETS_READ], None)),
        ("revoke a token", revoke_token, (ask("SELECT max(id) FROM api_token"),)),
        ("add members", add_members, (group, [theirs.email])),
        ("add members to their group", add_members, (their_group, [theirs.email])),
        ("remove members of their group", remove_members, (their_group, [theirs.email])),
    ):
        with subtests.test(name), pytest.raises(Refused) as refused:
            do(command, scene.admin, *arguments)
        assert not isinstance(refused.value, Forbidden)
    assert isinstance(refused.value, Refused)
    assert ask("SELECT count(*) FROM credential") == 0


def test_unsubscribing_is_in_the_audit_by_link_and_by_form(scene: Scene, served: str) -> None:
    one, other = scene.users()
    visitor(served).post("/unsubscribe/" + unsubscribe_link(one.id).rpartition("/")[2])
    browser = visitor(served, other.id)
    form = {"csrf": form_token(browser.get("/my/alerts"))}
    for _ in range(2):
        assert browser.post("/my/alerts", data=form).status_code == 303
    assert audit_of("user.unsubscribed") == [(f"user:{user.id}", str(user.id), {}) for user in (one, other)]
    browser.post("/my/alerts", data=form | {"mail": "true"})
    assert audit_of("user.subscribed") == [(f"user:{other.id}", str(other.id), {})]


def test_the_audit_names_changed_settings_without_values(scene: Scene) -> None:
    user = learner(scene)
    me = as_actor(scene, user.id)
    for _ in range(2):  # the second call changes nothing
        do(choose_settings, me, time_zone="Europe/Zurich", notifications=False, language="de")
    changed = ["notifications", "time_zone", "language"]
    assert audit_of("user.settings_changed") == [(me.name, str(user.id), {"changed": changed})]
    for _ in range(2):
        do(choose_alerts, me, mail=True, levels={scene.course.id: AlertLevel.NONE})
    assert audit_of("user.alerts_changed") == [(me.name, str(user.id), {"courses": [scene.course.code]})]


def test_signing_out_everywhere_is_in_the_audit(scene: Scene) -> None:
    user = learner(scene)
    do(begin_session, user, "a browser")
    do(sign_out_everywhere, as_actor(scene, user.id))
    assert ask("SELECT count(*) FROM web_session") == 0
    assert audit_of("user.signed_out_everywhere") == [(f"user:{user.id}", str(user.id), {})]


def test_a_token_is_revoked_once(scene: Scene) -> None:
    do(create_token, scene.admin, learner(scene), "x", [Scope.RESETS_READ], None)
    token = ask("SELECT id FROM api_token")
    for _ in range(2):
        do(revoke_token, scene.admin, token)
    assert len(audit_of("token.revoked")) == 1
    with pytest.raises(TokenUnknown):
        do(revoke_token, scene.admin, token + 1)


def test_an_unknown_member_is_named(scene: Scene) -> None:
    group = do(create_group, scene.admin, "bern-2", "Bern")
    with pytest.raises(UserUnknown, match=r"who@acme\.example"):
        do(add_members, scene.admin, group, ["who@acme.example"])
