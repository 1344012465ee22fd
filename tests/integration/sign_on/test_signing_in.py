"""Signing in at the organization's provider."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from flask import Response, redirect
from joserfc import jwt
from joserfc.jwk import RSAKey

from models.access import MANAGEMENT, Permission, console_operator
from models.people import User
from models.session import transaction
from tasks.people.users import remove_user
from tasks.sign_on.commands import Terms, checked, release, set_provider
from tasks.sign_on.http import LONGEST
from tests.provider import CLIENT, SECRET, Provider, address, answer_of, sign_in_at
from tests.scenes import Scene, ask, make_scene, rows, run
from tests.signing_on import audit_of, is_signed_in, permissions_of, signed_on, use, use_roles, user_here
from tests.web import visitor


def test_a_user_signs_in_by_address_and_stays_the_same_after_it_changes(
    base: str, scene: Scene, provider: Provider
) -> None:
    use(scene, provider)
    kim = user_here(scene, "kim")
    with visitor(base) as browser:
        answer = sign_in_at(provider, browser, "/sign-on/acme?next=/my/inbox", "kim")
        assert answer.headers["location"] == "/my/inbox"
        assert is_signed_in(browser)
        assert "HttpOnly" in answer.headers["set-cookie"]
    assert rows("SELECT user_id, subject FROM user_identity") == [(kim.id, "id-of-kim")]
    [(actor, subject, details)] = audit_of("user.signed_in")
    assert (actor, subject, details["by"]) == (f"user:{kim.id}", str(kim.id), provider.issuer)
    # Nothing that the provider issued is stored readably
    assert "id-of-kim" not in ask("SELECT sealed_tokens FROM provider_session")
    provider.knows("kim", email="kim.khan@acme.example")
    signed_on(base, provider, "kim")
    assert {user for (user,) in rows("SELECT user_id FROM web_session")} == {kim.id}


def test_whoever_is_unknown_here_is_refused_with_a_next_step(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    with visitor(base) as browser:
        answer = sign_in_at(provider, browser, "/sign-on/acme", "kim")
        assert answer.status_code == 403
        assert "Ask an administrator to add you" in answer.text
        assert not is_signed_in(browser)
    user_here(scene, "kim")
    run("UPDATE \"user\" SET active = false WHERE email = 'kim@acme.example'")
    with visitor(base) as browser:
        assert sign_in_at(provider, browser, "/sign-on/acme", "kim").status_code == 403
        assert not is_signed_in(browser)
    assert ask("SELECT count(*) FROM user_identity") == 0


@pytest.mark.parametrize("verified", [False, None, "false", 1])
def test_only_a_verified_address_names_a_user(base: str, scene: Scene, provider: Provider, verified: object) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    provider.knows("kim", email_verified=verified)
    with visitor(base) as browser:
        assert sign_in_at(provider, browser, "/sign-on/acme", "kim").status_code == 403
        assert not is_signed_in(browser)
    use(scene, provider, trusts_addresses=True)
    assert is_signed_in(signed_on(base, provider, "kim"))


def test_a_claim_can_name_a_user_by_their_external_id(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider, external_id_claim="employee.number", by_address=False)
    kim, other = user_here(scene, "kim"), user_here(scene, "lee")
    run("UPDATE \"user\" SET external_id = 'E-7' WHERE id = :id", id=other.id)
    provider.knows("kim", employee={"number": "E-7"})
    signed_on(base, provider, "kim")
    assert rows("SELECT user_id FROM user_identity") == [(other.id,)], "the address is not what counts"
    provider.knows("kim2", email="kim@acme.example", employee={"number": "E-8"})
    with visitor(base) as browser:
        assert sign_in_at(provider, browser, "/sign-on/acme", "kim2").status_code == 403
    assert ask("SELECT count(*) FROM user_identity WHERE user_id = :id", id=kim.id) == 0


def test_users_are_added_if_the_organization_wants_that(base: str, scene: Scene, provider: Provider) -> None:
    use_roles(scene, provider, adds_users=True)
    assert is_signed_in(signed_on(base, provider, "kim"))
    assert rows("SELECT name, permissions FROM \"user\" WHERE email = 'kim@acme.example'") == [
        ("Kim", ["Training: Manage courses"])
    ]
    assert len(audit_of("user.added")) == 1
    assert is_signed_in(signed_on(base, provider, "kim"))
    assert len(audit_of("user.added")) == 1


@pytest.mark.parametrize("by", [{}, {"by_address": False, "external_id_claim": "employee"}])
def test_nobody_who_was_removed_adds_themselves_again(
    base: str, scene: Scene, provider: Provider, by: dict[str, Any]
) -> None:
    use(scene, provider, adds_users=True, **by)
    kim = user_here(scene, "kim")
    with transaction() as session:
        remove_user(session, scene.admin, session.get_one(User, kim.id))
    provider.knows("kim", employee="e" * 600)  # longer than any external id
    with visitor(base) as browser:
        assert sign_in_at(provider, browser, "/sign-on/acme", "kim").status_code == 403
        assert not is_signed_in(browser)
    assert rows('SELECT email FROM "user" WHERE removed_at IS NOT NULL') == [("kim@acme.example",)]
    assert ask("SELECT count(*) FROM user_identity") == 0


def test_who_gets_someones_old_address_does_not_become_them(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider, adds_users=True)
    kim = user_here(scene, "kim")
    signed_on(base, provider, "kim")
    provider.knows("new", email="kim@acme.example")
    with visitor(base) as browser:
        answer = sign_in_at(provider, browser, "/sign-on/acme", "new")
        assert (answer.status_code, "another account" in answer.text) == (403, True)
    # Unless an administrator releases the user
    with transaction() as session:
        assert release(session, console_operator(scene.organization), session.merge(kim))
    assert ask("SELECT count(*) FROM provider_session") == 0
    signed_on(base, provider, "new")
    assert rows("SELECT user_id, subject FROM user_identity") == [(kim.id, "id-of-new")]


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("groups", {"groups": ["hr", "training-admins"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["hr", "training-admins"]}}),
        ("https://acme.example/roles", {"https://acme.example/roles": ["training-admins", "hr"]}),
    ],
)
def test_roles_there_are_permissions_here(
    base: str, scene: Scene, provider: Provider, path: str, claims: dict[str, Any]
) -> None:
    roles = {"training-admins": [Permission.COURSES], "hr": [Permission.USERS]}
    use(scene, provider, roles_claim=path, roles=roles)
    kim = user_here(scene, "kim")
    provider.knows("kim", **claims)
    with visitor(base, kim.id) as before:  # with a password that someone else may have chosen
        browser = signed_on(base, provider, "kim")
        assert not is_signed_in(before)
    assert permissions_of(kim) == [permission.value for permission in MANAGEMENT]
    assert browser.get("/training/content/courses").status_code == browser.get("/users").status_code == 200
    [(actor, subject, details)] = audit_of("user.permissions_changed")
    assert (actor, subject, details["before"]) == ("task:sign-on", str(kim.id), [])


@pytest.mark.parametrize("claim", [None, "training-admins-of-globex", {"training-admins": True}, 7, [["hr"]], "*"])
def test_a_claim_that_says_nothing_gives_no_permission(
    base: str, scene: Scene, provider: Provider, claim: object
) -> None:
    use_roles(scene, provider)
    kim = user_here(scene, "kim", *MANAGEMENT)
    provider.knows("kim", groups=claim)
    browser = signed_on(base, provider, "kim")
    assert permissions_of(kim) == []
    assert browser.get("/users").status_code == 403


def test_without_a_mapping_permissions_are_managed_here(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    kim = user_here(scene, "kim", Permission.USERS)
    assert signed_on(base, provider, "kim").get("/users").status_code == 200
    assert permissions_of(kim) == [Permission.USERS]


def test_a_state_is_good_once_and_in_the_browser_that_began(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    with visitor(base) as browser, visitor(base) as other:
        url = browser.get("/sign-on/acme").headers["location"]
        back = answer_of(provider, url, "kim")
        # Another browser, which has begun a sign-in too, cannot be made to finish this one
        other.get("/sign-on/acme")
        assert other.get(back).status_code == 403
        assert not is_signed_in(other)
        # A made-up one, and one of another time
        assert browser.get(back.replace("state=", "state=x")).status_code == 403
        assert browser.get(back).status_code == 403, "an attempt is over with its first answer"
        url = browser.get("/sign-on/acme").headers["location"]
        back, kept = answer_of(provider, url, "kim"), dict(browser.cookies)
        assert browser.get(back).status_code == 303
        replayed = browser.get(back)
        assert (replayed.status_code, "was used before" in replayed.text) == (403, True)
        # Even by someone who has copied the browser's cookie: the provider takes a code once
        copied = httpx.get(back, cookies={"recourse-sign-on": kept["recourse-sign-on"]})
        assert copied.status_code == 403
        assert "recourse" not in copied.cookies


def test_an_attempt_ends_after_ten_minutes(
    base: str, scene: Scene, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    with visitor(base) as browser:
        back = answer_of(provider, browser.get("/sign-on/acme").headers["location"], "kim")
        later = time.time() + 601
        with monkeypatch.context() as patch:
            patch.setattr("tasks.sign_on.sign_in.time.time", lambda: later)
            assert browser.get(back).status_code == 403
        assert not is_signed_in(browser)


def test_what_the_provider_declines_is_said(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    for more, words in (
        ({"error": "access_denied"}, "did not sign you in: access denied"),
        ({"error": "<script>"}, "&lt;script&gt;"),
        ({"code": "made-up"}, "did not sign you in: invalid grant"),
        ({"code": "x", "iss": "https://elsewhere.example"}, "it is of another issuer"),
    ):
        with visitor(base) as browser:
            url = httpx.URL(browser.get("/sign-on/acme").headers["location"])
            answer = browser.get(address("/sign-on/acme/callback", state=url.params["state"], **more))
            assert (answer.status_code, words in answer.text) == (403, True), answer.text
            assert not is_signed_in(browser)


SPOILED: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "another nonce": (lambda claims: claims | {"nonce": "of another sign-in"}, "nonce"),
    "no nonce": (lambda claims: {name: value for name, value in claims.items() if name != "nonce"}, "nonce"),
    "another audience": (lambda claims: claims | {"aud": "another client"}, "aud"),
    "another client of several": (lambda claims: claims | {"aud": [CLIENT, "another"], "azp": "another"}, "azp"),
    "another issuer": (lambda claims: claims | {"iss": "https://elsewhere.example"}, "iss"),
    "expired": (lambda claims: claims | {"exp": int(time.time()) - 121}, "has expired"),
    "from the future": (lambda claims: claims | {"iat": int(time.time()) + 130}, "iat"),
    "of another access token": (lambda claims: claims | {"at_hash": "c29tZXRoaW5nIGVsc2U"}, "at_hash"),
    "of nobody": (lambda claims: claims | {"sub": ""}, "who the user is"),
    "without an end": (lambda claims: {name: value for name, value in claims.items() if name != "exp"}, "exp"),
    "another user's userinfo": (lambda claims: claims | {"sub": "id-of-lee"}, "about another user"),
}


@pytest.mark.parametrize("which", SPOILED)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    base: str, scene: Scene, provider: Provider, which: str
) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    provider.spoil, words = SPOILED[which]
    with visitor(base) as browser:
        answer = sign_in_at(provider, browser, "/sign-on/acme", "kim")
        assert (answer.status_code, words in answer.text) == (403, True), answer.text
        assert not is_signed_in(browser)
    assert ask("SELECT count(*) FROM web_session") == 0
    # A clock that is a little wrong is no reason to refuse
    now = int(time.time())
    provider.spoil = lambda claims: claims | {"iat": now + 60, "exp": now - 60}
    assert is_signed_in(signed_on(base, provider, "kim"))


def unsigned(claims: dict[str, Any], provider: Provider) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "kid": "first"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def by_secret(claims: dict[str, Any], provider: Provider) -> str:
    """By the public key as if it were a secret; by hand, since libraries refuse to."""
    signed = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "HS256", "kid": "first"}, claims)
    )
    signature = hmac.digest(provider.keys[0].as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def by_another_key(claims: dict[str, Any], provider: Provider) -> str:
    key = RSAKey.generate_key(2048, {"kid": "first"})
    return jwt.encode({"alg": "RS256", "kid": "first"}, claims, key)


@pytest.mark.parametrize("sign", [unsigned, by_secret, by_another_key, lambda claims, provider: "garbage"])
def test_a_signature_that_is_not_the_providers_is_refused(
    base: str, scene: Scene, provider: Provider, sign: Callable[[dict[str, Any], Provider], str]
) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    provider.signed = lambda claims, **header: sign(claims, provider)  # type: ignore[method-assign]
    with visitor(base) as browser:
        assert sign_in_at(provider, browser, "/sign-on/acme", "kim").status_code == 403
        assert not is_signed_in(browser)


def test_new_keys_are_looked_up_once_and_unknown_ones_refused(
    base: str, scene: Scene, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.sign_on.endpoints.KEYS_SECONDS", 0.0)
    use(scene, provider)
    user_here(scene, "kim")
    signed_on(base, provider, "kim")
    looked = provider.requests.count("/keys")
    signed_on(base, provider, "kim")
    assert provider.requests.count("/keys") == looked, "they are kept"
    provider.rotate_keys()
    signed_on(base, provider, "kim")
    assert provider.requests.count("/keys") == looked + 1
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "published nowhere"})
    with visitor(base) as browser:
        assert "unknown key" in sign_in_at(provider, browser, "/sign-on/acme", "kim").text
    assert provider.requests.count("/keys") == looked + 2


def test_another_organizations_user_is_nobody_here(base: str, scene: Scene, provider: Provider) -> None:
    other = make_scene("globex", learners=1)
    use(scene, provider)
    with transaction() as session:
        terms = Terms(provider.issuer, CLIENT, "Keycloak")
        set_provider(session, console_operator(other.organization), terms, SECRET)
    provider.serves(base, "globex")
    provider.knows("boss", email="admin@globex.example")
    with visitor(base) as browser:
        assert sign_in_at(provider, browser, "/sign-on/acme", "boss").status_code == 403
        # What began for one organization does not end at another
        back = answer_of(provider, browser.get("/sign-on/acme").headers["location"], "boss")
        assert browser.get(back.replace("/acme/", "/globex/")).status_code == 403
        assert not is_signed_in(browser)
    signed_on(base, provider, "boss", "globex")
    assert rows("SELECT organization_id FROM user_identity") == [(other.organization.id,)]


def deep(_: str) -> Response:
    return Response("[" * 100_000, content_type="application/json")


def endless(_: str) -> Response:
    return Response((b"x" * 1_000 for _ in iter(int, 1)), content_type="application/json")


GARBAGE: dict[str, Callable[[str], Response]] = {
    "no JSON": lambda _: Response("<html>"),
    "a list": lambda _: Response("[1]", content_type="application/json"),
    "a list for a number": lambda _: Response('{"access_token": "x", "id_token": "x", "expires_in": [1]}'),
    "an error": lambda _: Response("{}", 500),
    "a redirect": lambda _: redirect("http://127.0.0.1:1/"),  # type: ignore[return-value]
    "too deep": deep,
    "endless": endless,
    "compressed": lambda _: Response(b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("which", GARBAGE)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/userinfo", "/keys"])
def test_a_provider_that_answers_garbage_breaks_nothing(
    base: str, scene: Scene, provider: Provider, which: str, path: str
) -> None:
    from tasks.sign_on.endpoints import forget

    use(scene, provider)
    user_here(scene, "kim")
    with visitor(base) as browser:
        url = browser.get("/sign-on/acme").headers["location"]
        back = answer_of(provider, url, "kim")
        forget(provider.issuer)
        provider.before = lambda asked: GARBAGE[which](asked) if asked == path else None
        answer = browser.get(back)
        assert answer.status_code in (403, 503), answer.text
        assert "Nothing was changed" in answer.text or "Try again" in answer.text
        assert not is_signed_in(browser)
        provider.before = lambda _: None
        assert sign_in_at(provider, browser, "/sign-on/acme", "kim").status_code == 303
    assert LONGEST < 1_000_000


@pytest.mark.parametrize(
    ("issuer", "allow", "words"),
    [
        ("http://127.0.0.1:1", False, "must begin with https://"),
        ("https://127.0.0.1:1", False, "not public"),
        ("https://10.1.2.3", False, "not public"),
        ("https://user:pw@example.org", False, "user name or a password"),
        ("http://127.0.0.1:1", True, "cannot be reached: the connection failed"),
    ],
)
def test_providers_have_public_addresses_with_https(
    base: str, scene: Scene, set_up: Callable[..., None], issuer: str, allow: bool, words: str
) -> None:
    set_up(webhook_allow_private=str(allow).lower())
    from models.refusals.sign_on import SignOnInvalid

    with pytest.raises(SignOnInvalid, match=words):
        checked(Terms(issuer, CLIENT, "Keycloak"))


def test_the_sign_in_leads_only_to_pages_of_this_site(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    user_here(scene, "kim")
    for where in ("https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"):
        with visitor(base) as browser:
            answer = sign_in_at(provider, browser, address("/sign-on/acme", next=where), "kim")
            assert answer.headers["location"] == "/"


def test_the_sign_in_page_offers_what_the_organization_has(base: str, scene: Scene, provider: Provider) -> None:
    with visitor(base) as browser:
        assert "Sign in with Keycloak" not in browser.get("/sign-in").text
        use(scene, provider)
        page = browser.get("/sign-in?next=/my/inbox").text
        assert 'href="/sign-on/acme?next=/my/inbox"' in page
        assert 'name="password"' in page
        make_scene("globex", learners=1)
        page = browser.get("/sign-in").text
        assert "Sign in with Keycloak" not in page
        assert "Single sign-on" in page
        assert "Sign in with Keycloak" in browser.get("/sign-in?organization=acme").text
        assert "has no single sign-on" in browser.get("/sign-in?organization=globex").text
        assert browser.get("/sign-on/globex").status_code == browser.get("/sign-on/nobody").status_code == 404
