"""The provider's settings, passwords off, and what follows from both."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from models.access import MANAGEMENT, Actor, Permission, console_operator
from models.people import User
from models.refusals.access import Forbidden
from models.refusals.sign_on import PasswordsNeeded, PasswordsOff, SignOnInvalid, SignOnUnknown
from models.session import transaction
from models.sign_in import set_password as give_password
from tasks.people.erase import erase
from tasks.people.passwords import set_password
from tasks.people.users import add_user
from tasks.sign_on.commands import (
    Terms,
    checked,
    provider_seen_by,
    release,
    remove_provider,
    set_provider,
    turn_passwords_off,
    turn_passwords_on,
)
from tasks.webhooks.secrets import seal_again, under_former_keys
from tests.conftest import SECRET as KEY
from tests.provider import CLIENT, SECRET, Provider, sign_in_at
from tests.scenes import Scene, as_actor, ask, rows, run
from tests.signing_on import ROLES, audit_of, is_signed_in, signed_on, use, use_roles, user_here
from tests.web import form_token, visitor

PASSWORD = "correct horse battery staple"


def do(command: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    with transaction() as session:
        return command(session, *arguments, **options)


def operator(scene: Scene) -> Actor:
    return console_operator(scene.organization)


def by_password(base: str, email: str, password: str = PASSWORD) -> Any:
    browser = visitor(base)
    form = {"csrf": form_token(browser.get("/sign-in")), "organization": "acme", "email": email, "password": password}
    return browser, browser.post("/sign-in", data=form)


def test_who_sets_the_provider_needs_every_permission_that_it_can_give(scene: Scene, provider: Provider) -> None:
    """It decides who signs in as whom, so as an administrator too."""
    use(scene, provider)
    manager = as_actor(scene, user_here(scene, "manager", Permission.COURSES).id)
    people = as_actor(scene, user_here(scene, "people", Permission.USERS).id)
    terms = Terms(provider.issuer, CLIENT, "Keycloak")
    user = scene.users()[0]
    for actor in (manager, people):
        for command, arguments in (
            (set_provider, (terms, SECRET)),
            (remove_provider, ()),
            (turn_passwords_off, ()),
            (turn_passwords_on, ()),
            (release, (user,)),
        ):
            with pytest.raises(Forbidden):
                do(command, actor, *arguments)
    with pytest.raises(Forbidden):
        do(provider_seen_by, manager)
    run("UPDATE \"user\" SET permissions = '{}' WHERE permissions @> ARRAY['Training: Manage courses']")
    assert do(set_provider, people, terms, SECRET)
    with pytest.raises(Forbidden, match="Training"):
        do(set_provider, people, Terms(provider.issuer, CLIENT, "K", roles_claim="groups", roles=ROLES), SECRET)


def test_each_command_is_in_the_audit_without_the_secret(base: str, scene: Scene, provider: Provider) -> None:
    use_roles(scene, provider)
    provider.knows("kim", groups=["hr"])
    kim = user_here(scene, "kim")
    signed_on(base, provider, "kim")
    do(turn_passwords_off, operator(scene))
    do(turn_passwords_on, operator(scene))
    do(release, operator(scene), kim)
    do(remove_provider, operator(scene))
    actions = [action for (action,) in rows("SELECT action FROM audit WHERE actor LIKE 'console:%' ORDER BY id")]
    expected = ["sign_on.set", "passwords.turned_off", "passwords.turned_on", "user.identity_released"]
    assert actions == [*expected, "sign_on.removed"]
    assert SECRET not in json.dumps([list(map(str, row)) for row in rows("SELECT * FROM audit")])


def test_terms_that_cannot_work_are_refused(scene: Scene, provider: Provider) -> None:
    good = {"issuer": provider.issuer, "client_id": CLIENT, "name": "Keycloak"}
    for wrong, words in (
        ({"issuer": provider.issuer + "/"}, "another issuer"),
        ({"issuer": "nonsense"}, "The issuer is not allowed"),
        ({"client_id": " "}, "client id is empty"),
        ({"name": "x" * 61}, "name is empty, too long"),
        ({"scopes": ("email",)}, "must include “openid”"),
        ({"scopes": ("openid", "ö")}, "one word of ASCII"),
        ({"roles_claim": "groups"}, "belong together"),
        ({"roles": ROLES}, "belong together"),
        ({"by_address": False}, "must be found by"),
        ({"check_seconds": 3601}, "0 to 3600"),
        ({"away_seconds": -1}, "0 to 86400"),
    ):
        with pytest.raises(SignOnInvalid, match=words):
            checked(Terms(**good | wrong))  # type: ignore[arg-type]
    provider.document = {"userinfo_endpoint": None}
    with pytest.raises(SignOnInvalid, match="from the ID token"):
        checked(Terms(**good))
    provider.document = {"jwks_uri": None}
    with pytest.raises(SignOnInvalid, match="no jwks uri"):
        checked(Terms(**good))
    provider.document = {"token_endpoint": "javascript:alert(1)"}
    with pytest.raises(SignOnInvalid, match="not a web address"):
        checked(Terms(**good))


def test_sessions_end_with_the_provider_that_they_began_at(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    here = visitor(base, scene.users()[0].id)
    browser = signed_on(base, provider, "kim")
    use(scene, provider, name="Another name")
    assert is_signed_in(browser), "other terms end nothing"
    run("UPDATE identity_provider SET issuer = 'https://before.example'")
    use(scene, provider)
    assert not is_signed_in(browser)
    assert ask("SELECT count(*) FROM user_identity") == 0, "subjects of another issuer mean nothing here"
    browser = signed_on(base, provider, "kim")
    with visitor(base) as late:
        url = late.get("/sign-on/acme").headers["location"]
        do(remove_provider, operator(scene))
        assert not is_signed_in(browser)
        assert is_signed_in(here), "a session that began with a password stays"
        from tests.provider import answer_of

        assert late.get(answer_of(provider, url, "kim")).status_code == 404
    with pytest.raises(SignOnUnknown):
        do(remove_provider, operator(scene))


def test_passwords_can_be_turned_off_and_on_again(base: str, scene: Scene, provider: Provider) -> None:
    provider.knows("kim", groups=["hr"])
    use_roles(scene, provider)
    kim = user_here(scene, "kim")
    with transaction() as session:
        give_password(session, session.get_one(User, kim.id), PASSWORD)
    browser, answer = by_password(base, "kim@acme.example")
    assert answer.status_code == 303
    # Not before an administrator has shown that the other way works
    with pytest.raises(PasswordsNeeded):
        do(turn_passwords_off, operator(scene))
    there = signed_on(base, provider, "kim")
    assert not is_signed_in(browser), "there, they got a permission, which those signed in before do not get"
    browser, _ = by_password(base, "kim@acme.example")
    assert do(turn_passwords_off, operator(scene)) == 1
    assert [is_signed_in(one) for one in (browser, there)] == [False, True]
    refused = visitor(base).get("/sign-in").text
    assert 'name="password"' not in refused
    assert "Sign in with Keycloak" in refused
    form = {"organization": "acme", "email": "kim@acme.example", "password": PASSWORD}
    token = form_token(there.get("/my/settings"))
    answer = there.post("/sign-in", data={"csrf": token} | form)
    assert (answer.status_code, "Sign in with Keycloak” on the sign-in page" in answer.text) == (403, True)
    assert ask("SELECT count(*) FROM sign_in_failure") == 0
    # Nor can a password be changed, or given
    page = there.get("/my/settings").text
    assert "You sign in with Keycloak" in page
    changed = there.post("/my/settings/password", data={"csrf": token, "current": PASSWORD, "new": PASSWORD * 2})
    assert changed.status_code == 403
    with pytest.raises(PasswordsOff):
        do(set_password, operator(scene), kim, PASSWORD * 2)
    with pytest.raises(PasswordsOff):
        do(add_user, operator(scene), "new@acme.example", "New", (), PASSWORD)
    assert do(add_user, operator(scene), "new@acme.example", "New").id
    # An operator at the console can always turn them on
    do(turn_passwords_on, operator(scene))
    _, answer = by_password(base, "kim@acme.example")
    assert answer.status_code == 303


def test_a_sign_in_whose_password_is_being_checked_does_not_slip_through(
    base: str, scene: Scene, provider: Provider
) -> None:
    from models.sign_in import prove
    from models.sign_in_failures import Source
    from tasks.people.sign_in import begin_sign_in, finish_sign_in

    use(scene, provider)
    user_here(scene, "kim", *MANAGEMENT)
    signed_on(base, provider, "kim")
    user = scene.users()[0]
    with transaction() as session:
        give_password(session, session.get_one(User, user.id), PASSWORD)
    attempt = begin_sign_in("acme", user.email, Source("192.0.2.1"))
    better = prove(attempt.claim, PASSWORD)
    do(turn_passwords_off, operator(scene))
    with pytest.raises(PasswordsOff):
        finish_sign_in(attempt, better, browser="", instead_of=None)


def test_an_erased_person_is_unbound(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    kim = user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    with transaction() as session:
        erase(session, operator(scene), session.get_one(User, kim.id), confirm="kim@acme.example")
    assert not is_signed_in(browser)
    assert ask("SELECT (SELECT count(*) FROM user_identity) + (SELECT count(*) FROM provider_session)") == 0
    with visitor(base) as again:
        assert sign_in_at(provider, again, "/sign-on/acme", "kim").status_code == 403


def test_the_client_secret_is_encrypted_and_moves_to_a_new_key(
    base: str, scene: Scene, provider: Provider, set_up: Callable[..., None]
) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    assert SECRET not in ask("SELECT sealed_secret FROM identity_provider")
    set_up(secret_key="another secret key that is long enough for it", old_secret_keys=json.dumps([KEY]))
    assert do(under_former_keys) == 1
    assert do(seal_again) == (1, 0)
    assert do(under_former_keys) == 0
    signed_on(base, provider, "kim")
    set_up(secret_key="a third secret key that is long enough for it", old_secret_keys="[]")
    with visitor(base) as browser:
        answer = browser.get("/sign-on/acme")
        assert (answer.status_code, "cannot be decrypted" in answer.text) == (503, True)


def test_the_secret_stays_unless_a_new_one_is_given(scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    terms = Terms(provider.issuer, CLIENT, "Keycloak")
    assert do(set_provider, operator(scene), terms, None, keeps_secret=True).secret() == SECRET
    assert do(set_provider, operator(scene), terms, "new").secret() == "new"
    assert do(set_provider, operator(scene), terms, None).secret() is None
    assert audit_of("sign_on.set")[-2][2]["changed"] == ["secret"]
